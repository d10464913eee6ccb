"""In this process, one task after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from motionunion.engines.memory import Memory, data_limit, own_data
from motionunion.engines.protocol import OUT_OF_MEMORY, Done, R, T, take


class Serial:
    """No workers: what a few small files need, and what a debugger likes."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = memory

    def run(self, work: Callable[[T], R], tasks: deque[T]) -> Iterator[Done[T, R]]:
        while (task := take(tasks)) is not None:
            try:
                with data_limit(None if self.memory is None else own_data() + self.memory.limit):
                    result = work(task)
            except MemoryError:
                yield Done(task, None, OUT_OF_MEMORY)
                continue
            yield Done(task, result)
