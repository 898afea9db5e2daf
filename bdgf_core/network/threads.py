"""Independent pieces of work on Python threads, each with one intra-op thread.

Where the single operations are small, this keeps every core busy; OpenMP's barriers between them do not, and stall
whenever a core is shared.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Sequence, TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """``work`` of every item, in their order, on as many threads as torch may use on the CPU.

    Grad, inference and autocast mode belong to a thread: each enters the caller's. The first failure is raised.
    """
    threads = min(torch.get_num_threads(), len(items))
    if threads <= 1:
        return [work(item) for item in items]
    grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def call(item: Item) -> Result:
        with torch.inference_mode(inference), torch.set_grad_enabled(grad):
            with torch.autocast("cpu", dtype, enabled=autocast):
                return work(item)

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(call, items))
    finally:
        torch.set_num_threads(before)  # the workers' 1 is also what any later thread would start with
