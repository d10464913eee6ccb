"""What an engine is, and how a task ends.

Engines take tasks one by one from a queue that their caller holds: clearing it makes them finish what is in hand, and
adding to it gives them more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS = 2
"""A task whose worker dies, or that runs out of memory, is tried once more."""
OUT_OF_MEMORY = "out of memory"
"""`Done.died` of a task that needed more memory than it could get."""


@dataclass(frozen=True, slots=True)
class Done(Generic[T, R]):
    """A task that has ended: with a result, or by the death of its worker."""

    task: T
    result: R | None
    died: str | None = None
    """How the worker died, where it did."""


class Executor(Protocol):
    """Runs tasks, in any order, and says when each has ended."""

    def run(self, work: Callable[[T], R], tasks: deque[T]) -> Iterator[Done[T, R]]:
        """Do `work` for every task in the queue, and for those that come into it meanwhile.

        An exception of `work` ends the run and is raised here, but a `MemoryError` is a way to die. Closing the
        iterator stops all workers.
        """


def first(tasks: deque[T]) -> T | None:
    """The task at the head of a queue. A signal handler may empty it at any moment, between two lines as well."""
    try:
        return tasks[0]
    except IndexError:
        return None


def take(tasks: deque[T]) -> T | None:
    """The task at the head of a queue, taken out of it; None where there is none."""
    try:
        return tasks.popleft()
    except IndexError:
        return None
