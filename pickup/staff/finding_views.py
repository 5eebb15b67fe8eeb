"""HTTP of finding an order on the tablet: what somebody types, and what a scanner says."""

from collections.abc import Sequence

from flask import g, jsonify, redirect, render_template, request, url_for

from pickup.core.clock import utcnow
from pickup.core.languages import _, later, ngettext
from pickup.core.pages import Pages, clock
from pickup.staff import finding
from pickup.staff.finding import Found, Meaning
from pickup.staff.gate import admit, member
from pickup.staff.presenting import STATUS_WORDS
from pickup.staff.views import Answer

SHOWN_MAX = 5
SCANNED_SHOWN_MAX = 40

blueprint = Pages(
    "finding",
    __name__,
    url_prefix="/staff",
    static_folder=None,
    way_back=("/staff", later("Back to the orders")),
    is_translated=True,
)
blueprint.before_request(admit)


@blueprint.get("/find")
def find() -> Answer:
    """The orders that it could be; the order itself, where it is named exactly."""
    typed = request.args.get("q", "")
    found = finding.find(member(), typed)
    if len(found) == 1 and found[0].is_exact:
        return redirect(url_for("staff.show_order", order_id=found[0].id), 303)
    return render_template("staff/found.html", typed=typed, **_shown(found))


@blueprint.get("/find/list")
def refresh_found() -> Answer:
    """Only the list, for the page to show while somebody types."""
    typed = request.args.get("q", "")
    return render_template("staff/_found.html", typed=typed, **_shown(finding.find(member(), typed)))


@blueprint.post("/scan")
def read_scan() -> Answer:
    """What a scanner has read: where to go with it, or what to show. For the script of the page."""
    scanned = request.form.get("scanned", "")
    meaning = finding.read_scan(member(), scanned)
    return jsonify(kind=meaning.kind, **_next(meaning, scanned))


def _next(meaning: Meaning, scanned: str) -> dict[str, object]:
    if meaning.kind == "code":
        return {"code": meaning.code}
    if meaning.kind == "order":
        return {"go": url_for("staff.show_order", order_id=meaning.order_id)}
    if meaning.kind == "goods":
        return {"numbers": meaning.numbers, "words": _goods_words(meaning.numbers)}
    return {"words": _("Nothing here has the code %(scanned)s.", scanned=scanned[:SCANNED_SHOWN_MAX])}


def _goods_words(numbers: Sequence[int]) -> str:
    listed = ", ".join(map(str, numbers[:SHOWN_MAX])) + (", …" if len(numbers) > SHOWN_MAX else "")
    words = ngettext("One order here has it: %(numbers)s.", "%(count)s orders here have it: %(numbers)s.", len(numbers))
    return words % {"count": len(numbers), "numbers": listed}


def _shown(found: Sequence[Found]) -> dict[str, object]:
    now, zone = utcnow(), g.store.timezone
    rows = [(each, _(STATUS_WORDS[each.status]), clock(each.ready_by, zone, now)) for each in found]
    return {"rows": rows, "found_max": finding.FOUND_MAX}
