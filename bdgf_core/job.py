"""A job, as JSON or from the shell, turned into a verb's config.

The config's dataclass is the schema: its fields are the keys, their annotations the types, nested dataclasses nested
objects. null stands for the default.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any, Literal, Mapping, TypeVar, Union, get_args, get_origin

from .errors import InputError
from .translation import tr

Config = TypeVar("Config")
_NONE = type(None)
_WORDS = {
    str: tr("text"),
    int: tr("a whole number"),
    float: tr("a number"),
    bool: tr("true or false"),
    Path: tr("a path"),
}
_CLASS_KEYS = ("label", "name", "color")  # the classes of a label source come as objects with these keys


def parse_job(text: str | bytes) -> dict[str, Any]:
    """The job in JSON ``text``; raises :class:`InputError` where there is none."""
    try:
        job = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(tr("The job is no valid JSON ({reason}); please correct it.", reason=error)) from None
    if not isinstance(job, dict):
        raise InputError(tr("The job must be a JSON object with the parameters by name."))
    return job


def read_job(config: type[Config], job: Mapping[str, Any], at: str = "") -> Config:
    """The config that ``job`` describes; ``at`` is the place of a nested one.

    Raises :class:`InputError` naming the key that is unknown, missing or of the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(config) if field.init}  # type: ignore[arg-type]
    for key in job:
        if key not in fields:
            raise InputError(
                tr("The job has no parameter {key!r}; it knows {known}.", key=at + key, known=", ".join(fields))
            )
    values = {}
    for name, field in fields.items():
        if job.get(name) is not None:
            values[name] = _fit(job[name], field_type(config, field), at + name)
        elif is_required(field):
            if not accepts_none(field_type(config, field)):
                raise InputError(tr("The job lacks {key!r}; please give it.", key=at + name))
            values[name] = None
    return config(**values)


def is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def field_type(config: type[Any], field: dataclasses.Field[Any]) -> Any:
    """A field's type with its names resolved, ``X | None`` included, which Python 3.9 itself cannot evaluate."""
    if not isinstance(field.type, str):
        return field.type
    owner = next(base for base in config.__mro__ if field.name in vars(base).get("__annotations__", {}))
    return _resolve(ast.parse(field.type, mode="eval").body, vars(sys.modules[owner.__module__]))


def accepts_none(wanted: Any) -> bool:
    """Whether the type is ``X | None``."""
    return get_origin(wanted) is Union and _NONE in get_args(wanted)


def without_none(wanted: Any) -> Any:
    """``X`` for ``X | None``."""
    if get_origin(wanted) is not Union:
        return wanted
    return Union[tuple(option for option in get_args(wanted) if option is not _NONE)]


def _resolve(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return names[node.id] if node.id in names else getattr(builtins, node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_resolve(node.value, names), node.attr)
    if isinstance(node, ast.Tuple):
        return tuple(_resolve(item, names) for item in node.elts)
    if isinstance(node, ast.Subscript):
        return _resolve(node.value, names)[_resolve(node.slice, names)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Union[_resolve(node.left, names), _resolve(node.right, names)]
    raise TypeError(f"A job cannot hold the type {ast.dump(node)}.")


def _fit(value: Any, wanted: Any, at: str) -> Any:
    """``value`` out of JSON as the type ``wanted``."""
    wanted = without_none(wanted)
    origin, options = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return value
    if dataclasses.is_dataclass(wanted):
        if not isinstance(value, dict):
            raise InputError(
                tr(
                    "{key!r} must be an object with {names}.",
                    key=at,
                    names=", ".join(f.name for f in dataclasses.fields(wanted)),
                )
            )
        return read_job(wanted, value, at + ".")  # type: ignore[arg-type]
    if origin is Literal:
        if value not in options:
            raise InputError(
                tr(
                    "{key!r} must be one of {options}, not {value!r}.",
                    key=at,
                    options=", ".join(map(str, options)),
                    value=value,
                )
            )
        return value
    if origin is Union:
        return _fit(value, next((o for o in options if o in _WORDS and _is(value, o)), options[0]), at)
    if origin is tuple:
        return _fit_tuple(value, options, at)
    if not _is(value, wanted):
        raise InputError(tr("{key!r} must be {kind}, not {value!r}.", key=at, kind=_WORDS[wanted], value=value))
    return wanted(value)


def _fit_tuple(value: Any, options: tuple[Any, ...], at: str) -> tuple[Any, ...]:
    if isinstance(value, dict) and set(value) == set(_CLASS_KEYS) and len(options) == len(_CLASS_KEYS):
        value = [value[key] for key in _CLASS_KEYS]
    if not isinstance(value, list):
        raise InputError(tr("{key!r} must be a list, not {value!r}.", key=at, value=value))
    if options[-1] is Ellipsis:
        options = (options[0],) * len(value)
    if len(value) != len(options):
        raise InputError(
            tr("{key!r} must hold {wanted} items, not {given}.", key=at, wanted=len(options), given=len(value))
        )
    return tuple(_fit(item, option, f"{at}[{index}]") for index, (item, option) in enumerate(zip(value, options)))


def _is(value: Any, wanted: type) -> bool:
    if wanted is Path:
        return isinstance(value, str)
    if isinstance(value, bool) or wanted is bool:
        return isinstance(value, bool) and wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
