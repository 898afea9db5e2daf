"""Whether the training layer lies where the rasters are."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Mapping

import numpy as np

from bdgf_core.raster.grid import crs_name, same_crs
from bdgf_core.raster.label_layer import label_crs
from bdgf_core.raster.labels import LabelSource, claim_pixels
from bdgf_core.raster.stack import RasterStack
from bdgf_core.raster.window import Window
from bdgf_core.translation import tr

from .finding import Finding, percent

_PROBED = 100  # features
_MANY = 0.1


def label_findings(source: LabelSource, stack: RasterStack, layers: Mapping[str, str]) -> Iterator[Finding]:
    """``layers`` are the rasters' names. Raises InputError where the layer cannot be used, or none of it lies on the
    stack's grid."""
    layer, grid = Path(source.path).name, stack.grid
    crs = label_crs(source.path, source.layer, source.field)
    claims = claim_pixels(source, grid)
    if crs is not None and grid.crs is not None:
        same = same_crs(crs, grid.crs)
        form = tr("{crs}, as the raster.") if same else tr("{crs}, brought onto that of the raster by itself.")
        yield Finding("fine", "labels", layer, form.format(crs=crs_name(crs)))
    for warning in claims.warnings:
        yield Finding("note", "labels", layer, warning, tr("Mend it in the layer if they should count."))
    there = [claim for claim in claims.claims if len(claim.pixels)]
    outside = 1.0 - len(there) / len(claims.claims)
    if outside:
        yield Finding(
            "warning" if outside > _MANY else "note", "labels", layer,
            tr("Of {all} features {share} lie outside of the raster.", all=len(claims.claims), share=percent(outside)),
            tr("Move or delete them, or check the CRS of the layer if they should be inside."),
        )  # fmt: skip
    chosen = [there[i] for i in np.unique(np.linspace(0, len(there) - 1, _PROBED).astype(int))]
    empty = dict.fromkeys(stack.bands, 0)
    for claim in chosen:
        row, col = divmod(int(claim.pixels[len(claim.pixels) // 2]), grid.width)
        for name, array in stack.read(Window(row, col, 1, 1)).arrays.items():
            empty[name] += not np.isfinite(array).any()
    for name, count in empty.items():
        if count:
            yield Finding(
                "warning" if count > _MANY * len(chosen) else "note", "labels", layer,
                tr(
                    "Of {looked_at} features looked at, {count} lie where {raster} has no data.",
                    looked_at=len(chosen), count=count, raster=layers[name],
                ),
                tr("Draw elsewhere; the training summary names them."),
            )  # fmt: skip
    if not outside and not any(empty.values()):
        yield Finding("fine", "labels", layer, tr("All features lie on the rasters: {count}.", count=len(there)))
