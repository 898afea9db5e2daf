"""Fitting the group network to training samples, and judging it on samples kept apart."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .device import Device
from .duration import duration
from .errors import BdgfError, Canceled
from .network.dropout import seed_dropout
from .network.group import GroupConfig, GroupNetwork
from .progress import Progress
from .samples.patches import PatchSamples
from .unfinished import State, Unfinished, restore_training, training_tensors

Indices = NDArray[np.int64]
Fitted = tuple[GroupNetwork, list[dict[str, float]]]

_CURVE_POINTS = 100
_PREDICTED_AT_ONCE = 256
_TRIAL_STEPS = 3
_BUILDING = threading.Lock()  # weights are drawn from torch's one global generator


@dataclass(frozen=True)
class Consistency:
    """How unlabelled patches teach (FixMatch, Sohn et al. 2020): from the share ``start`` of the steps on, those
    ``batch`` a step that the network is sure of, by ``confidence``, must get the same class with bands hidden
    (:meth:`PatchSamples.with_bands_hidden`). So it meets places that no polygon shows, and cannot lean on few bands."""

    batch: int
    start: float
    confidence: float
    hide_bands: float
    hide_second: float


@dataclass(frozen=True)
class FitConfig:
    """``steps`` of ``batch`` samples. ``schedule`` "steps" halves the rate at 50, 75 and 90 % (METHOD: MultiStepLR),
    "cosine" warms up and anneals it. ``balance`` in [0, 1] draws classes by count^(1 − balance). ``jitter`` is the
    standard deviation of a random gain and offset of every channel of a sample; ``feature_dropout`` the probability
    that a sample's diffusion features are hidden: guidance, not the sole thing to lean on; ``edges`` that a labelled
    sample is shown at an edge (:meth:`PatchSamples.with_foreign_surroundings`)."""

    steps: int
    batch: int
    learning_rate: float
    schedule: str
    balance: float
    weight_decay: float
    jitter: float
    feature_dropout: float
    turn: bool = True
    edges: float = 0.0
    consistency: Optional[Consistency] = None


def fit_network(
    config: GroupConfig,
    samples: PatchSamples,
    index: Indices,
    how: FitConfig,
    *,
    unlabelled: Optional[PatchSamples] = None,
    seed: int,
    device: Device,
    progress: Progress,
    state: Optional[State] = None,
) -> Fitted:
    """A network trained on the samples of ``index``, in eval mode after the last step, and its losses on the way.

    ``unlabelled`` patches help where ``how`` says so; they have no diffusion features. ``state`` keeps where the fit
    stands; what it holds already is gone on from.
    """
    with _BUILDING:
        torch.manual_seed(seed)
        network = GroupNetwork(config).to(device.torch)
    generator = torch.Generator().manual_seed(seed)
    seed_dropout(network, generator)
    optimizer = torch.optim.AdamW(network.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
    pool = torch.from_numpy(index)
    counts = torch.bincount(samples.classes[pool], minlength=config.classes).double()
    weight = counts[samples.classes[pool]] ** -how.balance
    # A batch norm in train mode needs two samples.
    batch = max(2, min(how.batch, len(pool)))
    curve: list[dict[str, float]] = []
    window: list[dict[str, float]] = []
    done = 0
    saved = state and state.load()
    if saved:
        restore_training(saved.tensors, network, optimizer, generator)
        done, curve, window = (saved.document[name] for name in ("done", "curve", "window"))
        progress.message(f"A fit goes on from step {done} of {how.steps}, where an earlier run was interrupted.")
        progress.skip_to(done / how.steps)
    for step in range(done, how.steps):
        for group in optimizer.param_groups:
            group["lr"] = how.learning_rate * _rate(how.schedule, step / how.steps)
        drawn = pool[torch.multinomial(weight, batch, replacement=len(pool) < 2 * batch, generator=generator)]
        images = samples.batch(drawn, device.torch)
        if how.edges:
            images = images.with_foreign_surroundings(how.edges, generator=generator)
        images = _augmented(images, how, generator)
        if how.feature_dropout:
            images = images.without_features(how.feature_dropout, generator=generator)
        consistency = how.consistency
        if consistency and unlabelled is not None and len(unlabelled) and step >= consistency.start * how.steps:
            drawn = torch.randint(len(unlabelled), (consistency.batch,), generator=generator)
            plain = unlabelled.batch(drawn, device.torch)
            if images.diffusion is not None:  # hidden, as that of many labelled samples
                plain = replace(plain, diffusion=images.diffusion.new_zeros((len(plain), *images.diffusion.shape[1:])))
            guess, sure = _guess(network, plain, consistency.confidence, device)
            hidden = _augmented(plain, how, generator).with_bands_hidden(
                consistency.hide_bands, consistency.hide_second, generator=generator
            )
            with device.autocast():
                output = network(*images.joined(hidden).inputs)
            loss, parts = network.loss(output[:batch], images.classes)
            loss = loss + network.consistency_loss(output[batch:], guess, sure)
            parts["unlabelled, sure"] = float(sure.float().mean())
        else:
            with device.autocast():
                output = network(*images.inputs)
            loss, parts = network.loss(output, images.classes)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        window.append(parts)
        if (step + 1) * _CURVE_POINTS // how.steps > step * _CURVE_POINTS // how.steps:
            if not np.isfinite(parts["cross-entropy"]):
                raise BdgfError("Training diverged (the loss is no number); check the rasters for extreme values.")
            means = {k: round(float(np.mean([w[k] for w in window if k in w])), 5) for k in parts}
            curve.append({"step": step + 1, **means})
            window.clear()
        if state and state.due(last=step + 1 == how.steps):
            told = {"done": step + 1, "curve": curve, "window": window}
            state.save(told, training_tensors(network, optimizer, generator))
        progress.update((step + 1) / how.steps)
    return network.eval(), curve


def fit_networks(
    config: GroupConfig,
    samples: PatchSamples,
    runs: Sequence[tuple[Indices, int]],
    how: FitConfig,
    *,
    unlabelled: Optional[PatchSamples],
    device: Device,
    progress: Progress,
    unfinished: Optional[Unfinished] = None,
) -> list[Fitted]:
    """:func:`fit_network` for each (index, seed) of ``runs``. On a CPU they run side by side, each on its share of
    the threads: the operations of one step are too small for many. ``unfinished`` keeps where each stands."""
    threads = torch.get_num_threads()
    workers = 1 if device.is_cuda else min(threads, len(runs))
    stop = threading.Event()
    lanes = progress.side_by_side(len(runs), stop)

    def fit(run: tuple[Indices, int], how: FitConfig, lane: Progress, state: Optional[State] = None) -> Fitted:
        try:
            index, seed = run
            return fit_network(
                config, samples, index, how, unlabelled=unlabelled, seed=seed, device=device, progress=lane,
                state=state,
            )  # fmt: skip
        except BaseException:
            stop.set()
            raise

    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads // workers,)) as pool:
            for _ in range(2):  # the first one warms up
                began = time.monotonic()
                pool.submit(fit, runs[0], _trial(how), Progress()).result()
                per_step = (time.monotonic() - began) / _TRIAL_STEPS
            ahead = per_step * how.steps * -(-len(runs) // workers)
            progress.message(f"Training: {len(runs)} fits of {how.steps} steps; about {duration(ahead)}.")
            states = [unfinished.state(f"fit-{i}") if unfinished else None for i in range(len(runs))]
            futures = [pool.submit(fit, run, how, lane, state) for run, lane, state in zip(runs, lanes, states)]
        failures = [error for error in (future.exception() for future in futures) if error]
        # One failure cancels the others: tell the one that came first.
        for error in sorted(failures, key=lambda error: isinstance(error, Canceled)):
            raise error
        return [future.result() for future in futures]
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def predict(network: GroupNetwork, samples: PatchSamples, index: Indices, device: Device) -> NDArray[np.float32]:
    """Class probabilities (n, K) of the samples of ``index``, by the joint head and the branches (see
    :meth:`GroupNetwork.probabilities`)."""
    out: list[Tensor] = []
    for part in torch.from_numpy(index).split(_PREDICTED_AT_ONCE):  # type: ignore[no-untyped-call]
        images = samples.batch(part, device.torch)
        with device.autocast():
            output = network(*images.inputs)
        out.append(network.probabilities(output).cpu())
    return torch.cat(out).numpy() if out else np.zeros((0, network.config.classes), np.float32)


def _trial(how: FitConfig) -> FitConfig:
    consistency = how.consistency and replace(how.consistency, start=0.0)
    return replace(how, steps=_TRIAL_STEPS, consistency=consistency)


def _augmented(images: PatchSamples, how: FitConfig, generator: torch.Generator) -> PatchSamples:
    if how.turn:
        images = images.turned(int(torch.randint(8, (1,), generator=generator)))
    return images.jittered(how.jitter, generator=generator) if how.jitter else images


@torch.no_grad()
def _guess(network: GroupNetwork, images: PatchSamples, confidence: float, device: Device) -> tuple[Tensor, Tensor]:
    """The class (B,) that the network as it stands gives to each patch, and whether it is sure of it."""
    network.eval()
    with device.autocast():
        probability, guess = network.probabilities(network(*images.inputs)).max(1)
    network.train()
    return guess, probability >= confidence


def _rate(schedule: str, progress: float) -> float:
    if schedule == "steps":
        return 0.5 ** sum(progress >= milestone for milestone in (0.5, 0.75, 0.9))
    warm = 0.1
    if progress < warm:
        return 0.05 + 0.95 * progress / warm
    return 0.5 * (1.0 + float(np.cos(np.pi * (progress - warm) / (1.0 - warm)))) + 1e-3
