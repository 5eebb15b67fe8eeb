"""How these pages write days and figures, and what leads from a list to its file."""

from datetime import date
from urllib.parse import urlencode

from babel.dates import format_date
from flask import request

from pickup.core.languages import spoken


def day_words(day: date, *, with_year: bool = False) -> str:
    """A date with its day of the week."""
    return str(format_date(day, "EEE d MMM yyyy" if with_year else "EEE d MMM", locale=spoken().formats))


def figure(number: int) -> str:
    """A whole number as people read it: with a true minus, and thousands apart."""
    return f"{number:,}".replace("-", "−")


def signed(change: int) -> str:
    """A change of a figure; a dash where there is none."""
    return f"+{change:,}" if change > 0 else figure(change) if change else "–"


def csv_address(table: str = "") -> str:
    """The list that is looked at as a file: with the same filters, and all pages of it.

    Args:
        table: which one, of a page that has several lists.
    """
    asked = [
        (name, words) for name, words in request.args.items() if name not in ("after", "format", "table") and words
    ]
    which = [("table", table)] if table else []
    return f"{request.path}?{urlencode([*asked, *which, ('format', 'csv')])}"
