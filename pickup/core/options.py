"""Options of commands that every feature shares."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
from marshmallow import ValidationError

from pickup.core.schemas import Instant


def since_option(default: str) -> Callable[[Any], Any]:
    """`--since`: an instant, or None.

    Args:
        default: how far back a command looks without it, in words.
    """
    return click.option(
        "--since", callback=_instant, help=f"How far back to look, RFC 3339 with an offset; default: {default}."
    )


def _instant(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else Instant().deserialize(value)
    except ValidationError as error:
        raise click.BadParameter(" ".join(map(str, error.messages))) from None
