"""enrolled tablets, an audit trail, waves and staging places, goods that customers refuse, signatures, work done offline

Revision: 0010
Follows: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
APPEND_ONLY = """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'rows of % are added, never changed', TG_TABLE_NAME;
    END $$;
    CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
        FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.drop_constraint(op.f('ck_staff_members_role'), 'staff_members')
    op.create_check_constraint(
        op.f('ck_staff_members_role'), 'staff_members', "role IN ('associate', 'manager', 'head_office')"
    )
    op.add_column('staff_members', sa.Column('left_at', TIME, nullable=True))
    op.drop_constraint(op.f('uq_staff_members_store_id_name'), 'staff_members')
    op.create_index(
        op.f('ix_staff_members_store_id_name'),
        'staff_members',
        ['store_id', 'name'],
        unique=True,
        postgresql_where=sa.text('left_at IS NULL'),
    )
    op.create_table(
        'devices',
        sa.Column('id', sa.Integer(), sa.Identity(), nullable=False),
        sa.Column('store_id', sa.Integer(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('token_digest', sa.LargeBinary(), nullable=False),
        sa.Column('enrolled_at', TIME, nullable=False),
        sa.Column('enrolled_by', sa.Text(), nullable=False),
        sa.Column('seen_at', TIME, nullable=False),
        sa.Column('revoked_at', TIME, nullable=True),
        sa.Column('revoked_by', sa.Text(), nullable=True),
        sa.CheckConstraint('(revoked_at IS NULL) = (revoked_by IS NULL)', name=op.f('ck_devices_revoked')),
        sa.ForeignKeyConstraint(['store_id'], ['stores.id'], name=op.f('fk_devices_store_id_stores')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_devices')),
        sa.UniqueConstraint('token_digest', name=op.f('uq_devices_token_digest')),
    )
    op.create_index(op.f('ix_devices_store_id'), 'devices', ['store_id'])
    op.create_table(
        'audit_entries',
        sa.Column('id', sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column('at', TIME, nullable=False),
        sa.Column('store_id', sa.Integer(), nullable=True),
        sa.Column('member_id', sa.Integer(), nullable=True),
        sa.Column('member_name', sa.Text(), nullable=False),
        sa.Column('device_id', sa.Integer(), nullable=True),
        sa.Column('device_name', sa.Text(), nullable=False),
        sa.Column('action', sa.Text(), nullable=False),
        sa.Column('order_id', sa.Uuid(), nullable=True),
        sa.Column('detail', JSONB(), server_default='{}', nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entries')),
    )
    op.create_index(op.f('ix_audit_entries_store_id_id'), 'audit_entries', ['store_id', 'id'])
    op.create_index(
        op.f('ix_audit_entries_order_id'), 'audit_entries', ['order_id'], postgresql_where=sa.text('order_id IS NOT NULL')
    )
    op.execute(APPEND_ONLY)
    op.create_table(
        'offline_actions',
        sa.Column('key', sa.Uuid(), nullable=False),
        sa.Column('store_id', sa.Integer(), nullable=False),
        sa.Column('member_id', sa.Integer(), nullable=False),
        sa.Column('member_name', sa.Text(), nullable=False),
        sa.Column('device_id', sa.Integer(), nullable=True),
        sa.Column('order_id', sa.Uuid(), nullable=False),
        sa.Column('action', sa.Text(), nullable=False),
        sa.Column('at', TIME, nullable=False),
        sa.Column('received_at', TIME, nullable=False),
        sa.Column('outcome', sa.Text(), nullable=False),
        sa.Column('detail', sa.Text(), nullable=False),
        sa.Column('settled_at', TIME, nullable=True),
        sa.Column('settled_by', sa.Text(), nullable=True),
        sa.CheckConstraint("outcome IN ('done', 'already', 'conflict')", name=op.f('ck_offline_actions_outcome')),
        sa.CheckConstraint(
            "settled_at IS NULL OR outcome = 'conflict'", name=op.f('ck_offline_actions_settled_conflicts')
        ),
        sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_offline_actions_order_id_orders')),
        sa.ForeignKeyConstraint(['store_id'], ['stores.id'], name=op.f('fk_offline_actions_store_id_stores')),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_offline_actions')),
    )
    op.create_index(
        op.f('ix_offline_actions_store_id'),
        'offline_actions',
        ['store_id'],
        postgresql_where=sa.text("outcome = 'conflict' AND settled_at IS NULL"),
    )
    op.create_table(
        'signatures',
        sa.Column('order_id', sa.Uuid(), nullable=False),
        sa.Column('at', TIME, nullable=False),
        sa.Column('strokes', JSONB(), nullable=False),
        sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_signatures_order_id_orders')),
        sa.PrimaryKeyConstraint('order_id', name=op.f('pk_signatures')),
    )
    op.add_column('orders', sa.Column('wave_id', sa.Uuid(), nullable=True))
    op.create_index(op.f('ix_orders_wave_id'), 'orders', ['wave_id'], postgresql_where=sa.text('wave_id IS NOT NULL'))
    op.add_column('orders', sa.Column('picker_id', sa.Integer(), nullable=True))
    op.add_column('orders', sa.Column('staging_place', sa.Text(), nullable=True))
    op.add_column('order_lines', sa.Column('picked', sa.Integer(), server_default='0', nullable=False))
    op.add_column('order_lines', sa.Column('refused', sa.Integer(), server_default='0', nullable=False))
    op.create_check_constraint(
        op.f('ck_order_lines_picked'), 'order_lines', 'picked BETWEEN 0 AND quantity - short'
    )
    op.create_check_constraint(
        op.f('ck_order_lines_refused'), 'order_lines', 'refused BETWEEN 0 AND quantity - short'
    )
    op.drop_constraint(op.f('ck_order_lines_returned'), 'order_lines')
    op.create_check_constraint(
        op.f('ck_order_lines_returned'), 'order_lines', 'returned BETWEEN 0 AND quantity - short - refused'
    )
    op.create_index(
        op.f('ix_order_history_at'),
        'order_history',
        ['at'],
        postgresql_using='brin',
        postgresql_with={'autosummarize': 'on'},
    )


def downgrade() -> None:
    op.drop_index(op.f('ix_order_history_at'), 'order_history')
    op.drop_constraint(op.f('ck_order_lines_returned'), 'order_lines')
    op.create_check_constraint(
        op.f('ck_order_lines_returned'), 'order_lines', 'returned BETWEEN 0 AND quantity - short'
    )
    op.drop_constraint(op.f('ck_order_lines_refused'), 'order_lines')
    op.drop_constraint(op.f('ck_order_lines_picked'), 'order_lines')
    op.drop_column('order_lines', 'refused')
    op.drop_column('order_lines', 'picked')
    op.drop_column('orders', 'staging_place')
    op.drop_column('orders', 'picker_id')
    op.drop_index(op.f('ix_orders_wave_id'), 'orders')
    op.drop_column('orders', 'wave_id')
    op.drop_table('signatures')
    op.drop_table('offline_actions')
    op.drop_table('audit_entries')
    op.execute('DROP FUNCTION refuse_change()')
    op.drop_table('devices')
    op.drop_index(op.f('ix_staff_members_store_id_name'), 'staff_members')
    op.execute("DELETE FROM unknown_codes WHERE member_id IN (SELECT id FROM staff_members WHERE left_at IS NOT NULL)")
    op.execute('DELETE FROM staff_members WHERE left_at IS NOT NULL')
    op.create_unique_constraint(op.f('uq_staff_members_store_id_name'), 'staff_members', ['store_id', 'name'])
    op.drop_column('staff_members', 'left_at')
    op.execute("UPDATE staff_members SET role = 'manager' WHERE role = 'head_office'")
    op.drop_constraint(op.f('ck_staff_members_role'), 'staff_members')
    op.create_check_constraint(op.f('ck_staff_members_role'), 'staff_members', "role IN ('associate', 'manager')")
