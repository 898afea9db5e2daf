"""Reading and writing beside the computing: one item ahead of it, and one behind."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, Iterable, Iterator, Optional, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stream:
    """A thread for all input and output of a loop. One for both: how GDAL tells of errors belongs to the process.

    As a context it waits for what is under way. A failure is raised where the loop comes to it next."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._behind: Optional[Future[None]] = None

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def ahead(self, read: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``read`` of every item, in their order; the next one is read while the loop works on one."""
        coming: Optional[Future[Result]] = None
        for item in items:
            following = self._thread.submit(read, item)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()

    def behind(self, write: Callable[[], None]) -> None:
        """``write`` while the loop goes on, once what was given before is written."""
        self.drain()
        self._behind = self._thread.submit(write)

    def drain(self) -> None:
        """Wait until all is written."""
        if self._behind is not None:
            self._behind.result()
            self._behind = None
