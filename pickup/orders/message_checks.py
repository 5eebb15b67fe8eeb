"""Whether a retailer's templates do what they are meant to: each rendered with the sample data of its kind."""

from pathlib import Path

from jinja2 import TemplateNotFound, TemplateSyntaxError

from pickup.core.languages import LANGUAGES
from pickup.notifications.writing import OURS, PARTS, Writer
from pickup.orders.message_contexts import Context
from pickup.orders.message_samples import samples


def check(folder: Path) -> tuple[int, list[str]]:
    """How many templates a folder has, and a line for each that is wrong: `es/ready.txt: 'nme' is undefined`.

    A template that others are made of, such as `layout.html`, is wrong where one of those is.
    """
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if _is_meant(path.relative_to(folder), path))
    faults = [f"{file}: no message has such a template" for file in files if not _is_known(file)]
    # What is shared shows in every message, so all are written, once for each thing that they may speak of.
    return len(files), faults + _faults(Writer(folder))


def _is_meant(name: Path, path: Path) -> bool:
    """Not what an editor or a version control leaves there."""
    return path.is_file() and not any(part.startswith(".") or part.endswith("~") for part in name.parts)


def _is_known(file: Path) -> bool:
    return (OURS / file).is_file()


def _faults(writer: Writer) -> list[str]:
    found: dict[str, None] = {}
    for language in LANGUAGES:
        for kind, parts in PARTS.items():
            contexts = samples(kind, language)
            for part in parts:
                found |= dict.fromkeys(_faults_of(writer, kind, part, language, contexts))
    return list(found)


def _faults_of(writer: Writer, kind: str, part: str, language: str, contexts: dict[str, Context]) -> list[str]:
    """What is wrong with one part of a message, whatever it speaks of."""
    name = f"{language}/{kind}.{part}"
    faults = []
    for context in contexts.values():
        try:
            if not writer.write_theirs(kind, part, language, context).strip():
                faults.append(f"{name}: says nothing")
        except TemplateSyntaxError as error:
            faults.append(f"{error.name or name}:{error.lineno}: {error.message}")
        except TemplateNotFound as error:
            faults.append(f"{name}: there is no {error.name}")
        except Exception as error:  # a template is a program: it may fail in any way
            faults.append(f"{name}: {error}")
    return list(dict.fromkeys(faults))
