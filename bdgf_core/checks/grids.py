"""Where rasters lie: CRS, pixels, extent, and how they fit each other."""

from __future__ import annotations

from math import atan2, degrees
from typing import Iterator

from bdgf_core.raster.grid import Grid, crs_name, same_crs
from bdgf_core.raster.overlap import overlap_share
from bdgf_core.raster.pixel_size import pixel_sides, pixel_steps
from bdgf_core.translation import tr

from .finding import Finding, percent

_SQUARE = 0.01
_MUCH_COARSER, _COARSER = 10.0, 3.0
_MOST_COVERED, _LITTLE_COVERED = 0.995, 0.5


def grid_findings(layer: str, grid: Grid, *, is_reference: bool) -> Iterator[Finding]:
    """What there is to say of one raster; all others are brought onto the grid of the one that ``is_reference``."""
    yield _crs(layer, grid, is_reference)
    yield _pixels(layer, grid)


def pair_findings(layer: str, grid: Grid, other_layer: str, other: Grid) -> Iterator[Finding]:
    """How the second raster's grid fits the first one's, which do overlap."""
    share = overlap_share(grid, other)
    text = tr("It covers {share} of {layer}.", share=percent(share), layer=layer)
    if share >= _MOST_COVERED:
        yield Finding("fine", "overlap", other_layer, text)
    else:
        yield Finding(
            "note" if share >= _LITTLE_COVERED else "warning", "overlap", other_layer, text,
            tr(
                "Elsewhere it is missing; clip {layer} to the common part (Raster, Extraction, Clip Raster by Extent), "
                "or take a second raster that covers more.", layer=layer,
            ),
        )  # fmt: skip
    if not same_crs(grid.crs, other.crs):
        text = tr("Its CRS differs from that of {layer}, onto which it is brought by itself.", layer=layer)
        yield Finding("fine", "grid", other_layer, text)
    ratio = _width(other) / _width(grid)
    if pixel_steps(grid)[1] != pixel_steps(other)[1] or max(ratio, 1 / ratio) < _COARSER:
        return
    if ratio > 1:
        text = tr("Its pixels are {ratio:.3g} times as wide as those of {layer}.", ratio=ratio, layer=layer)
        mend = tr("It tells little of single pixels; take a finer one if there is any.")
    else:
        text = tr("The pixels of {layer} are {ratio:.3g} times as wide.", ratio=1 / ratio, layer=layer)
        mend = tr(
            "Its details are averaged away; to map them resample the spectral raster to finer pixels (Raster, "
            "Projections, Warp)."
        )
    severity = "warning" if max(ratio, 1 / ratio) >= _MUCH_COARSER else "note"
    yield Finding(severity, "grid", other_layer, text, mend)


def _crs(layer: str, grid: Grid, is_reference: bool) -> Finding:
    crs = grid.crs
    if not grid.is_georeferenced:
        return Finding(
            "warning", "CRS", layer, tr("It has no georeference, nor will its results have one."),
            tr("Georeference it (Layer, Georeferencer), or give it extent and CRS (gdal_translate -a_ullr, -a_srs)."),
        )  # fmt: skip
    if crs is None:
        return Finding(
            "warning", "CRS", layer, tr("It has no CRS."),
            tr("Assign the one it is in (Raster, Projections, Assign Projection)."),
        )  # fmt: skip
    if crs.IsGeographic() and is_reference:
        return Finding(
            "note", "CRS", layer, tr("Its pixels are counted in degrees: {crs}.", crs=crs_name(crs)),
            tr(
                "That works; for square pixels warp the rasters to a projected CRS such as the UTM zone of the place "
                "(Raster, Projections, Warp)."
            ),
        )  # fmt: skip
    return Finding("fine", "CRS", layer, f"{crs_name(crs)}.")


def _pixels(layer: str, grid: Grid) -> Finding:
    width, height, metres = pixel_sides(grid)
    square = abs(width - height) <= _SQUARE * max(width, height)
    side = f"{width:.4g}" if square else f"{width:.4g} × {height:.4g}"
    size = {"count": f"{grid.width} × {grid.height}", "side": f"{side} m" if metres else side}
    steps, _ = pixel_steps(grid)
    turned = degrees(atan2(steps[1, 0], steps[0, 0]))
    mend = tr("It is read as it should be; for other programs warp it (Raster, Projections, Warp): north is then up.")
    if steps[0, 0] * steps[1, 1] - steps[0, 1] * steps[1, 0] > 0:
        text = tr("{count} pixels of {side}, stored from south to north or mirrored.", **size)
        return Finding("note", "grid", layer, text, mend)
    if abs(turned) > 0.01:
        text = tr("{count} pixels of {side}, turned by {angle:.3g}°.", angle=abs(turned), **size)
        return Finding("note", "grid", layer, text, mend)
    return Finding("fine", "grid", layer, tr("{count} pixels of {side}, north up.", **size))


def _width(grid: Grid) -> float:
    width, height, _ = pixel_sides(grid)
    return float((width * height) ** 0.5)
