"""one price: why it is so, the zones that stores were in, what was paid at the handover, tills that are late

Revision: 0008
Follows: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('prices', sa.Column('reason', sa.Text(), server_default='', nullable=False))
    op.create_table(
        'store_price_zones',
        sa.Column('store_id', sa.Integer(), nullable=False),
        sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
        sa.Column('zone', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ['store_id'], ['stores.id'], name=op.f('fk_store_price_zones_store_id'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('store_id', 'valid_from', name=op.f('pk_store_price_zones')),
    )
    op.execute("INSERT INTO store_price_zones SELECT id, to_timestamp(0), price_zone FROM stores")
    op.execute("""
        CREATE FUNCTION remember_price_zone() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO store_price_zones (store_id, valid_from, zone)
            VALUES (
                NEW.id,
                CASE TG_OP WHEN 'INSERT' THEN to_timestamp(0) ELSE clock_timestamp() + interval '250 ms' END,
                NEW.price_zone
            );
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER remember_first_price_zone AFTER INSERT ON stores
        FOR EACH ROW EXECUTE FUNCTION remember_price_zone()
    """)
    # At the commit, and valid a little after it: see docs/decisions/0014.
    op.execute("""
        CREATE CONSTRAINT TRIGGER remember_next_price_zone AFTER UPDATE OF price_zone ON stores
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.price_zone <> NEW.price_zone) EXECUTE FUNCTION remember_price_zone()
    """)

    op.add_column('orders', sa.Column('reduced_amount', sa.BigInteger(), server_default='0', nullable=False))
    op.create_check_constraint(op.f('ck_orders_reduced_amount'), 'orders', 'reduced_amount >= 0')
    op.add_column('order_lines', sa.Column('reduced_to', sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f('ck_order_lines_reduced_to'), 'order_lines', 'reduced_to >= 0 AND reduced_to < unit_amount'
    )
    op.create_index(op.f('ix_order_lines_product_id'), 'order_lines', ['product_id'])

    op.add_column('till_registers', sa.Column('clock_ahead_ms', sa.BigInteger(), nullable=True))
    op.add_column('till_registers', sa.Column('late_since', sa.DateTime(timezone=True), nullable=True))
    op.add_column('till_sales', sa.Column('clock_ahead_ms', sa.BigInteger(), nullable=True))
    op.create_index(op.f('ix_till_sale_lines_product_id'), 'till_sale_lines', ['product_id'])
    op.add_column('parity_breaches', sa.Column('ledger_version', sa.BigInteger(), nullable=True))
    for place in ('store_id', 'product_id'):
        op.create_index(op.f(f'ix_parity_breaches_{place}_at_id'), 'parity_breaches', [place, 'at', 'id'])


def downgrade() -> None:
    for place in ('store_id', 'product_id'):
        op.drop_index(op.f(f'ix_parity_breaches_{place}_at_id'), 'parity_breaches')
    op.drop_column('parity_breaches', 'ledger_version')
    op.drop_index(op.f('ix_till_sale_lines_product_id'), 'till_sale_lines')
    op.drop_column('till_sales', 'clock_ahead_ms')
    op.drop_column('till_registers', 'late_since')
    op.drop_column('till_registers', 'clock_ahead_ms')

    op.drop_index(op.f('ix_order_lines_product_id'), 'order_lines')
    op.drop_constraint(op.f('ck_order_lines_reduced_to'), 'order_lines')
    op.drop_column('order_lines', 'reduced_to')
    op.drop_constraint(op.f('ck_orders_reduced_amount'), 'orders')
    op.drop_column('orders', 'reduced_amount')

    for name in ('next', 'first'):
        op.execute(f'DROP TRIGGER remember_{name}_price_zone ON stores')
    op.execute('DROP FUNCTION remember_price_zone()')
    op.drop_table('store_price_zones')
    op.drop_column('prices', 'reason')
