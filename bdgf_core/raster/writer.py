"""A GeoTIFF that appears under its name when it is complete, or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Mapping, Sequence, Union

import numpy as np
from numpy.typing import DTypeLike, NDArray
from osgeo import gdal

from bdgf_core.errors import InputError, ResourceError, one_line
from bdgf_core.files import check_writable, in_use, publish, refuse_in_use, temporary_path, to_disk
from bdgf_core.legend import Legend
from bdgf_core.translation import tr

from .class_tables import describe_classes
from .gdal_errors import gdal_raises, gdal_silent
from .grid import Grid
from .styles import class_style
from .window import Window

OnPart = Callable[[], None]

_SIDES = (".aux.xml", ".ovr", ".msk", ".qml")
_TYPES = {
    "uint8": gdal.GDT_Byte,
    "uint16": gdal.GDT_UInt16,
    "int16": gdal.GDT_Int16,
    "uint32": gdal.GDT_UInt32,
    "int32": gdal.GDT_Int32,
    "float32": gdal.GDT_Float32,
    "float64": gdal.GDT_Float64,
}


class RasterWriter:
    """Takes the pixels of a raster in the making; see :func:`create_raster`. ``complete`` is what remains to be done
    with the closed file."""

    def __init__(
        self, path: Path, dataset: gdal.Dataset, grid: Grid, nodata: float, complete: Callable[[OnPart], None]
    ) -> None:
        self._dataset: gdal.Dataset | None = dataset
        self._path, self._grid, self._nodata = path, grid, nodata
        self._complete, self._finished = complete, False

    def write(self, window: Window, array: NDArray[np.generic]) -> None:
        """Write ``array``, (height, width) or (bands, height, width), at a window inside the grid, else ValueError.
        NaN becomes nodata; what is never written is nodata. Raises ResourceError where the disk is full."""
        if self._dataset is None:
            raise ValueError("The raster is closed.")
        bands = array[None] if array.ndim == 2 else array
        if bands.shape != (self._dataset.RasterCount, window.height, window.width):
            raise ValueError(f"An array of shape {array.shape} does not fit {window}.")
        if not window.inside(self._grid.window):
            raise ValueError(f"{window} reaches beyond the grid.")
        if bands.dtype.kind == "f" and not np.isnan(self._nodata):
            bands = np.where(np.isnan(bands), bands.dtype.type(self._nodata), bands)
        with gdal_raises():
            try:
                for number, band in enumerate(bands, start=1):
                    self._dataset.GetRasterBand(number).WriteArray(band, window.col, window.row)
            except RuntimeError as error:
                raise _write_failed(self._path, str(error)) from error

    def finish(self, on_part: OnPart = lambda: None) -> None:
        """Close and complete the file while the block still runs: of several rasters none appears where one of them
        fails. ``on_part`` is called now and then, and may raise."""
        if self._finished:
            return
        failures = self.close()
        if failures:
            raise _write_failed(self._path, failures[0])
        self._complete(on_part)
        self._finished = True

    def close(self) -> list[str]:
        """Write what GDAL still holds back and close the file; the failures in doing so."""
        with gdal_silent() as failures:
            try:
                if self._dataset is not None:
                    self._dataset.FlushCache()
            except RuntimeError as error:  # where the caller's GDAL raises
                failures.append(str(error))
            self._dataset = None
        return failures


@contextmanager
def create_raster(
    path: Union[str, Path],
    grid: Grid,
    *,
    dtype: DTypeLike,
    bands: int = 1,
    nodata: float,
    legend: Legend | None = None,
    descriptions: Sequence[str] = (),
    tags: Mapping[str, object] | None = None,
    style: str | None = None,
    inputs: Sequence[Union[str, Path]] = (),
    cog: bool = False,
) -> Iterator[RasterWriter]:
    """Write a tiled, compressed GeoTIFF; it takes its name when the block ends, and never after an error in it.
    ``cog`` makes it a cloud-optimised one, with overviews inside.

    ``legend`` gives colour table, category names and raster attribute table; ``style`` is the text of a ``.qml`` file
    to put beside the raster, by default the legend's. ``inputs`` are files that must not be overwritten. Raises
    InputError where the path cannot be written and ResourceError where the disk is full.
    """
    final = Path(path)
    check_output(final, inputs=inputs)
    kind = np.dtype(dtype)
    check_space({final: space_needed(grid, kind, bands, cog=cog)})
    unfinished = temporary_path(final, ".tif")
    style = style or (class_style(legend) if legend is not None else None)
    writer: RasterWriter | None = None
    try:
        dataset = _create(unfinished, grid, kind, bands, nodata, legend, descriptions, tags or {})

        def complete(on_part: OnPart) -> None:
            if cog:
                _optimize(unfinished, final, legend, on_part)
            if style is not None:
                _beside(unfinished, ".qml").write_text(style, encoding="utf-8")
            for suffix in _SIDES:
                if _beside(unfinished, suffix).exists():
                    to_disk(_beside(unfinished, suffix))

        writer = RasterWriter(final, dataset, grid, nodata, complete)
        del dataset  # only the writer holds it, and closes the file by letting go
        yield writer
        writer.finish()
        _publish(unfinished, final)
    finally:
        if writer is not None:
            writer.close()  # before its files are removed: closing writes side files
        for left in unfinished.parent.glob(f"{unfinished.stem}.*"):
            left.unlink()


def check_output(path: Union[str, Path], *, inputs: Sequence[Union[str, Path]] = ()) -> None:
    """Raises InputError where a GeoTIFF cannot be written to ``path``, or where it is one of ``inputs``."""
    final = Path(path)
    if final.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(tr("{path} is not named as a GeoTIFF; give the output a name that ends in .tif.", path=final))
    check_writable(final, inputs=inputs)


def _create(
    path: Path,
    grid: Grid,
    dtype: np.dtype[np.generic],
    bands: int,
    nodata: float,
    legend: Legend | None,
    descriptions: Sequence[str],
    tags: Mapping[str, object],
) -> gdal.Dataset:
    driver = gdal.GetDriverByName("GTiff")
    compression = _compression()
    predictor = 3 if dtype.kind == "f" else 1 if legend is not None or dtype.itemsize == 1 else 2
    options = ["TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "BIGTIFF=IF_SAFER", f"COMPRESS={compression}"]
    options += [f"PREDICTOR={predictor}", "INTERLEAVE=BAND"]
    with gdal_raises():
        try:
            dataset = driver.Create(str(path), grid.width, grid.height, bands, _TYPES[dtype.name], options)
            if grid.crs_wkt:
                dataset.SetProjection(grid.crs_wkt)
            if grid.is_georeferenced:
                dataset.SetGeoTransform(grid.geotransform)
            for number in range(1, bands + 1):
                dataset.GetRasterBand(number).SetNoDataValue(nodata)
            for number, description in enumerate(descriptions, start=1):
                dataset.GetRasterBand(number).SetDescription(one_line(description))
            dataset.SetMetadata({key: one_line(str(value)) for key, value in tags.items()})
            if legend is not None:
                describe_classes(dataset, legend)
        except RuntimeError as error:
            dataset = None  # closed before its file is removed
            raise _write_failed(path, str(error)) from error
    return dataset


def _optimize(path: Path, final: Path, legend: Legend | None, on_part: OnPart) -> None:
    """Make the finished file ``path`` a cloud-optimised one; the overviews of classes take the most frequent one."""
    stopped: list[BaseException] = []

    def goes_on(*_: object) -> int:
        try:
            on_part()
        except BaseException as reason:  # GDAL is told to stop, and what it was is raised afterwards
            stopped.append(reason)
        return int(not stopped)

    made, whole = path.with_name(f"{path.stem}.cog.tif"), None
    resampling = "AVERAGE" if legend is None else "MODE"
    predictor = "YES" if legend is None else "NO"
    options = ["BLOCKSIZE=256", "BIGTIFF=IF_SAFER", f"COMPRESS={_compression()}", f"PREDICTOR={predictor}"]
    options += ["OVERVIEWS=AUTO", f"RESAMPLING={resampling}", "NUM_THREADS=ALL_CPUS"]
    with gdal_raises() as failures:
        try:
            whole = gdal.GetDriverByName("COG").CreateCopy(str(made), gdal.Open(str(path)), 0, options, goes_on)
            whole.FlushCache()
        except RuntimeError as error:
            failures.append(str(error))
        del whole  # closed, which may fail as well, before it is renamed or removed
    if stopped:
        raise stopped[0]
    if failures:
        raise _write_failed(final, failures[0])
    for suffix in ("", ".aux.xml"):
        if Path(f"{made}{suffix}").exists():
            os.replace(f"{made}{suffix}", f"{path}{suffix}")


def _compression() -> str:
    options = gdal.GetDriverByName("GTiff").GetMetadataItem("DMD_CREATIONOPTIONLIST")
    return "ZSTD" if "<Value>ZSTD<" in options else "DEFLATE"


def space_needed(grid: Grid, dtype: DTypeLike, bands: int, *, cog: bool = False) -> int:
    """Bytes that a raster may take on the disk, at the most for a while."""
    kind = np.dtype(dtype)
    files = 3 if cog else 1  # two for a while, one of them with overviews
    # Classes compress to a small part of their size, probabilities hardly.
    return files * grid.height * grid.width * bands * kind.itemsize // (1 if kind.kind == "f" else 8)


def check_space(needed: Mapping[Path, int]) -> None:
    """Raises ResourceError where the files, by path, do not fit their disks together."""
    disks: dict[int, list[Path]] = {}
    for path in needed:
        disks.setdefault(path.parent.stat().st_dev, []).append(path)
    for paths in disks.values():
        total = sum(needed[path] for path in paths)
        free = shutil.disk_usage(paths[0].parent).free
        if total > free:
            raise ResourceError(
                tr(
                    "{path} may need {needed} MB and {free} MB are free; free some space or choose another disk.",
                    path=", ".join(map(str, paths)),
                    needed=total >> 20,
                    free=free >> 20,
                )
            )


def _beside(path: Path, suffix: str) -> Path:
    """The side file that QGIS (``.qml``) or GDAL (appended) looks for."""
    return path.with_suffix(suffix) if suffix == ".qml" else path.with_name(path.name + suffix)


def _publish(unfinished: Path, final: Path) -> None:
    refuse_in_use(final)  # before its side files are replaced
    replaced = final.exists()
    try:
        if replaced:  # never a map with the class names of another
            for suffix in _SIDES:
                if suffix != ".qml" or _beside(unfinished, suffix).exists():
                    _beside(final, suffix).unlink(missing_ok=True)
            publish(unfinished, final)
        for suffix in _SIDES:
            if _beside(unfinished, suffix).exists():
                os.replace(_beside(unfinished, suffix), _beside(final, suffix))
        if not replaced:  # the raster last: when it is there, all of it is
            publish(unfinished, final)
    except PermissionError as error:
        raise in_use(final) from error


def _write_failed(path: Path, reason: str) -> ResourceError:
    return ResourceError(
        tr("Writing {path} failed ({reason}); check that the disk is not full.", path=path, reason=reason.rstrip("."))
    )
