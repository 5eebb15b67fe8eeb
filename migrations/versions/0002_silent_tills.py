"""silent tills

Revision: 0002
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('stores', sa.Column('feed_state', sa.Text(), server_default='heard', nullable=False))
    op.add_column('stores', sa.Column('feed_changed_at', sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f('ck_stores_feed_state'), 'stores', "feed_state IN ('heard', 'stale', 'silent')")


def downgrade() -> None:
    op.drop_constraint(op.f('ck_stores_feed_state'), 'stores', type_='check')
    op.drop_column('stores', 'feed_changed_at')
    op.drop_column('stores', 'feed_state')
