"""What several of these tests stand on."""

from collections.abc import Iterator

import pytest

from tests import stripe_stand_in
from tests.stripe_stand_in import Stand


@pytest.fixture(scope="session")
def _stripe_process() -> Iterator[Stand]:
    if not stripe_stand_in.is_installed():
        pytest.skip("localstripe is not installed")
    with stripe_stand_in.stand_in() as stand:
        yield stand


@pytest.fixture
def stand(_stripe_process: Stand) -> Stand:
    """A Stripe for tests, with empty books."""
    _stripe_process.reset()
    return _stripe_process
