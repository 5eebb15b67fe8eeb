"""The pages about API clients: head office makes, shows once, rotates and revokes keys."""

import re

import pytest

from pickup.core.auth import create_key
from pickup.core.db import db, unit_of_work
from pickup.core.models import ApiClient, ApiKey
from tests.api_client import ApiClient as Program
from tests.integration.managers import (
    HEAD_OFFICE,
    MANAGER,
    file_of,
    next_of,
    page,
    rows_of,
    signed_in,
    trail,
    two_stores,
    words_of,
)

KEY = re.compile(r"pk_[\w-]{43}")


@pytest.fixture
def head_office(app, world):
    two_stores(world)
    made = signed_in(app, HEAD_OFFICE)
    page(made, "/admin/clients")
    return made


@pytest.fixture
def till(head_office):
    with unit_of_work():
        return create_key("till 7", ["pos"])


def client_id(name):
    db.session.rollback()
    return db.session.query(ApiClient.id).filter_by(name=name).scalar()


def works(app, key):
    """Whether a key of the scope `pos` opens the price feed."""
    return Program(app, key).get("/v1/pos/prices?store_ref=1").status_code == 200


def test_only_head_office_comes_in(app, world, head_office, till):
    manager = signed_in(app, MANAGER)

    for path in ("", "?format=csv", f"/{client_id('till 7')}"):
        assert "Head office has to do this" in page(manager, f"/admin/clients{path}", 403)
    page(manager, "/admin/stores")
    for path in ("", f"/{client_id('till 7')}/rotate", f"/{client_id('till 7')}/revoke"):
        assert manager.post(f"/admin/clients{path}", name="x", scope="admin").status_code == 403
    assert "/admin/clients" not in page(manager, "/admin/stores")
    assert db.session.query(ApiKey).count() == 1


def test_a_key_is_shown_once_where_it_is_made_and_works(app, head_office):
    answer = head_office.post("/admin/clients", name="Back office", scope=["admin", "shop"])

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    (key,) = set(KEY.findall(answer.text))
    assert Program(app, key).get("/v1/stock").status_code == 200
    assert "Back office shop admin 1" in rows_of(page(head_office, "/admin/clients"), "API clients")[0]
    for path in ("/admin/clients", f"/admin/clients/{client_id('Back office')}"):
        assert KEY.search(page(head_office, path)) is None
    ((name, action, _, detail),) = trail()
    assert (name, action, detail) == ("Olga", "create_client", {"client": "Back office", "scopes": "shop admin"})


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "", "scope": "shop"}, "Must be 1 to 60 printable characters."),
        ({"name": "x" * 61, "scope": "shop"}, "Must be 1 to 60 printable characters."),
        ({"name": "till 7", "scope": "shop"}, "There is a client of this name"),
        ({"name": "new"}, "Choose at least one."),
        ({"name": "new", "scope": "root"}, "Choose at least one."),
    ],
)
def test_a_client_that_cannot_be_is_refused_and_what_was_typed_stays(head_office, till, form, words):
    answer = head_office.post("/admin/clients", **form)

    assert answer.status_code == 422
    assert words in answer.text
    assert f'name="name" value="{form["name"]}"' in answer.text
    assert KEY.search(answer.text) is None
    assert db.session.query(ApiKey).count() == 1
    assert trail() == []


def test_a_key_is_rotated_then_the_older_ones_are_revoked(app, head_office, till):
    path = f"/admin/clients/{client_id('till 7')}"

    answer = head_office.post(f"{path}/rotate")
    (new,) = set(KEY.findall(answer.text))
    assert answer.headers["Cache-Control"] == "no-store"
    assert (works(app, till), works(app, new)) == (True, True)
    assert "2 keys work" in page(head_office, path)

    answer = head_office.post(f"{path}/revoke", keep_newest="1")
    assert "1 key of till 7 stopped working." in page(head_office, answer.location)
    assert (works(app, till), works(app, new)) == (False, True)

    head_office.post(f"{path}/revoke")
    assert works(app, new) is False
    assert "None of its keys works." in page(head_office, path)
    assert [(action, detail) for _, action, _, detail in trail()] == [
        ("create_client_key", {"client": "till 7", "scopes": "pos"}),
        ("revoke_client_keys", {"client": "till 7", "keys": 1}),
        ("revoke_client_keys", {"client": "till 7", "keys": 1}),
    ]


def test_a_client_whose_keys_are_all_revoked_gets_a_key_of_the_same_scopes(app, head_office, till):
    path = f"/admin/clients/{client_id('till 7')}"
    head_office.post(f"{path}/revoke")

    (new,) = set(KEY.findall(head_office.post(f"{path}/rotate").text))

    assert works(app, new)


def test_what_is_not_there_is_not_found(head_office):
    for path in ("rotate", "revoke"):
        assert head_office.post(f"/admin/clients/4711/{path}").status_code == 404
    page(head_office, "/admin/clients/4711", 404)


def test_the_list_comes_in_pages_and_whole_as_a_file(head_office, till):
    with unit_of_work():
        for number in range(30):
            create_key(f"=shop {number:02}", ["shop", "admin"])

    first = page(head_office, "/admin/clients")
    second = page(head_office, next_of(first))
    rows = file_of(head_office, "/admin/clients?format=csv")

    assert (len(rows_of(first, "API clients")), len(rows_of(second, "API clients"))) == (25, 6)
    assert len(rows) == 31
    assert {"name": "'=shop 00", "scopes": "shop admin", "keys_that_work": "1"}.items() <= rows[0].items()
    assert len(file_of(head_office, "/admin/clients?q=till&format=csv")) == 1
    assert "till 7" in words_of(page(head_office, "/admin/clients?q=TILL"))
