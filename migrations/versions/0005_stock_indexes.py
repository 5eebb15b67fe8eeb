"""stock indexes

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not concurrently: one that fails midway leaves an invalid index behind. Meanwhile reservations wait in the outbox.
    op.create_index(op.f('ix_stock_levels_product_id_store_id'), 'stock_levels', ['product_id', 'store_id'], unique=False)
    op.drop_index(op.f('ix_stock_levels_product_id'), table_name='stock_levels')
    op.create_index(op.f('ix_stock_movements_store_id_id'), 'stock_movements', ['store_id', 'id'], unique=False)
    op.create_index(op.f('ix_stock_movements_product_id_id'), 'stock_movements', ['product_id', 'id'], unique=False)
    op.create_index('ix_stock_movements_on_hand', 'stock_movements', ['store_id', 'product_id', 'at'], unique=False, postgresql_where=sa.text('on_hand_change <> 0'))


def downgrade() -> None:
    op.drop_index('ix_stock_movements_on_hand', table_name='stock_movements', postgresql_where=sa.text('on_hand_change <> 0'))
    op.drop_index(op.f('ix_stock_movements_product_id_id'), table_name='stock_movements')
    op.drop_index(op.f('ix_stock_movements_store_id_id'), table_name='stock_movements')
    op.create_index(op.f('ix_stock_levels_product_id'), 'stock_levels', ['product_id'], unique=False)
    op.drop_index(op.f('ix_stock_levels_product_id_store_id'), table_name='stock_levels')
