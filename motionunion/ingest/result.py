"""What a run did, in counts: a source of a million files with a million faults fits in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from motionunion.sources import Skip
from motionunion.store.receipts import Receipt

ARCHIVE = "archive"
"""The source that receipts of archives bear. What was read is in the counts of the sources whose files they held."""
SHOWN = 1000
"""Rejects, and skipped files, that a result holds; all rejects are in the store's table."""


@dataclass(slots=True, kw_only=True)
class SourceCount:
    """What one source gave in one run."""

    files: int = 0
    up_to_date: int = 0
    """Files that an earlier run has read, or refused, and that are as they were."""
    refused_before: int = 0
    """Those of them that gave nothing."""
    clips: int = 0
    annotations: int = 0
    frames: int = 0
    hours: float = 0.0
    rejects: int = 0


@dataclass(slots=True, kw_only=True)
class IngestResult:
    """What a run did."""

    store: str
    commit: int = 0
    """The store's newest commit afterwards."""
    fingerprint: str = ""
    shard: str | None = None
    """`i/n` where the run did one share of the work; files and tasks are those of the share."""
    tasks: int = 0
    """Tasks that were done; those that held nothing new do not count."""
    sources: dict[str, SourceCount] = field(default_factory=dict)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    """The first rows of the rejects table that this run wrote: source, key, file, reason, message, line."""
    reasons: dict[str, int] = field(default_factory=dict)
    """All rejects of this run by reason."""
    standing_rejects: int = 0
    """Files that an earlier run refused, or of which it refused the captions, and that are as they were: not read again."""
    skipped: list[dict[str, Any]] = field(default_factory=list)
    """What nobody reads: path, reason, count."""
    skipped_files: int = 0
    """How many files that are; `skipped` lists the first."""

    @property
    def clips(self) -> int:
        return sum(count.clips for count in self.sources.values())

    @property
    def refused(self) -> int:
        """Rejects of this run."""
        return sum(self.reasons.values())

    @property
    def read(self) -> int:
        """Clips and annotations read or known from an earlier run."""
        return sum(
            one.clips + one.annotations + one.up_to_date - one.refused_before
            for name, one in self.sources.items()
            if name != ARCHIVE
        )

    def skip(self, skips: Iterable[Skip]) -> None:
        """Count what nobody reads."""
        for skip in skips:
            self.skipped_files += skip.count
            if len(self.skipped) < SHOWN:
                self.skipped.append(skip.to_json())

    def count(self, receipt: Receipt) -> None:
        """Count what a task gave."""
        count = self.sources[receipt.label]
        count.clips += receipt.count("clip")
        count.annotations += receipt.count("annotation") if receipt.label != ARCHIVE else 0
        count.frames += receipt.frames
        count.hours += receipt.seconds / 3600
        count.rejects += len(receipt.rejects)
        self.tasks += 1
        self.rejects += receipt.rejects[: SHOWN - len(self.rejects)]
        reasons = Counter(self.reasons) + Counter(row["reason"] for row in receipt.rejects)
        self.reasons = dict(sorted(reasons.items(), key=lambda one: (-one[1], one[0])))
