"""tasks know the workers that died with them

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op
revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('outbox_tasks', sa.Column('deaths', sa.Integer(), server_default='0', nullable=False))
    op.add_column('outbox_tasks', sa.Column('leased', sa.Boolean(), server_default=sa.text('false'), nullable=False))


def downgrade() -> None:
    op.drop_column('outbox_tasks', 'leased')
    op.drop_column('outbox_tasks', 'deaths')
