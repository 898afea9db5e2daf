"""Input and output go on beside the computing, one item ahead and one behind, and fail where the loop is."""

from __future__ import annotations

import threading

import pytest

from bdgf_core.stream import Stream


def test_the_next_item_is_read_and_the_last_one_written_during_the_work():
    begun = [threading.Event() for _ in range(5)]
    written = []

    def read(i: int) -> int:
        begun[i].set()
        return 10 * i

    with Stream() as stream:
        for i, item in enumerate(stream.ahead(read, range(5))):
            assert item == 10 * i
            if i < 4:
                assert begun[i + 1].wait(10)  # nothing but this loop's work keeps it
            assert not any(event.is_set() for event in begun[i + 2 :])
            stream.behind(lambda item=item: written.append((item, threading.current_thread())))
        stream.drain()
    assert [item for item, _ in written] == [0, 10, 20, 30, 40]
    assert {thread for _, thread in written} != {threading.current_thread()} and len({t for _, t in written}) == 1


def test_nothing_is_read_of_nothing():
    with Stream() as stream:
        assert list(stream.ahead(int, [])) == [] and list(stream.ahead(int, ["7"])) == [7]


def test_a_failure_to_read_comes_with_its_item():
    seen = []
    with pytest.raises(ZeroDivisionError), Stream() as stream:
        for item in stream.ahead(lambda i: 6 // (2 - i), range(5)):
            seen.append(item)
    assert seen == [3, 6]


def test_a_failure_to_write_comes_with_the_next_one_or_at_the_end():
    def fail() -> None:
        raise OSError("full")

    for then in (lambda stream: stream.behind(list), Stream.drain):
        with pytest.raises(OSError, match="full"), Stream() as stream:
            stream.behind(fail)
            then(stream)


def test_an_end_by_error_waits_for_what_is_under_way():
    done, go = [], threading.Event()

    def write() -> None:
        go.wait(10)
        done.append(1)

    with pytest.raises(KeyboardInterrupt), Stream() as stream:
        stream.behind(write)
        threading.Timer(0.1, go.set).start()
        raise KeyboardInterrupt
    assert done == [1]
