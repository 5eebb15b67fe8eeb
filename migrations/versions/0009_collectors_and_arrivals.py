"""collectors with a code and a page of their own; customers who say that they are on the way, and where they stand

Revision: 0009
Follows: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

COLUMNS = {
    'collector_code': sa.Text,
    'collector_token': sa.Text,
    'collector_named_at': lambda: sa.DateTime(timezone=True),
    'collector_named_by': sa.Text,
    'on_the_way_at': lambda: sa.DateTime(timezone=True),
    'expected_at': lambda: sa.DateTime(timezone=True),
    'arrival_bay': sa.Text,
    'arrival_car': sa.Text,
}


def upgrade() -> None:
    for name, make_type in COLUMNS.items():
        op.add_column('orders', sa.Column(name, make_type(), nullable=True))
    op.add_column(
        'orders', sa.Column('collected_by_collector', sa.Boolean(), server_default=sa.text('false'), nullable=False)
    )
    op.create_check_constraint(
        op.f('ck_orders_collector_code'),
        'orders',
        '(collector_code IS NULL) = (collector_token IS NULL) AND (collector_code IS NULL OR collector_name IS NOT NULL)',
    )
    op.create_check_constraint(
        op.f('ck_orders_expected_at'), 'orders', 'expected_at IS NULL OR on_the_way_at IS NOT NULL'
    )
    op.create_index(
        op.f('ix_orders_store_id_collector_code'),
        'orders',
        ['store_id', 'collector_code'],
        postgresql_where=sa.text('collector_code IS NOT NULL'),
    )
    op.create_index(
        op.f('ix_orders_collector_token'),
        'orders',
        ['collector_token'],
        unique=True,
        postgresql_where=sa.text('collector_token IS NOT NULL'),
    )


def downgrade() -> None:
    op.drop_index(op.f('ix_orders_collector_token'), 'orders')
    op.drop_index(op.f('ix_orders_store_id_collector_code'), 'orders')
    op.drop_constraint(op.f('ck_orders_expected_at'), 'orders')
    op.drop_constraint(op.f('ck_orders_collector_code'), 'orders')
    for name in ('collected_by_collector', *reversed(COLUMNS)):
        op.drop_column('orders', name)
