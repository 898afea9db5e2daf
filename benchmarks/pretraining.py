"""Pretrained denoisers, made once for each scene, choice and seed, and kept in a folder."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bdgf_core.checkpoint import save_model
from bdgf_core.device import Device
from bdgf_core.diffusion.forward import ForwardProcess
from bdgf_core.diffusion.schedule import FEATURE_TIMESTEP, STEPS
from bdgf_core.files import claim
from bdgf_core.inputs import band_stack
from bdgf_core.memory import memory_bound
from bdgf_core.models import Pretrained, load_pretrained
from bdgf_core.pretrain import PretrainPreset, fit_denoiser, planned_steps
from bdgf_core.progress import Progress
from bdgf_core.samples.pool import PatchPool
from bdgf_core.sensors import measure_sensors
from bdgf_core.unfinished import CHECKPOINT_S, Unfinished

from .configurations import PretrainChoice
from .open_scene import OpenScene

_RESIDUAL_BOUND = 6.0


@dataclass(frozen=True)
class ResidualTarget(ForwardProcess):
    """Predicts, on SAR, the additive residual (x_t − √ᾱ_t · x_0) / √(1 − ᾱ_t) instead, x_t being bounded."""

    def noise(self, x0: Tensor, keep: Tensor, timestep: Tensor, normal: Tensor) -> Tensor:
        return super().noise(x0, keep, timestep, normal).clamp(-_RESIDUAL_BOUND, _RESIDUAL_BOUND)

    def target(self, x0: Tensor, keep: Tensor, timestep: Tensor, normal: Tensor) -> Tensor:
        if not self.stack.speckle:
            return normal
        optical = self.stack.spectral
        signal = self.schedule.alphas_cumprod.to(x0.device)[timestep].to(x0.dtype)[:, None, None, None]
        places = torch.tensor(self.stack.places, device=x0.device)[optical:]
        noised = self.noise(x0, keep, timestep, normal)[:, 0, places]
        residual = (noised - signal.sqrt() * (x0 * keep)[:, optical:]) / (1.0 - signal).sqrt()
        return torch.cat((normal[:, :optical], residual), 1)


def process_of(pretrained: Pretrained, choice: PretrainChoice) -> ForwardProcess:
    """The forward process that a denoiser of this choice was trained on."""
    stack = pretrained.process.stack
    return _process(replace(stack, speckle=stack.speckle and choice.noise == "speckle"), choice)


def pretrained_for(
    opened: OpenScene, choice: PretrainChoice, seed: int, *, cache: Path, device: Device, progress: Progress
) -> Pretrained:
    """From ``cache``, or made now and kept there; an interrupted one goes on from where it stood. Its document's
    ``name`` is its own among all scenes, choices and seeds."""
    told = [opened.identity, asdict(choice), seed, device.torch.type, device.bfloat16, device.matrix_units]
    job = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{opened.scene.name.replace('/', '-')}-{job[:16]}.bdgf"
    if not path.exists():
        with ExitStack() as ending:
            ending.enter_context(claim(path))
            unfinished = ending.enter_context(
                Unfinished(path, job, resume=True, every_s=CHECKPOINT_S, progress=progress)
            )
            _pretrain(opened, choice, seed, path, unfinished, device, progress)
    found = load_pretrained(path)
    return replace(found, process=process_of(found, choice), document={**found.document, "name": path.stem})


def _pretrain(
    opened: OpenScene,
    choice: PretrainChoice,
    seed: int,
    path: Path,
    unfinished: Unfinished,
    device: Device,
    progress: Progress,
) -> None:
    began = time.monotonic()
    sensors = measure_sensors(
        opened.stack, opened.sources, second_kind=opened.second_kind, depth_limit=choice.depth_limit, seed=seed,
        progress=progress.part(0.0, 0.02),
    )  # fmt: skip
    stack = band_stack(sensors)
    process = _process(replace(stack, speckle=stack.speckle and choice.noise == "speckle"), choice)
    preset = PretrainPreset(
        choice.depth_limit, choice.side, choice.batch, choice.learning_rate, choice.steps, tuple(choice.voxels)
    )  # fmt: skip
    steps = max(1, round(planned_steps(preset, stack, device) * choice.length))
    state = unfinished.state("denoiser")
    saved = state.load()
    pool = PatchPool(
        opened.stack, sensors, memory_bytes=memory_bound(None) // 2, rng=np.random.default_rng(seed),
        progress=progress.part(0.02, 0.05), state=saved.document["pool"] if saved else None,
    )  # fmt: skip
    denoiser, curve = fit_denoiser(
        pool, process, preset, steps=steps, seed=seed, device=device, masking=choice.masking,
        progress=progress.part(0.05, 0.98), state=state, saved=saved, recalibrate=choice.recalibrate,
    )  # fmt: skip
    document = {
        "created_with": "benchmarks",
        "method": {"stack": asdict(stack), "looks": choice.looks, "steps": STEPS, "timestep": FEATURE_TIMESTEP},
        "sensors": {name: sensor.to_json() for name, sensor in sensors.items()},
        "training": {
            "steps": steps, "seed": seed, "seconds": round(time.monotonic() - began, 1), "losses": curve[-1:],
        },
    }  # fmt: skip
    save_model(path, "pretrained", document, denoiser.state_dict())


def _process(stack: object, choice: PretrainChoice) -> ForwardProcess:
    kind = ResidualTarget if choice.target == "residual" else ForwardProcess
    return kind.of(stack, choice.looks)  # type: ignore[arg-type]
