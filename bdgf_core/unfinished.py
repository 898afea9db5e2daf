"""What a job saves on its way, so that the same job goes on from there after an interruption.

States are model files of the kind "unfinished" in the hidden folder of the job's first output
(:func:`~bdgf_core.files.hidden_folder`), each bound to its job by a fingerprint of configuration and inputs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Mapping, Optional, Sequence

import torch

from . import __version__
from .checkpoint import Model, load_model, read_document, save_model
from .errors import BdgfError, ModelFileError
from .files import STATE_SUFFIX, hidden_folder
from .progress import Progress
from .raster.dataset import stamp
from .translation import tr

CHECKPOINT_S = 60.0
# The result stays the same, on another device within tolerance, unless pretraining goes on with less memory than its
# pool takes; labels count by their pixels, not by their file.
_NO_MATTER = ("resume", "checkpoint_s", "device", "memory_mb", "labels", "cog")


class Unfinished:
    """The states of one job, whose output must be claimed; as a context it removes them when the job ends well. What
    takes less than ``every_s`` seconds leaves none."""

    def __init__(self, output: Path | str, job: str, *, resume: bool, every_s: float, progress: Progress) -> None:
        self._folder = hidden_folder(Path(output))
        self._job, self._every_s, self._progress = job, every_s, progress
        self._warned = False
        self._began = time.monotonic()
        if not resume:
            self.remove()

    def __enter__(self) -> Unfinished:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is None:
            self.remove()
        elif any(self._folder.glob(f"*{STATE_SUFFIX}")):
            self._progress.message(tr("What was reached is saved: run the same job again and it goes on from there."))

    def state(self, name: str) -> State:
        return State(self, name)

    def names(self) -> set[str]:
        """Of the states that this job has saved, by their files' headers."""
        found = set()
        for path in self._folder.glob(f"*{STATE_SUFFIX}"):
            try:
                if read_document(path)[1].get("job") == self._job:
                    found.add(path.stem)
            except ModelFileError:
                pass
        return found

    def has_room(self, size: int) -> bool:
        """Whether the disk has ``size`` bytes left; if not, the job goes on without being saved, and says so."""
        free = shutil.disk_usage(self._folder).free
        if free < size and not self._warned:
            self._warned = True
            self._progress.warning(
                tr(
                    "The disk has {free} MB left, which the outputs may need: what is done is not saved any more.",
                    free=free >> 20,
                )
            )
        return free >= size

    def remove(self) -> None:
        for path in self._folder.glob(f"*{STATE_SUFFIX}"):
            path.unlink(missing_ok=True)

    def _load(self, path: Path) -> Optional[Model]:
        if not path.exists():
            return None
        try:
            model = load_model(path, "unfinished")
        except ModelFileError:
            model = None
        if model is not None and model.document.get("job") == self._job:
            return model
        path.unlink(missing_ok=True)
        if not self._warned:
            self._warned = True
            self._progress.message(tr("An interrupted job with other settings or inputs is not gone on with."))
        return None

    def _save(self, path: Path, document: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        try:
            save_model(path, "unfinished", {"job": self._job, **document}, tensors)
        except BdgfError as error:  # the job itself may still come to its end
            if not self._warned:
                self._warned = True
                self._progress.warning(tr("The state of this job could not be saved: {reason}", reason=error))


class State:
    """One of a job's states, by ``name``: where a fit stands, or a tile that is done."""

    def __init__(self, of: Unfinished, name: str) -> None:
        self._of, self._path = of, of._folder / f"{name}{STATE_SUFFIX}"
        self._saved = time.monotonic()

    def load(self) -> Optional[Model]:
        """What was saved by the same job, if it was."""
        return self._of._load(self._path)

    def due(self, *, last: bool = False) -> bool:
        """Whether it is time to save; ``last`` says that there will be no other occasion."""
        since = self._of._began if last else self._saved
        return time.monotonic() - since >= self._of._every_s

    def reset(self) -> None:
        self._saved = time.monotonic()

    def save(self, document: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """``document`` must be strict JSON. A disk that is full costs a warning, not the job."""
        self._of._save(self._path, document, tensors)
        self.reset()


def fingerprint(config: Any, *inputs: Path | str | None, content: Sequence[bytes] = ()) -> str:
    """Tells jobs apart: by what they are told to do (``config``, a dataclass), by sizes and times of the files of
    their ``inputs`` and by ``content`` where a file's time says little."""
    stamps = [stamp(path) for path in inputs if path]
    told = {key: value for key, value in asdict(config).items() if key not in _NO_MATTER}
    whole = [__version__, type(config).__name__, told, stamps, [hashlib.sha256(part).hexdigest() for part in content]]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


def training_tensors(
    module: torch.nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """All that a step of training changes, by name."""
    tensors = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()})
    return {**tensors, "generator": generator.get_state()}


def restore_training(
    tensors: Mapping[str, torch.Tensor],
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> None:
    """Undo of :func:`training_tensors`, in place."""
    moments: dict[int, dict[str, torch.Tensor]] = {}
    weights = {}
    for name, tensor in tensors.items():
        if name.startswith("module."):
            weights[name[len("module.") :]] = tensor
        elif name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            moments.setdefault(int(index), {})[key] = tensor
    module.load_state_dict(weights)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    generator.set_state(tensors["generator"])
