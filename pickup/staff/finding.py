"""Finding an order of the store: by what somebody types, or by what a scanner says."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import ARRAY, BigInteger, Integer, Text, bindparam, text

from pickup.catalog import gtin
from pickup.core.db import run
from pickup.orders.pickup_code import ALPHABET, LENGTH, normalise
from pickup.staff.people import Associate

FOUND_MAX = 20
TYPED_MAX_CHARACTERS = 100
# Fewer would find half of all orders, by their phone numbers.
DIGITS_MIN = 3
NUMBER_MAX = 2**63 - 1
# The customer's own page, whose address a shop may show as a picture; its last part is the page's key.
PAGE = re.compile(r"/p/([A-Za-z0-9_-]{16,64})/?$")

# What is open is looked through, by parts of what people say; what is over only by what it is called exactly. Each part
# has an index: of the open orders of a store, of the numbers, of the codes.
_FIND = text("""
    SELECT id, number, status, customer_name, collector_name, customer_phone, staging_place, ready_by, is_exact
    FROM (
        SELECT DISTINCT ON (id) * FROM (
            (SELECT *, false AS is_exact FROM orders
             WHERE store_id = :store_id AND status IN ('in_transit', 'reserved', 'picking', 'ready')
               AND (customer_name ILIKE :part OR collector_name ILIKE :part
                    OR (:digits <> '' AND (number::text LIKE '%' || :digits || '%'
                        OR regexp_replace(customer_phone, '[^0-9]', '', 'g') LIKE '%' || :digits || '%')))
             ORDER BY ready_by LIMIT :limit)
            UNION ALL
            (SELECT *, true FROM orders WHERE number = :number AND store_id = :store_id)
            UNION ALL
            (SELECT *, true FROM orders WHERE store_id = :store_id AND pickup_code = :code LIMIT :limit)
            UNION ALL
            (SELECT *, true FROM orders WHERE store_id = :store_id AND collector_code = :code LIMIT :limit)
        ) AS each_way
        ORDER BY id, is_exact DESC
    ) AS found
    ORDER BY is_exact DESC, ready_by, id LIMIT :limit
""").bindparams(
    bindparam("store_id", type_=Integer()),
    bindparam("number", type_=BigInteger()),
    *(bindparam(name, type_=Text()) for name in ("part", "digits", "code")),
)

_WITH_PRODUCT = text("""
    SELECT DISTINCT orders.number
    FROM orders
    JOIN order_lines ON order_lines.order_id = orders.id
    JOIN products ON products.id = order_lines.product_id
    WHERE orders.store_id = :store_id AND orders.status IN ('reserved', 'picking', 'ready')
      AND (products.sku = :scanned OR products.gtin = ANY(:gtins))
    ORDER BY orders.number
""").bindparams(
    bindparam("store_id", type_=Integer()), bindparam("scanned", type_=Text()), bindparam("gtins", type_=ARRAY(Text()))
)

_BY_PAGE = text("""
    SELECT CASE WHEN page_token = :token THEN pickup_code ELSE collector_code END FROM orders
    WHERE (page_token = :token OR collector_token = :token) AND store_id = :store_id
""").bindparams(bindparam("token", type_=Text()), bindparam("store_id", type_=Integer()))


@dataclass(frozen=True, slots=True)
class Found:
    """An order that was looked for."""

    id: uuid.UUID
    number: int
    status: str
    customer: str
    collector: str | None
    phone: str
    place: str | None
    ready_by: datetime
    is_exact: bool
    """Whether what was typed is its number, or its code."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a scanner has read: the code of somebody who collects, an order, goods, or nothing that is known."""

    kind: Literal["code", "order", "goods", "unknown"]
    code: str = ""
    order_id: uuid.UUID | None = None
    numbers: Sequence[int] = field(default=())


def find(member: Associate, typed: str) -> list[Found]:
    """The orders of a person's store that it could be, those that it names exactly first.

    Open orders are found by a part of the name, the phone number or their own number; those that are over by their
    whole number, or a code.
    """
    typed = _as_kept(typed)
    if not typed:
        return []
    digits = "".join(character for character in typed if character in "0123456789")
    looks_like_digits = not any(character.isalpha() for character in typed) and len(digits) >= DIGITS_MIN
    rows = run(
        _FIND,
        {
            "store_id": member.store_id,
            "part": f"%{_literally(typed)}%",
            "digits": digits if looks_like_digits else "",
            "number": _number(typed),
            "code": normalise(typed) if is_code(typed) else "",
            "limit": FOUND_MAX,
        },
    )
    return [Found(*row) for row in rows]


def read_scan(member: Associate, scanned: str) -> Meaning:
    """What a scanner has read, at the person's store. A code is not looked up: whoever submits it is counted."""
    scanned = _as_kept(scanned)
    page = PAGE.search(scanned)
    if page:
        code = run(_BY_PAGE, {"token": page[1], "store_id": member.store_id}).scalar_one_or_none()
        return Meaning("code", code=code) if code else Meaning("unknown")
    exact = [order for order in find(member, scanned) if order.is_exact and scanned == str(order.number)]
    if exact:
        return Meaning("order", order_id=exact[0].id)
    numbers = run(_WITH_PRODUCT, {"store_id": member.store_id, "scanned": scanned, "gtins": _gtins(scanned)}).scalars()
    found = list(numbers)
    if found:
        return Meaning("goods", numbers=found)
    return Meaning("code", code=normalise(scanned)) if is_code(scanned) else Meaning("unknown")


def is_code(typed: str) -> bool:
    """Whether somebody can have typed, or scanned, a whole pickup code."""
    letters = normalise(typed).replace("-", "")
    return len(letters) == LENGTH and set(letters) <= set(ALPHABET)


def _as_kept(typed: str) -> str:
    """Without what no row has: the database refuses even to be asked for it."""
    return typed.replace("\0", "").strip()[:TYPED_MAX_CHARACTERS]


def _literally(typed: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", typed)


def _number(typed: str) -> int | None:
    digits = typed.removeprefix("#")
    number = int(digits) if digits.isascii() and digits.isdigit() else None
    return number if number is not None and number <= NUMBER_MAX else None


def _gtins(scanned: str) -> list[str]:
    """The ways in which the number of a barcode may be written."""
    if not (scanned.isascii() and scanned.isdigit()):
        return []
    bare = scanned.lstrip("0")
    return [bare.zfill(length) for length in gtin.LENGTHS if len(bare) <= length]
