"""What is yet to be read of what lies there, and what of the rest was refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from motionunion.errors import SourceFormatError
from motionunion.ingest.archives import Batch
from motionunion.ingest.plan import Listed, Task, cut_tasks, list_claims
from motionunion.ingest.result import IngestResult, SourceCount
from motionunion.ingest.share import Share
from motionunion.sources import ReadOptions
from motionunion.store.committer import Committer
from motionunion.store.store import Store

_ASKED_AT_ONCE = 100_000


def outstanding(
    batch: Batch,
    options: ReadOptions,
    store: Store,
    committer: Committer,
    result: IngestResult,
    share: Share | None,
) -> tuple[list[Task], Listed | None]:
    """The share's tasks of which some file is new, changed or worth another try; and, of the files that are not read
    again, the first that was refused."""
    listing, doubles = list_claims(batch.detection.claims, options)
    listing, others = batch.own(listing, committer.ledger)
    result.skip(replace(skip, path=batch.shown(skip.path)) for skip in (*doubles, *others))
    tasks = [
        task
        for task in cut_tasks(listing, options, store.storage)
        if share is None or batch.archive is not None or share.holds(task)
    ]
    left: list[Task] = []
    refused: Listed | None = None
    for portion in portions(tasks):
        current = committer.ledger.up_to_date([listed.covered("") for task in portion for listed in task.files])
        for task in portion:
            count = result.sources.setdefault(task.source, SourceCount())
            count.files += len(task.files)
            if not all((listed.ref.source, listed.ref.key) in current for listed in task.files):
                left.append(task)
                continue
            count.up_to_date += len(task.files)
            for listed in task.files:
                outcome, reason = current[listed.ref.source, listed.ref.key]
                count.refused_before += outcome == "reject"
                if reason is not None:
                    result.standing_rejects += 1
                    refused = refused or listed
    return left, refused


def portions(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Tasks in portions of some files: asking a ledger about all of millions at once would take gigabytes."""
    portion: list[Task] = []
    files = 0
    for task in tasks:
        portion.append(task)
        files += len(task.files)
        if files >= _ASKED_AT_ONCE:
            yield portion
            portion, files = [], 0
    if portion:
        yield portion


def refused_before(path: Path) -> SourceFormatError:
    """What a run that stops at refusals says of a file that is not even tried again."""
    return SourceFormatError(
        path,
        "was refused by an earlier run, or its captions were, and is as it was (--on-error fail): repair or remove it, or "
        'use --on-error continue. Why: motionunion query "select * from rejects"',
        reason="refused_before",
    )
