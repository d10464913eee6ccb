"""Which states of a store are kept, and the files that they need."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from motionunion.errors import StoreError
from motionunion.store.checkpoints import read_checkpoint
from motionunion.store.commits import State, commit_name, latest_number, read_commit, read_commits, read_state
from motionunion.store.shards import shard_path
from motionunion.store.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The states from one commit to the newest."""

    newest: State
    horizon: int
    """The oldest of them; no lower than the one that is committed already."""
    base: int
    """The commit whose checkpoint the oldest of them is read from."""
    names: frozenset[str]
    """Shards and checkpoints that they need, and every one that their commits name."""

    def lets_go(self, storage: Storage, unneeded: Set[str]) -> bool:
        """Whether giving up the states before `horizon` is what makes some of the named files unneeded.

        Otherwise they were that before, and no state need be given up for them.
        """
        if self.horizon == self.newest.horizon or not unneeded:
            return False
        if any(name.startswith("checkpoints/") and _checkpoint_number(name) < self.base for name in unneeded):
            return True
        for commit in read_commits(storage, range(self.horizon, self.newest.horizon, -1)):
            if isinstance(commit, StoreError) or any(shard_path(name) in unneeded for name in commit["removed"]):
                return True
        return False


def commit_times(storage: Storage) -> dict[int, float]:
    """When each commit was written, by the clock of whoever keeps the files.

    Raises `StoreError` where the last ones are gone.
    """
    newest = latest_number(storage)
    times = {}
    for entry in storage.list("commits/"):
        stem = entry.name.removeprefix("commits/").removesuffix(".json")
        if stem.isdigit() and entry.name == commit_name(int(stem)):
            times[int(stem)] = entry.modified
    if newest not in times:
        raise StoreError(f"{storage.url}/{commit_name(newest)}: is not there any more; run the same command again")
    return times


def read_kept(storage: Storage, times: Mapping[int, float], limit: float) -> Kept:
    """The states that were the newest after a point in time, and the newest.

    Args:
        storage: Where the store's files lie.
        times: Of all commits (`commit_times`).
        limit: Seconds since 1970, by the same clock. A state ends when the next commit is written.

    Raises:
        StoreError: If a commit or checkpoint by which they are read is missing or damaged.
    """
    last = max(times)
    newest = read_state(storage, last)
    horizon = min(newest.horizon, last)
    while horizon < last and times.get(horizon + 1, limit + 1) <= limit:
        horizon += 1
    needed = {shard_path(name) for name in newest.shards}
    below: list[dict[str, Any]] = []  # from the horizon down to the checkpoint that its state is read from
    parent: str | None = None
    for commit in read_commits(storage, range(last, 0, -1)):
        if isinstance(commit, StoreError):
            raise StoreError(
                f"{commit}. Nothing was deleted: what the states from commit {horizon} on need cannot be known. Where they "
                "are not wanted any more, a shorter --grace gives them up."
            )
        if parent not in (None, commit["digest"]):
            raise StoreError(
                f"{commit_name(commit['number'] + 1)}: does not follow the commit before it; restore both from a backup. "
                "Nothing was deleted."
            )
        parent = None if commit["repaired"] else commit["parent"]
        if commit["number"] >= horizon:
            needed |= _named(commit)
            if commit["repaired"]:  # its checkpoint may hold what no commit before it added
                needed |= {shard_path(name) for name in read_checkpoint(storage, commit["checkpoint"])[0]}
        if commit["number"] <= horizon:
            below.append(commit)
            if commit["checkpoint"] is not None:
                break
    else:
        raise StoreError(f"{storage.url}: no commit up to {horizon} has a checkpoint. Nothing was deleted.")
    base = below.pop()
    if isinstance(base["checkpoint"], dict):
        needed.add(base["checkpoint"]["name"])
    oldest = set(read_checkpoint(storage, base["checkpoint"])[0])
    for commit in reversed(below):
        oldest = (oldest - set(commit["removed"])) | {shard["name"] for shard in commit["added"]}
    needed |= {shard_path(name) for name in oldest}
    return Kept(newest=newest, horizon=horizon, base=base["number"], names=frozenset(needed))


def files_named_since(storage: Storage, number: int) -> tuple[int, set[str]]:
    """Files that the commits above a number name, and the number of the last of them."""
    newest = max(number, latest_number(storage))
    names: set[str] = set()
    for above in range(number + 1, newest + 1):
        names |= _named(read_commit(storage, above))
    return newest, names


def _named(commit: Mapping[str, Any]) -> set[str]:
    """Files that a commit names as there."""
    names = {shard_path(shard["name"]) for shard in commit["added"]}
    if isinstance(commit["checkpoint"], dict):
        names.add(commit["checkpoint"]["name"])
    return names


def _checkpoint_number(name: str) -> int:
    return int(name.removeprefix("checkpoints/")[:20])
