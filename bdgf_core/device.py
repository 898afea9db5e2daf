"""Where the arithmetic runs, and in which precision."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import ContextManager

import torch

from .errors import DeviceError
from .processes import ALONE, Processes
from .translation import tr

_ASKED, _FOUND, _NO_GPU = "asked for", "found", "no CUDA GPU that this torch can use was found"


@dataclass(frozen=True)
class Device:
    """A torch device, what it is, why it was chosen, whether it multiplies bfloat16 faster than float32, and whether
    in matrix units, which are many times as fast."""

    torch: torch.device
    hardware: str
    reason: str
    bfloat16: bool
    matrix_units: bool = False

    @property
    def is_cuda(self) -> bool:
        return self.torch.type == "cuda"

    def autocast(self) -> ContextManager[object]:
        """bfloat16 for convolutions and products where the hardware multiplies it, else float32 throughout."""
        if self.bfloat16:
            return torch.autocast(self.torch.type, torch.bfloat16)
        return contextlib.nullcontext()

    @property
    def told(self) -> str:
        """A sentence for people; the text of the device itself, for documents, is English."""
        reasons = {
            _ASKED: tr("asked for"),
            _FOUND: tr("found"),
            _NO_GPU: tr("no CUDA GPU that this torch can use was found"),
        }
        what = self.hardware if self.is_cuda else tr("{count} threads", count=torch.get_num_threads())
        return tr("Device: {device} ({what}; {why}).", device=self.torch, what=what, why=reasons[self.reason])

    def __str__(self) -> str:
        return f"{self.torch} ({self.hardware}; {self.reason})"


def choose_device(name: str = "auto", processes: Processes = ALONE) -> Device:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``; of several ``processes`` each takes a GPU of its own. A GPU asked for
    and missing is a :class:`DeviceError`."""
    device = _choose(name, processes)
    kind = processes.agree(device.torch.type)
    if kind != device.torch.type:
        raise DeviceError(
            tr(
                "The processes of this job do not find the same kind of device ({one} and {other}); choose cpu, or "
                "machines that are alike.",
                one=kind,
                other=device.torch.type,
            )
        )
    return device


def _choose(name: str, processes: Processes) -> Device:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise DeviceError(tr("Device {name!r} is not known; use auto, cpu, cuda or cuda:0, cuda:1, ….", name=name))
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not gpus):
        why = _ASKED if name == "cpu" else _NO_GPU
        threads = f"{torch.get_num_threads()} threads"
        amx, avx512 = (_may_bfloat16() and _cpu_has(unit) for unit in ("amx_tile", "avx512_bf16"))
        return Device(torch.device("cpu"), threads, why, amx or avx512, amx)
    if gpus and processes.local_count > (1 if ":" in name else gpus):
        raise DeviceError(
            tr(
                "{processes} processes on a machine take as many GPUs, and {gpus} are there; start one process for "
                "each, and choose auto, cuda or cpu as the device.",
                processes=processes.local_count,
                gpus=gpus,
            )
        )
    index = int(name.partition(":")[2] or processes.local_rank)
    if index >= gpus:
        found = tr("{count} found", count=gpus) if gpus else tr("none found")
        raise DeviceError(
            tr(
                "Device {name!r} is not there ({found}); choose auto or cpu, or install a CUDA build of torch.",
                name=name,
                found=found,
            )
        )
    if processes.count > 1:
        torch.cuda.set_device(index)  # where NCCL talks from
    # Else cuDNN may add gradients up in an order of its own, or choose another way each time.
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    why = _FOUND if name == "auto" else _ASKED
    # Older GPUs than Ampere only emulate bfloat16, and torch says that they support it.
    bfloat16 = _may_bfloat16() and torch.cuda.get_device_capability(index) >= (8, 0)
    return Device(torch.device("cuda", index), torch.cuda.get_device_name(index), why, bfloat16, bfloat16)


def _may_bfloat16() -> bool:
    """Unless ``BDGF_FLOAT32=1`` asks for float32 everywhere: then unlike machines agree but for rounding."""
    return os.environ.get("BDGF_FLOAT32", "") in ("", "0")


def _cpu_has(instructions: str) -> bool:
    """As far as this torch can tell. On a CPU without AMX and AVX512-BF16 bfloat16 is emulated and many times slower
    than float32."""
    probe = getattr(torch.cpu, f"_is_{instructions}_supported", None)
    return bool(probe and probe())
