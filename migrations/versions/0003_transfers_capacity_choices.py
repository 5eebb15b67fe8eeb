"""Goods between stores, the hours of a store's work, and what a customer may choose when a store cannot keep its word

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

KINDS_BEFORE = "kind IN ('receipt', 'count', 'sale', 'return', 'reservation', 'release', 'handover', 'adjustment')"
KINDS = (
    "kind IN ('receipt', 'count', 'sale', 'return', 'reservation', 'release', 'handover', "
    "'transfer_out', 'transfer_in', 'adjustment')"
)


def upgrade() -> None:
    op.drop_constraint(op.f('ck_stock_movements_kind'), 'stock_movements', type_='check')
    op.create_check_constraint(op.f('ck_stock_movements_kind'), 'stock_movements', KINDS)

    op.drop_constraint('pk_reservations', 'reservations', type_='primary')
    op.create_primary_key('pk_reservations', 'reservations', ['order_id', 'product_id', 'store_id'])

    op.create_table('transfers',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.Column('source_id', sa.Integer(), nullable=False),
    sa.Column('destination_id', sa.Integer(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('expected_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('requested_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status IN ('requested', 'sent', 'received', 'cancelled')", name=op.f('ck_transfers_status')),
    sa.CheckConstraint('source_id <> destination_id', name=op.f('ck_transfers_elsewhere')),
    sa.ForeignKeyConstraint(['source_id'], ['stores.id'], name=op.f('fk_transfers_source_id')),
    sa.ForeignKeyConstraint(['destination_id'], ['stores.id'], name=op.f('fk_transfers_destination_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transfers'))
    )
    op.create_index('ix_transfers_order_id', 'transfers', ['order_id'])
    op.create_index('ix_transfers_to_send', 'transfers', ['source_id'], postgresql_where=sa.text("status = 'requested'"))
    op.create_index('ix_transfers_to_receive', 'transfers', ['destination_id'], postgresql_where=sa.text("status IN ('requested', 'sent')"))
    op.create_table('transfer_lines',
    sa.Column('transfer_id', sa.BigInteger(), nullable=False),
    sa.Column('product_id', sa.Integer(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.CheckConstraint('quantity > 0', name=op.f('ck_transfer_lines_quantity')),
    sa.ForeignKeyConstraint(['transfer_id'], ['transfers.id'], name=op.f('fk_transfer_lines_transfer_id')),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('fk_transfer_lines_product_id')),
    sa.PrimaryKeyConstraint('transfer_id', 'product_id', name=op.f('pk_transfer_lines'))
    )

    op.create_table('capacity_hours',
    sa.Column('store_id', sa.Integer(), nullable=False),
    sa.Column('hour', sa.DateTime(timezone=True), nullable=False),
    sa.Column('taken', sa.Integer(), server_default='0', nullable=False),
    sa.CheckConstraint('taken >= 0', name=op.f('ck_capacity_hours_taken')),
    sa.ForeignKeyConstraint(['store_id'], ['stores.id'], name=op.f('fk_capacity_hours_store_id')),
    sa.PrimaryKeyConstraint('store_id', 'hour', name=op.f('pk_capacity_hours'))
    )

    op.add_column('orders', sa.Column('routing_policy', sa.Text(), server_default='nearest', nullable=False))
    op.add_column('orders', sa.Column('sourcing', postgresql.JSONB(), nullable=True))
    op.add_column('orders', sa.Column('capacity_hour', sa.DateTime(timezone=True), nullable=True))
    op.add_column('orders', sa.Column('told_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('orders', sa.Column('if_short', sa.Text(), nullable=True))
    op.add_column('orders', sa.Column('offer', postgresql.JSONB(), nullable=True))
    op.add_column('orders', sa.Column('offer_until', sa.DateTime(timezone=True), nullable=True))
    # Whoever has been told a store before this version was told it when the goods were reserved.
    op.execute("UPDATE orders SET told_at = changed_at WHERE status IN ('reserved', 'picking', 'ready')")
    op.create_check_constraint(op.f('ck_orders_offer_has_an_end'), 'orders', '(offer IS NULL) = (offer_until IS NULL)')
    op.create_check_constraint(op.f('ck_orders_offer_while_placed'), 'orders', "offer IS NULL OR status = 'placed'")
    op.create_check_constraint(op.f('ck_orders_if_short'), 'orders', "if_short IN ('part', 'move', 'cancel')")
    op.create_index('ix_orders_offered', 'orders', ['offer_until'], postgresql_where=sa.text('offer_until IS NOT NULL'))
    op.add_column('order_lines', sa.Column('short', sa.Integer(), server_default='0', nullable=False))
    op.create_check_constraint(op.f('ck_order_lines_short'), 'order_lines', 'short BETWEEN 0 AND quantity')


def downgrade() -> None:
    op.drop_constraint(op.f('ck_order_lines_short'), 'order_lines', type_='check')
    op.drop_column('order_lines', 'short')
    op.drop_index('ix_orders_offered', 'orders')
    for name in ('offer_has_an_end', 'offer_while_placed', 'if_short'):
        op.drop_constraint(op.f(f'ck_orders_{name}'), 'orders', type_='check')
    for name in ('offer_until', 'offer', 'if_short', 'told_at', 'capacity_hour', 'sourcing', 'routing_policy'):
        op.drop_column('orders', name)
    op.drop_table('capacity_hours')
    op.drop_table('transfer_lines')
    op.drop_table('transfers')
    op.drop_constraint('pk_reservations', 'reservations', type_='primary')
    op.create_primary_key('pk_reservations', 'reservations', ['order_id', 'product_id'])
    op.execute("UPDATE stock_movements SET kind = 'adjustment' WHERE kind IN ('transfer_out', 'transfer_in')")
    op.drop_constraint(op.f('ck_stock_movements_kind'), 'stock_movements', type_='check')
    op.create_check_constraint(op.f('ck_stock_movements_kind'), 'stock_movements', KINDS_BEFORE)
