"""The application factory: wiring only."""

import secrets

import redis
from flask import Flask
from flask_migrate import Migrate
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.middleware.proxy_fix import ProxyFix

from pickup import commands
from pickup.bank import views as bank_views
from pickup.config import ROOT, Settings
from pickup.core import api, compression, db, health, logging, metrics, pages, problems, signals, streaming
from pickup.core import commands as core_commands
from pickup.core.gauges import outbox_gauges
from pickup.core.own_secrets import kept_secret
from pickup.customer import views as customer_views
from pickup.home import views as home_views
from pickup.inventory import commands as inventory_commands
from pickup.inventory import views as inventory_views
from pickup.inventory.gauges import stock_gauges
from pickup.management import (
    audit_views,
    client_views,
    dashboard_views,
    orders_views,
    people_views,
    stock_views,
    task_views,
    webhook_views,
)
from pickup.management import (
    store_views as store_admin_views,
)
from pickup.management import views as management_views
from pickup.notifications import service as notifications
from pickup.notifications import views as notification_views
from pickup.orders import commands as order_commands
from pickup.orders import returns_views as order_returns_views
from pickup.orders import views as order_views
from pickup.orders.gauges import order_gauges
from pickup.payments import admin_views as payment_views
from pickup.payments import service as payments
from pickup.payments import views as gateway_views
from pickup.payments.gauges import payment_gauges
from pickup.pricing import views as pricing_views
from pickup.privacy import commands as privacy_commands
from pickup.reference import views as reference_views
from pickup.shop import views as shop_views
from pickup.staff import commands as staff_commands
from pickup.staff import finding_views as staff_finding_views
from pickup.staff import goods_views as staff_goods_views
from pickup.staff import handover_views as staff_handover_views
from pickup.staff import keeping_views as staff_keeping_views
from pickup.staff import live_views as staff_live_views
from pickup.staff import money_views as staff_money_views
from pickup.staff import offline_views as staff_offline_views
from pickup.staff import picking_views as staff_picking_views
from pickup.staff import push_views as staff_push_views
from pickup.staff import returns_views as staff_returns_views
from pickup.staff import sign_in_views as staff_sign_in_views
from pickup.staff import views as staff_views
from pickup.storefront import views as storefront_views
from pickup.stores import directory
from pickup.stores import views as store_views
from pickup.stores.gauges import store_gauges
from pickup.stores.geocoding import Geocoding
from pickup.subscriptions import SUBSCRIPTIONS
from pickup.tills import commands as till_commands
from pickup.tills import views as till_views
from pickup.tills.gauges import till_gauges
from pickup.webhooks import endpoint_views as webhook_endpoint_views
from pickup.webhooks import message_schemas
from pickup.webhooks import views as event_views
from pickup.webhooks.gauges import webhook_gauges


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application.

    Args:
        settings: what the environment says, unless a test knows better.
    """
    settings = settings or Settings.from_environment()
    logging.configure()
    app = Flask(__name__, static_folder=None)
    app.extensions["settings"] = settings
    app.extensions["subscriptions"] = SUBSCRIPTIONS
    app.extensions["redis"] = redis.Redis.from_url(
        # What the web asks of Redis can wait or be done without: better a quick no than a slow one.
        settings.queue_url,
        socket_timeout=5,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 1),
    )
    app.config.update(
        SECRET_KEY=settings.secret_key or kept_secret(settings.home, "secret_key", lambda: secrets.token_hex(32)),
        MAX_CONTENT_LENGTH=settings.request_body_max_bytes,
    )
    if settings.trusted_proxies:
        # How many proxies of ours stand before us, each of which adds to these headers; nobody else is believed.
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    logging.init_app(app)
    compression.init_app(app)
    db.init_app(app, settings)
    Migrate(app, db.db, directory=str(ROOT / "migrations"))
    problems.init_app(app)
    gauges = (outbox_gauges, order_gauges, payment_gauges, stock_gauges, store_gauges, till_gauges, webhook_gauges)
    metrics.init_app(app, gauges)
    signals.init_app(app)
    streaming.init_app(app)
    directory.init_app(app)
    notifications.init_app(app, settings)
    payments.init_app(settings)
    app.extensions["geocoding"] = Geocoding(settings)
    app.register_blueprint(health.blueprint)
    _register_api(app)
    _register_pages(app)
    _register_commands(app)
    return app


def _register_api(app: Flask) -> None:
    rest = api.init_app(app)
    for blueprint in (
        storefront_views.blueprint,
        order_views.blueprint,
        order_returns_views.blueprint,
        payment_views.blueprint,
        inventory_views.blueprint,
        pricing_views.blueprint,
        store_views.blueprint,
        till_views.blueprint,
        notification_views.api,
        event_views.blueprint,
        webhook_endpoint_views.blueprint,
    ):
        rest.register_blueprint(blueprint)
    message_schemas.describe(rest.spec)
    app.register_blueprint(gateway_views.blueprint)
    app.register_blueprint(notification_views.blueprint)


def _register_pages(app: Flask) -> None:
    pages.init_app(app, app.extensions["settings"])
    for blueprint in (
        home_views.blueprint,
        reference_views.blueprint,
        staff_sign_in_views.blueprint,
        staff_views.blueprint,
        staff_finding_views.blueprint,
        staff_picking_views.blueprint,
        staff_handover_views.blueprint,
        staff_goods_views.blueprint,
        staff_keeping_views.blueprint,
        staff_live_views.blueprint,
        staff_offline_views.blueprint,
        staff_push_views.blueprint,
        staff_returns_views.blueprint,
        staff_money_views.blueprint,
        management_views.blueprint,
        store_admin_views.blueprint,
        people_views.blueprint,
        audit_views.blueprint,
        client_views.blueprint,
        stock_views.blueprint,
        task_views.blueprint,
        webhook_views.blueprint,
        dashboard_views.blueprint,
        orders_views.blueprint,
        customer_views.blueprint,
        bank_views.blueprint,
        shop_views.blueprint,
    ):
        app.register_blueprint(blueprint)


def _register_commands(app: Flask) -> None:
    for group in (
        commands.import_group,
        core_commands.client_group,
        core_commands.outbox_group,
        inventory_commands.stock_group,
        order_commands.payments_group,
        privacy_commands.customers_group,
        order_commands.messages_group,
        staff_commands.staff_group,
        till_commands.prices_group,
    ):
        app.cli.add_command(group)
