"""What became of a store, commit by commit, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from motionunion.errors import StoreError
from motionunion.store.commits import Head, read_commits
from motionunion.store.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One commit, as a log shows it."""

    number: int
    time: str | None = None
    """ISO 8601 in UTC, by the clock of the machine that wrote it."""
    note: str | None = None
    clips: int = 0
    """Rows of the clips shards that it adds: also clips that were there, where it only packs them anew."""
    shards_added: int = 0
    shards_removed: int = 0
    bytes: int = 0
    """Of the shards that it adds."""
    horizon: int = 1
    """The oldest state that was kept when it was made. `motionunion gc` raises this in a commit of its own."""
    repaired: bool = False
    """Made by `motionunion check --repair`: what lies before it may be damaged."""
    can_be_opened: bool = True
    """Whether `open_store(at=number)` still gives its state."""
    damage: str | None = None
    """Why it cannot be read; then nothing else is known of it."""


def read_log(storage: Storage, head: Head, limit: int | None = None) -> Iterator[LogEntry]:
    """Commits from a head back to the first, newest first, each read when it is asked for, a few ahead.

    A commit that cannot be read is an entry that says why; what lies before it follows.

    Args:
        storage: Where the store's files lie.
        head: The commit to begin with, which also says what can still be opened.
        limit: Give at most so many.
    """
    numbers = range(head.number, 0 if limit is None else max(0, head.number - limit), -1)
    for number, commit in zip(numbers, read_commits(storage, numbers), strict=True):
        if isinstance(commit, StoreError):
            yield LogEntry(number=number, can_be_opened=False, damage=str(commit))
            continue
        added = commit["added"]
        yield LogEntry(
            number=number,
            time=commit["time"],
            note=commit["note"],
            clips=sum(one["rows"] for one in added if one["kind"] == "clips"),
            shards_added=len(added),
            shards_removed=len(commit["removed"]),
            bytes=sum(one["bytes"] for one in added),
            horizon=commit["horizon"],
            repaired=commit["repaired"],
            can_be_opened=number >= head.horizon,
        )
