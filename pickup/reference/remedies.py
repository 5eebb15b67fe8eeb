"""What to do about a refusal: by its code, or else by its status. For whoever writes the program that gets it."""

BY_CODE = {
    "idempotency_key_missing": "Send an `Idempotency-Key` header: a fresh one with each new order, the same one when "
    "you repeat a request.",
    "malformed_request": "Send one JSON object (RFC 8259) in UTF-8. `detail` says where reading it failed.",
    "unauthenticated": "Send `Authorization: Bearer KEY`. If the key was revoked, ask for a new one: "
    "`flask client create NAME --scope SCOPE`.",
    "payment_declined": "Tell the customer, and ask for another means of payment. Place it again with a fresh "
    "`Idempotency-Key`: the old one keeps giving this answer.",
    "scope_missing": "Use a key with the scope that `detail` names.",
    "page_expired": "Open the page again and repeat the last step.",
    "pickup_code_locked": "A manager of the store signs in and hands the order over.",
    "not_found": "Check the address, and ids and SKUs in it. Do not repeat the request as it is.",
    "order_not_found": "Check the id. A key sees only the orders of its own client.",
    "payment_not_found": "Check the id; payments are listed by `GET /v1/payments`.",
    "webhook_endpoint_not_found": "Check the id; endpoints are listed by `GET /v1/webhook-endpoints`. A key sees only "
    "those of its own client.",
    "store_not_found": "Check the `ref`; stores are listed by `GET /v1/stores`.",
    "product_not_found": "Check the SKU; products are listed by `GET /v1/products`.",
    "method_not_allowed": "Use one of the methods in the `Allow` header.",
    "not_acceptable": "Ask for `application/json`, or leave the `Accept` header out.",
    "out_of_stock": "`candidates` names every store that was looked at, with the reason against it. Offer fewer units, "
    "another place, or other goods; a store that is `at_capacity` has room again in its next hour.",
    "price_changed": "`quote` is what the basket costs now. Show it to the customer, and order again with its `total` "
    "as `expected_total` and a fresh `Idempotency-Key`.",
    "action_not_allowed": "Read the order again: its `allowed_actions` are what you may do. Often somebody else, the "
    "customer or the store, was faster.",
    "too_many_webhook_endpoints": "Remove an endpoint that is not needed any more, or let one of them have all events.",
    "transfer_over": "Open the page again: somebody has received these goods already, or the order was called off or "
    "gets them from elsewhere.",
    "manager_needed": "A manager of the store signs in and does it.",
    "age_not_checked": "Ask for a document, and confirm that the customer is old enough.",
    "order_moved_on": "Open the order again: it shows what can be done with it now.",
    "staff_name_taken": "Take another name.",
    "staff_pin_taken": "Take another PIN: it alone says who somebody is.",
    "request_in_progress": "Wait for the seconds in `Retry-After`, then send the same request with the same key: you "
    "get the answer of the first.",
    "body_too_large": "Split the request; where there are limits, the operation names them.",
    "unsupported_media_type": "Send `Content-Type: application/json`.",
    "invalid_fields": "`errors` names each bad field by a JSON pointer, and says what is wrong with it. A field that "
    "is not known is bad, too: misspelt ones are not dropped in silence.",
    "idempotency_key_reused": "Use a fresh key for each new order or return. To repeat an old request, send the very "
    "same body.",
    "code_entry_locked": "Wait a few minutes, or let a manager look the order up.",
    "sign_in_locked": "Wait a few minutes, then sign in with the right PIN.",
    "too_many_streams": "Poll instead (`GET /v1/pos/prices` and `GET /v1/events` have the same cursors), and try again "
    "after the seconds in `Retry-After`. For more streams at a time, raise `PICKUP_WEB_STREAMS`.",
    "internal_error": "Repeat the request later, with the same `Idempotency-Key`. If it stays, tell us the "
    "`request_id`.",
}

BY_STATUS = {
    400: "Correct the request; repeated as it is, it fails again.",
    401: "Sign in again.",
    402: "Ask for another means of payment.",
    403: "Nothing can be repeated here without another right.",
    404: "Check the address and the ids in it.",
    409: "Read the state of things again, and decide anew.",
    422: "Correct the fields that `errors` names.",
    429: "Wait for the seconds in `Retry-After`, then go on more slowly.",
    503: "Wait for the seconds in `Retry-After`, then send the same request again, with the same `Idempotency-Key`.",
}


def remedy(code: str, status: int) -> str:
    """The advice for a refusal."""
    return BY_CODE.get(code) or BY_STATUS[status]
