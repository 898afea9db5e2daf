"""Which build of torch fits a machine, in the versions that the engine was tested with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

from qgis.core import QgsProcessingException

from bdgf_qgis.translation import tr

AUTO, CPU, CUDA = "auto", "cpu", "cuda"
WANTED = (AUTO, CPU, CUDA)

# What pip may choose of everything but torch; all of them have wheels for every system and Python below.
LOCKED = (
    "einops==0.8.1",
    "safetensors==0.6.2",
    'scikit-learn==1.7.2; python_version >= "3.10"',
    'scikit-learn==1.6.1; python_version < "3.10"',
    'scipy==1.16.3; python_version >= "3.14"',
    'scipy==1.15.3; python_version >= "3.10" and python_version < "3.14"',
    'scipy==1.13.1; python_version < "3.10"',
    "joblib==1.5.2",
    "threadpoolctl==3.6.0",
    "filelock==3.19.1",
    "fsspec==2025.9.0",
    "Jinja2==3.1.6",
    "MarkupSafe==3.0.3",
    "mpmath==1.3.0",
    'networkx==3.4.2; python_version >= "3.10"',
    'networkx==3.2.1; python_version < "3.10"',
    "setuptools==80.9.0",
    "sympy==1.14.0",
    "typing_extensions==4.15.0",
)
_OLDEST, _NEWEST = (3, 9), (3, 14)  # Pythons
_LEAST_GLIBC = (2, 28)
_INDEX = "https://download.pytorch.org/whl/"
_CPU_MB, _CUDA_MB = 1900, 9300  # free disk space: wheels and what they unpack to, with some air


@dataclass(frozen=True)
class Build:
    """``torch`` is a version as pip wants it, such as "2.13.0+cu130"; ``index`` a package index to ask besides pip's
    own, ``megabytes`` what the disk must have free, ``reason`` why this one."""

    torch: str
    index: Optional[str]
    megabytes: int
    reason: str

    @property
    def cuda(self) -> bool:
        return "+cu" in self.torch


@dataclass(frozen=True)
class _Cuda:
    """A CUDA build: the oldest driver that runs it, and the compute capabilities that it is compiled for."""

    label: str
    driver: int
    least: float
    most: float


# https://github.com/pytorch/pytorch/blob/main/RELEASE.md, and the release notes of CUDA for the drivers
_TORCH = {
    "2.13.0": (_Cuda("cu130", 580, 7.5, 12.9), _Cuda("cu126", 525, 5.0, 9.0)),
    "2.8.0": (_Cuda("cu128", 570, 7.5, 12.9), _Cuda("cu126", 525, 5.0, 9.0)),
}


def choose(document: Mapping[str, Any], wanted: str) -> Build:
    """The build for the machine of an environment report; ``wanted`` is one of ``WANTED``.

    Raises QgsProcessingException where no wheels fit this machine, or none with the CUDA that was asked for.
    """
    refuse(document)
    machine = document["machine"]
    version = torch_for(_version(document["python"]["version"]))
    if machine["system"] == "Darwin":
        if wanted == CUDA:
            raise QgsProcessingException(tr("There is no CUDA on macOS; choose auto or cpu."))
        return Build(version, None, _CPU_MB, tr("macOS has one build"))
    cuda, reason = (None, tr("asked for")) if wanted == CPU else _cuda(machine, version)
    if cuda is None and wanted == CUDA:
        raise QgsProcessingException(
            tr("No CUDA build fits this machine: {reason}; choose auto or cpu.", reason=reason)
        )
    if cuda is not None:
        return Build(f"{version}+{cuda}", _INDEX + cuda, _CUDA_MB, reason)
    # Plain torch is a build with CUDA on Linux, one for the CPU on Windows.
    linux = machine["system"] == "Linux"
    return Build(f"{version}+cpu" if linux else version, _INDEX + "cpu" if linux else None, _CPU_MB, reason)


def torch_for(python: tuple[int, int]) -> str:
    return "2.13.0" if python >= (3, 10) else "2.8.0"


def refuse(document: Mapping[str, Any]) -> None:
    """Raises QgsProcessingException with a sentence where torch has no wheels for this Python or machine."""
    machine, python = document["machine"], document["python"]
    system, architecture = machine["system"], machine["architecture"].lower()
    version = _version(python["version"])
    mend = tr("name another Python with torch in the provider's settings")
    if not _OLDEST <= version <= _NEWEST or python["implementation"] != "CPython":
        raise QgsProcessingException(
            tr(
                "QGIS runs {implementation} {version}, and the engine's packages are there for CPython {oldest} to "
                "{newest}: install a QGIS with one of these, or {mend}.",
                implementation=python["implementation"],
                version=python["version"],
                oldest=_dotted(_OLDEST),
                newest=_dotted(_NEWEST),
                mend=mend,
            )
        )
    if system == "Darwin" and architecture == "x86_64":
        raise QgsProcessingException(
            tr(
                "torch has no packages for Intel Macs any more, nor for a QGIS built for them: on Apple silicon "
                "install the QGIS built for it; on an Intel Mac install torch with conda-forge and {mend}.",
                mend=mend,
            )
        )
    known = {"Darwin": ("arm64",), "Windows": ("amd64", "x86_64"), "Linux": ("x86_64", "aarch64")}.get(system, ())
    if architecture not in known or python["bits"] != 64:
        raise QgsProcessingException(
            tr(
                "torch has no packages for {system} on {architecture} with {bits} bits; {mend}.",
                system=system,
                architecture=machine["architecture"],
                bits=python["bits"],
                mend=mend,
            )
        )
    if system == "Linux" and _glibc(machine["libc"]) < _LEAST_GLIBC:
        raise QgsProcessingException(
            tr(
                "torch needs glibc {least} or newer, and this system has {found}; {mend}.",
                least=_dotted(_LEAST_GLIBC),
                found=machine["libc"] or tr("another C library"),
                mend=mend,
            )
        )


def _cuda(machine: Mapping[str, Any], torch: str) -> tuple[Optional[str], str]:
    """The newest CUDA build for driver and GPUs and why, or None and why not."""
    if machine["driver"] is None:
        return None, tr("no NVIDIA driver was found")
    driver = int(machine["driver"].split(".")[0])
    capabilities = [gpu["capability"] for gpu in machine["gpus"] if gpu["capability"] is not None]
    for cuda in _TORCH[torch]:
        fitting = [capability for capability in capabilities if cuda.least <= capability <= cuda.most]
        if driver >= cuda.driver and (fitting or not capabilities):
            return cuda.label, tr("NVIDIA driver {driver}", driver=machine["driver"])
    if driver >= max(cuda.driver for cuda in _TORCH[torch]):
        return None, tr("torch has no build for {gpus}", gpus=", ".join(gpu["name"] for gpu in machine["gpus"]))
    return None, tr(
        "NVIDIA driver {driver} is too old for {gpus}: update the driver",
        driver=machine["driver"],
        gpus=", ".join(gpu["name"] for gpu in machine["gpus"]) or "CUDA",
    )


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def _glibc(libc: Optional[str]) -> tuple[int, int]:
    """(0, 0) for another C library."""
    name, _, version = (libc or "").partition(" ")
    return _version(version) if name == "glibc" and version.count(".") else (0, 0)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
