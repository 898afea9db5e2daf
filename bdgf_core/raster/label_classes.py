"""The classes of a field: labels as they are met, a legend at the end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Sequence, Union

import numpy as np
from numpy.typing import NDArray
from osgeo import ogr

from bdgf_core.errors import InputError
from bdgf_core.legend import LandCoverClass, Legend, default_colors
from bdgf_core.translation import tr

from .gdal_errors import decoded

Hints = tuple[tuple[str, str, str], ...]  # (label, name, #rrggbb)

_MOST_CLASSES = 65535


class ClassTable:
    """Numbers the labels of a class field in the order met. Labels to which ``hints`` give one name are one class."""

    def __init__(self, path: Union[str, Path], layer: ogr.Layer, field: str, hints: Hints) -> None:
        self._path, self._field = path, field
        self._column = layer.GetLayerDefn().GetFieldIndex(field)
        self._type = layer.GetLayerDefn().GetFieldDefn(self._column).GetType()
        self._hints = {_canonical(label): (name, color) for label, name, color in hints}
        first: dict[str, str] = {}
        self._same = {_canonical(label): first.setdefault(name, _canonical(label)) for label, name, _ in hints if name}
        self._indices: dict[str, int] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self._indices)

    def label(self, feature: ogr.Feature) -> str | None:
        """The label of the feature's class without surrounding blanks, None where it has none. Raises InputError for
        a number with a fraction."""
        label = self._own_label(feature)
        same = None if label is None else self._same.get(_canonical(label))
        return label if same is None or label is None or same == _canonical(label) else same

    def _own_label(self, feature: ogr.Feature) -> str | None:
        if not feature.IsFieldSetAndNotNull(self._column):
            return None
        if self._type == ogr.OFTReal:
            value = feature.GetFieldAsDouble(self._column)
            if value != value:
                return None
            if not value.is_integer():
                raise InputError(
                    tr(
                        "Field {field!r} of {path} holds fractions such as {value:g}; choose a field that names the "
                        "class by text or integers.",
                        field=self._field,
                        path=self._path,
                        value=value,
                    )
                )
            return str(int(value))
        if self._type == ogr.OFTString:
            return decoded(feature.GetFieldAsString(self._column)).strip() or None
        return str(feature.GetFieldAsInteger64(self._column))

    def index(self, label: str) -> int:
        """The number of the label, from 0. Raises InputError for more classes than a map can hold."""
        index = self._indices.setdefault(label, len(self._indices))
        if index >= _MOST_CLASSES:
            raise InputError(
                tr(
                    "Field {field!r} of {path} holds more than {most} different values; choose the field that names "
                    "the class.",
                    field=self._field,
                    path=self._path,
                    most=_MOST_CLASSES,
                )
            )
        return index

    def legend(self, present: NDArray[np.int32]) -> tuple[Legend, list[int]]:
        """The legend of the classes ``present`` (numbers), and their numbers in its order.

        Values are the field's own where it holds integers from 0 to 65534, else 1, 2, … by the sorted labels
        of the whole field.
        """
        labels = self.labels
        ranked = sorted(range(len(labels)), key=lambda index: _sort_key(labels[index]))
        values = {index: rank for rank, index in enumerate(ranked, start=1)}
        if self._type != ogr.OFTString and all(0 <= int(label) <= 65534 for label in labels):
            values = {index: int(label) for index, label in enumerate(labels)}
        kept = set(present.tolist())
        order = [index for index in ranked if index in kept]
        hints = [self._hints.get(_canonical(labels[index]), ("", "")) for index in order]
        names = [name or labels[index] for index, (name, _) in zip(order, hints)]
        colors = _fill_colors(names, [color.lower() for _, color in hints])
        items = zip(order, names, colors)
        return Legend(tuple(LandCoverClass(values[i], labels[i], name, color) for i, name, color in items)), order


def _fill_colors(names: Sequence[str], colors: Sequence[str]) -> list[str]:
    return [color or default for color, default in zip(colors, default_colors(names))]


def _canonical(label: str) -> str:
    """One spelling for 3, 3.0 and " 3", as styles and fields write the same number."""
    text = label.strip()
    return re.sub(r"^([+-]?\d+)\.0*$", r"\1", text)


def _sort_key(label: str) -> tuple[bool, float, list[tuple[bool, int, str]]]:
    """Numbers first, by size; then text, with the numbers in it by size."""
    try:
        number = float(label)
    except ValueError:
        number = float("nan")
    # Python reads no numbers of thousands of digits
    parts = [(not part.isdecimal(), int(part[:300]) if part.isdecimal() else 0, part.casefold())
             for part in re.split(r"(\d+)", label) if part]  # fmt: skip
    is_text = number != number
    return is_text, 0.0 if is_text else number, parts
