"""HTTP of the pages about people and their tablets: who may sign in where, and with what in hand."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

from flask import flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import Row

from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction
from pickup.core.errors import DomainError, InvalidFields, NotFound
from pickup.core.pages import Pages
from pickup.management import people_queries
from pickup.management.asking import all_cells, asked_store, filled_in, one_page, typed, wants_csv, wrong_fields
from pickup.management.csv_export import csv_response
from pickup.management.people_queries import Place
from pickup.management.scope import require_head_office, visible_store_id
from pickup.management.views import Answer, require_manager
from pickup.staff import audit, devices, people_service, service, sign_in
from pickup.staff.errors import NameTaken, PinTaken, SignInLocked
from pickup.staff.gate import member
from pickup.staff.models import ROLES, Role, StaffMember
from pickup.staff.queries import member as member_of
from pickup.stores.directory import fresh_directory

PEOPLE_COLUMNS = ("store_ref", "name", "role", "created_at", "left_at")
DEVICE_COLUMNS = ("store_ref", "name", "enrolled_at", "enrolled_by", "seen_at", "revoked_at", "revoked_by")
NOWHERE: Place = ("", "", 0)
# The field that a refusal is about, by its code.
FIELD_OF_CODE = {NameTaken.code: "name", PinTaken.code: "pin"}

blueprint = Pages(
    "people_admin",
    __name__,
    url_prefix="/admin/staff",
    static_folder=None,
    way_back=("/admin/staff", "Back to the staff"),
)
blueprint.before_request(require_manager)


@blueprint.get("")
def list_people() -> Answer:
    """People of the store, or of all stores."""
    (store, error), words, with_left = asked_store(), typed("q"), "left" in request.args

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[Row[Any]]:
        return people_queries.find_people(
            words,
            store_id=store.id if store else None,
            with_those_who_left=with_left,
            after=cast(Place, position) or NOWHERE,
            limit=limit,
        )

    if wants_csv() and not error:
        return csv_response("staff", PEOPLE_COLUMNS, all_cells(read, _place, attrgetter(*PEOPLE_COLUMNS)))
    listed = {"rows": (), "next": None, "is_first": True} if error else one_page(read, _place, str, str, int)
    return render_template(
        "management/staff.html", words=words, with_left=with_left, store_ref=typed("store"), error=error, **listed
    )


@blueprint.route("/new", methods=["GET", "POST"])
def add_person() -> Answer:
    """Let somebody sign in at a store."""
    if request.method == "GET":
        return _new_page({"store": typed("store"), "role": "associate"}, {})
    form = filled_in("store", "name", "role", "pin")
    try:
        role = _role(form["role"])
        _with_pin(lambda: _create(_store_of(form["store"]), form["name"], role, form["pin"]))
    except SignInLocked:
        raise
    except DomainError as refusal:
        return make_response(_new_page(form, wrong_fields(refusal, FIELD_OF_CODE)), 422)
    flash(f"{form['name']} may sign in from now on.", "done")
    return redirect(url_for(".list_people"), 303)


def _with_pin(step: Callable[[], object]) -> None:
    """Take a step that gives somebody a PIN; that it is taken is counted, for it could be a way to find one out."""
    who, now = member(), utcnow()

    def guarded() -> PinTaken | None:
        sign_in.may_choose_pins(who, now=now)
        try:
            with db.session.begin_nested():
                step()
        except PinTaken as taken:
            sign_in.count_taken_pin(who, now=now)
            return taken
        return None

    taken = in_transaction(guarded)
    if taken:
        raise taken


@blueprint.get("/<int(max=2147483647):member_id>")
def show_person(member_id: int) -> Answer:
    """One person, with what can be done about them."""
    return _person_page(_person(member_id))


@blueprint.post("/<int(max=2147483647):member_id>/pin")
def change_pin(member_id: int) -> Answer:
    """Give somebody a new PIN."""
    person, form = _person(member_id, to_change=True), filled_in("pin")
    try:
        _with_pin(lambda: people_service.change_pin(member(), person.id, form["pin"], now=utcnow()))
    except (InvalidFields, PinTaken) as refusal:
        return make_response(_person_page(_person(member_id), wrong_fields(refusal, FIELD_OF_CODE)), 422)
    flash(f"{person.name} has a new PIN, and has to sign in with it.", "done")
    return redirect(url_for(".show_person", member_id=member_id), 303)


@blueprint.post("/<int(max=2147483647):member_id>/end")
def end_person(member_id: int) -> Answer:
    """Let somebody sign in no more."""
    person = _person(member_id, to_change=True)
    in_transaction(lambda: people_service.end_member(member(), person.id, now=utcnow()))
    flash(f"{person.name} cannot sign in any more.", "done")
    return redirect(url_for(".list_people"), 303)


@blueprint.get("/devices")
def list_devices() -> Answer:
    """Tablets of the store, or of all stores."""
    store, error = asked_store()

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[Row[Any]]:
        return people_queries.find_devices(
            store_id=store.id if store else None, after=cast(Place, position) or NOWHERE, limit=limit
        )

    if wants_csv() and not error:
        return csv_response("tablets", DEVICE_COLUMNS, all_cells(read, _place, attrgetter(*DEVICE_COLUMNS)))
    listed = {"rows": (), "next": None, "is_first": True} if error else one_page(read, _place, str, str, int)
    return render_template("management/devices.html", store_ref=typed("store"), error=error, **listed)


@blueprint.post("/devices/<int(max=2147483647):device_id>/revoke")
def revoke_device(device_id: int) -> Answer:
    """Let a tablet be none of the store's any more."""
    device = in_transaction(lambda: devices.revoke(member(), device_id, now=utcnow()))
    flash(f"{device.name} is none of the store’s tablets any more.", "done")
    return redirect(url_for(".list_devices"), 303)


def _create(store_ref: str, name: str, role: Role, pin: str) -> None:
    made = service.create_member(store_ref=store_ref, name=name, role=role, pin=pin)
    audit.record(member(), "create_member", now=utcnow(), store_id=made.store_id, of=made.name, role=role)


def _store_of(ref: str) -> str:
    """The store that somebody is to work at: a manager's own, whatever the form says."""
    own = visible_store_id()
    return ref if own is None else fresh_directory().by_id[own].ref


def _role(text: str) -> Role:
    """The role that somebody is to have.

    Raises:
        InvalidFields: there is no such role, or only head office gives it.
    """
    if text not in _roles():
        raise InvalidFields.at("/role", "choose one of these")
    return cast(Role, text)


def _roles() -> Sequence[Role]:
    return [role for role in ROLES if role != "head_office" or visible_store_id() is None]


def _person(member_id: int, *, to_change: bool = False) -> StaffMember:
    """Somebody whom whoever is signed in may see.

    Raises:
        NotFound: there is nobody, or they work at another store.
        HeadOfficeNeeded: they are of head office, and a manager would change them.
    """
    person = member_of(member_id)
    if person is None or visible_store_id() not in (None, person.store_id):
        raise NotFound("Nobody of this kind works here.")
    if to_change and person.role == "head_office":
        require_head_office()
    return person


def _new_page(form: Mapping[str, str], wrong: Mapping[str, str]) -> str:
    return render_template("management/person_new.html", form=form, wrong=wrong, roles=_roles())


def _person_page(person: StaffMember, wrong: Mapping[str, str] | None = None) -> str:
    return render_template(
        "management/person.html",
        person=person,
        store=fresh_directory().by_id[person.store_id],
        is_last=person.is_manager and people_queries.other_managers(person) == 0,
        is_self=person.id == member().id,
        can_change=person.role != "head_office" or visible_store_id() is None,
        wrong=wrong or {},
    )


def _place(row: Row[Any]) -> Place:
    return row.store_ref, row.name, row.id
