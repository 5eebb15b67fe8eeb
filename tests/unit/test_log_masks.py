"""A log says nothing about anybody."""

import pytest

from pickup.core.logging import mask


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Refused({'zoe.q+1@example.com': (550, b'no')})", "Refused({'…@example.com': (550, b'no')})"),
        (
            "Twilio: 400 21211 The 'To' number +14792730815 is no number",
            "Twilio: 400 21211 The 'To' number +… is no number",
        ),
        ("2026-03-02T15:42:10.123456+00:00", "2026-03-02T15:42:10.123456+00:00"),
        ("DETAIL:  Failing row contains (7, Zoe (Q), null).", "DETAIL:  Failing row contains (…)."),
        ("Key (email)=(zoe) already exists.", "Key (email)= (…) already exists."),
        ('10.0.0.1 - - "GET /staff/find?q=Zoe+Q HTTP/1.1" 200 -', '10.0.0.1 - - "GET /staff/find?… HTTP/1.1" 200 -'),
        ('"\x1b[32mPOST /v1/orders?customer_email=z%40e.com HTTP/1.1"', '"\x1b[32mPOST /v1/orders?… HTTP/1.1"'),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_what_a_line_says_about_people_is_left_out(said, written):
    assert mask(None, "info", {"event": said, "tasks": [1]}) == {"event": written, "tasks": [1]}
