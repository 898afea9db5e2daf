"""Training: the group network learns the drawn classes, guided by diffusion features, and is judged honestly."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Optional, Sequence

import numpy as np
import torch

from . import __version__
from .calibration import HeldOut
from .checkpoint import check_model_path, save_model
from .device import choose_device
from .errors import InputError, check_seed
from .files import check_writable, claim
from .fit import Consistency, FitConfig, Fitted, fit_networks, predict_members
from .gather import gather_samples, gather_unlabelled, labels_with_data
from .input_checks import warn_of_inputs
from .memory import memory_bound, peak_memory_mb
from .models import classifier_tensors, load_pretrained
from .network.config import PATCH, GroupConfig
from .network.group import GroupNetwork
from .ood import OutOfDistribution
from .pooling import Opinions, cross_fitted, fit_shares, tell_shares
from .processes import ALONE, Processes
from .progress import Progress
from .projection import project_branches
from .raster.labels import Labels, LabelSource, rasterize_labels
from .raster.stack import RasterSource
from .report import training_report, write_report
from .samples.fold_notes import fold_sentence
from .samples.splits import choose_per_class, evenly, random_split
from .sensors import match_sources, open_stack, second_kind
from .translation import tr
from .unfinished import CHECKPOINT_S, Unfinished, fingerprint
from .validation import (
    VALIDATIONS,
    accuracy_document,
    calibration_document,
    confidence_figures,
    validation_folds,
    without_features,
)

_MOST_SAMPLES = 20_000
_UNLABELLED = 8192
_TREES = 100
_LANDMARKS = 200


@dataclass(frozen=True)
class TrainPreset:
    """How the network is fitted, and its form: see :class:`FitConfig` and :class:`GroupConfig`. ``epochs`` 0 takes
    the steps of ``fit``. ``feature_components`` diffusion features are reduced to so many principal components;
    ``as_printed`` leaves out what goes beyond the paper, and guides the CNN too, which after a short pretraining costs
    more than it gives. Validation has ``folds``, and with ``random_beside`` one more fit to random pixels, which shows
    how much such a split flatters."""

    fit: FitConfig
    folds: int
    random_beside: bool
    epochs: int
    feature_components: Optional[int]
    as_printed: bool
    label_smoothing: float
    dropout: float


CONSISTENCY = Consistency(batch=48, start=0.3, confidence=0.7, hide_bands=0.7, hide_second=0.2)
_QUICK = FitConfig(
    steps=320, batch=64, learning_rate=2e-3, schedule="cosine", balance=0.5, weight_decay=0.02, jitter=0.05,
    feature_dropout=0.5, edges=0.5,
)  # fmt: skip
_PAPER = FitConfig(
    steps=0, batch=64, learning_rate=4e-4, schedule="steps", balance=0.0, weight_decay=0.0, jitter=0.0,
    feature_dropout=0.0, symmetries=(0,),
)  # fmt: skip
PRESETS = {
    "quick": TrainPreset(_QUICK, 3, False, 0, 12, False, 0.1, 0.2),
    "standard": TrainPreset(replace(_QUICK, steps=750), 4, True, 0, 12, False, 0.1, 0.2),
    "paper": TrainPreset(_PAPER, 4, True, 200, None, True, 0.0, 0.0),
}


@dataclass(frozen=True)
class TrainConfig:
    """What to train from and how. ``samples_per_class`` 0 takes all labelled pixels; ``epochs`` overrides the
    preset's steps; a class needs ``minimum_pixels``; ``unlabelled`` pixels teach on request, see
    :class:`Consistency`: they helped with thirteen classes in few places and harmed with two. ``without_features``
    validates once more without diffusion features, which tells what pretraining is worth. The state is saved every
    ``checkpoint_s`` seconds; ``resume`` goes on from what an interrupted run of the same job has saved."""

    pretrained: str
    spectral: RasterSource
    labels: LabelSource
    output: str
    second: Optional[RasterSource] = None
    samples_per_class: int = 0
    validation: str = "polygon"
    preset: str = "quick"
    seed: int = 0
    device: str = "auto"
    report: Optional[str] = None
    epochs: Optional[int] = None
    minimum_pixels: int = 10
    unlabelled: bool = False
    without_features: bool = False
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
        if self.validation not in VALIDATIONS:
            raise InputError(
                tr(
                    "Validation {validation!r} is not known; use one of {validations}.",
                    validation=self.validation,
                    validations=", ".join(VALIDATIONS),
                )
            )
        check_seed(self.seed)
        memory_bound(self.memory_mb)
        if self.samples_per_class < 0 or self.minimum_pixels < 1:
            raise InputError(tr("Samples per class must be 0 (all) or more, and the minimum of pixels at least 1."))
        if self.epochs is not None and self.epochs < 1:
            raise InputError(tr("Training takes at least one epoch, not {epochs}.", epochs=self.epochs))


def train(config: TrainConfig, progress: Progress, *, processes: Processes = ALONE) -> dict[str, Any]:
    """Train a classifier from labelled pixels, validate it, write the model and its report. Several ``processes`` share
    the fits, and all return what the first one has written."""
    with ExitStack() as ending:
        result = _train(config, progress, ending, processes)
    return dict(processes.agree(result))


def _train(config: TrainConfig, progress: Progress, ending: ExitStack, processes: Processes) -> dict[str, Any]:
    started = time.monotonic()
    preset = PRESETS[config.preset]
    output = check_model_path(config.output)
    inputs = [
        config.pretrained,
        config.spectral.path,
        config.labels.path,
        *([config.second.path] if config.second else []),
    ]
    for path in (output, config.report):
        if path is not None:
            check_writable(path, inputs=inputs)
    if processes.is_first:
        ending.enter_context(claim(output, config.report))
    device = choose_device(config.device, processes)
    progress.message(device.told)
    pretrained = load_pretrained(config.pretrained)
    spectral, second = match_sources(pretrained.sensors, config.spectral, config.second)
    kind = second_kind(pretrained.sensors)
    with open_stack(spectral, second, progress, second_kind=kind) as stack:
        warn_of_inputs(stack, spectral, second, progress, second_kind=kind, known=pretrained.sensors)
        memory = processes.agree(memory_bound(config.memory_mb))
        drawn = rasterize_labels(config.labels, stack.grid, memory_bytes=memory)
        there = labels_with_data(stack, pretrained.sensors, drawn)
        if len(there) < len(drawn):
            progress.warning(
                tr(
                    "{count} of {drawn} labelled pixels have no data and are left out.",
                    count=len(drawn) - len(there),
                    drawn=len(drawn),
                )
            )
        labels = take_labels(config, there, progress)
        samples, scale = gather_samples(
            pretrained.reader(stack, device), labels, components=preset.feature_components,
            memory_bytes=memory, progress=progress.part(0.01, 0.29), processes=processes,
        )  # fmt: skip
        unlabelled = None
        if config.unlabelled:
            unlabelled = gather_unlabelled(
                stack, pretrained.sensors, _UNLABELLED, rng=np.random.default_rng(config.seed),
                progress=progress.part(0.29, 0.3),
            )  # fmt: skip
    assert samples.diffusion is not None
    units = pretrained.sensors["spectral"].units
    build = partial(GroupNetwork, units=units)
    network_config = network_form(
        preset,
        spectral=samples.spectral.shape[1],
        second=0 if samples.second is None else samples.second.shape[1],
        diffusion=samples.diffusion.shape[1],
        classes=len(labels.legend),
        components=units is None,
    )
    folds = validation_folds(
        config.validation, labels, folds=preset.folds, minimum=config.minimum_pixels, seed=config.seed
    )
    for note in folds.notes:
        progress.warning(fold_sentence(note))
    judged = list(folds.folds)
    if preset.random_beside and config.validation == "polygon" and judged:
        judged.append(random_split(labels.classes, rng=np.random.default_rng(config.seed)).folds[0])
    runs = [(fold.train, config.seed + 1 + i) for i, fold in enumerate(judged)]
    runs.append((np.arange(len(samples)), config.seed))
    steps = planned_steps(preset, len(samples), config.epochs)
    how = replace(preset.fit, steps=steps, consistency=CONSISTENCY if config.unlabelled else None)
    drawn_bytes = [array.tobytes() for array in (labels.rows, labels.cols, labels.classes, labels.groups)]
    drawn_bytes.append(repr(labels.legend).encode())
    sources = [source.path for source in (spectral, second) if source]
    job = fingerprint(config, config.pretrained, *sources, content=drawn_bytes)
    resume = config.resume or not processes.is_first
    unfinished = Unfinished(output, job, resume=resume, every_s=config.checkpoint_s, progress=progress)
    if processes.is_first:
        ending.enter_context(unfinished)
    processes.agree()  # nothing is left to be removed by the first one that another would load
    share = 0.3 + 0.67 * (len(runs) / (len(runs) + len(folds.folds)) if config.without_features else 1.0)
    fitted = fit_networks(
        network_config, samples, runs, how, unlabelled=unlabelled, device=device, progress=progress.part(0.3, share),
        unfinished=unfinished, build=build, processes=processes,
    )  # fmt: skip
    plain = []
    if config.without_features and folds.folds:
        unguided = replace(
            network_config, guide_cnn=False, guide_transformer=False, guide_mamba=False, guide_trees=False
        )
        plain = fit_networks(
            unguided, samples, runs[: len(folds.folds)], how, unlabelled=unlabelled, device=device,
            progress=progress.part(share, 0.97), unfinished=unfinished, name="plain-fit", build=build,
            processes=processes,
        )  # fmt: skip
    if not processes.is_first:
        return {}
    network, curve = fitted[-1]
    members = network_config.members
    preferred = network_config.shares(members)

    def judge(networks: Sequence[Fitted]) -> list[Opinions]:
        """What the members of each network foretell of its fold; there may be more networks than folds."""
        return [
            Opinions(
                predict_members(trained, samples, fold.test, device),
                samples.classes.numpy()[fold.test],
                labels.groups[fold.test],
            )
            for (trained, _), fold in zip(networks, judged)
        ]

    found = judge(fitted)
    own, beside = found[: len(folds.folds)], found[len(folds.folds) :]
    # Pixels drawn at random lie beside training pixels: they would praise whoever remembers most.
    settled = config.validation == "polygon" and len(members) > 1

    def pooled(opinions: Sequence[Opinions]) -> list[HeldOut]:
        return cross_fitted(opinions, preferred) if settled else [fold.pooled(preferred) for fold in opinions]

    shares = fit_shares(own if settled else [], preferred)
    by_member = {name: round(float(share), 4) for name, share in zip(members, shares)}
    if own and settled:
        tell_shares(by_member, progress)
    network_config = network.config = network_config.with_shares(shares)
    held_out = pooled(own)
    accuracy = accuracy_document(
        config.validation, folds, held_out, beside[0].pooled(shares) if beside else None, len(labels.legend)
    )
    if accuracy and plain:
        accuracy["without_features"] = without_features(accuracy, pooled(judge(plain)), len(labels.legend), progress)
    calibration = calibration_document(held_out, progress)
    features = project_branches(
        fitted[0][0], samples, judged[0].test if judged else runs[-1][0], held_out=bool(judged), seed=config.seed,
        device=device, progress=progress.part(0.97, 0.99),
    )  # fmt: skip
    ood = OutOfDistribution.of(samples, labels.groups)
    seconds = time.monotonic() - started
    document = {
        "created_with": f"BDGF {__version__}, torch {torch.__version__}",
        "method": {**pretrained.document["method"], "network": asdict(network_config)},
        "sensors": pretrained.document["sensors"],
        "pretrained": pretrained.document,
        "legend": labels.legend.to_json(),
        "class_counts": labels.counts().tolist(),
        "accuracy": accuracy,
        "calibration": calibration,
        "features": features,
        "ood": ood.to_json(),
        "training": {
            "preset": config.preset, "steps": steps, "unlabelled": config.unlabelled, "seed": config.seed,
            "device": str(device), "seconds": round(seconds, 1), "samples": len(samples), "losses": curve,
            "processes": processes.count, "shares": by_member,
        },
    }  # fmt: skip
    page = training_report(document, warnings=labels.warnings) if config.report else None  # a model only with its page
    progress.update(1.0)
    save_model(output, "classifier", document, classifier_tensors(pretrained.denoiser, network, scale, ood))
    if config.report and page is not None:
        write_report(config.report, page)
    figures = accuracy or {}
    return {
        "output": str(output), "report": config.report,
        **{name: figures.get(name) for name in ("overall_accuracy", "average_accuracy", "kappa")},
        **confidence_figures(calibration),
        "classes": len(labels.legend), "seconds": round(seconds, 1), "device": str(device),
        "peak_memory_mb": peak_memory_mb(),
    }  # fmt: skip


def planned_steps(preset: TrainPreset, samples: int, epochs: Optional[int] = None) -> int:
    """The steps of one fit to so many samples; ``epochs`` overrides the preset's."""
    epochs = epochs or preset.epochs
    return max(1, epochs * samples // preset.fit.batch) if epochs else preset.fit.steps


def take_labels(config: TrainConfig, labels: Labels, progress: Progress) -> Labels:
    """The labelled pixels to train on, checked: enough classes, enough pixels a class, no more than can be used."""
    for warning in labels.warnings:
        progress.warning(warning)
    legend, counts = labels.legend, labels.counts()
    if len(legend) < 2:
        raise InputError(
            tr("The labels hold one class only ({name}); draw polygons of at least two classes.", name=legend.names[0])
        )
    small = [f"{name} ({count})" for name, count in zip(legend.names, counts) if count < config.minimum_pixels]
    if small:
        raise InputError(
            tr(
                "Too few labelled pixels (fewer than {minimum}) in: {classes}; draw more of them, drop the "
                "class, or lower the minimum of pixels.",
                minimum=config.minimum_pixels,
                classes=", ".join(small),
            )
        )
    rng = np.random.default_rng(config.seed)
    per_class = config.samples_per_class
    if per_class == 0 and len(labels) > _MOST_SAMPLES:
        per_class = evenly(counts.tolist(), _MOST_SAMPLES)
        progress.message(
            tr("{count} pixels are labelled; at most {most} a class are used.", count=len(labels), most=per_class)
        )
    chosen = labels.subset(choose_per_class(labels.classes, per_class, rng))
    told = ", ".join(f"{name} {count}" for name, count in zip(legend.names, chosen.counts()))
    progress.message(tr("Training samples: {count} ({classes}).", count=len(chosen), classes=told))
    return chosen


def network_form(
    preset: TrainPreset, *, spectral: int, second: int, diffusion: int, classes: int, components: bool = False
) -> GroupConfig:
    """The network of a preset, for so many channels of its inputs and classes; ``components`` where the spectral
    channels are no bands, see :attr:`Sensor.units`."""
    return GroupConfig(
        spectral=spectral,
        second=second,
        diffusion=diffusion,
        classes=classes,
        guide_cnn=preset.as_printed,
        mutual_learning=preset.as_printed,
        padded_cnn=preset.as_printed,
        guidance_kernel=3 if preset.as_printed else 1,
        attention_cells=PATCH if preset.as_printed else 3,
        mamba_states=16 if preset.as_printed else 4,
        token_bands=1 if preset.as_printed else 2,
        label_smoothing=preset.label_smoothing,
        dropout=preset.dropout,
        average_branches=not preset.as_printed,
        feed_forward=not preset.as_printed,
        trees=0 if preset.as_printed else _TREES,
        trees_share=0.45,
        guide_trees=False,
        landmarks=0 if preset.as_printed else _LANDMARKS,
        regression_share=0.2,
        indices=not preset.as_printed,
        components=components,
    )
