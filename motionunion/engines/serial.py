"""In this process, one task after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from motionunion.engines.protocol import OUT_OF_MEMORY, Done, R, T


class Serial:
    """No workers: what a few small files need, and what a debugger likes."""

    def run(self, work: Callable[[T], R], tasks: deque[T]) -> Iterator[Done[T, R]]:
        while tasks:
            task = tasks.popleft()
            try:
                result = work(task)
            except MemoryError:
                yield Done(task, None, OUT_OF_MEMORY)
                continue
            yield Done(task, result)
