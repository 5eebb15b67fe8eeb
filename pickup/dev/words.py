"""`make words`: what pages say, gathered from code and templates into the catalogues.

New messages come in without a translation, unused ones go out. Nothing is guessed from similar messages, and nothing
says where a message stands: catalogues change only where words do, and two changes can be put together.
"""

import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from pickup.config import ROOT
from pickup.core.languages import CATALOGUES, LANGUAGES, catalogue_path

TEMPLATE = CATALOGUES / "messages.pot"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
OPTIONS = {"**/templates/**.html": {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "later": None}
# Said to developers.
LEFT_OUT = frozenset({"dev"})
# What gettext has to know, and nothing that changes with a day or a tool.
HEADER = """\
# {name}. `make words` keeps the messages in step with the pages.
msgid ""
msgstr ""
"Language: {code}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural_forms}\\n"

"""


def gather() -> Catalog:
    """All messages that code and templates have now."""
    found = Catalog()
    folders = sorted(each for each in (ROOT / "pickup").iterdir() if each.is_dir() and each.name not in LEFT_OUT)
    for folder in folders:
        for _file, _line, message, comments, context in extract_from_dir(
            folder, METHODS, OPTIONS, keywords=KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True
        ):
            found.add(message, auto_comments=comments, context=context)
    return found


def update(language: str, found: Catalog) -> Catalog:
    """The catalogue of a language with exactly the messages that were found; translations stay."""
    path = catalogue_path(language)
    catalogue = Catalog(language)
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
    catalogue.update(found, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    return catalogue


def untranslated(catalogue: Catalog) -> list[str]:
    """The messages that have no words yet, or not in every number."""
    return [str(each.id) for each in catalogue if each.id and (each.fuzzy or not all(_words(each.string)))]


def main() -> None:
    """Write the catalogues; the exit code says whether one has gaps."""
    found, gaps = gather(), 0
    _write(TEMPLATE, found)
    for language in filter(None, (each.catalogue for each in LANGUAGES.values())):
        catalogue = update(language, found)
        _write(catalogue_path(language), catalogue)
        missing = untranslated(catalogue)
        gaps += len(missing)
        print(f"{catalogue_path(language).relative_to(ROOT)}: {len(catalogue)} messages, {len(missing)} to translate")
        for message in missing:
            print(f"  {message}")
    sys.exit(gaps > 0)


def _words(string: object) -> tuple[object, ...]:
    return string if isinstance(string, tuple) else (string,)


def _write(path: Path, catalogue: Catalog) -> None:
    """Sorted, so that two changes of a catalogue can be put together."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = BytesIO()
    write_po(body, catalogue, width=0, sort_output=True, no_location=True, omit_header=True)
    locale = catalogue.locale
    header = HEADER.format(
        name=locale.english_name if locale else "All messages",
        code=locale or "",
        plural_forms=catalogue.plural_forms if locale else "",
    )
    path.write_bytes(header.encode() + body.getvalue())


if __name__ == "__main__":
    main()
