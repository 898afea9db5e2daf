"""Whole maps of real rasters through the shell: how fast they are against patch by patch and the floor, and how much
memory they take as they grow."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from bdgf_core.device import Device
from bdgf_core.errors import InputError
from bdgf_core.progress import Progress
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.window import Window, tiles
from bdgf_core.raster.writer import create_raster

from .cost import cost_of, denoiser_cost
from .open_scene import OpenScene
from .rates import Rates
from .shell import run_engine
from .speed import Subject, patchwise
from .tables import Table

_TILE = 256


@dataclass(frozen=True)
class Mapped:
    """A map of ``side`` pixels a side, or of the scene as it is where that is None: pixels mapped, ``seconds`` of the
    whole job, the most memory that its process held, in MB; what a pixel takes patch by patch over what it took
    here, and its multiply-adds at the measured rates over the same."""

    side: Optional[int]
    pixels: int
    seconds: float
    memory_mb: Optional[int]
    times_faster: float
    share_of_floor: float


def map_speed(
    opened: OpenScene,
    classifier: Path,
    sides: Sequence[int],
    device: Device,
    *,
    rows: Optional[int],
    sampled: int,
    memory_mb: Optional[int],
    progress: Progress,
) -> list[Mapped]:
    """The scene as it is, then mosaics of it of ``sides`` pixels a side, of which only the first and last ``rows``
    rows have data where that is given. ``sampled`` pixels are classified patch by patch before each.

    Raises :class:`InputError` for a classifier that cannot be read or a mosaic without a pixel, :class:`BdgfError`
    where a map fails.
    """
    if min([*sides, 1 if rows is None else rows, sampled]) < 1:
        raise InputError("A mosaic has at least one pixel a side and one row with data, and a pixel is sampled.")
    subject = Subject.of_file(classifier, "quick").to(device)
    work = _Work.of(subject, device)
    arrays = {name: np.asarray(a) for name, a in opened.stack.read(_whole(opened.stack.grid)).arrays.items()}
    found = []
    for side in (None, *sides):
        with tempfile.TemporaryDirectory(prefix="bdgf-map-speed-") as name:
            folder = Path(name)
            sources: dict[str, Any] = {n: {"path": s.path, "bands": s.bands} for n, s in opened.sources.items()}
            if side is not None:
                sources = {n: {"path": str(folder / f"{n}.tif")} for n in arrays}
                for sensor, array in arrays.items():
                    _mosaic(array, opened.stack.grid, side, rows, folder / f"{sensor}.tif")
            naive, least = patchwise(subject, device, sampled=sampled), work.seconds(Rates.of(device))
            job = {**sources, "classifier": str(classifier), "output": str(folder / "map.tif"), "resume": False}
            if memory_mb:
                job["memory_mb"] = memory_mb
            made = _classify({**job, "device": str(device.torch)}, folder / "job.json", progress)
        pixel = made["seconds"] / made["pixels"]
        found.append(
            Mapped(side, made["pixels"], made["seconds"], made["peak_memory_mb"], naive / pixel, least / pixel)
        )
        table = mapped_table(found[-1:])
        progress.message("; ".join(f"{name}: {value}" for name, value in zip(table.head, table.rows[0])) + ".")
    return found


def mapped_table(found: Sequence[Mapped]) -> Table:
    rows = [
        (
            "as it is" if m.side is None else f"{m.side} × {m.side}", str(m.pixels), f"{m.seconds:.1f}",
            f"{m.pixels / m.seconds:.0f}", f"{m.times_faster:.1f}", f"{m.share_of_floor:.0%}",
            "–" if m.memory_mb is None else str(m.memory_mb),
        )
        for m in found
    ]  # fmt: skip
    head = ("Raster", "Pixels mapped", "Seconds", "Pixels a second", "Times patch by patch", "Floor / time", "MB")
    return Table("Whole jobs, reading and writing included.", head, tuple(rows))


def _whole(grid: Grid) -> Window:
    return Window(0, 0, grid.height, grid.width)


def _mosaic(array: NDArray[Any], grid: Grid, side: int, rows: Optional[int], path: Path) -> None:
    """The scene repeated in both directions; between the first and the last ``rows`` rows nothing is written."""
    large = Grid(grid.crs_wkt, grid.geotransform, side, side)
    height, width = array.shape[1:]
    with create_raster(path, large, bands=len(array), dtype=np.float32, nodata=float("nan")) as raster:
        for window in tiles(side, side, _TILE):
            down = np.arange(window.row, window.row + window.height)
            across = np.arange(window.col, window.col + window.width)
            part = array[:, down[:, None] % height, across[None] % width].astype(np.float32)
            if rows is not None:
                part[:, (down >= rows) & (down < side - rows)] = np.nan
            raster.write(window, part)


@dataclass(frozen=True)
class _Work:
    """Multiply-adds of a pixel of a map, in the encoder and in the network."""

    convolved: float
    multiplied: float

    @classmethod
    def of(cls, subject: Subject, device: Device) -> _Work:
        side = 64
        images = subject.images(side + subject.config.patch - 1, device)
        multiplied = cost_of(subject.folded, lambda: subject.mapped(images)).macs
        return cls(denoiser_cost(subject.depth, side, 1, encoder=True).macs / side**2, multiplied / side**2)

    def seconds(self, rates: Rates) -> float:
        return self.convolved / rates.convolution + self.multiplied / rates.product


def _classify(job: dict[str, Any], path: Path, progress: Progress) -> dict[str, Any]:
    path.write_text(json.dumps(job), "utf-8")
    told = run_engine("classify", "--job", path, progress=progress)
    return dict(json.loads(told.splitlines()[-1]))
