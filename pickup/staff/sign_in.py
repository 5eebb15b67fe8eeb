"""Who may begin to work on a tablet, and who may go on: PINs, and where guessing them ends."""

import ipaddress
from datetime import datetime, timedelta

from pickup.core.languages import _
from pickup.staff import audit, pins, queries
from pickup.staff.errors import SignInLocked
from pickup.staff.lockout import is_locked
from pickup.staff.models import Device, StaffMember
from pickup.staff.people import Associate, at_work
from pickup.stores.directory import fresh_directory

WINDOW = timedelta(minutes=30)


def by_store(store_ref: str, pin: str, *, address: str, managers_only: bool = False, now: datetime) -> Associate | None:
    """Who it is that has this PIN at this store, in a browser that nobody has enrolled.

    Args:
        managers_only: whether others count as nobody, who sign in on the store's tablets only.

    Returns:
        None for an unknown store as for a wrong PIN, which has been counted: the caller must commit.

    Raises:
        SignInLocked: five wrong PINs came for this store from this address.
    """
    store = fresh_directory().by_ref.get(store_ref)
    if store is None:
        pins.match_nobody(pin)
        return None
    network = network_of(address)
    _require_unlocked(
        store.id, network, _("Too many wrong PINs at this store. Wait half an hour, then try again."), now=now
    )
    # Everybody is tried, so that the time does not tell whose PIN it was.
    found = [member for member in queries.members_at(store.id) if pins.matches(pin, member.pin_hash)]
    if not found or (managers_only and not found[0].is_manager):
        _count_failure(store.id, network, now=now)
        return None
    return _begin(found[0], None, now=now)


def by_name(device: Device, member_id: int, pin: str, *, now: datetime) -> Associate | None:
    """The person of that name, on a tablet of their store.

    Returns:
        None for a wrong PIN, which has been counted: the caller must commit; and for somebody who does not work there.

    Raises:
        SignInLocked: five wrong PINs came for this person.
    """
    member = queries.member(member_id)
    if member is None or member.store_id != device.store_id or member.left_at is not None:
        pins.match_nobody(pin)
        return None
    return _begin(member, device, now=now) if _is_right(member, pin, now=now) else None


def goes_on(who: Associate, pin: str, *, now: datetime) -> bool:
    """Whether it is still the same person, after the tablet was locked.

    Returns:
        False for a wrong PIN, which has been counted: the caller must commit.

    Raises:
        SignInLocked: five wrong PINs came for this person.
    """
    member = queries.member(who.id)
    if member is None or not _is_right(member, pin, now=now):
        return False
    audit.record(who, "unlock", now=now)
    return True


def may_choose_pins(who: Associate, *, now: datetime) -> None:
    """Whether a manager may give somebody a PIN: that it is taken tells them whose it could be.

    Raises:
        SignInLocked: five that somebody had already were tried by them.
    """
    words = "Too many PINs that somebody has already. Wait half an hour, then try again."
    _require_unlocked(who.store_id, f"chosen by {who.id}", words, now=now)


def count_taken_pin(who: Associate, *, now: datetime) -> None:
    """A manager has come upon somebody's PIN."""
    _count_failure(who.store_id, f"chosen by {who.id}", now=now)
    audit.record(who, "pin_taken", now=now)


def network_of(address: str) -> str:
    """An address as guesses are counted: of IPv6 the network, for everybody has 2⁶⁴ addresses in theirs."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def _begin(member: StaffMember, device: Device | None, *, now: datetime) -> Associate:
    who = at_work(member, device)
    if device:
        device.seen_at = now
    audit.record(who, "sign_in", now=now)
    return who


def _is_right(member: StaffMember, pin: str, *, now: datetime) -> bool:
    """Whether it is this person's PIN; guesses at one person are counted together, wherever they are typed."""
    source = f"member {member.id}"
    words = _("Too many wrong PINs for %(name)s. Wait half an hour, then try again.", name=member.name)
    _require_unlocked(member.store_id, source, words, now=now)
    if pins.matches(pin, member.pin_hash):
        return True
    _count_failure(member.store_id, source, now=now)
    audit.record(member, "wrong_pin", now=now)
    return False


def _require_unlocked(store_id: int, source: str, words: str, *, now: datetime) -> None:
    """Raises:
    SignInLocked: five wrong PINs came from this source.
    """
    queries.lock_sign_in(store_id, source)
    if is_locked(queries.latest_sign_in_failures(store_id, source), WINDOW, now=now):
        raise SignInLocked(words, retry_after_seconds=int(WINDOW.total_seconds()))


def _count_failure(store_id: int, source: str, *, now: datetime) -> None:
    queries.record_sign_in_failure(store_id, source, now=now, forget_before=now - 2 * WINDOW)
