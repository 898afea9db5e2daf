"""GDAL told to raise instead of print, for the length of a block only; its texts as Python's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Union

from osgeo import gdal, ogr, osr


@contextmanager
def gdal_raises() -> Iterator[list[str]]:
    """Inside, GDAL, OGR and OSR raise RuntimeError on failure and print nothing; the list collects the failures."""
    # Each module keeps a handler on one common stack, which is left in the reverse order of entering.
    enabled = [module for module in (gdal, ogr, osr) if not module.GetUseExceptions()]
    for module in enabled:
        module.UseExceptions()
    try:
        with gdal_silent() as failures:
            yield failures
    finally:
        for module in reversed(enabled):
            if module.GetUseExceptions():
                module.DontUseExceptions()


def decoded(text: Union[str, bytes]) -> str:
    """A text that GDAL found in a file. What is no UTF-8 comes as bytes or broken Unicode, and is taken as Latin-1."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


@contextmanager
def gdal_silent() -> Iterator[list[str]]:
    """Inside, GDAL prints nothing; the list collects its failures. For closing files, which cannot raise."""
    failures: list[str] = []

    def collect(level: int, number: int, text: str) -> None:
        if level >= gdal.CE_Failure:
            failures.append(text)

    gdal.PushErrorHandler(collect)
    try:
        yield failures
    finally:
        gdal.PopErrorHandler()
