"""Whatever shop, customer, staff, tills and clock do, in whatever order: the books, the promises and the money agree.

`ANY_LIFE_EXAMPLES=2000` plays so many lives, others each time; without it the same few.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from pickup.subscriptions import SUBSCRIPTIONS
from tests.integration.life import AnyLife

EXAMPLES = int(os.environ.get("ANY_LIFE_EXAMPLES", "0"))
FEW, STEPS = 4, 30

LIVES = settings(
    max_examples=EXAMPLES or FEW,
    stateful_step_count=STEPS,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,),
)


@pytest.fixture(autouse=True)
def nobody_writes_mails(monkeypatch):
    """They would be most of the work here, and are another test's matter."""
    for event, handlers in SUBSCRIPTIONS.items():
        monkeypatch.setitem(SUBSCRIPTIONS, event, tuple(name for name in handlers if name != "notify_customer"))


@pytest.mark.timeout(240 + 5 * EXAMPLES)
def test_in_any_life_the_books_the_promises_and_the_money_agree(world):
    taken: Counter[str] = Counter()

    run_state_machine_as_test(lambda: AnyLife(world.app, taken), settings=LIVES)

    print(sorted(taken.items()))
    assert taken["reserve"] + taken["send_for"] >= (EXAMPLES or FEW), "and they were lives, not only refusals"
