"""A scene's files as rasters of the engine and labelled pixels."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Optional

import numpy as np
from numpy.typing import NDArray

from bdgf_core.errors import InputError
from bdgf_core.legend import LandCoverClass, Legend, default_colors
from bdgf_core.progress import Progress
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.labels import Labels, LabelSource, rasterize_labels
from bdgf_core.raster.stack import RasterSource, RasterStack
from bdgf_core.raster.window import Window, tiles
from bdgf_core.raster.writer import create_raster
from bdgf_core.sensors import open_stack

from .matlab import read_matlab
from .scenes import Scene, split_key

_UNREFERENCED = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
_TILE = 256
_VECTORS = (".gpkg", ".shp", ".geojson", ".sqlite")


@dataclass(frozen=True)
class OpenScene:
    """``labels`` are all pixels of known class, ``apart`` (n,) which of them are for testing only. ``identity`` stands
    for the content of the rasters and labels."""

    scene: Scene
    sources: dict[str, RasterSource]
    second_kind: str
    stack: RasterStack
    labels: Labels
    apart: NDArray[np.bool_]
    identity: str


@contextmanager
def open_scene(scene: Scene, cache: Path, progress: Progress) -> Iterator[OpenScene]:
    """``cache`` takes what MATLAB files hold as GeoTIFFs. Raises :class:`InputError` for files that do not fit."""
    paths = {"spectral": (scene.spectral, scene.spectral_bands)}
    if scene.second is not None:
        paths["second"] = (scene.second, scene.second_bands)
    shape = _shape_of_labels(scene)
    sources = {
        name: RasterSource(_as_raster(text, cache, shape), bands) for name, (text, bands) in paths.items()
    }  # fmt: skip
    kind = scene.second_kind
    if kind == "auto" and "second" in sources:
        kind = _guess_kind(sources["second"])
        progress.message(f"The second sensor's values are taken as {kind}.")
    with open_stack(sources["spectral"], sources.get("second"), progress, second_kind=kind) as stack:
        labels, apart = _labels(scene, stack.grid)
        for text in labels.warnings:
            progress.warning(text)
        there = _with_data(stack, labels)
        if not there.all():
            progress.warning(f"{(~there).sum()} of {len(there)} labelled pixels have no data and are left out.")
        labels, apart = labels.subset(there), apart[there]
        found = tuple(labels.counts().tolist())
        if scene.expected and found != scene.expected:
            progress.warning(f"{scene.name} has {found} pixels a class, but its paper tells {scene.expected}.")
        digest = hashlib.sha256(repr((kind, scene.spectral_bands, scene.second_bands, labels.legend.names)).encode())
        for source in sources.values():
            digest.update(Path(source.path).read_bytes())
        for array in (labels.rows, labels.cols, labels.classes, labels.groups, apart):
            digest.update(array.tobytes())
        yield OpenScene(scene, sources, kind, stack, labels, apart, digest.hexdigest()[:16])


def labels_from_image(image: NDArray[Any], names: dict[int, str]) -> Labels:
    """The pixels of class numbers above 0, touching ones of a class being one group."""
    from scipy.ndimage import label

    values = [int(value) for value in np.unique(image) if value > 0]
    if not values:
        raise InputError("The class raster holds no class: every pixel is 0.")
    groups, count = np.zeros(image.shape, np.int32), 0
    for value in values:
        parts, found = label(image == value, np.ones((3, 3)))
        groups += np.where(parts > 0, parts + count, 0).astype(np.int32)
        count += found
    rows, cols = np.nonzero(image > 0)
    index = np.searchsorted(values, image[rows, cols])
    texts = [names.get(value, str(value)) for value in values]
    entries = zip(values, texts, default_colors(texts))
    legend = Legend(tuple(LandCoverClass(value, str(value), name, color) for value, name, color in entries))
    return Labels(*(array.astype(np.int32) for array in (rows, cols, index, groups[rows, cols] - 1)), legend)


def _labels(scene: Scene, grid: Grid) -> tuple[Labels, NDArray[np.bool_]]:
    """All labelled pixels, and which of them are for testing only."""
    if _is_vector(scene.labels[0]):
        if scene.field is None:
            raise InputError(f"Scene {scene.name} does not name the class field of its label layer.")
        labels = rasterize_labels(LabelSource(scene.labels[0], scene.field), grid)
    else:
        image = np.maximum.reduce([_label_image(text, grid) for text in scene.labels])
        labels = labels_from_image(image, {int(value): name for value, name in scene.classes})
    if scene.reference is None:
        return labels, np.zeros(len(labels), bool)
    image = _label_image(scene.reference, grid)
    known = {int(value): labels.legend.names.index(name) for value, name in scene.classes}
    index = np.full(image.shape, -1)
    for value, position in known.items():
        index[image == value] = position
    index[:, : scene.reference_from_column] = -1
    rows, cols = np.nonzero(index >= 0)
    if not len(rows):
        raise InputError(f"The reference of {scene.name} holds none of its classes there; check their numbers.")
    there = rows, cols, index[rows, cols], np.full(len(rows), -1)
    parts = zip((labels.rows, labels.cols, labels.classes, labels.groups), there)
    joined = Labels(*(np.concatenate(pair).astype(np.int32) for pair in parts), labels.legend, labels.warnings)
    return joined, np.arange(len(joined)) >= len(labels)


def _with_data(stack: RasterStack, labels: Labels) -> NDArray[np.bool_]:
    """Which labelled pixels have data in at least half of each raster's bands."""
    enough = np.zeros(len(labels), bool)
    for window in tiles(stack.grid.height, stack.grid.width, _TILE):
        rows, cols = labels.rows - window.row, labels.cols - window.col
        here = np.flatnonzero((rows >= 0) & (rows < window.height) & (cols >= 0) & (cols < window.width))
        if len(here):
            arrays = stack.read(window).arrays.values()
            share = np.min([np.isfinite(array).mean(0) for array in arrays], 0)
            enough[here] = share[rows[here], cols[here]] >= 0.5
    return enough


def _is_vector(text: str) -> bool:
    return Path(text).suffix.lower() in _VECTORS


def _shape_of_labels(scene: Scene) -> Optional[tuple[int, int]]:
    """Rows and columns, where a MATLAB file of labels tells them."""
    path, key = split_key(scene.labels[0])
    return read_matlab(path, key).shape[:2] if path.suffix == ".mat" else None


def _as_raster(text: str, cache: Path, shape: Optional[tuple[int, int]]) -> str:
    """The path of a raster, that of a MATLAB array being written first; bands may come first or last there."""
    path, key = split_key(text)
    if path.suffix != ".mat":
        return text
    array = read_matlab(path, key)
    array = array[..., None] if array.ndim == 2 else array
    bands_first = shape is not None and array.shape[:2] != shape and array.shape[1:] == shape
    bands = array if bands_first else np.moveaxis(array, 2, 0)
    if shape is not None and bands.shape[1:] != shape:
        raise InputError(f"{path} is an image of {bands.shape[1:]} pixels, but the labels are one of {shape}.")
    cache.mkdir(parents=True, exist_ok=True)
    named = hashlib.sha256(f"{path.resolve()}:{key}:{path.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    target = cache / f"{path.stem}-{named}.tif"
    if not target.exists():
        grid = Grid("", _UNREFERENCED, *bands.shape[1:])
        with create_raster(target, grid, dtype=np.float32, bands=len(bands), nodata=float("nan")) as writer:
            writer.write(grid.window, bands.astype(np.float32))
    return str(target)


def _label_image(text: str, grid: Grid) -> NDArray[np.int64]:
    path, key = split_key(text)
    if path.suffix == ".mat":
        image = read_matlab(path, key)
    else:
        with RasterStack.open({"labels": RasterSource(text)}) as stack:
            image = stack.read(Window(0, 0, stack.grid.height, stack.grid.width)).arrays["labels"][0]
    if image.shape != (grid.height, grid.width):
        raise InputError(f"{path} has {image.shape} pixels, but the rasters have {(grid.height, grid.width)}.")
    return np.nan_to_num(image, nan=-1.0).astype(np.int64)


def _guess_kind(source: RasterSource) -> str:
    """Intensity where nothing is negative, else no SAR unit: dB, covariances and heights may all be negative."""
    with RasterStack.open({"second": source}) as stack:
        array = stack.read(Window(0, 0, stack.grid.height, stack.grid.width)).arrays["second"]
    return "sar_linear" if float((array < 0).mean()) <= 0.001 else "other"
