"""One share of a job array's work: `--shard 2/8`.

Tasks are dealt by a hash of what they begin with, all of them, done or not: whoever runs which share when, together they
do what one run does, each task once.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from motionunion.errors import UsageError
from motionunion.ingest.plan import Task


@dataclass(frozen=True, slots=True)
class Share:
    """Share `index` (from 0) of `count`."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """Read `i/n`, 0 <= i < n.

        Raises:
            UsageError: For anything else.
        """
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if match is None or not int(match[1]) < int(match[2]):
            raise UsageError(f"--shard {text}: write I/N with I from 0 to N-1; a job array of 8 runs 0/8, 1/8, ... 7/8")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, task: Task) -> bool:
        """Whether a task is this share's."""
        first = task.files[0].ref
        digest = hashlib.sha256(f"{first.source}\0{first.key}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index
