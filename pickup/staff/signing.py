"""Signatures: what somebody draws on the tablet, or that they have signed on paper."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pickup.core.db import db
from pickup.orders.models import Signature

WIDTH, HEIGHT = 1000, 400
STROKES_MAX, POINTS_MAX = 200, 5000
JSON_MAX_CHARACTERS = 100_000

Strokes = list[list[list[int]]]


@dataclass(frozen=True, slots=True)
class Signed:
    """How somebody has signed."""

    how: Literal["signed", "on_paper"]
    strokes: Strokes | None = None
    """Each the points [x, y] that the pen went through; none for what is on paper."""


ON_PAPER = Signed("on_paper")


def read(text: str) -> Signed | None:
    """What the tablet has sent as JSON; None where it is no signature, or none yet."""
    if len(text) > JSON_MAX_CHARACTERS:
        return None
    try:
        strokes = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return Signed("signed", strokes) if _is_drawn(strokes) else None


def keep(order_id: uuid.UUID, signed: Signed, *, now: datetime) -> None:
    """Keep what was drawn; of what is on paper there is nothing to keep."""
    if signed.strokes is not None:
        db.session.add(Signature(order_id=order_id, at=now, strokes=signed.strokes))


def signature_of(order_id: uuid.UUID) -> list[str] | None:
    """What was drawn under an order, each stroke as an SVG polyline has it; None where nothing was."""
    found = db.session.get(Signature, order_id)
    return [" ".join(f"{x},{y}" for x, y in stroke) for stroke in found.strokes] if found else None


def _is_drawn(strokes: Any) -> bool:
    """Whether these are strokes within the field, not too many, and more than a dot."""
    if not isinstance(strokes, list) or not 1 <= len(strokes) <= STROKES_MAX:
        return False
    if not all(isinstance(stroke, list) and stroke for stroke in strokes):
        return False
    points = [point for stroke in strokes for point in stroke]
    return 2 <= len(points) <= POINTS_MAX and all(map(_is_point, points))


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(type(number) is int for number in point)
        and 0 <= point[0] <= WIDTH
        and 0 <= point[1] <= HEIGHT
    )
