"""The verb ``environment``: what the engine runs on, what is missing, and whether its parts work; for a maintainer."""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

from . import __version__
from .errors import InputError
from .files import check_writable, claim, write_whole
from .installed import LEAST_TORCH, OPTIONAL, REQUIRED, Package, look_at, version_of
from .machine import read_machine
from .progress import Progress
from .redaction import Identity
from .report_environment import environment_report
from .self_test import Check, self_test
from .translation import tr

_LITTLE_MEMORY_MB = 4000
_LITTLE_DISK_MB = 2000


@dataclass(frozen=True)
class EnvironmentConfig:
    """Where to write the page and the JSON file; ``device`` as in a job. ``facts`` (name and value) and ``problems``
    (sentences) are what the caller adds, such as QGIS's version. ``test`` runs the self-test."""

    html: Optional[str] = None
    json: Optional[str] = None
    device: str = "auto"
    test: bool = True
    facts: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.html is not None and self.json is not None and Path(self.html).absolute() == Path(self.json).absolute():
            raise InputError(tr("The page and the JSON file must be two different files."))


def environment(config: EnvironmentConfig, progress: Progress) -> dict[str, Any]:
    """Look, test and write; the result holds the files written and the redacted ``document``, whose ``ok`` says that
    the engine can work. What is missing or broken is a problem in there, never an exception."""
    outputs = [path for path in (config.html, config.json) if path is not None]
    for path in outputs:
        check_writable(path)
    with claim(*outputs):
        document = _look(config, progress)
        for sentence in (*document["problems"], *document["remarks"]):
            progress.warning(sentence)
        document = Identity.here().redact(document)
        progress.check_canceled()
        if config.html is not None:
            write_whole(config.html, environment_report(document).encode("utf-8", "replace"))
        if config.json is not None:
            write_whole(config.json, json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "replace"))
    progress.update(1.0)
    return {"html": config.html, "json": config.json, "document": document}


def _look(config: EnvironmentConfig, progress: Progress) -> dict[str, Any]:
    required = [look_at(name, load=config.test) for name in REQUIRED]
    progress.update(0.4)
    machine = read_machine()
    checks = self_test(config.device, progress.part(0.5, 0.95)) if config.test else []
    cuda = _cuda() if config.test else None
    temporary = tempfile.gettempdir()
    free_mb = shutil.disk_usage(temporary).free >> 20
    problems = [*config.problems, *_missing(required), *_broken(required), *_failed(checks, required)]
    document = {
        "created_with": f"BDGF {__version__}",
        "ok": not problems,
        "problems": problems,
        "remarks": [],
        "facts": dict(config.facts),
        "machine": asdict(machine),
        "disk": {"temporary_files": temporary, "free_mb": free_mb},
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "bits": 64 if sys.maxsize > 2**32 else 32,
            "executable": sys.executable,
            "prefix": sys.prefix,
        },
        "packages": [asdict(package) for package in (*required, *(look_at(name, load=False) for name in OPTIONAL))],
        "cuda": cuda,
        "self_test": [asdict(check) for check in checks],
    }
    document["remarks"] = _remarks(document)
    return document


def _missing(required: list[Package]) -> list[str]:
    missing = ", ".join(package.name for package in required if package.folder is None)
    if not missing:
        return []
    sentence = tr(
        "{python} lacks {modules}: run Install the engine in QGIS, or install what is missing there.",
        python=sys.executable,
        modules=missing,
    )
    return [sentence]


def _broken(required: list[Package]) -> list[str]:
    torch, numpy = (required[REQUIRED.index(name)] for name in ("torch", "numpy"))
    sentences = []
    for package in required:
        if package.name == "osgeo" and package.failure and "numpy" in package.failure:
            sentences.append(
                tr(
                    "GDAL does not fit the numpy {version} in {folder} ({reason}): remove that numpy, so that the one "
                    "which came with GDAL is found.",
                    version=numpy.version,
                    folder=numpy.folder,
                    reason=package.failure,
                )
            )
        elif package.failure:
            sentences.append(
                tr(
                    "{module} is there but does not load ({reason}); install it again.",
                    module=package.name,
                    reason=package.failure,
                )
            )
    version = version_of(torch.version)
    if version is not None and version < LEAST_TORCH:
        sentences.append(
            tr(
                "torch {version} in {folder} is too old; the engine needs {least} or newer: run Install the engine.",
                version=torch.version,
                folder=torch.folder,
                least=".".join(map(str, LEAST_TORCH)),
            )
        )
    return sentences


def _failed(checks: list[Check], required: list[Package]) -> list[str]:
    """What fails for want of a package is told once, with the package; one cause of several failures once, too."""
    if any(package.folder is None or package.failure for package in required):
        return []
    causes = {check.detail: check.title for check in reversed(checks) if not check.ok}
    return [
        tr("The self-test {name} failed: {reason}", name=name, reason=reason)
        for reason, name in reversed(list(causes.items()))
    ]


def _cuda() -> Optional[dict[str, Any]]:
    """What torch says of CUDA; None without a torch that loads."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda"):
        return None
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [torch.cuda.get_device_name(index) for index in range(found)]
    return {"built_for": getattr(torch.version, "cuda", None), "gpus": names, "threads": torch.get_num_threads()}


def _remarks(document: dict[str, Any]) -> list[str]:
    machine, cuda, disk = document["machine"], document["cuda"], document["disk"]
    remarks = []
    if cuda and machine["driver"] and not cuda["gpus"]:
        remarks.append(
            tr(
                "There is an NVIDIA GPU that this torch cannot use (built for CUDA: {cuda}; driver: {driver}): update "
                "the driver, or run Install the engine for CUDA.",
                cuda=cuda["built_for"] or "–",
                driver=machine["driver"],
            )
        )
    if machine["memory_mb"] is not None and machine["memory_mb"] < _LITTLE_MEMORY_MB:
        remarks.append(
            tr(
                "This machine has {memory} MB of memory, which is little; close other programs before long jobs.",
                memory=machine["memory_mb"],
            )
        )
    if disk["free_mb"] < _LITTLE_DISK_MB:
        remarks.append(
            tr(
                "Only {free} MB are free in {folder}, the folder of temporary files; free some space.",
                free=disk["free_mb"],
                folder=disk["temporary_files"],
            )
        )
    return remarks
