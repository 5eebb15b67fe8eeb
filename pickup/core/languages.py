"""The languages that people read here: gettext's catalogues, and which of them speaks at the moment. Pure.

A page or a mail speaks one language from its beginning to its end: `speaking` says which, and `_`, `ngettext` and the
formats of `pages.py` follow. The API always speaks English: its words are for programs and those who write them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

CATALOGUES = Path(__file__).parents[1] / "translations"
DEFAULT = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """One that there are words for."""

    code: str
    """As orders, cookies and `lang` have it (BCP 47)."""
    name: str
    """What those who read it call it."""
    formats: str
    """Whose dates, amounts and distances it has: a locale of CLDR."""
    catalogue: str
    """The folder of its words; empty where they stand in the code."""


# Spanish as it is read in the United States: amounts in dollars look as they do on the shelf there.
LANGUAGES = {
    language.code: language
    for language in (
        Language("en", "English", "en", ""),
        Language("es", "Español", "es_US", "es"),
        Language("zh", "中文", "zh_Hans", "zh_Hans"),
    )
}

_spoken: ContextVar[str] = ContextVar("language", default=DEFAULT)


def spoken() -> Language:
    """The language that speaks now."""
    return LANGUAGES[_spoken.get()]


def speak(code: str) -> None:
    """Speak this language from now on, in this thread. Without an end: where there is one, use `speaking`."""
    _spoken.set(LANGUAGES[code].code)


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak a language for a while: `with speaking(order.locale)`."""
    before = _spoken.set(LANGUAGES[code].code)
    try:
        yield
    finally:
        _spoken.reset(before)


def match(tag: str) -> str | None:
    """Our language for a tag such as `zh-Hans-CN` or `es_MX`; None where we have none. Regions are not told apart."""
    primary = re.split("[-_]", tag.strip().lower(), maxsplit=1)[0]
    return primary if primary in LANGUAGES else None


def direction(code: str) -> str:
    """Where its lines run to: `ltr` or `rtl`."""
    return str(Locale.parse(LANGUAGES[code].formats).text_direction)


def gettext(message: str) -> str:
    """The message in the language that speaks now, its gaps still open; in English where it has no translation."""
    # Of an empty message a catalogue knows its own header.
    return words_of(_spoken.get()).gettext(message) if message else ""


def _(message: str, **values: object) -> str:
    """The message in the language that speaks now, with its gaps filled: `_("Order %(number)s", number=7)`."""
    return gettext(message) % values


def ngettext(one: str, many: str, n: int) -> str:
    """The form for a number of things, its gaps still open: `ngettext("%(n)s item", "%(n)s items", n) % {"n": n}`."""
    return words_of(_spoken.get()).ngettext(one, many, n)


def later(message: str) -> str:
    """Marks a message of a table for the catalogues and leaves it as it is: whoever shows it says `_(TABLE[key])`."""
    return message


@cache
def words_of(code: str) -> NullTranslations:
    """The catalogue of a language, compiled when it is first asked for."""
    folder = LANGUAGES[code].catalogue
    if not folder:
        return NullTranslations()
    with catalogue_path(folder).open("rb") as file:
        catalogue = read_po(file, locale=folder)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def catalogue_path(folder: str) -> Path:
    """Where the words of a language stand."""
    return CATALOGUES / folder / "LC_MESSAGES" / "messages.po"
