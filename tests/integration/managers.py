"""Who opens the pages for management in a test, and what stands on them."""

import csv
import io
import re

from pickup.core.db import db, unit_of_work
from pickup.staff import service
from pickup.staff.models import AuditEntry
from tests.tablet import Tablet

ASSOCIATE, MANAGER, HEAD_OFFICE, OTHER_MANAGER = "1234", "998877", "445566", "776655"


def two_stores(world):
    """A store with somebody of each role, and another one with a manager."""
    here = world.store("1", name="Rogers", opening_hours="Mo-Su 08:00-21:00")
    there = world.store("2", name="Joplin", lat=37.08, city="Joplin")
    with unit_of_work():
        for ref, name, role, pin in (
            ("1", "Ana", "associate", ASSOCIATE),
            ("1", "Max", "manager", MANAGER),
            ("1", "Olga", "head_office", HEAD_OFFICE),
            ("2", "Joe", "manager", OTHER_MANAGER),
        ):
            service.create_member(store_ref=ref, name=name, role=role, pin=pin)
    return here, there


def signed_in(app, pin, store="1"):
    tablet = Tablet(app)
    assert tablet.sign_in(store, pin).status_code == 303
    return tablet


def page(tablet, path, status=200):
    # A file is read while its request goes on, as a server does.
    answer = tablet.get(path, buffered=True)
    assert answer.status_code == status, f"{path}: {words_of(answer.text)[:300]}"
    return answer.text


def send(tablet, path, status=303, **form):
    """Send a form; what the page says that comes of it."""
    answer = tablet.post(path, **form)
    assert answer.status_code == status, words_of(answer.text)[:300]
    return page(tablet, answer.location) if status == 303 else answer.text


def words_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def rows_of(html, label):
    """The rows of the table that is called so, as text."""
    table = html.partition(f'aria-label="{label}"')[2].partition("</table>")[0].partition("<tbody>")[2]
    return [words_of(row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)]


def file_of(tablet, path):
    """The rows of a file, as dicts."""
    answer = tablet.get(path, buffered=True)
    assert answer.status_code == 200, words_of(answer.text)[:300]
    assert answer.content_type.startswith("text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(answer.text)))


def next_of(html):
    (address,) = re.findall(r'href="([^"]+)" rel="next"', html)
    return address.replace("&amp;", "&")


def trail():
    """What the audit trail says, oldest first."""
    db.session.rollback()
    return [
        (entry.member_name, entry.action, entry.store_id, entry.detail)
        for entry in db.session.query(AuditEntry).order_by(AuditEntry.id)
        if entry.action != "sign_in"
    ]
