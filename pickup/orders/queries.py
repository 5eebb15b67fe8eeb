"""Named reads and named locks of orders."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Integer, Select, Uuid, any_, bindparam, func, or_, select, text
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from pickup.core.db import db, run
from pickup.core.languages import later
from pickup.inventory.models import Transfer
from pickup.orders.errors import OrderNotFound
from pickup.orders.lifecycle import NOT_BEGUN, OPEN_AT_STORE
from pickup.orders.models import Order, OrderHistory, OrderLine, Return
from pickup.stores.models import Store


class Standing(NamedTuple):
    """What the money has to know of an order. Minor units."""

    status: str
    total: int
    returned: int


WITH_ALL = (
    selectinload(Order.lines).joinedload(OrderLine.product),
    joinedload(Order.store),
)


def lock_order(order_id: uuid.UUID, *, with_lines: bool = False) -> Order:
    """The order, locked until the end of the transaction, as it is now.

    Raises:
        OrderNotFound: there is none.
    """
    orders = lock_orders([order_id], with_lines=with_lines)
    if not orders:
        raise OrderNotFound(later("There is no order of this id."))
    return orders[0]


def lock_orders(order_ids: Iterable[uuid.UUID], *, with_lines: bool = False) -> Sequence[Order]:
    """Orders, locked in the order of their ids: every lock of several orders is taken this way."""
    return db.session.scalars(
        select(Order)
        .where(Order.id == any_(_uuids(order_ids)))
        .order_by(Order.id)
        .options(*([selectinload(Order.lines)] if with_lines else []))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def lock_free_orders(order_ids: Iterable[uuid.UUID]) -> Sequence[Order]:
    """Those of some orders that nobody else has locked, locked: for whoever can come again."""
    wanted = select(Order).where(Order.id == any_(_uuids(order_ids))).order_by(Order.id)
    return db.session.scalars(wanted.with_for_update(skip_locked=True).execution_options(populate_existing=True)).all()


def load_for_handover(order: Order) -> None:
    """Let a locked order have its lines, with their products, and its store, in one statement and as they are now."""
    rows = db.session.execute(
        select(OrderLine, Store)
        .join(Store, Store.id == order.store_id)
        .where(OrderLine.order_id == order.id)
        .order_by(OrderLine.position)
        .options(joinedload(OrderLine.product))
        .execution_options(populate_existing=True)
    ).all()
    set_committed_value(order, "lines", [line for line, _ in rows])
    set_committed_value(order, "store", rows[0][1])


def get_order(order_id: uuid.UUID, *, client_id: int | None = None, with_history: bool = False) -> Order:
    """An order with everything that an answer shows.

    Raises:
        OrderNotFound: there is none, or it is another client's.
    """
    wanted = select(Order).where(Order.id == order_id).options(*WITH_ALL)
    if with_history:
        wanted = wanted.options(selectinload(Order.history))
    if client_id is not None:
        wanted = wanted.where(Order.client_id == client_id)
    order = db.session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    if order is None:
        raise OrderNotFound(later("There is no order of this id."))
    return order


def get_orders(order_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Order]:
    """Orders with all that an answer shows, by id, in as many statements for many as for one."""
    wanted = select(Order).where(Order.id == any_(_uuids(order_ids))).options(*WITH_ALL)
    return {order.id: order for order in db.session.scalars(wanted.execution_options(populate_existing=True))}


def returns_of(order: Order) -> Sequence[Return]:
    """What came back of an order that has its lines, oldest first."""
    if not any(line.returned for line in order.lines):
        return ()
    wanted = select(Return).where(Return.order_id == order.id).order_by(Return.id)
    return db.session.scalars(wanted.options(selectinload(Return.lines))).all()


def orders_of_client(
    client_id: int, *, status: str | None, customer_email: str | None, after: uuid.UUID | None, limit: int
) -> Sequence[Order]:
    """A client's orders, oldest first."""
    wanted: Select[Any] = select(Order).where(Order.client_id == client_id)
    if status is not None:
        wanted = wanted.where(Order.status == status)
    if customer_email is not None:
        wanted = wanted.where(Order.customer_email == customer_email)
    if after is not None:
        wanted = wanted.where(Order.id > after)
    return db.session.scalars(wanted.order_by(Order.id).limit(limit).options(*WITH_ALL)).all()


def open_orders_at(store_id: int) -> Sequence[Order]:
    """What a store has to do, oldest promise first."""
    return db.session.scalars(
        select(Order)
        .where(Order.store_id == store_id, Order.status.in_(OPEN_AT_STORE))
        .order_by(Order.ready_by, Order.id)
        .options(*WITH_ALL)
    ).all()


_KEEPS_DAYS = text("""
    SELECT min(products.hold_days) FROM order_lines JOIN products ON products.id = order_lines.product_id
    WHERE order_id = :order_id AND quantity > short
""").bindparams(bindparam("order_id", type_=Uuid()))


def keeps_days(order_id: uuid.UUID) -> int | None:
    """For how many days the goods of an order keep that keep shortest; None where no product sets a limit."""
    days: int | None = run(_KEEPS_DAYS, {"order_id": order_id}).scalar_one()
    return days


def to_put_back_at(store_id: int) -> Sequence[Order]:
    """The orders of a store that are over and whose bags still stand there, oldest first."""
    return db.session.scalars(
        select(Order)
        .where(Order.store_id == store_id, Order.put_back_since.is_not(None))
        .order_by(Order.put_back_since, Order.id)
        .options(*WITH_ALL)
    ).all()


def last_actor(order_id: uuid.UUID, action: str) -> str | None:
    """Who took a step with an order last, by name; None if nobody has."""
    return db.session.scalars(
        select(OrderHistory.actor_name)
        .where(OrderHistory.order_id == order_id, OrderHistory.action == action)
        .order_by(OrderHistory.id.desc())
        .limit(1)
    ).one_or_none()


def order_by_page_token(token: str, *, for_collector: bool = False) -> Order:
    """The order that a pickup page shows, with its history.

    Args:
        for_collector: whether a collector's page has the same token, too.

    Raises:
        OrderNotFound: no page has this token.
    """
    is_it = Order.page_token == token
    if for_collector:
        is_it = or_(is_it, Order.collector_token == token)
    wanted = select(Order).where(is_it).options(*WITH_ALL, selectinload(Order.history))
    order = db.session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    if order is None:
        raise OrderNotFound("This link is not valid.")
    return order


def orders_not_begun_at(store_id: int, *, limit: int) -> Sequence[uuid.UUID]:
    """Orders to be collected at a store that nobody has begun to pick."""
    return db.session.scalars(
        select(Order.id).where(Order.store_id == store_id, Order.status.in_(NOT_BEGUN)).limit(limit)
    ).all()


def orders_sent_from(store_id: int, *, limit: int) -> Sequence[uuid.UUID]:
    """Orders that a store has been asked to send something for, and has not."""
    return db.session.scalars(
        select(Transfer.order_id)
        .where(Transfer.source_id == store_id, Transfer.status == "requested")
        .distinct()
        .limit(limit)
    ).all()


def open_order_counts(store_ids: Sequence[int]) -> dict[int, int]:
    """How many orders stores have to do, by store id; those without any are absent."""
    wanted = bindparam("stores", list(store_ids), type_=ARRAY(Integer()))
    rows = db.session.execute(
        select(Order.store_id, func.count())
        .where(Order.store_id == any_(wanted), Order.status.in_(OPEN_AT_STORE))
        .group_by(Order.store_id)
    )
    return dict(rows.all())


_STATUS = text("SELECT status FROM orders WHERE id = :id").bindparams(bindparam("id", type_=Uuid()))


def status_of(order_id: uuid.UUID) -> str:
    """Only the status, fresh from the database."""
    status: str = run(_STATUS, {"id": order_id}).scalar_one()
    return status


def standings_of(order_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Standing]:
    """How each stands, fresh from the database."""
    columns = select(Order.id, Order.status, Order.total_amount, Order.returned_amount)
    rows = db.session.execute(columns.where(Order.id == any_(_uuids(order_ids))))
    return {row.id: Standing(row.status, row.total_amount, row.returned_amount) for row in rows}


def _uuids(ids: Iterable[uuid.UUID]) -> Any:
    """A uuid array parameter: one prepared statement however many ids there are."""
    return bindparam(None, list(ids), type_=ARRAY(Uuid()), unique=True)
