"""The land-cover classes: values in the map, names and colours, carried label → model → map."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from typing import Any, Sequence

from .errors import InputError
from .translation import tr


@dataclass(frozen=True)
class LandCoverClass:
    """One class: its ``value`` in the class raster, its ``label`` in the training layer's class field
    (as text), the ``name`` shown to people and the ``color`` as ``#rrggbb``."""

    value: int
    label: str
    name: str
    color: str

    def __post_init__(self) -> None:
        if type(self.value) is not int or not all(type(t) is str for t in (self.label, self.name, self.color)):
            raise InputError(
                tr(
                    "A class is a number and texts, not {value!r}, {label!r}, {name!r}.",
                    value=self.value,
                    label=self.label,
                    name=self.name,
                )
            )
        if any("\ud800" <= character <= "\udfff" for character in self.label + self.name):
            raise InputError(tr("The name {name!r} of a class holds broken Unicode; write it anew.", name=self.name))
        if not 0 <= self.value <= 65534:
            raise InputError(tr("Class value {value} does not fit a class raster; use 0 to 65534.", value=self.value))
        if not re.fullmatch(r"#[0-9a-f]{6}", self.color):
            raise InputError(
                tr("Colour {color!r} of class {name!r} is not of the form #rrggbb.", color=self.color, name=self.name)
            )

    @property
    def rgb(self) -> tuple[int, int, int]:
        return int(self.color[1:3], 16), int(self.color[3:5], 16), int(self.color[5:7], 16)


@dataclass(frozen=True)
class Legend:
    """The classes in the order of the network's outputs; values are unique."""

    classes: tuple[LandCoverClass, ...]

    def __post_init__(self) -> None:
        values = [c.value for c in self.classes]
        if len(set(values)) != len(values):
            raise InputError(tr("Class values must be unique, got {values}.", values=values))

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(c.value for c in self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.classes)

    def to_json(self) -> list[dict[str, Any]]:
        return [{"value": c.value, "label": c.label, "name": c.name, "color": c.color} for c in self.classes]

    @classmethod
    def from_json(cls, items: Sequence[dict[str, Any]]) -> Legend:
        return cls(tuple(LandCoverClass(i["value"], i["label"], i["name"], i["color"]) for i in items))


_WORDS = (  # the colours people expect, by words in the class name; first match wins
    (r"water|river|lake|sea|ocean|wasser|eau|agua|acqua|水", "#3b7dd8"),
    (r"snow|ice|glacier", "#dff3ff"),
    (r"forest|tree|wood|wald|for[eê]t|bosque|bosco|林", "#1b7837"),
    (r"shrub|bush|scrub", "#8c9a3e"),
    (r"wetland|marsh|swamp|mangrove", "#5ab4a0"),
    (r"grass|meadow|vegetation|pasture|low plant|wiese|prairie", "#a6d96a"),
    (r"crop|arable|agri|field|farm|acker", "#e6c84b"),
    (r"soil|bare|sand|rock|beach|mudflat", "#c9a26b"),
    (r"industr|commercial", "#9e5ab5"),
    (r"road|asphalt|impervious|roof|pav(ed|e|ing)", "#6b6b6b"),
    (r"resident|-rise|urban|built|settle|city|stadt", "#d7301f"),
    (r"\bland\b", "#b8a878"),
)
_TRIES = 50  # for a colour that no other class has


def default_colors(names: Sequence[str]) -> tuple[str, ...]:
    """A ``#rrggbb`` for each name: the colour its words suggest, else hues spread by the golden angle; distinct, save
    where there are thousands."""
    colors: list[str] = []
    taken: set[str] = set()
    hue = 0.07
    for name in names:
        color = next((c for words, c in _WORDS if re.search(words, name.lower())), None)
        tries = 0
        while color is None or color in taken and tries < _TRIES:
            tries += 1
            hue = (hue + 0.61803398875) % 1.0
            red, green, blue = colorsys.hsv_to_rgb(
                hue, 0.55 + 0.35 * (len(colors) % 2), 0.88 - 0.2 * (len(colors) % 3 == 2)
            )
            color = f"#{int(red * 255):02x}{int(green * 255):02x}{int(blue * 255):02x}"
        colors.append(color)
        taken.add(color)
    return tuple(colors)
