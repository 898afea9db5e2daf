"""The form of the group network: widths of its inputs, and a switch for every part."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Iterable, Sequence

from .indices import index_count
from .statistics import statistics_count

PATCH = 9
AT_ONCE = 128  # pixels a side of an image on a CPU: of more the maps of all pixels fall out of its caches
_MOST_CHANNELS = 1_000_000


@dataclass(frozen=True)
class GroupConfig:
    """Widths of the inputs, and a switch for every part of the network (Table 2 of the paper).

    So many ``trees`` and a regression on so many ``landmarks`` join the branches once they have learned, see
    :class:`.trees.Trees` and :class:`.regression.KernelRegression`; ``trees_share`` and ``regression_share`` of the
    answer are theirs, the rest that of the branches. ``token_bands`` neighbours share a token of Mamba; the trees see
    statistics in windows of up to ``tree_window`` pixels a side. With ``indices`` trees and regression see ratios of
    bands, too, unless the spectral channels are ``components``, see :mod:`.indices`."""

    spectral: int
    second: int
    diffusion: int
    classes: int
    cnn: bool = True
    transformer: bool = True
    mamba: bool = True
    guide_cnn: bool = True
    guide_transformer: bool = True
    guide_mamba: bool = True
    mutual_learning: bool = True
    literal_mutual_learning: bool = False
    mutual_temperature: float = 0.0
    branch_cross_entropy: bool = True
    average_branches: bool = True
    padded_cnn: bool = False
    guidance_kernel: int = 1
    attention_cells: int = 3
    mamba_states: int = 16
    mamba_expand: int = 2
    token_bands: int = 1
    feed_forward: bool = True
    label_smoothing: float = 0.0
    dropout: float = 0.0
    patch: int = PATCH
    trees: int = 0
    trees_share: float = 0.5
    guide_trees: bool = True
    tree_window: int = 3
    landmarks: int = 0
    regression_share: float = 0.0
    indices: bool = False
    components: bool = False

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if type(value).__name__ != part.type and not (part.type == "float" and type(value) is int):
                raise ValueError(f"{part.name} is {value!r}, no {part.type}")
        least_of = {"spectral": 1, "second": 0, "diffusion": 1, "classes": 1, "trees": 0, "landmarks": 0}
        for name, least in least_of.items():
            if not least <= getattr(self, name) <= _MOST_CHANNELS:
                raise ValueError(f"{name} is {getattr(self, name)}, not {least} to {_MOST_CHANNELS}")
        if self.patch % 2 == 0 or not 7 <= self.patch <= 15:
            raise ValueError(f"a patch of {self.patch} pixels a side is not odd and from 7 to 15")
        if self.guidance_kernel not in (1, 3) or self.attention_cells not in (1, 3, self.patch):
            raise ValueError(f"guidance of {self.guidance_kernel} or attention of {self.attention_cells} cells")
        if not (1 <= self.mamba_states <= 256 and 1 <= self.mamba_expand <= 16 and 1 <= self.token_bands <= 64):
            raise ValueError(
                f"Mamba of {self.mamba_states} states, {self.mamba_expand} times as wide inside, {self.token_bands} "
                "bands a token"
            )
        if not 1 <= self.tree_window <= 15:
            raise ValueError(f"trees that see {self.tree_window} pixels a side")
        others = self.trees_share, self.regression_share
        if not (min(others) >= 0 and sum(others) <= 1 + 1e-6):
            raise ValueError(f"shares of the trees and the regression of {others}")
        if not 0 <= self.mutual_temperature <= 100:
            raise ValueError(f"a temperature of {self.mutual_temperature}")
        if not (0 <= self.label_smoothing < 1 and 0 <= self.dropout < 1):
            raise ValueError(f"label smoothing {self.label_smoothing} or dropout {self.dropout} is no share")
        if not self.branches:
            raise ValueError("no branch is switched on")

    @property
    def branches(self) -> list[str]:
        return [name for name in ("cnn", "transformer", "mamba") if getattr(self, name)]

    @property
    def index_bands(self) -> int:
        """The spectral bands of which ratios are seen."""
        return self.spectral if self.indices and not self.components else 0

    @property
    def tree_features(self) -> int:
        """How many numbers the trees see of a patch."""
        diffusion = self.diffusion if self.guide_trees else 0
        seen = statistics_count(self.spectral + self.second, diffusion, patch=self.patch, widest=self.tree_window)
        return seen + index_count(self.index_bands)

    @property
    def regressed_channels(self) -> int:
        """How many numbers the regression sees of a pixel."""
        return self.spectral + self.second + bool(self.index_bands)

    @property
    def members(self) -> list[str]:
        """Who answers: the branches, and those that join them."""
        joined = {"trees": self.trees, "regression": self.landmarks}
        return ["branches", *(name for name, count in joined.items() if count)]

    def shares(self, members: Sequence[str]) -> list[float]:
        """Of the answer of these ``members``; they sum to 1."""
        others = {"trees": self.trees_share, "regression": self.regression_share}
        wanted = {"branches": max(0.0, 1.0 - sum(others.values())), **others}
        whole = sum(wanted[name] for name in members)
        return [wanted[name] / whole if whole else 1 / len(members) for name in members]

    def with_shares(self, shares: Iterable[float]) -> GroupConfig:
        """With these shares of the :attr:`members`."""
        found = dict(zip(self.members, map(float, shares)))
        return replace(self, trees_share=found.get("trees", 0.0), regression_share=found.get("regression", 0.0))
