"""HTTP of the documentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Any

from flask import current_app, render_template

from pickup.config import Settings
from pickup.core import refusals
from pickup.core.api import document_of
from pickup.core.openapi import Document, example_of
from pickup.core.pages import Pages
from pickup.core.problems import HTTP_CODES
from pickup.orders.lifecycle import FINAL, INITIAL, STATUSES, TRANSITIONS
from pickup.orders.views import WAIT_MAX_SECONDS
from pickup.reference import snippets
from pickup.reference.remedies import remedy
from pickup.reference.sections import Operation, refused_operations, sections_of

blueprint = Pages("reference", __name__, url_prefix="/docs")
blueprint.add_app_template_filter(snippets.prose, "prose")
blueprint.add_app_template_filter(snippets.highlighted, "highlighted")


@dataclass(frozen=True, slots=True)
class Explained:
    """A refusal with what to do about it and where it comes from; no operations: from none, or from any address."""

    refusal: refusals.Refusal
    remedy: str
    operations: list[Operation]
    anywhere: bool


@blueprint.get("", strict_slashes=False)
def show_reference() -> str:
    """Everything about the API on one page."""
    settings: Settings = current_app.extensions["settings"]
    document = document_of(current_app)
    sections, schemas = sections_of(document), document["components"]["schemas"]
    return render_template(
        "reference/index.html",
        document=document,
        sections=sections,
        named={operation.id: operation for section in sections for operation in section.operations},
        server=settings.public_url,
        keep_hours=settings.idempotency_keep_hours,
        wait_max_seconds=WAIT_MAX_SECONDS,
        transitions=_transitions(),
        examples={
            name: snippets.as_json({name: example_of(schema, schemas)})
            for name, schema in _members_to_show(document).items()
        }
        | {"message": snippets.as_json(_message(schemas))},
        initial=INITIAL,
        final=[status for status in STATUSES if status in FINAL],
    )


@blueprint.get("/problems")
def show_problems() -> str:
    """Every way to be refused, and what to do about it."""
    document = document_of(current_app)
    sections = sections_of(document)
    by_code, every_operation = refused_operations(sections), sum(len(section.operations) for section in sections)
    explained = [
        Explained(
            refusal,
            remedy(refusal.code, refusal.status),
            by_code.get(refusal.code, []),
            len(by_code.get(refusal.code, [])) == every_operation or refusal.code in HTTP_CODES.values(),
        )
        for refusal in refusals.every(HTTP_CODES)
    ]
    groups = [
        (status, HTTPStatus(status).phrase, list(group))
        for status, group in groupby(explained, key=lambda each: each.refusal.status)
    ]
    return render_template("reference/problems.html", groups=groups, document=document)


def _members_to_show(document: Document) -> dict[str, Any]:
    """The members of an order that most orders do not have, and its example therefore leaves empty."""
    schemas = document["components"]["schemas"]
    return {"transfers": {"type": "array", "items": schemas["Transfer"]}, "offer": schemas["Offer"]}


def _message(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """A webhook's body: what the feed says of an event, whose name stands in a header then."""
    return {name: value for name, value in example_of(schemas["Event"], dict(schemas)).items() if name != "id"}


def _transitions() -> list[dict[str, Any]]:
    """The rows of the lifecycle, with sets in the order of the life; placing an order goes before them all."""
    placing = {"action": "place", "sources": [], "target": INITIAL, "actors": ["shop"], "stock": "none"}
    return [placing | {"money": "none", "event": None}] + [
        {
            "action": row.action,
            "sources": [status for status in STATUSES if status in row.sources],
            "target": row.target,
            "actors": sorted(row.actors),
            "stock": row.stock,
            "money": row.money,
            "event": row.event,
        }
        for row in TRANSITIONS.values()
    ]
