"""Training polygons and points → labelled pixels of a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Iterable, Iterator, Union

import numpy as np
from numpy.typing import NDArray
from osgeo import ogr, osr

from bdgf_core.errors import InputError
from bdgf_core.legend import Legend
from bdgf_core.translation import tr

from .gdal_errors import gdal_raises
from .grid import Grid, crs_of, is_real, same_crs, transformation
from .label_classes import ClassTable, Hints
from .label_layer import open_label_layer
from .shapes import MOST_PIXELS, burn, parts_of, too_many

Integers = NDArray[np.int32]

PIXEL_BYTES = 46  # at the most, from polygons to those pixels that have data: measured


@dataclass(frozen=True)
class LabelSource:
    """A vector file with training data and the field that holds the class.

    ``layer`` may be left out where the file has one layer with geometries. ``classes`` brings (label, name, colour)
    from the layer's style; labels of one name are one class; what it does not name is called by its label and coloured
    by default.
    """

    path: Union[str, Path]
    field: str
    layer: str | None = None
    classes: Hints | None = None


@dataclass(frozen=True, eq=False)
class Labels:
    """The n labelled pixels in row-major order: ``rows``, ``cols`` (int32), ``classes`` (int32, index into the
    legend), ``groups`` (int32, number of the feature from 0; the parts of a multipart feature are one group).
    ``warnings`` tells in sentences what was left out."""

    rows: Integers
    cols: Integers
    classes: Integers
    groups: Integers
    legend: Legend
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, index: NDArray[Any]) -> Labels:
        """The pixels at these positions (integers) or where true (booleans); legend and warnings stay."""
        return replace(
            self, rows=self.rows[index], cols=self.cols[index], classes=self.classes[index], groups=self.groups[index]
        )

    def counts(self) -> NDArray[np.int64]:
        """The number of pixels of each class of the legend."""
        return np.bincount(self.classes, minlength=len(self.legend)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Claim:
    """What one feature claims for its class (``index`` into the legend): ``pixels`` (row · width + column, ascending),
    none where it lies outside of the grid. ``number`` counts features from 0; ``x`` and ``y`` are the middle of its
    extent in the grid's CRS."""

    number: int
    index: int
    pixels: NDArray[np.int64]
    is_polygon: bool
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class Claims:
    """All features with a class and a shape as they were drawn, overlaps included; the legend has every class met.
    ``warnings`` tells in sentences which features are none of these."""

    claims: tuple[Claim, ...]
    legend: Legend
    warnings: tuple[str, ...]


def claim_pixels(source: LabelSource, grid: Grid) -> Claims:
    """What each feature claims of ``grid``; raises as :func:`rasterize_labels`."""
    return _collect(source, grid).claims()


def rasterize_labels(source: LabelSource, grid: Grid, *, memory_bytes: int | None = None) -> Labels:
    """The pixels of ``grid`` whose centre lies in a polygon, or that hold a point, of a class.

    A polygon without any pixel centre takes the pixel under its inner point. A pixel claimed by several classes is
    left out, one claimed several times by one class counts once, for the first feature. Classes without a pixel are
    not in the legend. Raises InputError where the file, layer, field or values cannot be used, nothing lies inside of
    the grid, or the pixels do not fit ``memory_bytes``.
    """
    most = MOST_PIXELS if memory_bytes is None else min(MOST_PIXELS, memory_bytes // PIXEL_BYTES)
    return _collect(source, grid, most).labels()


def _collect(source: LabelSource, grid: Grid, most: int = MOST_PIXELS) -> _Collector:
    with gdal_raises():
        try:
            dataset, layer = open_label_layer(source.path, source.layer, source.field)
            collector = _Collector(source, grid, layer, most)
            number = -1
            for number, feature in enumerate(layer):
                collector.add(number, feature)
            collector.expect(number + 1, layer.GetFeatureCount())
            del layer, dataset  # the layer lives no longer than its dataset
        except RuntimeError as error:
            reason = str(error).rstrip(".")
            raise InputError(
                tr("Reading {path} failed ({reason}); the file may be damaged.", path=source.path, reason=reason)
            ) from error
    return collector


class _Collector:
    """Gathers the pixels of one feature after another, and counts what is left out."""

    def __init__(self, source: LabelSource, grid: Grid, layer: ogr.Layer, most: int) -> None:
        self._source, self._grid, self._most = source, grid, most
        self._classes = ClassTable(source.path, layer, source.field, source.classes or ())
        self._claims: list[Claim] = []
        self._count = 0
        self._left_out = dict.fromkeys(_REASONS, 0)
        self._warnings: list[str] = []
        self._project = self._projection(layer.GetSpatialRef())

    def add(self, number: int, feature: ogr.Feature) -> None:
        label = self._classes.label(feature)
        geometry = feature.GetGeometryRef()
        if geometry is None or geometry.IsEmpty():
            self._left_out["geometry"] += 1
        elif label is None:
            self._left_out["class"] += 1
        else:
            self._add_shape(number, self._classes.index(label), geometry.Clone())

    def expect(self, read: int, there: int) -> None:
        """A damaged file may end early, without an error."""
        if read < there:
            self._warnings.append(
                tr("Only {read} of {there} features could be read; the file may be damaged.", read=read, there=there)
            )

    def _add_shape(self, number: int, index: int, geometry: ogr.Geometry) -> None:
        try:
            if self._project is not None:
                geometry.Transform(self._project)
            polygons, points, others = parts_of(geometry)
        except RuntimeError:
            self._left_out["broken"] += 1
            return
        if not polygons and not points:
            self._left_out["lines" if others else "broken"] += 1
            return
        pixels = burn(polygons, points, self._grid, most=self._most)
        self._count += len(pixels)
        if self._count > self._most:
            raise too_many(self._most)
        left, right, bottom, top = geometry.GetEnvelope()
        x, y = (left + right) / 2, (bottom + top) / 2
        if not isfinite(x + y):  # some corner lies nowhere
            if len(pixels) == 0:
                self._left_out["broken"] += 1
                return
            row, col = divmod(float(pixels[len(pixels) // 2]), self._grid.width)
            x, y = (float(place) for place in self._grid.to_world(np.array(col + 0.5), np.array(row + 0.5)))
        self._claims.append(Claim(number, index, pixels, bool(polygons), x, y))
        self._left_out["outside"] += len(pixels) == 0

    def claims(self) -> Claims:
        self._refuse_nothing()
        legend, order = self._classes.legend(np.arange(len(self._classes.labels), dtype=np.int32))
        place = {index: rank for rank, index in enumerate(order)}
        claims = tuple(replace(claim, index=place[claim.index]) for claim in self._claims)
        return Claims(claims, legend, tuple([*self._warnings, *self._left_out_warnings(but="outside")]))

    def labels(self) -> Labels:
        path, field = self._source.path, self._source.field
        self._refuse_nothing()
        pixels, classes, groups, mixed = _resolve(self._claims)
        legend, order = self._classes.legend(np.unique(classes))
        if mixed:
            names = _listed(self._classes.labels[i] for i in sorted(mixed[1]))
            self._warnings.append(
                tr(
                    "Pixels claimed by several classes ({classes}) are left out: {count}.",
                    classes=names,
                    count=mixed[0],
                )
            )
        if len(pixels) == 0:
            raise InputError(
                tr(
                    "All pixels of {path} are claimed by several classes of {field!r}; mend the overlaps.",
                    path=path,
                    field=field,
                )
            )
        unused = [label for i, label in enumerate(self._classes.labels) if i not in order]
        if unused:
            self._warnings.append(tr("Classes without any pixel are dropped: {classes}.", classes=_listed(unused)))
        self._warnings.extend(self._left_out_warnings())
        lookup = np.full(len(self._classes.labels), -1, np.int32)
        lookup[order] = np.arange(len(order))
        rows = (pixels // self._grid.width).astype(np.int32)
        pixels %= self._grid.width
        return Labels(rows, pixels.astype(np.int32), lookup[classes], groups, legend, tuple(self._warnings))

    def _left_out_warnings(self, but: str = "") -> Iterator[str]:
        for reason, count in self._left_out.items():
            if count and reason != but:
                yield _REASONS[reason].format(count=count, path=self._source.path, field=self._source.field)

    def _projection(self, crs: osr.SpatialReference | None) -> osr.CoordinateTransformation | None:
        target = crs_of(self._grid.crs_wkt)
        own = crs.Clone() if crs is not None and is_real(crs) else None
        if own is None or target is None:
            if target is not None:
                told = tr(
                    "{path} has no CRS; labels and raster are taken to be in the same one.", path=self._source.path
                )
                self._warnings.append(told)
            elif own is not None:
                self._warnings.append(tr("The raster has no CRS; labels and raster are taken to be in the same one."))
            return None
        usual = crs_of(own.ExportToWkt(["FORMAT=WKT2_2019"]))
        x_first = usual is None or usual.GetDataAxisToSRSAxisMapping() == own.GetDataAxisToSRSAxisMapping()
        return None if x_first and same_crs(own, target) else transformation(own, target)

    def _refuse_nothing(self) -> None:
        if not any(len(claim.pixels) for claim in self._claims):
            raise InputError(self._why_none())

    def _why_none(self) -> str:
        path, field, left_out = self._source.path, self._source.field, self._left_out
        if left_out["outside"]:
            return tr(
                "No feature of {path} lies on the raster; check the CRS of both, or choose other training data.",
                path=path,
            )
        if left_out["lines"]:
            return tr("{path} holds lines; draw polygons or points as training data, or buffer the lines.", path=path)
        if left_out["class"]:
            return tr(
                "The class field {field!r} of {path} is empty in every feature; fill it in or choose another field.",
                field=field,
                path=path,
            )
        return tr("{path} holds no usable features; draw polygons or points as training data.", path=path)


_REASONS = {
    "geometry": tr("Features of {path} without a geometry are left out: {count}."),
    "class": tr("Features of {path} without a value in {field!r} are left out: {count}."),
    "lines": tr("Features of {path} that are neither polygons nor points are left out: {count}."),
    "broken": tr("Features of {path} that cannot be mended or reprojected are left out: {count}."),
    "outside": tr("Features of {path} outside of the raster are left out: {count}."),
}


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")


def _resolve(
    claims: list[Claim],
) -> tuple[NDArray[np.int64], Integers, Integers, tuple[int, set[int]] | None]:
    """Each pixel once, in order, without those of several classes; the latter's number and classes, if any. Empties
    ``claims``: there may be very many pixels."""
    index, number = np.array([(claim.index, claim.number) for claim in claims], np.int32).T
    owners = np.repeat(np.arange(len(claims), dtype=np.int32), [len(claim.pixels) for claim in claims])
    pixels = np.concatenate([claim.pixels for claim in claims])
    claims.clear()
    order = np.argsort(pixels, kind="stable")  # of one pixel's features the first one stays first
    pixels, owners = pixels[order], owners[order]
    del order
    same = np.zeros(len(pixels), bool)  # as the one before
    np.equal(pixels[1:], pixels[:-1], out=same[1:])
    first = np.flatnonzero(~same)
    same[1:] &= np.diff(index[owners]) != 0
    impure = np.logical_or.reduceat(same, first)
    mixed = None
    if impure.any():
        theirs = np.repeat(impure, np.diff(first, append=len(pixels)))
        mixed = (int(impure.sum()), set(np.unique(index[owners[theirs]]).tolist()))
        first = first[~impure]
    pixels, owners = pixels[first], owners[first]
    return pixels, index[owners], number[owners], mixed
