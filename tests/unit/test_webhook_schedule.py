"""When a webhook is sent again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pickup.webhooks.schedule import STEPS, next_attempt

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def delay(failures, chance=0.5, **said):
    due = next_attempt(failures, NOW, chance=chance, **said)
    return None if due is None else due - NOW


def test_it_goes_on_for_three_days_and_then_it_is_given_up():
    delays = [delay(failures) for failures in range(1, 11)]

    assert [each.total_seconds() for each in delays[:9]] == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert delays[9] is None
    assert timedelta(days=3) < sum(delays[:9], timedelta()) < timedelta(days=3.5)


def test_each_step_varies_by_a_tenth():
    for failures, step in enumerate(STEPS, start=1):
        assert delay(failures, chance=0.0) == step * 0.9
        assert delay(failures, chance=1.0) == step * 1.1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("2", 5),  # sooner than the step: the step counts
        ("7200", 3600),  # more patience than anybody has
        ("99999999999999999999", 3600),
        (format_datetime(NOW + timedelta(minutes=3), usegmt=True), 180),
        (format_datetime(NOW - timedelta(minutes=3), usegmt=True), 5),
        ("Sun, 01 Mar 2026 12:03:00 -0000", 180),
        ("soon", 5),
        ("Sun, 01 Mar 2026 12:03:00 +" + "9" * 40, 5),
        ("-5", 5),
        ("١٢", 5),
        ("", 5),
    ],
)
def test_a_receiver_may_ask_for_patience(status, said, seconds):
    assert delay(1, status=status, retry_after=said) == timedelta(seconds=seconds)


def test_the_patience_grows_with_the_steps():
    assert delay(4, status=503, retry_after="86400") == timedelta(hours=4)


def test_nobody_else_may():
    assert delay(1, status=500, retry_after="120") == delay(1, status=200, retry_after="120") == timedelta(seconds=5)
    assert delay(10, status=503, retry_after="120") is None
