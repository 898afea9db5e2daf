"""Opening rasters: one clear sentence for everything that cannot be used."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Optional, Union

from osgeo import gdal

from bdgf_core.errors import InputError
from bdgf_core.translation import tr

from .gdal_errors import gdal_raises, gdal_silent


def stamp(path: Union[str, Path]) -> list[object]:
    """What changes when something else is read at ``path``, as JSON: sizes and times of the file, or of all that GDAL
    reads for a raster, and what may be noted beside it: georeference and nodata values. Not the side file itself, to
    which statistics are added by everyone who looks at the raster."""
    text = os.fspath(path)
    told: list[object] = []
    files, seen = [text], {text}
    with gdal_silent():
        for file in files:  # which grows: of a mosaic's parts each may have files of its own
            told.append([file, _size_and_time(file)])
            dataset = None if is_special(file) else _opened(file)
            if dataset is None:
                continue
            parts = [str(part) for part in dataset.GetFileList() or []]
            files += sorted(part for part in {*parts} - seen if not part.endswith((".aux.xml", ".ovr")))
            seen.update(parts)
            bands = (dataset.GetRasterBand(number) for number in range(1, dataset.RasterCount + 1))
            told.append([dataset.GetProjection(), *dataset.GetGeoTransform()])
            told.append([str(band.GetNoDataValue()) for band in bands])
    return told


def _opened(path: str) -> Optional[gdal.Dataset]:
    try:
        return gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_READONLY)
    except RuntimeError:  # where the caller's GDAL raises
        return None


def _size_and_time(path: str) -> Optional[list[int]]:
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # what GDAL opens need not be a file
        return None
    return [found.st_size, found.st_mtime_ns]


def open_raster(path: Union[str, Path]) -> gdal.Dataset:
    """A GDAL raster source (file, ``/vsi…``, subdataset or connection string), opened for reading.

    Raises InputError where it is missing, unreadable, no raster, has no bands or holds complex numbers.
    """
    text = os.fspath(path)
    if is_special(text):
        raise InputError(tr("{path} is neither a file nor a folder; choose a raster.", path=text))
    with gdal_raises() as failures:
        try:
            dataset = gdal.OpenEx(text, gdal.OF_RASTER | gdal.OF_READONLY)
        except RuntimeError:
            dataset = None
        if dataset is None:
            raise InputError(_why_not(text, failures))
        if dataset.RasterCount == 0:
            raise InputError(_why_empty(text, dataset))
        for number in range(1, dataset.RasterCount + 1):
            kind = dataset.GetRasterBand(number).DataType
            if gdal.DataTypeIsComplex(kind):
                raise InputError(
                    tr(
                        "Band {number} of {path} holds complex numbers ({kind}); convert it to intensity or amplitude "
                        "first.",
                        number=number,
                        path=text,
                        kind=gdal.GetDataTypeName(kind),
                    )
                )
    return dataset


def is_local(text: str) -> bool:
    """Whether it is the path of a file rather than a connection string or one of GDAL's virtual files."""
    return not text.startswith("/vsi") and ":" not in re.sub(r"^[A-Za-z]:[\\/]", "", text)


def is_special(text: str) -> bool:
    """Whether it is a pipe, a device or the like, which would be waited for without end."""
    return is_local(text) and os.path.exists(text) and not os.path.isfile(text) and not os.path.isdir(text)


def _why_not(text: str, failures: list[str]) -> str:
    local = is_local(text)
    if not text:
        return tr("No raster was given; choose one.")
    if local and not os.path.exists(text):
        return tr("The raster {path} does not exist; check the path.", path=text)
    if local and os.path.isfile(text) and not os.access(text, os.R_OK):
        return tr(
            "The raster {path} cannot be read for want of permission; change its permissions or copy it.", path=text
        )
    try:
        vector = gdal.OpenEx(text, gdal.OF_VECTOR | gdal.OF_READONLY)
    except RuntimeError:
        vector = None
    if vector is not None:
        return tr("{path} holds vector data, not a raster; choose a raster here.", path=text)
    reason = failures[0].rstrip(".") if failures else tr("unknown format")
    return tr(
        "{path} cannot be read as a raster ({reason}); choose a raster in a format that GDAL knows.",
        path=text,
        reason=reason,
    )


def _why_empty(text: str, dataset: gdal.Dataset) -> str:
    subdatasets = [name for name, _ in dataset.GetSubDatasets()]
    if subdatasets:
        shown = ", ".join(subdatasets[:5]) + (", …" if len(subdatasets) > 5 else "")
        return tr(
            "{path} is a container of {count} rasters; name one of them instead: {shown}",
            path=text,
            count=len(subdatasets),
            shown=shown,
        )
    return tr("The raster {path} has no bands; choose another one.", path=text)
