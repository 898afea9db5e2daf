"""The verb ``suggestsites``: where to draw next, out of a map and what classify told beside it, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .files import claim
from .legend import Legend
from .progress import Progress
from .raster.class_raster import ClassRaster
from .raster.labels import LabelSource, claim_pixels
from .raster.site_layer import Site, check_site_layer, write_sites
from .raster.stack import RasterSource, RasterStack
from .site_candidates import BOUNDS, REACH, Candidates, find_candidates
from .site_choice import choose, reason
from .translation import tr

_MOST_SITES = 1000
_MOST_CLASSES = 256


@dataclass(frozen=True)
class SuggestsitesConfig:
    """The class raster ``map`` and at least one of the rasters that classify wrote beside it; ``labels``, the training
    layer, around whose features nothing is suggested. ``number`` sites, ``distance`` pixels apart, by default half of
    what they would be if spread evenly."""

    map: str
    output: str
    confidence: Optional[str] = None
    entropy: Optional[str] = None
    disagreement: Optional[str] = None
    ood: Optional[str] = None
    labels: Optional[LabelSource] = None
    number: int = 30
    distance: Optional[int] = None

    def __post_init__(self) -> None:
        if not 1 <= self.number <= _MOST_SITES:
            raise InputError(tr("Between 1 and {most} sites can be suggested.", most=_MOST_SITES))
        if self.distance is not None and self.distance < 0:
            raise InputError(tr("The least distance is a number of pixels, not {value}.", value=self.distance))
        if not self.judgements:
            raise InputError(
                tr(
                    "Give at least one of the rasters entropy, disagreement, out of distribution and confidence: "
                    "Classify writes them beside the map on request."
                )
            )

    @property
    def judgements(self) -> dict[str, str]:
        """The rasters given beside the map."""
        return {name: getattr(self, name) for name in BOUNDS if getattr(self, name)}


def suggestsites(config: SuggestsitesConfig, progress: Progress) -> dict[str, Any]:
    """Write the layer of sites. Memory grows neither with the rasters nor, beyond theirs, with the sites."""
    inputs = [config.map, *config.judgements.values(), *([str(config.labels.path)] if config.labels else [])]
    check_site_layer(config.output, inputs=inputs)
    with claim(config.output):
        land_cover = ClassRaster(config.map)
        avoid = _labelled(config, land_cover, progress)
        with _open(config) as stack:
            for warning in stack.warnings:
                progress.warning(warning)
            candidates = find_candidates(land_cover, stack, avoid, progress=progress.part(0.0, 0.9))
        if not candidates.mapped:
            raise InputError(tr("The map {path} holds no class anywhere; choose another raster.", path=config.map))
        if len(candidates.present) > _MOST_CLASSES:
            raise InputError(
                tr("{path} holds more than {most} different values; choose a raster of classes.", path=config.map,
                   most=_MOST_CLASSES)
            )  # fmt: skip
        distance = config.distance
        if distance is None:
            distance = max(REACH, int(0.5 * np.sqrt(candidates.mapped / config.number)))
        chosen = choose(candidates, config.number, distance, progress.part(0.9, 0.99))
        if not len(chosen):
            raise InputError(
                tr("No place is left to suggest: training polygons cover all of the map, or the rasters beside it are "
                   "empty.")
            )  # fmt: skip
        if len(chosen) < config.number:
            progress.warning(
                tr("Only {found} of {wanted} sites lie {distance} pixels apart; lower the least distance for more.",
                   found=len(chosen), wanted=config.number, distance=distance)
            )  # fmt: skip
        progress.message(tr("{count} sites, at least {distance} pixels apart.", count=len(chosen), distance=distance))
        legend = land_cover.legend(candidates.present)
        sites = [_site(candidates, int(index), legend, land_cover) for index in chosen]
        progress.update(1.0)  # the last chance to stop
        write_sites(config.output, sites, legend, land_cover.grid)
    return {"output": config.output, "sites": len(sites), "distance": distance}


def _labelled(config: SuggestsitesConfig, land_cover: ClassRaster, progress: Progress) -> NDArray[np.int64]:
    """The pixels that the training layer's features claim, ascending."""
    if config.labels is None:
        return np.empty(0, np.int64)
    claims = claim_pixels(config.labels, land_cover.grid)
    for warning in claims.warnings:
        progress.warning(warning)
    pixels: NDArray[np.int64] = np.unique(np.concatenate([claim.pixels for claim in claims.claims]))
    return pixels


def _open(config: SuggestsitesConfig) -> RasterStack:
    stack = RasterStack.open(
        {"map": RasterSource(config.map, (1,)), **{n: RasterSource(p) for n, p in config.judgements.items()}}
    )
    for name, path in config.judgements.items():
        if len(stack.bands[name]) != 1:
            raise InputError(
                tr("The raster {path} given as {name} has {count} bands; choose the one with one band that Classify "
                   "wrote.", path=path, name=name, count=len(stack.bands[name]))
            )  # fmt: skip
    return stack


def _site(candidates: Candidates, index: int, legend: Legend, land_cover: ClassRaster) -> Site:
    value = int(candidates.classes[index])
    x, y = land_cover.grid.to_world(candidates.cols[index] + 0.5, candidates.rows[index] + 0.5)
    means = {name: float(values[index]) for name, values in candidates.means.items()}
    return Site(
        x=float(x), y=float(y), score=float(candidates.score[index]), reason=reason(candidates, index),
        predicted=value, predicted_name=legend.names[legend.values.index(value)],
        **{name: means[name] if np.isfinite(means.get(name, np.nan)) else None for name in BOUNDS},
    )  # fmt: skip
