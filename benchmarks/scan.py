"""How fast the selective scan is on this CPU: ours, the plain loop, one fused in C++ as the bound, where there is a
compiler, and mamba-ssm's reference, where it is at hand.

    python benchmarks/scan.py [--threads 2] [--repeats 3] [--busy]

Times are the least of several interleaved runs, in ms, with their ratio to ours; memory is what a process of its own
needed at most, above its operands, for forward + backward. mamba-ssm's reference: tests/network/mamba_ssm_reference.py.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Callable, Optional

import torch
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "network")]

from mamba_ssm_reference import NAMES, reference_scan  # noqa: E402

from bdgf_core.network.scan import selective_scan  # noqa: E402
from benchmarks.fused_scan import fused_scan  # noqa: E402

CASES = ((64, 30, 128), (256, 30, 128), (256, 81, 128), (1024, 81, 128), (2048, 16, 64), (256, 244, 128))  # B, L, D
STATES, GRADIENT_LIMIT = 16, 256 * 81 * 128  # mamba-ssm's reference takes half a minute for the gradients of more


def form(name: str) -> Optional[Callable[..., Tensor]]:
    if name == "mamba-ssm":
        return reference_scan()
    if name == "fused":
        return fused_scan()
    return lambda **x: selective_scan(**x, backend={"ours": "pooled", "loop": "sequential"}[name])


def operands(batch: int, length: int, channels: int) -> dict[str, Tensor]:
    torch.manual_seed(0)
    u, delta, z = (torch.randn(batch, length, channels).transpose(1, 2) for _ in range(3))
    B, C = (torch.randn(batch, length, STATES).transpose(1, 2) for _ in range(2))
    A = -torch.arange(1.0, STATES + 1).repeat(channels, 1)
    return dict(zip(NAMES, (u, delta, A, B, C, torch.ones(channels), z, torch.full((channels,), -4.0))))


def step(scan: Callable[..., Tensor], x: dict[str, Tensor], *, gradient: bool) -> float:
    """Seconds of one forward pass, with the backward pass where ``gradient``."""
    leaves = {name: value.requires_grad_(gradient) for name, value in x.items()}
    start = time.perf_counter()
    with torch.set_grad_enabled(gradient):
        y = scan(**leaves, delta_softplus=True)
    if gradient:
        torch.autograd.grad(y.sum(), list(leaves.values()))
    return time.perf_counter() - start


def peak(name: str, case: tuple[int, int, int], threads: int) -> float:
    """MiB of one forward + backward pass; meaningful in a fresh process only."""
    torch.set_num_threads(threads)
    scan, x = form(name), operands(*case)
    assert scan is not None
    step(scan, operands(2, 2, 16), gradient=True)
    before = high_water()
    step(scan, x, gradient=True)
    return high_water() - before


def high_water() -> float:
    """The most memory this process has held, in MiB; Linux only (``ru_maxrss`` would include the parent's)."""
    status = Path("/proc/self/status")
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024 if status.exists() else float("nan")


def spin(parent: int) -> None:
    """For as long as the parent lives, however it ends."""
    while os.getppid() == parent:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--busy", action="store_true", help="while another process keeps a core busy")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.busy:
        multiprocessing.get_context("spawn").Process(target=spin, args=(os.getpid(),), daemon=True).start()
    forms = {name: scan for name in ("ours", "loop", "fused", "mamba-ssm") if (scan := form(name)) is not None}
    print(f"{'B, L, D':>14}  {'form':10}{'forward':>10}{'ratio':>7}{'fwd+bwd':>10}{'ratio':>7}{'peak MiB':>10}")
    for case in CASES:
        small = case[0] * case[1] * case[2] <= GRADIENT_LIMIT
        x, best = operands(*case), {}
        learning = [name for name in forms if small or name != "mamba-ssm"]
        for gradient, measured in ((False, list(forms)), (True, learning)):
            for _ in range(arguments.repeats):
                for name in measured:
                    key = (name, gradient)
                    best[key] = min(best.get(key, float("inf")), 1e3 * step(forms[name], x, gradient=gradient))
        for name in forms:
            line = f"{', '.join(map(str, case)):>14}  {name:10}"
            for gradient in (False, True)[: 1 + (name in learning)]:
                line += f"{best[name, gradient]:10.1f}{best[name, gradient] / best['ours', gradient]:7.2f}"
            if name in learning:
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    line += f"{pool.apply(peak, (name, case, arguments.threads)):10.0f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
