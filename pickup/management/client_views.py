"""HTTP of the pages about API clients: the programs that may call us, and their keys. Only head office comes in."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from flask import flash, make_response, redirect, render_template, request, url_for

from pickup.core import auth
from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import FieldError, InvalidFields, NotFound
from pickup.core.models import ApiClient, ApiKey
from pickup.core.pages import Pages
from pickup.management import client_queries
from pickup.management.asking import all_cells, filled_in, one_page, typed, wants_csv, wrong_fields
from pickup.management.csv_export import csv_response
from pickup.management.scope import require_head_office
from pickup.management.views import Answer, require_manager
from pickup.staff import audit
from pickup.staff.gate import member

COLUMNS = ("name", "scopes", "created_at", "keys_that_work", "newest_key_at", "last_revoked_at")
NAME_MAX_CHARACTERS = 60
# What a scope lets a program do, for whoever has to choose.
SCOPE_WORDS: Mapping[auth.Scope, str] = {
    "shop": "An e-shop: see stores and prices, place orders and change them.",
    "pos": "A till: follow prices, send sales and stock takes.",
    "admin": "A back office: stores, prices, stock, payments.",
}

blueprint = Pages(
    "clients_admin",
    __name__,
    url_prefix="/admin/clients",
    static_folder=None,
    way_back=("/admin/stores", "Back to the stores"),
)
blueprint.before_request(require_manager)
blueprint.before_request(require_head_office)


class ClientRow(NamedTuple):
    """A client in the list, with what its keys may do."""

    id: int
    name: str
    scopes: Sequence[str]
    created_at: datetime
    working: int
    newest_key_at: datetime | None
    revoked_at: datetime | None


@blueprint.get("")
def list_clients() -> Answer:
    """Every client, with the form for another one."""
    return _list_page({"name": ""}, (), {})


@blueprint.post("")
def create_client() -> Answer:
    """Make a client, and show its key: here and now, and never again."""
    form = filled_in("name")
    scopes = [scope for scope in auth.SCOPES if scope in request.form.getlist("scope")]
    try:
        key = in_transaction(lambda: _create(form["name"], scopes))
    except InvalidFields as refusal:
        return make_response(_list_page(form, scopes, wrong_fields(refusal)), 422)
    return _key_page(form["name"], scopes, key, is_new=True)


@blueprint.get("/<int(max=2147483647):client_id>")
def show_client(client_id: int) -> Answer:
    """One client with its keys."""
    found = _client(client_id)
    keys = client_queries.keys_of([found.id]).get(found.id, ())
    working = [key for key in keys if key.revoked_at is None]
    return render_template("management/client.html", client=found, keys=keys, working=working)


@blueprint.post("/<int(max=2147483647):client_id>/rotate")
def rotate_key(client_id: int) -> Answer:
    """Give a client another key of the same scopes; the older ones go on until they are revoked."""
    found = _client(client_id)
    scopes, key = in_transaction(lambda: _rotate(found))
    return _key_page(found.name, scopes, key, is_new=False, client_id=found.id)


@blueprint.post("/<int(max=2147483647):client_id>/revoke")
def revoke_keys(client_id: int) -> Answer:
    """Stop all keys of a client, or all but the newest."""
    found, keep = _client(client_id), "keep_newest" in request.form
    count = in_transaction(lambda: _revoke(found, keep_newest=keep))
    flash(f"{count} {'key' if count == 1 else 'keys'} of {found.name} stopped working.", "done")
    return redirect(url_for(".show_client", client_id=client_id), 303)


def _create(name: str, scopes: Sequence[auth.Scope]) -> str:
    wrong = []
    if not name or len(name) > NAME_MAX_CHARACTERS or not name.isprintable():
        wrong.append(FieldError("/name", f"must be 1 to {NAME_MAX_CHARACTERS} printable characters"))
    elif client_queries.client_named(name):
        wrong.append(FieldError("/name", "there is a client of this name: open it and give it a new key"))
    if not scopes:
        wrong.append(FieldError("/scope", "choose at least one"))
    if wrong:
        raise InvalidFields("; ".join(f"{error.pointer}: {error.detail}" for error in wrong), errors=wrong)
    key = auth.create_key(name, list(scopes))
    audit.record(member(), "create_client", now=utcnow(), client=name, scopes=" ".join(scopes))
    return key


def _rotate(client: ApiClient) -> tuple[Sequence[auth.Scope], str]:
    keys = client_queries.keys_of([client.id]).get(client.id, ())
    # Of one whose keys are all revoked, what the last of them could do.
    scopes = _scopes([key for key in keys if key.revoked_at is None] or keys[:1])
    if not scopes:
        raise NotFound("This client has never had a key.")
    audit.record(member(), "create_client_key", now=utcnow(), client=client.name, scopes=" ".join(scopes))
    return scopes, auth.create_key(client.name, list(scopes))


def _revoke(client: ApiClient, *, keep_newest: bool) -> int:
    count = auth.revoke_keys(client.name, now=utcnow(), keep_newest=keep_newest)
    audit.record(member(), "revoke_client_keys", now=utcnow(), client=client.name, keys=count)
    return count


def _client(client_id: int) -> ApiClient:
    found = client_queries.client(client_id)
    if found is None:
        raise NotFound("There is no such client.")
    return found


def _scopes(keys: Sequence[ApiKey]) -> Sequence[auth.Scope]:
    return [scope for scope in auth.SCOPES if any(scope in key.scopes for key in keys)]


def _rows(clients: Sequence[ApiClient]) -> Sequence[ClientRow]:
    keys_by_client = client_queries.keys_of([client.id for client in clients])
    rows = []
    for client in clients:
        keys = keys_by_client.get(client.id, ())
        working = [key for key in keys if key.revoked_at is None]
        revoked = max((key.revoked_at for key in keys if key.revoked_at), default=None)
        newest = keys[0].created_at if keys else None
        rows.append(
            ClientRow(client.id, client.name, _scopes(working), client.created_at, len(working), newest, revoked)
        )
    return rows


def _list_page(form: Mapping[str, str], scopes: Sequence[str], wrong: Mapping[str, str]) -> Answer:
    words = typed("q")

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[ClientRow]:
        after = cast(str, position[0]) if position else ""
        return _rows(client_queries.find_clients(words, after=after, limit=limit))

    if wants_csv():
        return csv_response("clients", COLUMNS, all_cells(read, _position, _cells))
    return render_template(
        "management/clients.html",
        words=words,
        form=form,
        chosen=scopes,
        wrong=wrong,
        scope_words=SCOPE_WORDS,
        **one_page(read, _position, str),
    )


def _key_page(name: str, scopes: Sequence[str], key: str, *, is_new: bool, client_id: int | None = None) -> str:
    return render_template(
        "management/client_key.html", name=name, scopes=scopes, key=key, is_new=is_new, client_id=client_id
    )


def _cells(row: ClientRow) -> Sequence[object]:
    return row.name, " ".join(row.scopes), row.created_at, row.working, row.newest_key_at, row.revoked_at


def _position(row: ClientRow) -> tuple[str]:
    return (row.name,)
