"""Whether the engine's parts work here: a small piece of each kind of work, with its result checked."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .errors import BdgfError, Canceled, one_line
from .progress import Progress
from .translation import tr

_TOLERANCE = 1e-3  # relative, of products in the reduced precision of a GPU


@dataclass(frozen=True)
class Check:
    """``name`` is the same in every language, ``title`` for people; ``detail`` says what was seen, or why it failed."""

    name: str
    title: str
    ok: bool
    seconds: float
    detail: str


def self_test(device: str, progress: Progress) -> list[Check]:
    """Every check, whatever became of those before it. ``device`` as in a job."""
    checks = []
    for name, work in _CHECKS.items():
        progress.check_canceled()
        began = time.monotonic()
        try:
            detail, ok = work(device), True
        except Canceled:
            raise
        except BdgfError as error:
            detail, ok = str(error), False
        except Exception as error:  # a broken library raises anything; that is what is looked for
            detail, ok = f"{type(error).__name__}: {error}", False
        seconds = round(time.monotonic() - began, 2)
        checks.append(Check(name, _title(name), ok, seconds, one_line(detail)[:500]))
        progress.update(len(checks) / len(_CHECKS))
    return checks


def _title(name: str) -> str:
    titles = {
        "tensors": tr("tensors"), "denoiser": tr("denoiser"), "scan": tr("scan"), "model file": tr("model file"),
        "raster": tr("raster"),
    }  # fmt: skip
    return titles[name]


def _tensors(name: str) -> str:
    import numpy as np
    import torch

    from .device import choose_device

    device = choose_device(name)
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensor = torch.from_numpy(array).to(device.torch)
    if not np.allclose((tensor @ tensor.T).cpu().numpy(), array @ array.T, rtol=_TOLERANCE):
        raise BdgfError(
            tr(
                "A product of matrices is wrong on {device}: choose the device cpu, or install the engine anew.",
                device=device,
            )
        )
    return device.told


def _scan(name: str) -> str:
    import torch

    from .device import choose_device
    from .network.scan import backend_agrees, chosen_backend

    device = choose_device(name).torch
    backend = chosen_backend(device)
    if not backend_agrees(backend, device):
        raise BdgfError(
            tr(
                "The scan {backend} is wrong on {device}: choose the device cpu, or install the engine anew.",
                backend=backend,
                device=torch.device(device),
            )
        )
    return tr("{backend} on {device}", backend=backend, device=torch.device(device))


def _denoiser(name: str) -> str:
    import torch

    from .device import choose_device
    from .diffusion.unet import DenoisingUNet

    device = choose_device(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # from some weights three steps are too few
        denoiser = DenoisingUNet().to(device.torch)
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=2e-4)
    noise = torch.linspace(-1, 1, 8 * 9 * 9).reshape(1, 1, 8, 9, 9).to(device.torch)  # B, 1, D, H, W
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        with device.autocast():
            predicted = denoiser(noise, torch.zeros(1, dtype=torch.long, device=device.torch))
        loss = (predicted.float() - noise).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    if not losses[-1] < losses[0]:
        raise BdgfError(
            tr(
                "The denoiser does not learn on {device} ({losses}): choose the device cpu, or install the engine "
                "anew.",
                device=device,
                losses=losses,
            )
        )
    return tr("loss {first:.3f}, after two steps {last:.3f}", first=losses[0], last=losses[-1])


def _model_file(name: str) -> str:
    import einops
    import safetensors.torch
    import torch

    tensor = torch.arange(6.0).reshape(2, 3)
    read = safetensors.torch.load(safetensors.torch.save({"weight": tensor}))["weight"]
    if not torch.equal(einops.rearrange(read, "a b -> b a").T, tensor):
        raise BdgfError(tr("A tensor came back changed from a model file: install the engine anew."))
    return tr("written and read")


def _raster(name: str) -> str:
    import numpy as np
    from osgeo import gdal, osr

    from .raster.dataset import open_raster
    from .raster.grid import Grid
    from .raster.reader import BandReader
    from .raster.writer import create_raster

    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32633)  # fails where PROJ does not find its tables
    grid = Grid(crs.ExportToWkt(), (500000.0, 10.0, 0.0, 5800000.0, 0.0, -10.0), 5, 7)
    values = np.arange(35, dtype=np.float32).reshape(5, 7)
    values[2, 3] = np.nan
    # blanks and accents, which a file system or a GDAL may get wrong
    with tempfile.TemporaryDirectory(prefix="bdgf Größe é ") as folder:
        path = Path(folder) / "Maß.tif"
        with create_raster(path, grid, dtype="float32", nodata=-9999.0) as writer:
            writer.write(grid.window, values)
        dataset = open_raster(path)
        read = BandReader(dataset, [1]).read(grid.window)[0]
        placed = dataset.GetGeoTransform() == grid.geotransform and "32633" in dataset.GetProjection()
        del dataset
    if not (np.array_equal(read, values, equal_nan=True) and placed):
        raise BdgfError(
            tr("A raster came back changed from its file: use another Python interpreter, with another GDAL.")
        )
    return tr("written and read by GDAL {version}", version=gdal.__version__)


_CHECKS: dict[str, Callable[[str], str]] = {
    "tensors": _tensors,
    "denoiser": _denoiser,
    "scan": _scan,
    "model file": _model_file,
    "raster": _raster,
}
