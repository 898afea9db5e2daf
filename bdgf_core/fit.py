"""Fitting the group network to training samples, and judging it on samples kept apart."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Callable, Iterator, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .device import Device
from .duration import duration
from .errors import BdgfError, Canceled
from .models import group_network
from .network.config import GroupConfig
from .network.dropout import seed_dropout
from .network.group import GroupNetwork, GroupOutput
from .network.regression import KernelRegression
from .network.trees import Trees
from .out_of_memory import Parts
from .processes import ALONE, Processes
from .progress import Progress
from .samples.patches import PatchSamples
from .translation import tr
from .unfinished import State, Unfinished, restore_training, training_tensors

Indices = NDArray[np.int64]
_Guessed = tuple[PatchSamples, Tensor, Tensor]  # patches, their classes as guessed, and whether sure
Fitted = tuple[GroupNetwork, list[dict[str, float]]]

_CURVE_POINTS = 100
_PREDICTED_AT_ONCE = 256
_TRIAL_STEPS = 3
_TREE_COPIES, _MOST_TREE_SAMPLES = 3, 30_000
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
    that a sample's diffusion features are hidden: guidance, not the sole thing to lean on; ``symmetries`` in which
    patches are shown, see :meth:`PatchSamples.turned`: by default with turns and flips; ``edges`` the probability
    that a labelled sample is shown at an edge (:meth:`PatchSamples.with_foreign_surroundings`)."""

    steps: int
    batch: int
    learning_rate: float
    schedule: str
    balance: float
    weight_decay: float
    jitter: float
    feature_dropout: float
    symmetries: tuple[int, ...] = tuple(range(8))
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
    build: Callable[[GroupConfig], GroupNetwork] = GroupNetwork,
) -> Fitted:
    """A network trained on the samples of ``index``, in eval mode after the last step, and its losses on the way.

    ``unlabelled`` patches help where ``how`` says so; they have no diffusion features. ``state`` keeps where the fit
    stands; what it holds already is gone on from.
    """
    with _BUILDING:
        torch.manual_seed(seed)
        network = build(config).to(device.torch)
    generator = torch.Generator().manual_seed(seed)
    seed_dropout(network, generator)
    optimizer = torch.optim.AdamW(network.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
    # A batch norm in train mode needs two samples.
    batch = max(2, min(how.batch, len(index)))
    curve: list[dict[str, float]] = []
    window: list[dict[str, float]] = []
    parts = Parts(progress, batch // 2)
    done = 0
    saved = state and state.load()
    if saved:
        restore_training(saved.tensors, network, optimizer, generator)
        done, curve, window = (saved.document[name] for name in ("done", "curve", "window"))
        progress.message(
            tr(
                "A fit goes on from step {done} of {steps}, where an earlier run was interrupted.",
                done=done,
                steps=how.steps,
            )
        )
        progress.skip_to(done / how.steps)
    for step in range(done, how.steps):
        for group in optimizer.param_groups:
            group["lr"] = how.learning_rate * _rate(how.schedule, step / how.steps)
        images = _draw(samples, index, batch, how, generator=generator, device=device)
        if how.feature_dropout:
            images = images.without_features(how.feature_dropout, generator=generator)
        guessed: Optional[_Guessed] = None
        consistency = how.consistency
        if consistency and unlabelled is not None and len(unlabelled) and step >= consistency.start * how.steps:
            drawn = torch.randint(len(unlabelled), (consistency.batch,), generator=generator)
            plain = unlabelled.batch(drawn, device.torch)
            if images.diffusion is not None:  # hidden, as that of many labelled samples
                plain = replace(plain, diffusion=images.diffusion.new_zeros((len(plain), *images.diffusion.shape[1:])))
            probability, guess = parts.run(partial(_guess, network, plain, device))
            hidden = _augmented(plain, how, generator).with_bands_hidden(
                consistency.hide_bands, consistency.hide_second, generator=generator
            )
            guessed = (hidden, guess, probability >= consistency.confidence)
        losses = parts.run(partial(_gradients, network, optimizer, images, guessed, device))
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        window.append(losses)
        if (step + 1) * _CURVE_POINTS // how.steps > step * _CURVE_POINTS // how.steps:
            if not np.isfinite(losses["cross-entropy"]):
                raise BdgfError(tr("Training diverged (the loss is no number); check the rasters for extreme values."))
            means = {k: round(float(np.mean([w[k] for w in window if k in w])), 5) for k in losses}
            curve.append({"step": step + 1, **means})
            window.clear()
        if state and state.due(last=step + 1 == how.steps):
            told = {"done": step + 1, "curve": curve, "window": window}
            state.save(told, training_tensors(network, optimizer, generator))
        progress.update((step + 1) / how.steps)
    network.eval()
    if config.trees:
        network.trees = _grown(network, samples, index, how, seed=seed, progress=progress).to(device.torch)
    if config.landmarks:
        network.regression = _regressed(network, samples, index, seed=seed, progress=progress).to(device.torch)
    return network, curve


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
    name: str = "fit",
    build: Callable[[GroupConfig], GroupNetwork] = GroupNetwork,
    processes: Processes = ALONE,
) -> list[Fitted]:
    """:func:`fit_network` for each (index, seed) of ``runs``. On a CPU they run side by side, each on its share of
    the threads: the operations of one step are too small for many. ``unfinished`` keeps where each stands, by ``name``
    and number. Several ``processes`` share the runs, and the first one returns what all have fitted, the others
    nothing."""
    mine = range(processes.rank, len(runs), processes.count)
    if not mine:
        return []
    threads = torch.get_num_threads()
    workers = 1 if device.is_cuda else min(threads, len(mine))
    stop = threading.Event()
    lanes = progress.side_by_side(len(mine), stop)

    def fit(
        config: GroupConfig,
        run: tuple[Indices, int],
        how: FitConfig,
        lane: Progress,
        state: Optional[State] = None,
    ) -> Fitted:
        try:
            index, seed = run
            return fit_network(
                config, samples, index, how, unlabelled=unlabelled, seed=seed, device=device, progress=lane,
                state=state, build=build,
            )  # fmt: skip
        except BaseException:
            stop.set()
            raise

    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads // workers,)) as pool:
            bare = replace(config, trees=0, landmarks=0)
            for _ in range(2):  # the first one warms up
                began = time.monotonic()
                pool.submit(fit, bare, runs[mine[0]], _trial(how), progress.silent()).result()
                per_step = (time.monotonic() - began) / _TRIAL_STEPS
            ahead = per_step * how.steps * -(-len(mine) // workers)
            progress.message(
                tr(
                    "Training: {fits} fits of {steps} steps; about {time}.",
                    fits=len(runs),
                    steps=how.steps,
                    time=duration(ahead),
                )
            )
            states = [unfinished.state(f"{name}-{i}") if unfinished else None for i in mine]
            futures = [
                pool.submit(fit, config, runs[i], how, lane, state) for i, lane, state in zip(mine, lanes, states)
            ]
        failures = [error for error in (future.exception() for future in futures) if error]
        # One failure cancels the others: tell the one that came first.
        for error in sorted(failures, key=lambda error: isinstance(error, Canceled)):
            raise error
        fitted = [future.result() for future in futures]
    finally:
        torch.set_num_threads(threads)
    if processes.is_first:
        own = iter(fitted)
        return [next(own) if i in mine else _received(config, i, device, processes) for i in range(len(runs))]
    for network, curve in fitted:
        processes.send(network.state_dict(), curve)
    return []


def _received(config: GroupConfig, run: int, device: Device, processes: Processes) -> Fitted:
    """The fit of a run that was another process's; each sends its own in their order."""
    curve, tensors = processes.receive(run % processes.count)
    return group_network(config, tensors).to(device.torch), curve


@torch.no_grad()
def predict_members(
    network: GroupNetwork, samples: PatchSamples, index: Indices, device: Device
) -> NDArray[np.float32]:
    """Class probabilities (M, n, K) of the samples of ``index`` by each member, :attr:`GroupConfig.members`."""
    members = network.config.members
    out = [np.zeros((len(members), 0, network.config.classes), np.float32)]
    for output in _outputs(network, samples, index, device):
        found = network.members(output)
        out.append(torch.stack([found[name] for name in members]).cpu().numpy())
    return np.concatenate(out, 1)


@torch.no_grad()
def embed(
    network: GroupNetwork, samples: PatchSamples, index: Indices, device: Device
) -> dict[str, NDArray[np.float32]]:
    """The embeddings (n, E) that each branch gives the samples of ``index``."""
    out: dict[str, list[Tensor]] = {name: [] for name in network.config.branches}
    for output in _outputs(network, samples, index, device):
        for name, found in out.items():
            found.append(output.embeddings[name].float().cpu())
    return {name: torch.cat(found).numpy() for name, found in out.items()}


def _outputs(network: GroupNetwork, samples: PatchSamples, index: Indices, device: Device) -> Iterator[GroupOutput]:
    for part in torch.from_numpy(index).split(_PREDICTED_AT_ONCE):  # type: ignore[no-untyped-call]
        with device.autocast():
            yield network(*samples.batch(part, device.torch).inputs)


def _trial(how: FitConfig) -> FitConfig:
    consistency = how.consistency and replace(how.consistency, start=0.0)
    return replace(how, steps=_TRIAL_STEPS, consistency=consistency)


def _grown(
    network: GroupNetwork, samples: PatchSamples, index: Indices, how: FitConfig, *, seed: int, progress: Progress
) -> Trees:
    """Trees on the samples of ``index``, as they are and, where no ratios of bands would be lost in it, jittered."""
    generator = torch.Generator().manual_seed(seed)
    jittered = how.jitter and not network.config.index_bands
    copies = max(1, min(_TREE_COPIES, _MOST_TREE_SAMPLES // len(index))) if jittered else 1
    features = []
    for copy in range(copies):
        for part in torch.from_numpy(index).split(_PREDICTED_AT_ONCE):  # type: ignore[no-untyped-call]
            progress.check_canceled()
            images = samples.batch(part, torch.device("cpu"))
            if copy:
                images = images.jittered(how.jitter, generator=generator)
            features.append(network.tree_features(*images.inputs))
    classes = np.tile(samples.classes.numpy()[index], copies)
    return Trees.grown(
        torch.cat(features).numpy(), classes, trees=network.config.trees, known=network.config.classes, seed=seed,
        on_part=progress.check_canceled,
    )  # fmt: skip


def _regressed(
    network: GroupNetwork, samples: PatchSamples, index: Indices, *, seed: int, progress: Progress
) -> KernelRegression:
    """A regression on the centre pixels of the samples of ``index``."""
    pixels = []
    for part in torch.from_numpy(index).split(_PREDICTED_AT_ONCE):  # type: ignore[no-untyped-call]
        progress.check_canceled()
        images = samples.batch(part, torch.device("cpu"))
        pixels.append(network.pixels(images.spectral, images.second))
    return KernelRegression.fitted(
        torch.cat(pixels), samples.classes[torch.from_numpy(index)], known=network.config.classes,
        landmarks=network.config.landmarks, seed=seed, on_step=progress.check_canceled,
    )  # fmt: skip


def _draw(
    samples: PatchSamples, index: Indices, count: int, how: FitConfig, *, generator: torch.Generator, device: Device
) -> PatchSamples:
    """``count`` samples of ``index``, augmented; rare classes as often as ``how`` says."""
    pool = torch.from_numpy(index)
    counts = torch.bincount(samples.classes[pool]).double()
    weight = counts[samples.classes[pool]] ** -how.balance
    drawn = pool[torch.multinomial(weight, count, replacement=len(pool) < 2 * count, generator=generator)]
    images = samples.batch(drawn, device.torch)
    if how.edges:
        images = images.with_foreign_surroundings(how.edges, generator=generator)
    return _augmented(images, how, generator)


def _gradients(
    network: GroupNetwork,
    optimizer: torch.optim.Optimizer,
    images: PatchSamples,
    guessed: Optional[_Guessed],
    device: Device,
    parts: int,
) -> dict[str, float]:
    """Leaves the gradients of a batch, worked on in so many parts, in the network; the losses by name. Batch norms see
    each part by itself."""
    optimizer.zero_grad(set_to_none=True)
    told: dict[str, float] = {}
    for part in range(parts):
        drawn = given = images.batch(torch.arange(len(images)).tensor_split(parts)[part], device.torch)
        if guessed is not None:
            rows = torch.arange(len(guessed[0])).tensor_split(parts)[part]
            hidden, guess, sure = guessed[0].batch(rows, device.torch), guessed[1][rows], guessed[2][rows]
            given = drawn.joined(hidden)
        with device.autocast():
            output = network(*given.inputs)
        loss, losses = network.loss(output[: len(drawn)], drawn.classes)
        if guessed is not None:
            loss = loss + network.consistency_loss(output[len(drawn) :], guess, sure)
            losses["unlabelled, sure"] = float(sure.float().mean())
        share = len(drawn) / len(images)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        for name, value in losses.items():
            told[name] = told.get(name, 0.0) + share * value
    return told


def _augmented(images: PatchSamples, how: FitConfig, generator: torch.Generator) -> PatchSamples:
    if len(how.symmetries) > 1:
        drawn = int(torch.randint(len(how.symmetries), (1,), generator=generator))
        images = images.turned(how.symmetries[drawn])
    return images.jittered(how.jitter, generator=generator) if how.jitter else images


@torch.no_grad()
def _guess(network: GroupNetwork, images: PatchSamples, device: Device, parts: int) -> tuple[Tensor, Tensor]:
    """The class (B,) that the network as it stands gives to each patch, after its probability (B,)."""
    network.eval()
    found = []
    for rows in torch.arange(len(images)).tensor_split(parts):
        with device.autocast():
            found.append(network.probabilities(network(*images.batch(rows, device.torch).inputs)))
    network.train()
    probability, guess = torch.cat(found).max(1)
    return probability, guess


def _rate(schedule: str, progress: float) -> float:
    if schedule == "steps":
        return 0.5 ** sum(progress >= milestone for milestone in (0.5, 0.75, 0.9))
    warm = 0.1
    if progress < warm:
        return 0.05 + 0.95 * progress / warm
    return 0.5 * (1.0 + float(np.cos(np.pi * (progress - warm) / (1.0 - warm)))) + 1e-3
