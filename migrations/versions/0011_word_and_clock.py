"""the feed of events, webhooks, channels and preferences, what the clock still has to do about an order

Revision: 0011
Follows: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
FINAL = "status IN ('collected', 'cancelled', 'expired')"
WAITS = 'done_at IS NULL AND dead_at IS NULL'
ANNOUNCED = "valid_from - recorded_at > '00:01:00'::interval"

# One row per changed level, only while somebody listens. It is locked by whoever changes the level, until they commit:
# so whoever tells of it afterwards reads what they have made of it.
STOCK_NEWS = """
    CREATE FUNCTION note_stock_news() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM webhook_endpoints
            WHERE disabled_at IS NULL AND (events = '{}' OR 'stock.changed' = ANY(events))
        ) THEN
            INSERT INTO stock_news (store_id, product_id, at)
            SELECT store_id, product_id, now() FROM changed ORDER BY store_id, product_id
            ON CONFLICT (store_id, product_id) DO UPDATE SET at = excluded.at;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER stock_levels_added AFTER INSERT ON stock_levels
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_stock_news();
    CREATE TRIGGER stock_levels_changed AFTER UPDATE ON stock_levels
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_stock_news();
"""


def upgrade() -> None:
    op.add_column('events', sa.Column('position', sa.BigInteger(), nullable=True))
    # Amounts that shops hear of have a currency from now on.
    op.execute("""
        UPDATE events SET position = events.id, data = events.data || CASE
            WHEN events.data ?| ARRAY['amount', 'reduced_amount'] AND orders.id IS NOT NULL
            THEN jsonb_build_object('currency', orders.currency) ELSE '{}' END
        FROM events AS same LEFT JOIN orders ON orders.id = same.subject_id
        WHERE same.id = events.id
    """)
    op.create_unique_constraint(op.f('uq_events_position'), 'events', ['position'])
    op.create_index('ix_events_unnumbered', 'events', ['id'], postgresql_where=sa.text('position IS NULL'))
    op.create_index('ix_events_at', 'events', ['at'], postgresql_using='brin', postgresql_with={'autosummarize': 'on'})
    op.create_index('ix_prices_announced', 'prices', ['valid_from'], postgresql_where=sa.text(ANNOUNCED))
    op.create_table(
        'price_clock',
        sa.Column('id', sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column('told_until', TIME, nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_price_clock')),
    )

    op.add_column('stores', sa.Column('email', sa.Text(), server_default='', nullable=False))
    op.add_column('products', sa.Column('hold_days', sa.Integer(), nullable=True))
    op.create_check_constraint(op.f('ck_products_hold_days'), 'products', 'hold_days > 0')
    _add_clock()
    _add_channels()
    _add_webhooks()


def _add_clock() -> None:
    for name in (
        'at_risk_told_at', 'overdue_told_at', 'remind_at', 'warn_at', 'put_back_since', 'erase_requested_at', 'erased_at'
    ):
        op.add_column('orders', sa.Column(name, TIME, nullable=True))
    op.add_column('orders', sa.Column('hold_extensions', sa.Integer(), server_default='0', nullable=False))
    op.create_check_constraint(op.f('ck_orders_hold_extensions'), 'orders', 'hold_extensions >= 0')
    for name, columns, where in (
        (
            'ix_orders_promised',
            ['ready_by'],
            "status IN ('in_transit', 'reserved', 'picking') AND overdue_told_at IS NULL",
        ),
        ('ix_orders_remind', ['remind_at'], 'remind_at IS NOT NULL'),
        ('ix_orders_warn', ['warn_at'], 'warn_at IS NOT NULL'),
        ('ix_orders_put_back', ['store_id'], 'put_back_since IS NOT NULL'),
        ('ix_orders_erase_requested', ['id'], 'erase_requested_at IS NOT NULL'),
        ('ix_orders_to_erase', ['changed_at'], f'{FINAL} AND erased_at IS NULL'),
    ):
        op.create_index(name, 'orders', columns, postgresql_where=sa.text(where))


def _add_channels() -> None:
    op.add_column('messages', sa.Column('provider_id', sa.Text(), nullable=True))
    op.add_column('messages', sa.Column('failed_at', TIME, nullable=True))
    op.add_column('messages', sa.Column('failure', sa.Text(), nullable=True))
    op.drop_constraint(op.f('uq_messages_event_id_kind_channel'), 'messages')
    op.create_unique_constraint(
        op.f('uq_messages_event_id_kind_channel_recipient'), 'messages', ['event_id', 'kind', 'channel', 'recipient']
    )
    op.create_table(
        'contact_preferences',
        sa.Column('client_id', sa.Integer(), nullable=False),
        sa.Column('email', sa.Text(), nullable=False),
        sa.Column('channels', JSONB(), nullable=False),
        sa.Column('changed_at', TIME, server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ['client_id'], ['api_clients.id'], name=op.f('fk_contact_preferences_client_id_api_clients')
        ),
        sa.PrimaryKeyConstraint('client_id', 'email', name=op.f('pk_contact_preferences')),
    )
    op.create_table(
        'push_subscriptions',
        sa.Column('id', sa.Integer(), sa.Identity(), nullable=False),
        sa.Column('store_id', sa.Integer(), nullable=False),
        sa.Column('device_id', sa.Integer(), nullable=True),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('public_key', sa.Text(), nullable=False),
        sa.Column('auth_secret', sa.Text(), nullable=False),
        sa.Column('created_at', TIME, server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['store_id'], ['stores.id'], name=op.f('fk_push_subscriptions_store_id_stores')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_push_subscriptions')),
        sa.UniqueConstraint('url', name=op.f('uq_push_subscriptions_url')),
    )
    op.create_index(op.f('ix_push_subscriptions_store_id'), 'push_subscriptions', ['store_id'])


def _add_webhooks() -> None:
    op.create_table(
        'webhook_endpoints',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('client_id', sa.Integer(), nullable=False),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('events', ARRAY(sa.Text()), nullable=False),
        sa.Column('secret', sa.Text(), nullable=False),
        sa.Column('old_secret', sa.Text(), nullable=True),
        sa.Column('old_secret_until', TIME, nullable=True),
        sa.Column('created_at', TIME, nullable=False),
        sa.Column('failing_since', TIME, nullable=True),
        sa.Column('disabled_at', TIME, nullable=True),
        sa.Column('disabled_why', sa.Text(), nullable=True),
        sa.CheckConstraint(
            "disabled_why IN ('gone', 'removed', 'paused')", name=op.f('ck_webhook_endpoints_disabled_why')
        ),
        sa.CheckConstraint(
            '(disabled_at IS NULL) = (disabled_why IS NULL)', name=op.f('ck_webhook_endpoints_disabled')
        ),
        sa.CheckConstraint(
            '(old_secret IS NULL) = (old_secret_until IS NULL)', name=op.f('ck_webhook_endpoints_old_secret')
        ),
        sa.ForeignKeyConstraint(
            ['client_id'], ['api_clients.id'], name=op.f('fk_webhook_endpoints_client_id_api_clients')
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_endpoints')),
    )
    op.create_index(op.f('ix_webhook_endpoints_client_id'), 'webhook_endpoints', ['client_id'])
    op.create_table(
        'webhook_deliveries',
        sa.Column('id', sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column('endpoint_id', sa.Uuid(), nullable=False),
        sa.Column('event_id', sa.BigInteger(), nullable=False),
        sa.Column('subject_id', sa.Uuid(), nullable=False),
        sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
        sa.Column('due_at', TIME, nullable=False),
        sa.Column('done_at', TIME, nullable=True),
        sa.Column('dead_at', TIME, nullable=True),
        sa.Column('last_status', sa.Integer(), nullable=True),
        sa.Column('last_error', sa.Text(), nullable=True),
        sa.CheckConstraint('done_at IS NULL OR dead_at IS NULL', name=op.f('ck_webhook_deliveries_one_end')),
        sa.CheckConstraint('attempts >= 0', name=op.f('ck_webhook_deliveries_attempts')),
        sa.ForeignKeyConstraint(
            ['endpoint_id'], ['webhook_endpoints.id'], name=op.f('fk_webhook_deliveries_endpoint_id_webhook_endpoints')
        ),
        sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_webhook_deliveries_event_id_events')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_deliveries')),
        sa.UniqueConstraint('endpoint_id', 'event_id', name=op.f('uq_webhook_deliveries_endpoint_id_event_id')),
    )
    for name, columns, where in (
        ('ix_webhook_deliveries_due', ['endpoint_id', 'due_at', 'event_id'], WAITS),
        ('ix_webhook_deliveries_order', ['endpoint_id', 'subject_id', 'event_id'], WAITS),
        ('ix_webhook_deliveries_done', ['done_at'], 'done_at IS NOT NULL'),
        ('ix_webhook_deliveries_dead', ['dead_at'], 'dead_at IS NOT NULL'),
    ):
        op.create_index(name, 'webhook_deliveries', columns, postgresql_where=sa.text(where))
    op.create_table(
        'webhook_attempts',
        sa.Column('id', sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column('delivery_id', sa.BigInteger(), nullable=False),
        sa.Column('at', TIME, nullable=False),
        sa.Column('status', sa.Integer(), nullable=True),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('duration_ms', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ['delivery_id'],
            ['webhook_deliveries.id'],
            name=op.f('fk_webhook_attempts_delivery_id_webhook_deliveries'),
            ondelete='CASCADE',
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_attempts')),
    )
    op.create_index(op.f('ix_webhook_attempts_delivery_id'), 'webhook_attempts', ['delivery_id'])
    op.create_index(op.f('ix_webhook_attempts_at'), 'webhook_attempts', ['at'])
    op.create_table(
        'stock_news',
        sa.Column('store_id', sa.Integer(), nullable=False),
        sa.Column('product_id', sa.Integer(), nullable=False),
        sa.Column('at', TIME, nullable=False),
        sa.PrimaryKeyConstraint('store_id', 'product_id', name=op.f('pk_stock_news')),
    )
    op.execute(STOCK_NEWS)


def downgrade() -> None:
    op.execute('DROP TRIGGER stock_levels_added ON stock_levels')
    op.execute('DROP TRIGGER stock_levels_changed ON stock_levels')
    op.execute('DROP FUNCTION note_stock_news()')
    op.drop_table('stock_news')
    op.drop_table('webhook_attempts')
    op.drop_table('webhook_deliveries')
    op.drop_table('webhook_endpoints')
    op.drop_table('push_subscriptions')
    op.drop_table('contact_preferences')
    op.drop_constraint(op.f('uq_messages_event_id_kind_channel_recipient'), 'messages')
    # Of several messages by one channel the first one stays.
    op.execute("""
        DELETE FROM messages USING messages AS first
        WHERE first.event_id = messages.event_id AND first.kind = messages.kind AND first.channel = messages.channel
          AND first.id < messages.id
    """)
    op.create_unique_constraint(
        op.f('uq_messages_event_id_kind_channel'), 'messages', ['event_id', 'kind', 'channel']
    )
    for name in ('provider_id', 'failed_at', 'failure'):
        op.drop_column('messages', name)
    for name in (
        'hold_extensions', 'at_risk_told_at', 'overdue_told_at', 'remind_at', 'warn_at', 'put_back_since',
        'erase_requested_at', 'erased_at',
    ):
        op.drop_column('orders', name)
    op.drop_column('products', 'hold_days')
    op.drop_column('stores', 'email')
    op.drop_table('price_clock')
    op.drop_index('ix_prices_announced', 'prices')
    op.drop_index('ix_events_at', 'events')
    op.drop_column('events', 'position')
