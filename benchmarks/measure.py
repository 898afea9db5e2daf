"""One measurement: a configuration on a scene, by a protocol and a seed, as an entry of the ledger."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from bdgf_core.accuracy import confusion_matrix
from bdgf_core.calibration import HeldOut
from bdgf_core.device import Device
from bdgf_core.errors import InputError
from bdgf_core.fit import fit_networks, predict_members
from bdgf_core.gather import feature_scale, gather_unlabelled
from bdgf_core.inputs import FeatureScale
from bdgf_core.models import Pretrained
from bdgf_core.network.config import PATCH
from bdgf_core.network.group import GroupNetwork
from bdgf_core.pooling import Opinions, crossed_shares
from bdgf_core.progress import Progress
from bdgf_core.raster.labels import Labels
from bdgf_core.samples.fold_notes import fold_sentence
from bdgf_core.samples.patches import PatchSamples
from bdgf_core.samples.sensor import NETWORK_CHANNELS
from bdgf_core.samples.splits import Fold, Folds
from bdgf_core.validation import confusion_of, validation_folds

from .bank import AtTimestep, Bank, Blanked, EncoderBlock, ScaledPatches
from .configurations import Configuration, FeatureChoice, Settings
from .ledger import Entry, current_commit, entry_key, machine
from .networks import builder
from .open_scene import OpenScene
from .pretraining import pretrained_for
from .protocols import Protocol
from .rivals import rival_predictions

Matrix = NDArray[np.int64]
_UNLABELLED = 8192
_AT_ONCE = 256
_FOLDS_WITHIN = 3


@dataclass
class Workshop:
    """Where measurements are made: a device, a folder for what is kept, and the bank that was last filled.

    ``pretraining_seed`` None pretrains anew for every seed. ``blank`` measures with each sensor hidden as well."""

    cache: Path
    device: Device
    memory_bytes: int
    pretraining_seed: Optional[int] = 0
    blank: bool = False
    _bank: Optional[tuple[Any, Bank]] = None

    def bank(
        self,
        opened: OpenScene,
        pretrained: Pretrained,
        features: FeatureChoice,
        patch: int,
        progress: Progress,
        *,
        draw: int = 0,
        blank: str = "",
    ) -> Bank:
        """The scene's patches; ``draw`` numbers the noise, ``blank`` names a sensor to hide."""
        key = (opened.identity, pretrained.document["name"], features.timestep, features.layer, patch, draw, blank)
        if self._bank is not None and self._bank[0] == key:
            return self._bank[1]
        self._bank = None  # before the next one is filled
        reader = pretrained.reader(opened.stack, self.device)
        process = pretrained.process
        denoiser: Any = EncoderBlock(reader.denoiser, features.layer, features.timestep).eval()
        reader = replace(
            reader, denoiser=denoiser, patch=patch, seed=pretrained.seed + draw,
            process=AtTimestep(process.stack, process.schedule, process.speckle, features.timestep),
        )  # fmt: skip
        if blank:
            sensors: dict[str, Any] = {**reader.sensors, blank: Blanked(reader.sensors[blank])}
            reader = replace(reader, sensors=sensors)
        made = Bank(reader, opened.labels, memory_bytes=self.memory_bytes, progress=progress)
        self._bank = (key, made)
        return made


def known_key(opened: OpenScene, protocol: Protocol, configuration: Configuration, seed: int, shop: Workshop) -> str:
    """The key of the entry that :func:`measure` would make."""
    return entry_key(opened.scene.name, opened.identity, str(protocol), _told(configuration, seed, shop), seed)


def lacks(opened: OpenScene, configuration: Configuration) -> str:
    """What the scene would need for this configuration, or nothing."""
    second = "second" in opened.sources
    few = len(opened.stack.bands["spectral"]) <= NETWORK_CHANNELS
    needs = {
        "": (True, ""),
        "sar": (second and opened.second_kind.startswith("sar"), "a SAR"),
        "second": (second, "a second sensor"),
        "few bands": (few, f"{NETWORK_CHANNELS} spectral bands at the most"),
    }
    there, told = needs[configuration.needs]
    return "" if there else told


def measure(
    opened: OpenScene, protocol: Protocol, configuration: Configuration, seed: int, shop: Workshop, progress: Progress
) -> Entry:
    """On folds with the gap of the product's patches for everyone, so that all are judged on the same pixels: variants
    with larger patches see a little across it, in their favour. Raises :class:`InputError` where the scene does not
    allow it."""
    folds = protocol.folds(opened.labels, opened.apart, gap=PATCH, seed=seed)
    for note in folds.notes:
        progress.message(fold_sentence(note))
    began = time.monotonic()
    blanked: dict[str, list[Matrix]] = {}
    pretraining: dict[str, Any] = {}
    if configuration.rival:
        found = _classify_by_rival(opened, configuration.rival, folds, seed, progress)
    else:
        settings = configuration.settings()
        pretrained = pretrained_of(opened, settings, seed, shop, progress.part(0.0, 0.4))
        pretraining = {key: pretrained.document["training"][key] for key in ("steps", "seconds", "seed")}
        began = time.monotonic()
        found, blanked = _classify(opened, pretrained, settings, folds, protocol, seed, shop, progress.part(0.4, 1.0))
    return Entry(
        scene=opened.scene.name,
        scene_identity=opened.identity,
        protocol=str(protocol),
        configuration=configuration.name,
        differences={group: dict(changes) for group, changes in configuration.changes.items()},
        settings=_told(configuration, seed, shop),
        seed=seed,
        classes=list(opened.labels.legend.names),
        folds=[matrix.tolist() for matrix in found],
        blanked={name: [matrix.tolist() for matrix in matrices] for name, matrices in blanked.items()},
        seconds=round(time.monotonic() - began, 1),
        pretraining=pretraining,
        commit=current_commit(),
        machine=machine(None if configuration.rival else shop.device),
    )


def pretrained_of(opened: OpenScene, settings: Settings, seed: int, shop: Workshop, progress: Progress) -> Pretrained:
    """The denoiser of these settings, from the workshop's cache where it is there."""
    chosen = seed if shop.pretraining_seed is None else shop.pretraining_seed
    return pretrained_for(
        opened, settings.pretraining, chosen, cache=shop.cache / "pretrained", device=shop.device, progress=progress
    )


def _told(configuration: Configuration, seed: int, shop: Workshop) -> dict[str, Any]:
    if configuration.rival:
        return {"rival": configuration.rival}
    chosen = seed if shop.pretraining_seed is None else shop.pretraining_seed
    return {**_plain(configuration.settings().to_json()), "pretraining_seed": chosen, "blank": shop.blank}


def _plain(value: Any) -> Any:
    """As JSON gives it back: lists for tuples."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _classify(
    opened: OpenScene,
    pretrained: Pretrained,
    settings: Settings,
    folds: Folds,
    protocol: Protocol,
    seed: int,
    shop: Workshop,
    progress: Progress,
) -> tuple[list[Matrix], dict[str, list[Matrix]]]:
    features, patch, labels = settings.features, settings.network.patch, opened.labels
    inner = folds_within(settings, folds, protocol, labels, seed)
    every = Folds((*folds.folds, *inner))
    fitted, scale = fitted_networks(opened, pretrained, settings, every, protocol, seed, shop, progress)
    classes, members = len(labels.legend), settings.network.members
    preferred = settings.network.shares(members)

    def foretold(wanted: slice, draws: int, blank: str = "") -> list[Opinions]:
        """By the members of each network, of its fold."""
        jobs = [(network, fold.test) for network, fold in zip(fitted[wanted], every.folds[wanted])]
        sums = [np.zeros((len(members), len(test), classes), np.float32) for _, test in jobs]
        for draw in range(draws):
            here = shop.bank(opened, pretrained, features, patch, progress.silent(), draw=draw, blank=blank)
            for (network, test), total in zip(jobs, sums):
                for part, patches in here.parts(test, scale):
                    found = _probabilities(network, patches, features.flips, shop.device)
                    total[:, np.searchsorted(test, part)] += found
        return [
            Opinions(total / total.sum(2, keepdims=True), labels.classes[test], labels.groups[test])
            for (_, test), total in zip(jobs, sums)
        ]

    def judged(held_out: Sequence[HeldOut]) -> list[Matrix]:
        return [confusion_of(fold, classes) for fold in held_out]

    outer = slice(len(folds.folds))
    with torch.no_grad():
        found = foretold(outer, features.draws)
        more = foretold(slice(outer.stop, None), 1) if inner else []
        shares = crossed_shares(found, preferred, more=more)
        hidden = [name for name in opened.sources if shop.blank and len(opened.sources) > 1]
        return judged([fold.pooled(own) for fold, own in zip(found, shares)]), {
            name: judged([fold.pooled(own) for fold, own in zip(foretold(outer, 1, name), shares)]) for name in hidden
        }


def folds_within(settings: Settings, folds: Folds, protocol: Protocol, labels: Labels, seed: int) -> tuple[Fold, ...]:
    """Of the training polygons, as training makes them to settle the members' shares, where there is one fold only."""
    if protocol.kind != "apart" or len(settings.network.members) == 1 or settings.build != "group":
        return ()
    train = folds.folds[0].train
    found = validation_folds("polygon", labels.subset(train), folds=_FOLDS_WITHIN, minimum=1, seed=seed)
    return tuple(Fold(train[fold.train], train[fold.test]) for fold in found.folds)


def fitted_networks(
    opened: OpenScene,
    pretrained: Pretrained,
    settings: Settings,
    folds: Folds,
    protocol: Protocol,
    seed: int,
    shop: Workshop,
    progress: Progress,
) -> tuple[list[GroupNetwork], FeatureScale]:
    """A network for each fold, and the scale of their diffusion features."""
    bank = shop.bank(opened, pretrained, settings.features, settings.network.patch, progress.part(0.0, 0.2))
    known = np.unique(np.concatenate([fold.train for fold in folds.folds]))
    if protocol.kind == "polygons":  # as in training, where all drawn pixels are seen
        known = np.unique(np.concatenate([known, *(fold.test for fold in folds.folds)]))
    raw = bank.take(known).diffusion
    assert raw is not None
    scale = feature_scale(raw, components=settings.features.components)
    del raw
    samples = bank.scaled(known, scale)
    return _fit(opened, pretrained, settings, samples, scale, known, folds, seed, shop, progress.part(0.2, 1)), scale


def _fit(
    opened: OpenScene,
    pretrained: Pretrained,
    settings: Settings,
    samples: ScaledPatches,
    scale: FeatureScale,
    known: NDArray[np.int64],
    folds: Folds,
    seed: int,
    shop: Workshop,
    progress: Progress,
) -> list[GroupNetwork]:
    """A network for each fold."""
    channels = len(scale.mean) if scale.basis is None else len(scale.basis)
    units = pretrained.sensors["spectral"].units
    config = replace(
        settings.network, spectral=samples.spectral.shape[1], diffusion=channels, classes=len(opened.labels.legend),
        second=0 if samples.second is None else samples.second.shape[1], components=units is None,
    )  # fmt: skip
    runs = [(np.searchsorted(known, fold.train), seed + 1 + i) for i, fold in enumerate(folds.folds)]
    how = settings.fit
    if settings.epochs:
        train = int(np.mean([len(index) for index, _ in runs]))
        how = replace(how, steps=max(1, settings.epochs * train // how.batch))
    unlabelled: Optional[PatchSamples] = None
    if settings.unlabelled or settings.build == "ss-mae":
        if settings.network.patch != PATCH:
            raise InputError(f"Unlabelled patches are of {PATCH} pixels a side only.")
        unlabelled = gather_unlabelled(
            opened.stack, pretrained.sensors, _UNLABELLED, rng=np.random.default_rng(seed), progress=progress.silent()
        )
    build = builder(
        settings.build, config, unlabelled, units=units, seed=seed,
        device=shop.device, progress=progress.silent(),
    )  # fmt: skip
    fitted = fit_networks(
        config, samples, runs, how, unlabelled=unlabelled if settings.unlabelled else None, device=shop.device,
        progress=progress, build=build,
    )  # fmt: skip
    return [network for network, _ in fitted]


def _probabilities(network: GroupNetwork, patches: ScaledPatches, flips: bool, device: Device) -> NDArray[np.float32]:
    """(M, N, K) by member, summed over the symmetries of the patches where ``flips``."""
    found = []
    for rows in torch.arange(len(patches)).split(_AT_ONCE):
        images = patches.batch(rows, torch.device("cpu"))
        every = np.arange(len(rows))
        turned: Sequence[PatchSamples] = [images.turned(s) for s in range(8)] if flips else [images]
        found.append(np.sum([predict_members(network, view, every, device) for view in turned], 0))
    return np.concatenate(found, 1)


def _classify_by_rival(opened: OpenScene, rival: str, folds: Folds, seed: int, progress: Progress) -> list[Matrix]:
    classes = len(opened.labels.legend)
    predictions = rival_predictions(opened, rival, folds.folds, seed, progress)
    return [
        confusion_matrix(opened.labels.classes[fold.test], predicted, classes)
        for fold, predicted in zip(folds.folds, predictions)
    ]
