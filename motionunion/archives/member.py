"""What an archive says of one member, and the two ways in which it ends: one member refused, or no way on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


class Refusal(Exception):
    """One member is not taken; what follows it can be read. `reason` is a short stable word for tables."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason, self.problem = reason, problem


class Broken(Exception):
    """The archive cannot be read on from here.

    `verified` is how far decoded bytes are known to be good, where a checksum speaks against those behind it; None
    where nothing speaks against what was read before.
    """

    def __init__(self, reason: str, problem: str, *, verified: int | None = None) -> None:
        super().__init__(problem)
        self.reason, self.problem, self.verified = reason, problem, verified


@dataclass(frozen=True, slots=True)
class Member:
    """One entry, while the reader stands at it: its content can be read once, and before the next is asked for."""

    name: str
    kind: str
    """`file`, `folder`, or what else it is, in words."""
    size: int
    """Bytes as its header says."""
    mtime: int
    """Seconds since 1970, as its header says, within what file systems hold."""
    content: Iterator[bytes]
    """Chunks of at most `limits.CHUNK` bytes. Raises `Refusal` or `Broken`."""
    problem: Refusal | None = None
    """Why it cannot be taken, where its header says so."""


def bounded_time(seconds: int) -> int:
    """A time that every file system holds; 0 for those outside."""
    return seconds if 0 < seconds < 1 << 33 else 0
