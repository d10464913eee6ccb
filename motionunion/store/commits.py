"""The chain of commits: small JSON files, written only if absent, each with its own digest and its parent's.

The highest number is the store. `commits/_latest` is a hint for storages where listing is slow, never the truth.
A commit lists the shards it adds and removes; the first one and every 32nd list all shards as well (a checkpoint),
so that opening a store reads at most 32 files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import StoreError
from motionunion.store.shards import Shard
from motionunion.store.storage import Storage

CHECKPOINT_EVERY = 32
FORMAT_VERSION = 1
_LATEST = "commits/_latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one commit holds: every shard with the number of the commit that added it (latest, where added again)."""

    number: int = 0
    """0 is the empty store, before any commit."""
    digest: str = ""
    shards: dict[str, Shard] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Shard]:
        """Shards of one kind, sorted by name."""
        return [shard for _, shard in sorted(self.shards.items()) if shard.kind == kind]

    def after(self, number: int, digest: str, added: Sequence[Shard], removed: Sequence[str]) -> State:
        """The state that a commit on top of this one makes."""
        shards = {name: shard for name, shard in self.shards.items() if name not in set(removed)}
        since = {name: self.since[name] for name in shards}
        for shard in added:
            shards[shard.name], since[shard.name] = shard, number
        return State(number=number, digest=digest, shards=shards, since=since)


def commit_name(number: int) -> str:
    """Where a commit lies: twenty digits, so that names sort as numbers do."""
    return f"commits/{number:020d}.json"


def seal(value: dict[str, Any]) -> bytes:
    """JSON with a digest of everything else in it."""
    return canonical_json({**value, "digest": sha256_hex(canonical_json(value))}) + b"\n"


def unseal(name: str, data: bytes) -> dict[str, Any]:
    """Read sealed JSON back. Raises `StoreError` where a byte is not what was written."""
    try:
        value = json.loads(data)
        digest = value.pop("digest")
        intact = digest == sha256_hex(canonical_json(value)) and data == seal(value)
    except (ValueError, KeyError, AttributeError, TypeError):
        intact = False
    if not intact:
        raise StoreError(
            f"{name}: damaged, its contents do not have the digest it carries; restore this file from a backup"
        )
    return {**value, "digest": digest}


def latest_number(storage: Storage) -> int:
    """Number of the newest commit; 0 for a store without one.

    Raises `StoreError` where `commits/_latest` knows a newer one: what went missing at the end of the chain breaks no link.
    """
    hint = _hint(storage)  # before listing, for a commit comes before its hint
    newest = 0
    for name in storage.list("commits/"):
        stem = name.removeprefix("commits/").removesuffix(".json")
        if name.endswith(".json") and len(stem) == 20 and stem.isdigit():
            newest = max(newest, int(stem))
    if hint > newest:
        raise StoreError(
            f"{commit_name(hint)}: missing, though {_LATEST} names it; restore this file from a backup, or delete {_LATEST} to "
            f"go on from commit {newest}"
        )
    return newest


def _hint(storage: Storage) -> int:
    """What `commits/_latest` says; 0 where it says nothing that can be read."""
    try:
        text = storage.get(_LATEST).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0


def read_commit(storage: Storage, number: int) -> dict[str, Any]:
    """One commit, its digest verified."""
    name = commit_name(number)
    try:
        commit = unseal(name, storage.get(name))
    except FileNotFoundError:
        raise StoreError(
            f"{name}: missing, though later commits build on it; restore this file from a backup"
        ) from None
    if commit["format"] != FORMAT_VERSION:
        raise StoreError(f"{name}: written in format {commit['format']}; this version reads format {FORMAT_VERSION}")
    if commit["number"] != number:
        raise StoreError(f"{name}: says that it is commit {commit['number']}; restore this file from a backup")
    return commit


def read_state(storage: Storage, number: int | None = None) -> State:
    """The state at a commit (the newest where None), from the last checkpoint on. Verifies the chain of digests."""
    wanted = latest_number(storage) if number is None else number
    chain: list[dict[str, Any]] = []
    for at in range(wanted, 0, -1):
        chain.append(read_commit(storage, at))
        if chain[-1]["checkpoint"] is not None:
            break
    state = State()
    for commit in reversed(chain):
        if commit["checkpoint"] is not None:
            shards = [(_shard(entry), int(entry["since"])) for entry in commit["checkpoint"]]
            state = State(
                number=commit["number"],
                digest=commit["digest"],
                shards={shard.name: shard for shard, _ in shards},
                since={shard.name: since for shard, since in shards},
            )
            continue
        if commit["parent"] != state.digest:
            raise StoreError(
                f"{commit_name(commit['number'])}: does not follow the commit before it; restore both from a backup"
            )
        added = [_shard(entry) for entry in commit["added"]]
        state = state.after(commit["number"], commit["digest"], added, commit["removed"])
    return state


def write_commit(
    storage: Storage, parent: State, added: Sequence[Shard], removed: Sequence[str], note: str
) -> State | None:
    """Put the next commit on top of `parent`; None where another writer took the number first."""
    number = parent.number + 1
    added = sorted(added, key=lambda shard: shard.name)
    after = parent.after(number, "", added, removed)
    checkpoint = None
    if number == 1 or number % CHECKPOINT_EVERY == 0:
        checkpoint = [{**shard.to_json(), "since": after.since[name]} for name, shard in sorted(after.shards.items())]
    value = {
        "format": FORMAT_VERSION,
        "number": number,
        "parent": parent.digest,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "note": note,
        "added": [shard.to_json() for shard in added],
        "removed": sorted(removed),
        "checkpoint": checkpoint,
    }
    if not storage.put_if_absent(commit_name(number), seal(value)):
        return None
    storage.put(_LATEST, f"{number}\n".encode())
    return parent.after(number, sha256_hex(canonical_json(value)), added, removed)


def _shard(entry: dict[str, Any]) -> Shard:
    return Shard(**{name: entry[name] for name in ("name", "kind", "rows", "bytes", "sha256", "footer_sha256")})
