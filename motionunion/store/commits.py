"""The chain of commits: small JSON files, written only if absent, each with its own digest and its parent's.

The highest number is the store. `commits/_latest` is a hint, never the truth; one that names a commit which is gone tells
of a loss. A commit lists the shards it adds and removes; the first one, every 32nd, and one of many changes name a
checkpoint as well: a Parquet file with all shards, so that opening a store reads few files however long its history.

Format 1 kept its checkpoints inside the commits, and its hint was a bare number; both are still read.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import MissingInput, StoreError
from motionunion.store.checkpoints import read_checkpoint, write_checkpoint
from motionunion.store.shards import Shard
from motionunion.store.storage import Storage

CHECKPOINT_EVERY = 32
_MANY_CHANGES = 4096
FORMAT_VERSION = 2
READABLE_FORMATS = (1, 2)
LATEST = "commits/_latest"
_INDEX = re.compile(r"index/(\d{20})-[^/]*\.duckdb")
_THREADS = 8
_AHEAD = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One commit, without its shards: all that a reader of the index needs."""

    number: int = 0
    """0 is the empty store, before any commit."""
    digest: str = ""
    horizon: int = 1
    """The lowest commit whose state can still be opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one commit holds: every shard with the number of the commit that added it (latest, where added again)."""

    number: int = 0
    digest: str = ""
    horizon: int = 1
    shards: dict[str, Shard] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)

    @property
    def head(self) -> Head:
        """This commit without its shards."""
        return Head(number=self.number, digest=self.digest, horizon=self.horizon)

    def of_kind(self, kind: str) -> list[Shard]:
        """Shards of one kind, sorted by name."""
        return [shard for _, shard in sorted(self.shards.items()) if shard.kind == kind]

    def after(
        self, number: int, digest: str, added: Sequence[Shard], removed: Sequence[str], horizon: int | None = None
    ) -> State:
        """The state that a commit on top of this one makes."""
        gone = set(removed)
        shards = {name: shard for name, shard in self.shards.items() if name not in gone}
        since = {name: self.since[name] for name in shards}
        for shard in added:
            shards[shard.name], since[shard.name] = shard, number
        # What was given up once stays given up.
        kept_from = max(self.horizon, horizon or 1)
        return State(number=number, digest=digest, horizon=kept_from, shards=shards, since=since)


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
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        intact = False
    if not intact:
        raise StoreError(
            f"{name}: damaged, its contents do not have the digest it carries; restore this file from a backup, or try "
            "`motionunion check --repair`"
        )
    return {**value, "digest": digest}


def latest_number(storage: Storage) -> int:
    """Number of the newest commit; 0 for a store without one.

    Raises `StoreError` where `commits/_latest` knows a newer one: what went missing at the end of the chain breaks no link.
    """
    hint = read_hint(storage)  # before listing, for a commit comes before its hint
    indexed = newest_indexed(storage) if hint == 0 else 0
    # A commit that the hint names may be missed only by being gone: then everything is listed, to say what is left.
    newest = max(commit_numbers(storage, hint - 1), default=0) or max(commit_numbers(storage), default=0)
    if hint > newest:
        raise StoreError(
            f"{commit_name(hint)}: missing, though {LATEST} names it; restore this file from a backup, or delete {LATEST} to "
            f"go on from commit {newest}"
        )
    if indexed > 0 and newest == 0:
        raise StoreError(
            f"{storage.url}: commits/ is empty, though there is an index of commit {indexed}; restore this folder from a backup, "
            "or try `motionunion check --repair`"
        )
    return newest


def newest_indexed(storage: Storage) -> int:
    """The highest commit of which the store's own folder has an index: it was there, even if no commit is any more."""
    names = (_INDEX.fullmatch(entry.name) for entry in storage.list("index/"))
    return max((int(name[1]) for name in names if name is not None), default=0)


def commit_numbers(storage: Storage, after: int = 0) -> list[int]:
    """Numbers of the commits that are there, above one, in order."""
    numbers = []
    for entry in storage.list("commits/", after=commit_name(after) if after > 0 else ""):
        stem = entry.name.removeprefix("commits/").removesuffix(".json")
        if entry.name.endswith(".json") and len(stem) == 20 and stem.isdigit():
            numbers.append(int(stem))
    return numbers


def read_hint(storage: Storage) -> int:
    """What `commits/_latest` says; 0 where there is none, or none that can be read (`check` tells of it)."""
    try:
        return parse_hint(storage.get(LATEST))
    except (OSError, StoreError):
        return 0


def parse_hint(data: bytes) -> int:
    """The number that a hint holds. Raises `StoreError` where it is damaged."""
    text = data.decode("ascii", "replace").strip()
    if text.isascii() and text.isdigit() and len(text) <= 20:
        return int(text)  # format 1
    hint = unseal(LATEST, data)
    if not isinstance(hint.get("number"), int):
        raise StoreError(f"{LATEST}: names no commit; delete it, the next commit writes it anew")
    return int(hint["number"])


def write_hint(storage: Storage, number: int, digest: str) -> None:
    """Say which commit is the newest, as far as this writer knows. An older one than the truth costs a longer listing."""
    storage.put(LATEST, seal({"number": number, "commit": digest}))


def read_commit(storage: Storage, number: int) -> dict[str, Any]:
    """One commit, its digest verified, in the terms of the newest format."""
    name = commit_name(number)
    try:
        commit = unseal(name, storage.get(name))
    except FileNotFoundError:
        raise StoreError(
            f"{name}: missing, though later commits build on it; restore this file from a backup"
        ) from None
    except OSError as error:
        raise StoreError(
            f"{storage.url}/{name}: cannot be read ({error.strerror or error}); see to the disk or to this file's permissions"
        ) from error
    if commit.get("format") not in READABLE_FORMATS:
        raise StoreError(
            f"{name}: written in format {commit.get('format')}; this version reads up to {FORMAT_VERSION}: use a newer one"
        )
    if commit["number"] != number:
        raise StoreError(f"{name}: says that it is commit {commit['number']}; restore this file from a backup")
    return {"horizon": 1, "repaired": False, "lost": [], **commit}


def read_commits(storage: Storage, numbers: Iterable[int]) -> Iterator[dict[str, Any] | StoreError]:
    """Many commits in the order asked for, some read ahead at once; the error in place of one that cannot be read."""

    def read(number: int) -> dict[str, Any] | StoreError:
        try:
            return read_commit(storage, number)
        except StoreError as error:
            return error

    waiting: deque[Future[dict[str, Any] | StoreError]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for number in numbers:
                waiting.append(pool.submit(read, number))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def read_head(storage: Storage, at: int | None = None) -> Head:
    """The newest commit, or that of a number.

    Raises:
        MissingInput: If there is no commit of that number.
        StoreError: If its state was given up, or the commit is damaged.
    """
    newest = latest_number(storage)
    if newest == 0 and not at:
        return Head()
    if at is not None and not 1 <= at <= newest:
        raise MissingInput(
            f"{storage.url}: has no commit {at}; there are 1 to {newest}, and `motionunion log` lists them"
        )
    head = _head(read_commit(storage, newest))
    if at is None or at == newest:
        return head
    if at < head.horizon:
        raise StoreError(
            f"{storage.url}: the state of commit {at} was given up by `motionunion gc`; the oldest that is kept is "
            f"{head.horizon}"
        )
    return _head(read_commit(storage, at))


def _head(commit: dict[str, Any]) -> Head:
    return Head(number=commit["number"], digest=commit["digest"], horizon=commit["horizon"])


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
            shards, since = read_checkpoint(storage, commit["checkpoint"])
            state = State(
                number=commit["number"],
                digest=commit["digest"],
                horizon=commit["horizon"],
                shards=shards,
                since=since,
            )
            continue
        if commit["parent"] != state.digest:
            raise StoreError(
                f"{commit_name(commit['number'])}: does not follow the commit before it; restore both from a backup"
            )
        added = [Shard.of_json(entry) for entry in commit["added"]]
        state = state.after(commit["number"], commit["digest"], added, commit["removed"], commit["horizon"])
    return state


def write_commit(
    storage: Storage,
    parent: State,
    added: Sequence[Shard],
    removed: Sequence[str],
    note: str,
    *,
    horizon: int | None = None,
    repaired: bool = False,
    lost: Sequence[str] = (),
) -> State | None:
    """Put the next commit on top of `parent`; None where another writer took the number first.

    Args:
        storage: Where.
        parent: The state that it changes.
        added: Shards that are written already.
        removed: Names of shards that go out.
        note: For the log.
        horizon: Give up the states of the commits below this number.
        repaired: Its checkpoint is the whole truth; what lies before it may be damaged.
        lost: Files that a repair gave up; `check` calls them history from here on.
    """
    number = parent.number + 1
    added = sorted(added, key=lambda shard: shard.name)
    after = parent.after(number, "", added, removed, horizon)
    checkpoint = None
    if number == 1 or number % CHECKPOINT_EVERY == 0 or repaired or len(added) + len(removed) > _MANY_CHANGES:
        checkpoint = write_checkpoint(storage, number, after.shards, after.since)
    value = {
        "format": FORMAT_VERSION,
        "number": number,
        "parent": parent.digest,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "note": note,
        # No two writers ever write the same bytes: who finds them under the name wrote them.
        "writer": secrets.token_hex(8),
        "added": [shard.to_json() for shard in added],
        "removed": sorted(removed),
        "checkpoint": checkpoint,
        "horizon": after.horizon,
        "repaired": repaired,
        "lost": sorted(lost),
    }
    if not storage.put_if_absent(commit_name(number), seal(value)):
        return None
    digest = sha256_hex(canonical_json(value))
    write_hint(storage, number, digest)
    return replace(after, digest=digest)
