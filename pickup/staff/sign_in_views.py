"""HTTP of the tablet's door: sign in, lock, go on, sign out, and make a tablet one of the store's."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import current_app, flash, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from pickup.config import Settings
from pickup.core.clock import utcnow
from pickup.core.cookies import cookie_name, set_long_cookie
from pickup.core.db import in_transaction
from pickup.core.errors import InvalidFields
from pickup.core.languages import _, later
from pickup.core.pages import Pages, own_address
from pickup.staff import audit, devices, queries, sessions, sign_in
from pickup.staff.errors import ManagerNeeded, SignInLocked
from pickup.staff.gate import admit, member
from pickup.staff.models import Device
from pickup.staff.people import Associate
from pickup.stores.directory import fresh_directory

STORE_COOKIE = "pickup_store"
DEVICE_COOKIE = "pickup_device"
NO_MATCH = later("Store and PIN do not belong together.")
WRONG_PIN = later("That is not the PIN.")
NOBODY_CHOSEN = later("Choose who you are.")

blueprint = Pages(
    "sign_in",
    __name__,
    url_prefix="/staff",
    static_folder=None,
    way_back=("/staff", later("Sign in")),
    is_translated=True,
)

Answer = str | BaseResponse


@blueprint.app_template_global()
def idle_lock_seconds() -> int:
    """When a page locks itself: nobody should see what it showed when somebody went."""
    return int(sessions.IDLE_LOCK.total_seconds())


@blueprint.get("/sign-in")
def ask() -> Answer:
    """Ask who it is."""
    return _ask(_own_device())


@blueprint.post("/sign-in")
def enter() -> Answer:
    """Let somebody in, to the page of ours that sent them (`next`) or to the board."""
    now, device = utcnow(), _own_device()
    try:
        found, problem = _by_name(device, now) if device else _by_store(now)
    except SignInLocked as locked:
        return _ask(device, locked.detail, 429)
    if found is None:
        return _ask(device, _(problem), 403)
    sessions.sign_in(found, now=now)
    response = redirect(_next(), 303)
    set_long_cookie(response, STORE_COOKIE, fresh_directory().by_id[found.store_id].ref)
    return response


@blueprint.post("/sign-out")
def leave() -> Answer:
    """End the session; the tablet remembers its store, and nothing else."""
    who, now = sessions.signed_in(now=utcnow()), utcnow()
    if who is not None:
        in_transaction(lambda: audit.record(who, "sign_out", now=now))
    sessions.sign_out()
    return redirect(url_for("sign_in.ask"), 303)


@blueprint.post("/lock")
def lock() -> Answer:
    """Ask for the PIN before anything else; whoever walks off with clean hands does it, or the page after a while."""
    if (refused := admit()) is not None:
        return refused
    who, now = member(), utcnow()
    in_transaction(lambda: audit.record(who, "lock", now=now))
    sessions.lock()
    return redirect(url_for("sign_in.locked", next=own_address(request.form.get("next", "")) or None), 303)


@blueprint.post("/awake")
def stay_awake() -> Answer:
    """Somebody touches a page without opening another: the tablet stays open."""
    return admit() or BaseResponse(status=204)


@blueprint.route("/locked", methods=["GET", "POST"])
def locked() -> Answer:
    """Ask for the PIN of whoever is signed in, or go on where they were."""
    now = utcnow()
    who = sessions.signed_in(now=now)
    if who is None:
        return redirect(url_for("sign_in.ask"), 303)
    g.member, g.store = who, fresh_directory().by_id[who.store_id]
    if request.method == "GET":
        return render_template("staff/locked.html")
    try:
        is_right = in_transaction(lambda: sign_in.goes_on(who, _typed("pin"), now=now))
    except SignInLocked as refusal:
        return make_response(render_template("staff/locked.html", error=refusal.detail), 429)
    if not is_right:
        return make_response(render_template("staff/locked.html", error=_(WRONG_PIN)), 403)
    sessions.unlock(now=now)
    return redirect(_next(), 303)


@blueprint.route("/device", methods=["GET", "POST"])
def device() -> Answer:
    """Make the tablet in a manager's hands one of the store's, or say which one it is."""
    if (refused := admit(comes_back=True)) is not None:
        return refused
    who, now = member(), utcnow()
    if not who.is_manager:
        raise ManagerNeeded(later("A manager has to sign in to make this one of the store's tablets."))
    own = _own_device()
    if request.method == "GET":
        return render_template("staff/device.html", device=own, is_ours=bool(own and own.store_id == who.store_id))
    try:
        made, token = in_transaction(lambda: devices.enrol(who, _typed("name"), now=now))
    except InvalidFields as refusal:
        return make_response(render_template("staff/device.html", error=refusal.errors[0].detail), 422)
    sessions.sign_in(replace(who, device_id=made.id, device_name=made.name), now=now)
    flash(_("This tablet is %(name)s now. People sign in here by name and PIN.", name=made.name), "done")
    response = redirect(url_for("staff.show_board"), 303)
    set_long_cookie(response, DEVICE_COOKIE, token)
    return response


def _by_name(device: Device, now: datetime) -> tuple[Associate | None, str]:
    person = request.form.get("member", 0, type=int)
    if not 0 < person < 2**31:
        return None, NOBODY_CHOSEN
    return in_transaction(lambda: sign_in.by_name(device, person, _typed("pin"), now=now)), WRONG_PIN


def _by_store(now: datetime) -> tuple[Associate | None, str]:
    found = in_transaction(
        lambda: sign_in.by_store(
            _typed("store"),
            _typed("pin"),
            address=request.remote_addr or "",
            managers_only=_is_for_managers(),
            now=now,
        )
    )
    return found, NO_MATCH


def _is_for_managers() -> bool:
    """Whether only managers sign in where no tablet is enrolled."""
    settings: Settings = current_app.extensions["settings"]
    return settings.enrolled_tablets_only


def _ask(device: Device | None, error: str = "", status: int = 200) -> Answer:
    is_for_managers = device is None and _is_for_managers()
    values: dict[str, Any] = {"error": error, "device": device, "is_for_managers": is_for_managers}
    if device:
        values["store"] = fresh_directory().by_id[device.store_id]
        values["people"] = queries.members_at(device.store_id)
        values["chosen"] = request.form.get("member", 0, type=int)
    else:
        values["store_ref"] = _typed("store") or request.cookies.get(cookie_name(STORE_COOKIE), "")
    return make_response(render_template("staff/sign_in.html", **values), status)


def _own_device() -> Device | None:
    """The store's tablet that this browser is, if it is one."""
    return devices.device_of(request.cookies.get(cookie_name(DEVICE_COOKIE), ""))


def _next() -> str:
    return own_address(request.args.get("next", "")) or url_for("staff.show_board")


def _typed(field: str) -> str:
    return request.form.get(field, "").strip()
