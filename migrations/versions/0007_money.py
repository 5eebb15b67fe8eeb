"""the money: what each payment held, took and gave back; refunds; messages of gateways; declines

Revision: 0007
Follows: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

STATUSES = (
    'pending', 'requires_action', 'declined', 'authorised', 'captured', 'voided', 'partially_refunded', 'refunded',
    'written_off',
)
AMOUNTS = {'authorised': 'authorisation', 'captured': 'capture', 'voided': 'void', 'refunded': 'refund'}


def upgrade() -> None:
    for name in (*AMOUNTS, 'written_off'):
        op.add_column('payments', sa.Column(name, sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('payments', sa.Column('is_current', sa.Boolean(), server_default='true', nullable=False))
    op.add_column('payments', sa.Column('replaces', sa.Uuid(), nullable=True))
    op.add_column('payments', sa.Column('capture_before', sa.DateTime(timezone=True), nullable=True))
    op.add_column('payments', sa.Column('action', postgresql.JSONB(none_as_null=True), nullable=True))
    op.add_column('payments', sa.Column('detail', sa.Text(), nullable=True))
    op.add_column('payments', sa.Column('problem', sa.Text(), nullable=True))
    op.add_column('payments', sa.Column('problem_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('payment_entries', sa.Column('note', sa.Text(), nullable=True))
    op.add_column('sandbox_charges', sa.Column('voided', sa.BigInteger(), server_default='0', nullable=False))

    # What was held beyond a capture has been given back with it; from now on the ledger says so. A decline moves
    # nothing. A tombstone, voided before the charge came in, has never held anything.
    op.execute("DELETE FROM payment_entries WHERE kind = 'decline' OR amount = 0")
    op.execute("""
        DELETE FROM payment_entries AS void WHERE kind = 'void' AND NOT EXISTS (
            SELECT FROM payment_entries AS held
            WHERE held.payment_id = void.payment_id AND held.kind = 'authorisation'
        )
    """)
    op.execute("""
        INSERT INTO payment_entries (payment_id, kind, amount, at)
        SELECT capture.payment_id, 'void', held.amount - capture.amount, capture.at
        FROM payment_entries AS capture
        JOIN payment_entries AS held ON held.payment_id = capture.payment_id AND held.kind = 'authorisation'
        WHERE capture.kind = 'capture' AND held.amount > capture.amount
    """)
    for column, kind in AMOUNTS.items():
        op.execute(f"""
            UPDATE payments SET {column} = entry.amount
            FROM (SELECT payment_id, sum(amount) AS amount FROM payment_entries WHERE kind = '{kind}' GROUP BY 1) AS entry
            WHERE entry.payment_id = payments.id
        """)
    op.execute("""
        UPDATE sandbox_charges SET voided = amount - captured
        WHERE status IN ('voided', 'captured', 'refunded')
          AND EXISTS (SELECT FROM payments WHERE payments.id = key AND payments.authorised > 0)
    """)
    op.execute("UPDATE sandbox_charges SET status = 'captured' WHERE status = 'refunded'")
    # The gateway's view names what was ever authorised: nothing, of a tombstone.
    op.execute("UPDATE sandbox_charges SET amount = 0 WHERE status = 'voided' AND voided = 0")

    op.drop_constraint(op.f('ck_payments_status'), 'payments')
    op.create_check_constraint(op.f('ck_payments_status'), 'payments', f"status IN {STATUSES}")
    op.create_check_constraint(
        op.f('ck_payments_not_negative'), 'payments', 'least(captured, voided, refunded, written_off) >= 0'
    )
    op.create_check_constraint(
        op.f('ck_payments_taken_or_given_back_once'), 'payments', 'captured + voided <= authorised'
    )
    op.create_check_constraint(op.f('ck_payments_refunded'), 'payments', 'refunded <= captured')
    op.create_check_constraint(
        op.f('ck_payments_problem_has_a_time'), 'payments', '(problem IS NULL) = (problem_at IS NULL)'
    )
    op.drop_constraint(op.f('uq_payments_order_id'), 'payments')
    op.create_index('uq_payments_current', 'payments', ['order_id'], unique=True, postgresql_where=sa.text('is_current'))
    op.create_index(
        'ix_payments_replaces', 'payments', ['replaces'], unique=True, postgresql_where=sa.text('replaces IS NOT NULL')
    )
    op.create_index('ix_payments_replaced', 'payments', ['order_id'], postgresql_where=sa.text('NOT is_current'))
    op.create_index(
        'ix_payments_lapsing', 'payments', ['capture_before'], postgresql_where=sa.text("status = 'authorised'")
    )
    op.create_index(
        'ix_payments_problem', 'payments', ['problem_at'], postgresql_where=sa.text('problem IS NOT NULL')
    )
    op.create_index(
        'ix_payments_gateway_reference', 'payments', ['gateway_reference'],
        postgresql_where=sa.text("method <> 'sandbox'"),
    )

    op.drop_constraint(op.f('ck_payment_entries_kind'), 'payment_entries')
    op.create_check_constraint(
        op.f('ck_payment_entries_kind'), 'payment_entries',
        "kind IN ('authorisation', 'capture', 'void', 'refund', 'write_off')",
    )
    op.create_check_constraint(
        op.f('ck_payment_entries_amount'), 'payment_entries', "amount > 0 OR (kind = 'write_off' AND amount = 0)"
    )
    op.create_check_constraint(
        op.f('ck_sandbox_charges_taken_or_given_back_once'), 'sandbox_charges', 'captured + voided <= amount'
    )
    op.create_check_constraint(op.f('ck_sandbox_charges_refunded'), 'sandbox_charges', 'refunded <= captured')

    op.create_table(
        'payment_refunds',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('payment_id', sa.Uuid(), nullable=False),
        sa.Column('amount', sa.BigInteger(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint('amount > 0', name=op.f('ck_payment_refunds_amount')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_payment_refunds')),
    )
    op.create_index(op.f('ix_payment_refunds_payment_id'), 'payment_refunds', ['payment_id'])
    op.create_table(
        'gateway_events',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('gateway', sa.Text(), nullable=False),
        sa.Column('event_id', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('body', sa.Text(), nullable=False),
        sa.Column('payment_id', sa.Uuid(), nullable=True),
        sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_gateway_events')),
    )
    op.create_index('uq_gateway_events', 'gateway_events', ['gateway', 'event_id'], unique=True)
    op.create_index('ix_gateway_events_received_at', 'gateway_events', ['received_at'])
    op.create_table(
        'declined_payments',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column('subject', sa.LargeBinary(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_declined_payments')),
    )
    op.create_index('ix_declined_payments_subject', 'declined_payments', ['subject', 'at'])
    op.create_table(
        'money_checks',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('payments', sa.Integer(), nullable=False),
        sa.Column('differences', sa.Integer(), nullable=False),
        sa.Column('first', postgresql.JSONB(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_money_checks')),
    )
    op.create_table(
        'sandbox_refunds',
        sa.Column('key', sa.Uuid(), nullable=False),
        sa.Column('charge_key', sa.Uuid(), nullable=False),
        sa.Column('amount', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_sandbox_refunds')),
    )
    op.create_table(
        'returns',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('order_id', sa.Uuid(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('actor_kind', sa.Text(), nullable=False),
        sa.Column('actor_name', sa.Text(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('is_restocked', sa.Boolean(), nullable=False),
        sa.Column('amount', sa.BigInteger(), nullable=False),
        sa.CheckConstraint('amount >= 0', name=op.f('ck_returns_amount')),
        sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_returns_order_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_returns')),
    )
    op.create_index(op.f('ix_returns_order_id'), 'returns', ['order_id'])
    op.create_table(
        'return_lines',
        sa.Column('return_id', sa.Uuid(), nullable=False),
        sa.Column('product_id', sa.Integer(), nullable=False),
        sa.Column('quantity', sa.Integer(), nullable=False),
        sa.CheckConstraint('quantity > 0', name=op.f('ck_return_lines_quantity')),
        sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('fk_return_lines_product_id')),
        sa.ForeignKeyConstraint(['return_id'], ['returns.id'], name=op.f('fk_return_lines_return_id')),
        sa.PrimaryKeyConstraint('return_id', 'product_id', name=op.f('pk_return_lines')),
    )
    op.add_column('orders', sa.Column('returned_amount', sa.BigInteger(), server_default='0', nullable=False))
    op.create_check_constraint(
        op.f('ck_orders_returned_amount'), 'orders', 'returned_amount BETWEEN 0 AND total_amount'
    )
    op.add_column('orders', sa.Column('held_until', sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        'ix_orders_held_unpaid', 'orders', ['held_until'], postgresql_where=sa.text('held_until IS NOT NULL')
    )
    op.create_check_constraint(
        op.f('ck_orders_held_until'), 'orders', "held_until IS NULL OR status IN ('awaiting_payment', 'placed')"
    )
    op.add_column('order_lines', sa.Column('returned', sa.Integer(), server_default='0', nullable=False))
    op.create_check_constraint(
        op.f('ck_order_lines_returned'), 'order_lines', 'returned BETWEEN 0 AND quantity - short'
    )


def downgrade() -> None:
    op.drop_constraint(op.f('ck_order_lines_returned'), 'order_lines')
    op.drop_column('order_lines', 'returned')
    op.drop_constraint(op.f('ck_orders_held_until'), 'orders')
    op.drop_index('ix_orders_held_unpaid', 'orders')
    op.drop_column('orders', 'held_until')
    op.drop_constraint(op.f('ck_orders_returned_amount'), 'orders')
    op.drop_column('orders', 'returned_amount')
    for table in (
        'return_lines', 'returns', 'sandbox_refunds', 'money_checks', 'declined_payments', 'gateway_events',
        'payment_refunds',
    ):
        op.drop_table(table)
    for name in ('ck_sandbox_charges_refunded', 'ck_sandbox_charges_taken_or_given_back_once'):
        op.drop_constraint(op.f(name), 'sandbox_charges')
    for name in ('ck_payment_entries_amount', 'ck_payment_entries_kind'):
        op.drop_constraint(op.f(name), 'payment_entries')
    op.execute("DELETE FROM payment_entries WHERE kind = 'write_off'")
    op.create_check_constraint(
        op.f('ck_payment_entries_kind'), 'payment_entries',
        "kind IN ('authorisation', 'decline', 'capture', 'void', 'refund')",
    )
    for name in ('gateway_reference', 'problem', 'lapsing', 'replaced', 'replaces'):
        op.drop_index(f'ix_payments_{name}', 'payments')
    op.drop_index('uq_payments_current', 'payments')
    op.execute('DELETE FROM payments WHERE NOT is_current')
    op.create_unique_constraint(op.f('uq_payments_order_id'), 'payments', ['order_id'])
    for name in ('problem_has_a_time', 'refunded', 'taken_or_given_back_once', 'not_negative', 'status'):
        op.drop_constraint(op.f(f'ck_payments_{name}'), 'payments')
    op.execute("UPDATE payments SET status = 'refunded' WHERE status = 'partially_refunded'")
    op.execute("UPDATE payments SET status = 'voided' WHERE status = 'written_off'")
    op.create_check_constraint(
        op.f('ck_payments_status'), 'payments',
        "status IN ('pending', 'requires_action', 'authorised', 'declined', 'captured', 'voided', 'refunded')",
    )
    op.drop_column('sandbox_charges', 'voided')
    op.drop_column('payment_entries', 'note')
    for name in (
        'problem_at', 'problem', 'detail', 'action', 'capture_before', 'replaces', 'is_current', 'written_off', *AMOUNTS
    ):
        op.drop_column('payments', name)
