"""Work on threads: in order, in the caller's modes, and the thread count of the caller left as it was."""

from __future__ import annotations

import threading

import pytest
import torch

from bdgf_core.network.threads import side_by_side


def modes(item: int) -> tuple[object, ...]:
    autocast = torch.is_autocast_enabled("cpu")
    return item, torch.is_grad_enabled(), torch.is_inference_mode_enabled(), autocast, torch.get_num_threads()


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_results_come_in_order_in_the_callers_modes():
    assert side_by_side(modes, range(5)) == [(i, True, False, False, 1) for i in range(5)]
    with torch.no_grad():
        assert side_by_side(modes, range(3)) == [(i, False, False, False, 1) for i in range(3)]
    with torch.inference_mode(), torch.autocast("cpu"):
        assert side_by_side(modes, range(3)) == [(i, False, True, True, 1) for i in range(3)]


def test_one_item_stays_on_this_thread_with_all_its_threads():
    assert side_by_side(lambda _: (threading.current_thread(), torch.get_num_threads()), [0]) == [
        (threading.current_thread(), 2)
    ]
    assert side_by_side(modes, []) == []


def test_the_first_failure_is_raised():
    def work(item: int) -> int:
        if item == 1:
            raise KeyError(item)
        return item

    with pytest.raises(KeyError):
        side_by_side(work, range(50))
