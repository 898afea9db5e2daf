"""The machine that a job runs on, as far as it can be told without torch."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess  # nosec B404: nvidia-smi is the only one to ask for the driver
from dataclasses import dataclass
from typing import Optional

from .memory import machine_mb

_SMI = "nvidia-smi"
_SMI_ELSEWHERE = (  # where it is not on the path
    r"C:\Windows\System32\nvidia-smi.exe",
    r"C:\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe",
    "/usr/lib/wsl/lib/nvidia-smi",
)


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU and its compute capability, which old drivers do not tell."""

    name: str
    capability: Optional[float]


@dataclass(frozen=True)
class Machine:
    """``system`` is "Linux", "Windows" or "Darwin"; ``libc`` is "glibc 2.36" or the like, None elsewhere;
    ``driver`` is the version of NVIDIA's, None where none answers."""

    system: str
    release: str
    architecture: str
    libc: Optional[str]
    processors: int
    memory_mb: Optional[int]
    driver: Optional[str]
    gpus: tuple[Gpu, ...]


def read_machine() -> Machine:
    libc = " ".join(filter(None, platform.libc_ver())) if platform.system() == "Linux" else ""
    driver, gpus = parse_smi(_ask_smi())
    return Machine(
        platform.system(), platform.release(), platform.machine(), libc or None, os.cpu_count() or 1, machine_mb(),
        driver, gpus,
    )  # fmt: skip


def parse_smi(text: str) -> tuple[Optional[str], tuple[Gpu, ...]]:
    """Driver and GPUs out of lines like ``580.65.06, 8.6, NVIDIA RTX A2000``; lines of another form are errors."""
    found = [re.fullmatch(r"(\d+(?:\.\d+)+)\s*,\s*([^,]*)\s*,\s*(.+?)\s*", line) for line in text.splitlines()]
    rows = [(match[1], match[2].strip(), match[3]) for match in found if match]
    gpus = tuple(Gpu(name, float(c) if re.fullmatch(r"\d+(\.\d+)?", c) else None) for _, c, name in rows)
    return (rows[0][0] if rows else None), gpus


def _ask_smi() -> str:
    path = shutil.which(_SMI) or next((place for place in _SMI_ELSEWHERE if os.path.isfile(place)), None)
    if path is None:
        return ""
    for field in ("compute_cap", "pci.bus_id"):  # drivers before 2021 do not know the first; the other is no number
        try:
            done = subprocess.run(  # nosec B603: a list of arguments, no shell
                [path, f"--query-gpu=driver_version,{field},name", "--format=csv,noheader"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=20,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        if done.returncode == 0:
            return done.stdout.decode("utf-8", "replace")
    return ""
