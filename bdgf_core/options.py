"""A verb's options in the shell, made from the fields of its config: ``spectral.bands`` is ``--spectral-bands``."""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path
from typing import Any, Callable, Literal, Sequence, get_args, get_origin

from .job import accepts_none, field_type, is_required, without_none

# else the names of the fields; a source's path goes by the source's own name
_NAMES = {"labels.field": "class-field", "reference.field": "class-field", "pairs": "pair"}


def parse_options(verb: str, config: type[Any], about: str, arguments: Sequence[str]) -> dict[str, Any]:
    """The job that ``arguments`` ask for; wrong ones end the process with a usage line, as the shell is used to."""
    parser = argparse.ArgumentParser(f"python -m bdgf_core {verb}", description=about, allow_abbrev=False)
    parser.add_argument("--job", metavar="FILE", help="all of this from a JSON file (- for stdin), and JSON lines out")
    _add(parser, config, "", required=True)
    job: dict[str, Any] = {}
    for place, value in vars(parser.parse_args(arguments)).items():
        if value is not None:
            inner = job
            *outer, key = place.split(".")
            for name in outer:
                inner = inner.setdefault(name, {})
            inner[key] = value
    return job


def band_numbers(text: str) -> list[int]:
    """``1,2,5-9`` as a list of whole numbers."""
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,5})(?:-(\d{1,5}))?\s*", part)
        if found is None:
            raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 1,2,5-9")
        numbers.extend(range(int(found[1]), int(found[2] or found[1]) + 1))
    return numbers


def pair(text: str) -> list[str]:
    """``a=b`` as a list of both."""
    one, sign, other = text.partition("=")
    if not (one.strip() and sign and other.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is no pair such as a=b")
    return [one.strip(), other.strip()]


def _add(parser: argparse.ArgumentParser, config: type[Any], at: str, *, required: bool) -> None:
    for field in dataclasses.fields(config):
        place = at + field.name
        declared = field_type(config, field)
        wanted = without_none(declared)
        needed = required and is_required(field) and not accepts_none(declared)
        if dataclasses.is_dataclass(wanted):
            _add(parser, wanted, place + ".", required=needed)  # type: ignore[arg-type]
            continue
        name = _NAMES.get(place, place.replace(".path", "").replace(".", "-").replace("_", "-"))
        option = _option(wanted)
        if option is None:
            continue
        if not is_required(field) and field.default not in (None, dataclasses.MISSING):
            option["help"] = f"default {field.default}"
        parser.add_argument(f"--{name}", dest=place, required=needed, **option)


def _option(wanted: Any) -> dict[str, Any] | None:
    """How argparse reads the type, or None for what only a JSON job can say."""
    origin, options = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return {"choices": options}
    if wanted is bool:
        return {"action": argparse.BooleanOptionalAction}
    if options == (tuple[str, str], ...):
        return {"type": pair, "action": "append", "metavar": "A=B"}
    if origin is tuple:
        return {"type": band_numbers, "metavar": "1,2,5-9"} if options == (int, ...) else None
    reader: Callable[[str], Any] = wanted if wanted in (int, float) else str
    metavar = "PATH" if wanted is Path or Path in options else {int: "N", float: "X"}.get(wanted, "TEXT")
    return {"type": reader, "metavar": metavar}
