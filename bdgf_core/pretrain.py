"""Pretraining: the denoiser learns the joint distribution of the unlabelled rasters (Algorithm 1 of the paper)."""

from __future__ import annotations

import copy
import time
from contextlib import ExitStack
from dataclasses import asdict, astuple, dataclass
from typing import Any, Optional

import numpy as np
import torch

from . import __version__
from .checkpoint import Model, check_model_path, save_model
from .device import Device, choose_device
from .diffusion.features import recalibrate_batchnorm
from .diffusion.forward import BandStack, ForwardProcess
from .diffusion.loss import DenoisingLoss, denoising_loss
from .diffusion.masking import draw_keep, masking_probability
from .diffusion.schedule import FEATURE_TIMESTEP, STEPS
from .diffusion.unet import DenoisingUNet, channels_last
from .duration import duration
from .errors import BdgfError, InputError, check_seed
from .files import claim
from .input_checks import warn_of_inputs
from .inputs import band_stack
from .memory import memory_bound, peak_memory_mb
from .out_of_memory import Parts
from .processes import ALONE, Processes
from .progress import Progress
from .raster.stack import RasterSource
from .samples.pool import PatchPool
from .samples.sensor import DEFAULT_SECOND_KIND, Sensor, check_second_kind
from .sensors import measure_sensors, open_stack
from .stoppable import stoppable
from .translation import tr
from .unfinished import CHECKPOINT_S, State, Unfinished, fingerprint, restore_training, training_tensors

_RECALIBRATION_BATCHES = 32
_CURVE_POINTS = 200


@dataclass(frozen=True)
class PretrainPreset:
    """``depth_limit`` bands or components enter the denoiser; patches of ``side`` pixels, ``batch`` a step; ``steps``,
    or as many as ``voxels`` allow if that is less: for a CPU in float32, one with bfloat16 matrix units, and a CUDA
    GPU. None is no bound."""

    depth_limit: int
    side: int
    batch: int
    learning_rate: float
    steps: Optional[int]
    voxels: tuple[Optional[float], Optional[float], Optional[float]]


PRESETS = {
    "quick": PretrainPreset(16, 16, 4, 1e-3, None, (3e6, 60e6, 400e6)),
    "standard": PretrainPreset(64, 32, 4, 4e-4, 10_000, (40e6, 400e6, None)),
    "paper": PretrainPreset(128, 32, 8, 4e-4, 30_000, (None, None, None)),
}


@dataclass(frozen=True)
class PretrainConfig:
    """What to pretrain on, and how. ``looks`` is L of the SAR speckle; ``steps`` overrides the preset's. The state is
    saved every ``checkpoint_s`` seconds; ``resume`` goes on from what an interrupted run of the same job has saved."""

    spectral: RasterSource
    output: str
    second: Optional[RasterSource] = None
    second_kind: str = DEFAULT_SECOND_KIND
    preset: str = "quick"
    seed: int = 0
    device: str = "auto"
    looks: float = 1.0
    masking: bool = True
    steps: Optional[int] = None
    memory_mb: Optional[int] = None
    resume: bool = True
    checkpoint_s: float = CHECKPOINT_S

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise InputError(
                tr(
                    "Preset {preset!r} is not known; use one of {presets}.",
                    preset=self.preset,
                    presets=", ".join(PRESETS),
                )
            )
        check_second_kind(self.second_kind)
        check_seed(self.seed)
        memory_bound(self.memory_mb)
        if self.steps is not None and self.steps < 1:
            raise InputError(tr("Pretraining takes at least one step, not {steps}.", steps=self.steps))
        if not 0.1 <= self.looks <= 1000:
            raise InputError(tr("The number of looks must lie between 0.1 and 1000, not at {looks}.", looks=self.looks))


def pretrain(config: PretrainConfig, progress: Progress, *, processes: Processes = ALONE) -> dict[str, Any]:
    """Train a denoiser on the rasters and write it as a pretrained model. Of several ``processes`` each learns from its
    part of every batch, and all return what the first one has written."""
    started = time.monotonic()
    preset = PRESETS[config.preset]
    output = check_model_path(config.output)
    device = choose_device(config.device, processes)
    progress.message(device.told)
    if config.second is None:
        progress.message(
            tr("One raster only: the model learns from it alone, without the parts that join two sensors.")
        )
    second = config.second
    with ExitStack() as ending:
        if processes.is_first:
            ending.enter_context(claim(output))
        stack = ending.enter_context(open_stack(config.spectral, second, progress, second_kind=config.second_kind))
        warn_of_inputs(stack, config.spectral, second, progress, second_kind=config.second_kind)
        sources = {"spectral": config.spectral, **({"second": second} if second else {})}
        sensors = measure_sensors(
            stack, sources, second_kind=config.second_kind, depth_limit=preset.depth_limit, seed=config.seed,
            progress=progress.part(0.0, 0.02),
        )  # fmt: skip
        if processes.count > 1:  # of other processors they may differ in the last digit
            told = processes.agree({name: sensor.to_json() for name, sensor in sensors.items()})
            sensors = {name: Sensor.from_json(sensor) for name, sensor in told.items()}
        process = ForwardProcess.of(band_stack(sensors), config.looks)
        for sensor in sensors.values():
            progress.message(_share(sensor))
        steps = processes.agree(config.steps or planned_steps(preset, process.stack, device))
        # The device may be another one when it goes on, but not the number of steps, which the preset takes from it.
        job = fingerprint(config, config.spectral.path, second.path if second else None, content=[str(steps).encode()])
        state: Optional[State] = None
        saved: Optional[Model] = None
        if processes.is_first:
            unfinished = Unfinished(output, job, resume=config.resume, every_s=config.checkpoint_s, progress=progress)
            state = ending.enter_context(unfinished).state("denoiser")
            saved = state.load()
        if processes.agree(saved is not None):
            told = processes.hand_out(saved.tensors, saved.document) if saved else processes.hand_out({})
            saved = Model("unfinished", *told)
        memory = processes.agree(memory_bound(config.memory_mb))
        pool = PatchPool(
            stack, sensors, memory_bytes=memory // 2, rng=np.random.default_rng(config.seed),
            progress=progress.part(0.02, 0.05), state=saved.document["pool"] if saved else None,
        )  # fmt: skip
        denoiser, curve = fit_denoiser(
            pool, process, preset, steps=steps, seed=config.seed, device=device, masking=config.masking,
            progress=progress.part(0.05, 0.98), state=state, saved=saved, processes=processes,
        )  # fmt: skip
        if not processes.is_first:
            return dict(processes.agree())
        seconds = time.monotonic() - started
        document = {
            "created_with": f"BDGF {__version__}, torch {torch.__version__}",
            "method": {
                "stack": asdict(process.stack), "looks": config.looks, "steps": STEPS, "timestep": FEATURE_TIMESTEP,
            },
            "sensors": {name: sensor.to_json() for name, sensor in sensors.items()},
            "grid": asdict(stack.grid),
            "training": {
                "preset": config.preset, "steps": steps, "seed": config.seed, "device": str(device),
                "seconds": round(seconds, 1), "masking": config.masking and "second" in sensors, "losses": curve,
                "processes": processes.count,
            },
        }  # fmt: skip
        progress.update(1.0)
        save_model(output, "pretrained", document, denoiser.state_dict())
    result = {
        "output": str(output), "steps": steps, "seconds": round(seconds, 1), "device": str(device),
        "peak_memory_mb": peak_memory_mb(),
    }  # fmt: skip
    return dict(processes.agree(result))


def fit_denoiser(
    pool: PatchPool,
    process: ForwardProcess,
    preset: PretrainPreset,
    *,
    steps: int,
    seed: int,
    device: Device,
    masking: bool,
    progress: Progress,
    state: Optional[State] = None,
    saved: Optional[Model] = None,
    recalibrate: bool = True,
    processes: Processes = ALONE,
) -> tuple[DenoisingUNet, list[dict[str, float]]]:
    """The trained denoiser in eval mode, its batch norms recalibrated unless told otherwise, and its losses along the
    way.

    Masks hide the spectral image so that a second sensor is not drowned; with one sensor there are none. ``state``
    keeps where the fit stands; what was ``saved`` of it is gone on from, if the ``pool`` is too. Several ``processes``
    draw the same batches, and each works on its part of them; those beyond the batch return at once.
    """
    crew = processes.few(preset.batch)
    if crew.count < processes.count:
        progress.message(
            tr(
                "Pretraining takes {count} processes at most, one for each sample of a batch; the others wait.",
                count=crew.count,
            )
        )
    if crew.rank >= crew.count:
        return DenoisingUNet().eval(), []
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    stack = process.stack
    denoiser = channels_last(DenoisingUNet()).to(device.torch)
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=preset.learning_rate)
    masks = masking and stack.second > 0
    # The processes go through a network together, so that none can do it in parts of its own.
    parts = Parts(progress, preset.batch if crew.count == 1 else 1)
    places = torch.tensor(stack.places, device=device.torch)

    def step_loss(probability: float, timestep: Optional[int], *, learn: bool) -> DenoisingLoss:
        x0, valid = pool.draw(preset.batch, preset.side)
        keep = valid.clone()
        if probability:
            shape = (len(x0), stack.spectral, *x0.shape[2:])
            keep[:, : stack.spectral] *= draw_keep(shape, probability, generator=generator)
        t = torch.randint(STEPS, (len(x0),), generator=generator)
        if timestep is not None:
            t.fill_(timestep)
        normal = torch.randn(x0.shape, generator=generator)
        whole = (x0, valid, keep, t, normal)
        drawn = [tensor.tensor_split(crew.count)[crew.rank].to(device.torch) for tensor in whole]
        return parts.run(lambda count: work(drawn, valid.sum(), count, learn))

    def work(drawn: list[torch.Tensor], shown: torch.Tensor, count: int, learn: bool) -> DenoisingLoss:
        optimizer.zero_grad(set_to_none=True)
        losses = []
        for x0, valid, keep, t, normal in zip(*(tensor.tensor_split(count) for tensor in drawn)):
            noised = process.noise(x0, keep, t, normal).contiguous(memory_format=torch.channels_last_3d)
            with device.autocast(), stoppable(denoiser, progress):
                predicted = denoiser(noised, t)
            predicted = predicted.float()[:, 0, places]
            target = process.target(x0, keep, t, normal)
            loss = denoising_loss(predicted, target, valid=valid, keep=keep, spectral=stack.spectral)
            if learn:  # each part by its share of the voxels
                share = 1.0 if count == crew.count == 1 else valid.sum() / shown.to(device.torch).clamp(min=1.0)
                (loss.total * share).backward()  # type: ignore[no-untyped-call]
            losses.append(torch.stack([loss.total, loss.unmasked, loss.masked, loss.second]).detach())
        return DenoisingLoss(*crew.gathered(torch.stack(losses)).flatten(0, 1).nanmean(0))

    curve: list[dict[str, float]] = []
    window: list[DenoisingLoss] = []
    done = 0
    if saved:
        restore_training(saved.tensors, denoiser, optimizer, generator)
        done, curve = saved.document["done"], saved.document["curve"]
        window = [DenoisingLoss(*losses) for losses in saved.tensors["window"].to(device.torch)]
        progress.message(
            tr("Going on from step {done} of {steps}, where an earlier run was interrupted.", done=done, steps=steps)
        )
        progress.skip_to(0.97 * done / steps)
    with stoppable(denoiser, progress):
        progress.message(_cost(denoiser, stack, preset, steps - done, device, parts, crew.count))
    crew.share(denoiser)
    for step in range(done, steps):
        for group in optimizer.param_groups:
            group["lr"] = preset.learning_rate * _learning_rate(step / steps)
        window.append(step_loss(masking_probability(step / steps) if masks else 0.0, None, learn=True))
        crew.total_gradients(denoiser)
        optimizer.step()
        if (step + 1) * _CURVE_POINTS // steps > step * _CURVE_POINTS // steps:
            if not bool(torch.isfinite(window[-1].total)):
                raise _diverged()
            curve.append({"step": step + 1, **_means(window)})
            window.clear()
        if state and state.due(last=step + 1 == steps):
            losses = torch.tensor([[float(part) for part in astuple(loss)] for loss in window]).reshape(-1, 4)
            told = {"done": step + 1, "curve": curve, "pool": pool.state()}
            state.save(told, {**training_tensors(denoiser, optimizer, generator), "window": losses})
        progress.update(0.97 * (step + 1) / steps)
    if not recalibrate:
        return denoiser.eval(), curve
    norms = recalibrate_batchnorm(denoiser)
    with torch.no_grad():
        for i in range(_RECALIBRATION_BATCHES):
            step_loss(0.0, FEATURE_TIMESTEP, learn=False)
            progress.update(0.97 + 0.03 * (i + 1) / _RECALIBRATION_BATCHES)
    for norm in norms:
        norm.momentum = 0.1
    if not all(bool(torch.isfinite(tensor).all()) for tensor in denoiser.state_dict().values()):
        raise _diverged()  # in the last step, or in what the batch norms have seen since
    return denoiser.eval(), curve


def _diverged() -> BdgfError:
    return BdgfError(tr("Pretraining diverged (the loss is no number); check the rasters for extreme values."))


def _share(sensor: Sensor) -> str:
    """A sentence on what the denoiser sees of a sensor."""
    told = {"source": sensor.source, "kind": sensor.kind, "count": sensor.depth_bands}
    if sensor.basis is not None and sensor.depth_bands < len(sensor.mean):
        return tr("{source} ({kind}): {count} components enter the denoiser.", **told)
    return tr("{source} ({kind}): {count} bands enter the denoiser.", **told)


def planned_steps(preset: PretrainPreset, stack: BandStack, device: Device) -> int:
    """The steps of a preset on a stack, as far as the device allows."""
    voxels = preset.voxels[2 if device.is_cuda else int(device.matrix_units)]
    allowed = [preset.steps] if preset.steps is not None else []
    if voxels is not None:
        allowed.append(max(50, round(voxels / (preset.batch * preset.side**2 * stack.depth))))
    return min(allowed)


def _learning_rate(progress: float) -> float:
    """Full for the first half, then falling linearly to a twentieth."""
    return min(1.0, 2.0 * (1.0 - progress) + 0.05)


def _cost(
    denoiser: DenoisingUNet,
    stack: BandStack,
    preset: PretrainPreset,
    steps: int,
    device: Device,
    parts: Parts,
    processes: int,
) -> str:
    """A sentence on what is ahead, from two steps of a copy on a process's part of the batch."""
    trial = copy.deepcopy(denoiser)
    count = -(-preset.batch // processes)
    x = torch.randn((count, 1, stack.depth, preset.side, preset.side), device=device.torch)
    x = x.contiguous(memory_format=torch.channels_last_3d)
    t = torch.zeros(count, dtype=torch.long, device=device.torch)

    def step(count: int) -> None:
        for some, when in zip(x.tensor_split(count), t.tensor_split(count)):
            with device.autocast():
                loss = trial(some, when).float().abs().mean()
            loss.backward()
            float(loss.detach())  # waits for a GPU

    seconds = 0.0
    for _ in range(2):  # the first one warms up
        began = time.monotonic()
        parts.run(step)
        seconds = time.monotonic() - began
    return tr(
        "Pretraining: {steps} steps of {voxels} voxels, about {time}.",
        steps=steps,
        voxels=preset.batch * x[0].numel(),
        time=duration(steps * seconds),
    )


def _means(losses: list[DenoisingLoss]) -> dict[str, float]:
    """Means over the steps that have voxels of the kind; kinds without any are left out."""
    means = {}
    for name in ("total", "unmasked", "masked", "second"):
        values = torch.stack([getattr(loss, name) for loss in losses])
        values = values[values.isfinite()]
        if len(values):
            means[name] = round(float(values.mean()), 5)
    return means
