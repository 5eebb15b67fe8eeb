"""The shop's way to the API. Copy this file to begin a shop of your own: it knows nothing of the rest.

What makes a good caller: every call has a time limit; an order is repeated with the key of its first attempt, so that
it is placed once however often the answer gets lost; and a refusal is known by its `code`, never by its words.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests

Json = dict[str, Any]

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 15.0
# The answer to an order waits so long for the reservation: most pages then show the end of it at once.
DECISION_SECONDS = 2
ATTEMPTS = 3
PAUSE_SECONDS = 1.0
# Nobody knows what became of the request, or it came at a bad moment. All else is an answer.
TEMPORARY = frozenset({0, 429, 500, 502, 503, 504})


class ApiError(Exception):
    """Anything but a 2xx, as `application/problem+json` (RFC 9457) tells it.

    Args:
        status: of HTTP; 0: there was no answer.
        code: the stable word for it, such as `price_changed`.
        detail: a sentence for people.
        document: the whole problem; some carry more, such as the new `quote` of `price_changed`.
    """

    def __init__(self, status: int, code: str, detail: str, document: Json | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail = status, code, detail
        self.document = document or {}

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong with which field, by JSON pointer: `{"/customer/email": "Not an e-mail address."}`."""
        return {error["pointer"]: error["detail"] for error in self.document.get("errors", [])}

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may well succeed in a moment."""
        return self.status in TEMPORARY and self.code != "too_many_declines"


class PickupApi:
    """The calls that a shop needs. Answers are the JSON that `/docs` describes.

    Every method raises `ApiError`.
    """

    def __init__(self, url: str, key: str) -> None:
        self._url = f"{url.rstrip('/')}/v1"
        self._http = requests.Session()
        self._http.trust_env = False  # a ~/.netrc would put another key in the place of ours
        self._http.headers["Authorization"] = f"Bearer {key}"

    def products(self, *, store_ref: str | None = None, after: str | None = None, limit: int = 48) -> Json:
        """A page of products with their prices, those on the shelf of a store if one is named."""
        return self._ask("GET", "/products", params={"store_ref": store_ref, "after": after, "limit": limit})

    def product(self, sku: str, *, store_ref: str | None = None) -> Json:
        """One product."""
        return self._ask("GET", f"/products/{quote(sku, safe='')}", params={"store_ref": store_ref})

    def stores(self, place: Mapping[str, Any], *, items: Sequence[Json] = (), limit: int = 6) -> Json:
        """The stores nearest to a place; with items, whether each has all of them and by when.

        Args:
            place: as in an order, `{"near": {"lat": …, "lon": …}}` or `{"postcode": …, "country": …}`.
        """
        where = dict(place)
        if "near" in where:
            where["near"] = f"{where['near']['lat']},{where['near']['lon']}"
        basket = ",".join(f"{item['sku']}:{item['quantity']}" for item in items)
        return self._ask("GET", "/stores", params={**where, "limit": limit, "items": basket or None})

    def quote(self, items: Sequence[Json], pickup: Mapping[str, Any]) -> Json:
        """Where, when and for how much. Reserves nothing."""
        return self._ask("POST", "/quotes", json={"items": items, "pickup": pickup})

    def place_order(self, order: Json, *, key: str) -> Json:
        """Place an order, once: a lost answer is asked for again under the same key.

        Args:
            key: a fresh one for each attempt of the customer, the same one for each repetition.
        """
        headers = {"Idempotency-Key": key, "Prefer": f"wait={DECISION_SECONDS}"}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._ask("POST", "/orders", json=order, headers=headers)
            except ApiError as error:
                # A double click: the first request with this key is still being answered.
                is_worth_it = error.is_temporary or error.code == "request_in_progress"
                if attempt == ATTEMPTS or not is_worth_it:
                    raise
            time.sleep(PAUSE_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    def order(self, order_id: str) -> Json:
        """An order as it is now."""
        return self._ask("GET", f"/orders/{order_id}")

    def confirm_payment(self, order_id: str) -> Json:
        """Have the gateway asked what became of a payment, when the customer comes back from the bank."""
        return self._ask("POST", f"/orders/{order_id}/payment/confirm")

    def _ask(self, method: str, path: str, **request: Any) -> Json:
        try:
            answer = self._http.request(
                method, self._url + path, timeout=(CONNECT_SECONDS, ANSWER_SECONDS), allow_redirects=False, **request
            )
            document = answer.json()
        except requests.RequestException as error:
            raise ApiError(0, "no_answer", str(error)) from error
        if answer.status_code < 300 and isinstance(document, dict):
            return document
        problem = document if isinstance(document, dict) else {}
        raise ApiError(answer.status_code, problem.get("code", "unknown"), problem.get("detail", ""), problem)
