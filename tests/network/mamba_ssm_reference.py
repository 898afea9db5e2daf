"""mamba-ssm's own plain-torch code as an oracle, read out of its source package; none of that code is kept here.

The source is found in the folder or the .tar.gz that BDGF_MAMBA_SSM_SOURCE names, or where the package is installed:

    MAMBA_SKIP_CUDA_BUILD=TRUE MAMBA_FORCE_BUILD=TRUE \\
        pip download --no-deps --no-binary :all: --no-build-isolation mamba-ssm

The numbers in fixtures/selective_scan.npz are made from it by ``python tests/network/mamba_ssm_reference.py``.
"""

from __future__ import annotations

import ast
import importlib.util
import math
import os
import tarfile
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

FIXTURE = Path(__file__).parent / "fixtures" / "selective_scan.npz"
LENGTHS = (1, 3, 16, 81, 244)
NAMES = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")


def source(file: str) -> Optional[str]:
    """The text of a file of the package, such as ``ops/selective_scan_interface.py``; None where it cannot be had."""
    named, spec = os.environ.get("BDGF_MAMBA_SSM_SOURCE"), importlib.util.find_spec("mamba_ssm")
    if named and Path(named).is_file():
        with tarfile.open(named) as archive:
            member = next(m for m in archive.getmembers() if m.name.endswith(f"/mamba_ssm/{file}"))
            stream = archive.extractfile(member)
            return stream.read().decode() if stream else None
    places = [Path(named)] if named else []
    places += [Path(p).parent for p in (spec.submodule_search_locations or ())] if spec else []
    for place in places:
        if (place / "mamba_ssm" / file).is_file():
            return (place / "mamba_ssm" / file).read_text()
    return None


def definition(text: str, name: str, **names: Any) -> Any:
    """One function or class out of a module's text, defined among ``names`` and what such code commonly imports."""
    found = next(node for node in ast.parse(text).body if getattr(node, "name", None) == name)
    scope = {"torch": torch, "nn": nn, "F": F, "math": math, "Tensor": Tensor, "rearrange": rearrange, "repeat": repeat}
    scope.update(names)
    exec(compile(ast.Module([found], []), f"<mamba_ssm {name}>", "exec"), scope)
    return scope[name]


def reference_scan(*, double: bool = False) -> Optional[Callable[..., Tensor]]:
    """``selective_scan_ref``, in float64 throughout where ``double``."""
    text = source("ops/selective_scan_interface.py")
    if text is None:
        return None
    text = text.replace(".float()", ".double()") if double else text
    scan: Callable[..., Tensor] = definition(text, "selective_scan_ref")
    return scan


def case(length: int, *, channels: int = 6, states: int = 4) -> tuple[dict[str, Tensor], Tensor]:
    """Operands and weights of the result, float64: the same on every platform, and exact in float32."""

    def draw(key: int, *shape: int) -> Tensor:
        count = np.arange(1, 1 + int(np.prod(shape)), dtype=np.uint64) + np.uint64(key * 1_000_003)
        mixed = (count * np.uint64(2654435761)) % np.uint64(2**32)
        mixed = ((mixed ^ (mixed >> np.uint64(15))) * np.uint64(2246822519)) % np.uint64(2**32)
        values = (mixed >> np.uint64(12)).astype(np.float64) / 2**19 - 1  # -1 … 1 in steps of 2^-19
        return torch.from_numpy(2 * values.reshape(shape))

    u, delta, z, weights = (draw(key, 1, channels, length) for key in (1, 2, 3, 4))
    B, C, D = draw(5, 1, states, length), draw(6, 1, states, length), draw(7, channels)
    A = -(draw(8, channels, states) + 2.25)
    return dict(zip(NAMES, (u, delta, A, B, C, D, z, draw(9, channels) - 2))), weights


def output_and_gradients(scan: Callable[..., Tensor], x: dict[str, Tensor], weights: Tensor) -> dict[str, Tensor]:
    """``scan`` of ``x``, and the gradient of its weighted sum by every operand, by name."""
    leaves = {name: value.clone().requires_grad_() for name, value in x.items()}
    y = scan(**leaves, delta_softplus=True)
    gradients = torch.autograd.grad((y * weights).sum(), list(leaves.values()))
    return {"y": y.detach(), **dict(zip(leaves, gradients))}


if __name__ == "__main__":
    scan = reference_scan(double=True)
    if scan is None:
        raise SystemExit("Set BDGF_MAMBA_SSM_SOURCE to mamba-ssm's source package, a folder or a .tar.gz.")
    numbers = {
        f"{length}_{name}": value.float().numpy()
        for length in LENGTHS
        for name, value in output_and_gradients(scan, *case(length)).items()
    }
    FIXTURE.parent.mkdir(exist_ok=True)
    np.savez_compressed(FIXTURE, **numbers)
