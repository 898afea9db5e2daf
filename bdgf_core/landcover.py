"""Land cover in one go: pretrain, train and classify, each as it is by itself, with the models kept beside the map."""

from __future__ import annotations

import math
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Sequence, TypeVar

import numpy as np

from .classify import ClassifyConfig, classify
from .done_steps import DoneSteps
from .errors import InputError
from .files import check_writable, claim, write_whole
from .memory import peak_memory_mb
from .pretrain import PRESETS as PRETRAIN_PRESETS
from .pretrain import PretrainConfig, pretrain
from .processes import ALONE, Processes
from .progress import Progress
from .raster.labels import LabelSource, rasterize_labels
from .raster.stack import RasterSource, RasterStack
from .raster.writer import check_output
from .samples.sensor import DEFAULT_SECOND_KIND
from .sensors import open_stack
from .train import PRESETS as TRAIN_PRESETS
from .train import TrainConfig, planned_steps, take_labels, train
from .translation import tr
from .unfinished import CHECKPOINT_S, fingerprint

Result = dict[str, Any]
Config = TypeVar("Config")

_RASTERS = ("output", "confidence", "entropy", "disagreement", "ood")
_SIGHT_S = 90
# What the steps cost beside each other, as measured with "quick" on two cores.
_S_A_VOXEL, _S_A_FIT_STEP, _S_A_PIXEL = 70e-6, 0.2, 0.6e-3


@dataclass(frozen=True)
class LandcoverConfig:
    """What to map from what. ``pretrained`` is a model to go by in place of pretraining now. The other fields are those
    of :class:`PretrainConfig`, :class:`TrainConfig` and :class:`ClassifyConfig`. With ``resume`` a step that an earlier
    run has done from the same inputs is not done again."""

    spectral: RasterSource
    labels: LabelSource
    output: str
    second: Optional[RasterSource] = None
    second_kind: str = DEFAULT_SECOND_KIND
    pretrained: Optional[str] = None
    preset: str = "quick"
    seed: int = 0
    device: str = "auto"
    samples_per_class: int = 0
    validation: str = "polygon"
    confidence: Optional[str] = None
    entropy: Optional[str] = None
    disagreement: Optional[str] = None
    ood: Optional[str] = None
    report: Optional[str] = None
    map_report: Optional[str] = None
    looks: float = 1.0
    steps: Optional[int] = None
    epochs: Optional[int] = None
    minimum_pixels: int = 10
    unlabelled: bool = False
    min_data: float = 0.5
    memory_mb: Optional[int] = None
    cog: bool = False
    resume: bool = True
    checkpoint_s: float = CHECKPOINT_S

    def __post_init__(self) -> None:
        outputs = [os.path.abspath(path) for path in self.outputs]
        if len(set(outputs)) < len(outputs):
            raise InputError(tr("Two outputs have the same name; give each its own."))
        _steps(self)  # which refuse what is wrong with them

    @property
    def rasters(self) -> list[str]:
        """Those to write, the map first."""
        return [path for name in _RASTERS if (path := getattr(self, name))]

    @property
    def outputs(self) -> list[str]:
        return [*self.rasters, *filter(None, (self.report, self.map_report))]

    @property
    def idle(self) -> list[str]:
        """The settings that only pretraining reads, given though it is left out."""
        if self.pretrained is None:
            return []
        given = {
            "spectral_bands": self.spectral.bands, "second_bands": self.second and self.second.bands,
            "second_kind": self.second_kind != DEFAULT_SECOND_KIND, "looks": self.looks != 1.0, "steps": self.steps,
        }  # fmt: skip
        return [name for name, value in given.items() if value]


def landcover(config: LandcoverConfig, progress: Progress, *, processes: Processes = ALONE) -> Result:
    """Write the map, and if asked for the ``report`` on its accuracy and classify's ``map_report``. The models of both
    steps before stay in the folder :func:`models_folder`. Several ``processes`` share every step."""
    started = time.monotonic()
    first, then, last = _steps(config)
    sources = [source.path for source in (config.spectral, config.second) if source]
    if config.idle:
        progress.warning(
            tr(
                "A pretrained model is given, so that these settings of pretraining are not used: {settings}. Leave "
                "the model out to pretrain with them.",
                settings=", ".join(config.idle),
            )
        )
    given = [config.labels.path, *([config.pretrained] if config.pretrained else [])]
    drawn, (low, high) = _check(config, then, [*sources, *given], progress)
    with _keeping(config, progress, processes) as done:
        if config.pretrained is None:
            job = fingerprint(first, *sources)
            _step(1, pretrain, first, job=job, done=done, progress=progress.part(0.0, low), processes=processes)
        job = fingerprint(then, then.pretrained, *sources, content=drawn)
        part = progress.part(low, high)
        trained = _step(2, train, then, job=job, done=done, progress=part, processes=processes)
        progress.message(tr("Step {number} of 3: {step}.", number=3, step="classify"))
        mapped = classify(last, _timed_anew(progress.part(high, 1.0)), processes=processes)
        if config.report is not None and processes.is_first:
            write_whole(config.report, Path(str(then.report)).read_bytes())
    return {
        **{name: trained[name] for name in ("overall_accuracy", "average_accuracy", "kappa")},
        **{name: mapped[name] for name in (*_RASTERS, "pixels", "classes", "device")},
        "report": config.report, "map_report": config.map_report,
        "pretrained": then.pretrained, "classifier": then.output,
        "seconds": round(time.monotonic() - started, 1), "peak_memory_mb": peak_memory_mb(),
    }  # fmt: skip


def models_folder(output: Path | str) -> Path:
    """Where the models of the map ``output`` are kept: beside it, and by its name."""
    return Path(os.path.abspath(output) + ".models")


def _steps(config: LandcoverConfig) -> tuple[PretrainConfig, TrainConfig, ClassifyConfig]:
    folder = models_folder(config.output)
    pretrained = config.pretrained or str(folder / "pretrained.bdgf")
    classifier, report = str(folder / "classifier.bdgf"), str(folder / "report.html")
    # A model knows its bands by itself.
    rasters = {
        "spectral": RasterSource(config.spectral.path),
        "second": config.second and RasterSource(config.second.path),
    }
    return (
        _pick(PretrainConfig, config, output=pretrained),
        _pick(TrainConfig, config, **rasters, pretrained=pretrained, output=classifier, report=report),
        _pick(ClassifyConfig, config, **rasters, classifier=classifier, report=config.map_report),
    )


def _pick(step: type[Config], config: LandcoverConfig, **given: Any) -> Config:
    """The config of a step: what is ``given``, else what ``config`` has under the same names."""
    names = [field.name for field in fields(step) if hasattr(config, field.name)]  # type: ignore[arg-type]
    return step(**{**{name: getattr(config, name) for name in names}, **given})


def _check(
    config: LandcoverConfig, training: TrainConfig, inputs: Sequence[Path | str], progress: Progress
) -> tuple[list[bytes], tuple[float, float]]:
    """What is drawn, as bytes, and :func:`_shares`. Refuses before any long work what the last steps would refuse."""
    for path in config.rasters:
        check_output(path, inputs=inputs)
    for path in filter(None, (config.report, config.map_report)):
        check_writable(path, inputs=inputs)
    quietly = progress.silent()
    with open_stack(config.spectral, config.second, quietly, second_kind=config.second_kind) as stack:
        labels = take_labels(training, rasterize_labels(config.labels, stack.grid), quietly)
        shares = _shares(config, stack, len(labels.rows))
    arrays = (labels.rows, labels.cols, labels.classes, labels.groups)
    return [*(array.tobytes() for array in arrays), repr(labels.legend).encode()], shares


def _shares(config: LandcoverConfig, stack: RasterStack, samples: int) -> tuple[float, float]:
    """Where pretraining and training are likely to end in the whole, of which a large map takes most."""
    learn, fit = PRETRAIN_PRESETS[config.preset], TRAIN_PRESETS[config.preset]
    depth = min(sum(map(len, stack.bands.values())), learn.depth_limit)
    a_step = learn.batch * learn.side**2 * depth
    voxels = (
        config.steps * a_step if config.steps else min((learn.steps or math.inf) * a_step, learn.voxels[0] or math.inf)
    )
    fits = 1 if config.validation == "none" else 1 + fit.folds + fit.random_beside
    seconds = np.array(
        [
            0.0 if config.pretrained else _S_A_VOXEL * voxels,
            _S_A_FIT_STEP * fits * planned_steps(fit, samples, config.epochs),
            _S_A_PIXEL * stack.grid.width * stack.grid.height,
        ]
    )
    low, high = np.cumsum(seconds)[:2] / seconds.sum()
    return float(low), float(high)


@contextmanager
def _keeping(config: LandcoverConfig, progress: Progress, processes: Processes) -> Iterator[DoneSteps]:
    """The folder of the models is this job's alone; one that holds nothing in the end is removed."""
    folder = models_folder(config.output)
    path = folder / "steps.json"
    if not processes.is_first:
        processes.agree()  # the folder is there now
        yield DoneSteps(path, trusted=False)
        return
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            tr("{path} cannot be written ({reason}); please choose another place.", path=folder, reason=error.strerror)
        ) from None
    try:
        with claim(path, *config.outputs, lend=True):
            processes.agree()
            yield DoneSteps(path, trusted=config.resume)
        progress.message(
            tr(
                "The models are kept in {folder}; the next run to this map does again only what has changed.",
                folder=folder,
            )
        )
    finally:
        try:
            folder.rmdir()
        except OSError:
            pass  # what was reached is there


def _step(
    number: int,
    verb: Callable[..., Result],
    config: PretrainConfig | TrainConfig,
    *,
    job: str,
    done: DoneSteps,
    progress: Progress,
    processes: Processes,
) -> Result:
    """The step's result: now, or as an earlier run left it."""
    name = verb.__name__
    result: Optional[Result] = processes.agree(done.result(name, job))
    if result is not None:
        progress.message(
            tr(
                "Step {number} of 3, {step}, was done by an earlier run: {path} is taken as it is.",
                number=number,
                step=name,
                path=config.output,
            )
        )
        progress.skip_to(1.0)
        return result
    progress.message(tr("Step {number} of 3: {step}.", number=number, step=name))
    result = verb(config, _timed_anew(progress), processes=processes)
    if processes.is_first:
        done.note(name, job, result, made=filter(None, (result["output"], result.get("report"))))
    else:
        _wait_for(config.output, progress)
    return result


def _wait_for(path: str, progress: Progress) -> None:
    """What another machine has written may come into sight late on a network's file system."""
    for _ in range(_SIGHT_S):
        progress.check_canceled()
        if os.path.exists(path):
            return
        time.sleep(1.0)


def _timed_anew(progress: Progress) -> Progress:
    progress.skip_to(0.0)
    return progress
