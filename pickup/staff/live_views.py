"""HTTP of the live board: a tablet hears at once that there is something new, and asks for it."""

from flask import Response, g, request

from pickup.core import streaming
from pickup.core.pages import Pages
from pickup.core.streaming import News
from pickup.orders.transitions import board_topic
from pickup.staff import queries, sessions
from pickup.staff.gate import admit

blueprint = Pages("live", __name__, url_prefix="/staff", static_folder=None, is_translated=True)
blueprint.before_request(admit)


@blueprint.get("/stream")
def stream_board() -> Response:
    """An event `board` for each change of what the store has to do; it says no more than that."""
    store_id: int = g.store.id
    return streaming.stream(
        lambda cursor: _news(store_id, cursor),
        topic=board_topic(store_id),
        after=request.args.get("after"),
        still_allowed=sessions.still_signed_in(),
    )


def _news(store_id: int, known: str | None) -> News:
    state = queries.board_state(store_id)
    return News(state, "board", None if state == known else {})
