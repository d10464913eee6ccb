"""All commits of a store in one look, those that cannot be read included: what `check` tells of and `repair` starts from.

`commits.read_state` wants the newest state and raises where a link is missing. Here every link is looked at, and the state is
carried on as far as what is left of the chain allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from motionunion.errors import StoreError
from motionunion.store.checkpoints import read_checkpoint
from motionunion.store.commits import (
    FORMAT_VERSION,
    LATEST,
    State,
    commit_name,
    commit_numbers,
    newest_indexed,
    parse_hint,
    read_commits,
    unseal,
)
from motionunion.store.remote_errors import RemoteError
from motionunion.store.shards import Shard, shard_path
from motionunion.store.storage import Storage

_MOST_MISSING = 1_000_000
"""Commits that are missing are looked for and told of one by one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was written."""

    kind: str
    """`commit`, `checkpoint`, `hint`, `shard`, ...: what sort of file it is."""
    file: str
    problem: str


@dataclass(slots=True)
class Chain:
    """What the commits of a store say, as far as each of them can be read."""

    newest: int = 0
    """The highest number that a commit bears, or that the hint knows; where there is neither, that of an index."""
    horizon: int = 1
    commits: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Those that hold, by number."""
    problems: list[Problem] = field(default_factory=list)
    shards: dict[str, Shard] = field(default_factory=dict)
    """Shards of the newest state: all of them where `exact`."""
    since: dict[str, int] = field(default_factory=dict)
    gaps: list[int] = field(default_factory=list)
    """Commits that shaped the newest state, and of which it is not known what they added: none where it is exact."""
    kept: dict[str, Shard] = field(default_factory=dict)
    """Every shard of every state that can still be opened, as far as it is known."""
    checkpoints: set[str] = field(default_factory=set)
    """Files that those states are read from."""
    remade: dict[str, tuple[dict[str, Shard], dict[str, int]]] = field(default_factory=dict)
    """Checkpoints that are damaged, with what the commits before them say that they held."""
    ever_named: set[str] = field(default_factory=set)
    """Every shard that some commit names, as added or removed."""
    lost: set[str] = field(default_factory=set)
    """Files that an earlier repair gave up: history, not damage."""

    @property
    def state(self) -> State | None:
        """The newest state; None where the commits do not tell it."""
        return None if self.gaps else self.standing

    @property
    def standing(self) -> State:
        """The newest state as far as it is known."""
        digest = self.commits[self.newest]["digest"] if self.newest in self.commits else ""
        return State(
            number=self.newest, digest=digest, horizon=self.horizon, shards=dict(self.shards), since=dict(self.since)
        )

    @property
    def base(self) -> int:
        """The commit whose checkpoint the oldest kept state is read from."""
        holding = [number for number, one in self.commits.items() if one["checkpoint"] is not None]
        return max((number for number in holding if number <= self.horizon), default=1)


def read_chain(storage: Storage) -> Chain:
    """Look at every commit, at the links between them, at the hint, and at the checkpoints of the states that are kept.

    Raises:
        StoreError: If a commit is of a format that only a newer version reads, if so many are missing that the newest is
            hardly one of this store, or the storage cannot be reached.
    """
    chain = Chain()
    hint = _read_hint(storage, chain)  # before listing, for a commit comes before its hint
    indexed = newest_indexed(storage)
    there = commit_numbers(storage)
    chain.newest = max([*there, hint or 0]) or indexed
    if chain.newest - len(there) > _MOST_MISSING:
        raise StoreError(
            f"{storage.url}: {chain.newest - len(there)} of {chain.newest} commits are missing; if {commit_name(chain.newest)} is none "
            "of this store's, move it away, else restore commits/ from a backup"
        )
    for number, commit in zip(
        range(1, chain.newest + 1), read_commits(storage, range(1, chain.newest + 1)), strict=True
    ):
        if isinstance(commit, StoreError):
            _take_unreadable(storage, chain, number, commit, beyond=max(there, default=0) < number <= (hint or 0))
        else:
            chain.commits[number] = commit
            chain.horizon = max(chain.horizon, commit["horizon"])
    _compare_hint(storage, chain, hint)
    _replay(storage, chain)
    return chain


def _read_hint(storage: Storage, chain: Chain) -> int | None:
    try:
        return parse_hint(storage.get(LATEST))
    except FileNotFoundError:
        return None
    except RemoteError:
        raise
    except (OSError, StoreError) as error:
        chain.problems.append(Problem("hint", LATEST, _words(error)))
        return None


def _take_unreadable(storage: Storage, chain: Chain, number: int, error: StoreError, beyond: bool) -> None:
    name = commit_name(number)
    if isinstance(error, RemoteError):
        raise error
    if isinstance(error.__cause__, PermissionError):
        chain.problems.append(Problem("no access", name, str(error)))
        return
    _refuse_newer_format(storage, name, error)
    if beyond:  # nothing but the hint knows of it
        chain.problems.append(Problem("commit", LATEST, f"names commit {number}, which is gone: {name} is missing"))
    else:
        chain.problems.append(Problem("commit", name, str(error).removeprefix(f"{name}: ")))


def _refuse_newer_format(storage: Storage, name: str, error: StoreError) -> None:
    """Raises the error where the commit is whole: what a newer version wrote is not ours to call damaged, or to repair."""
    try:
        format_of = unseal(name, storage.get(name)).get("format")
    except (OSError, StoreError):
        return
    if isinstance(format_of, int) and format_of > FORMAT_VERSION:
        raise error


def _compare_hint(storage: Storage, chain: Chain, hint: int | None) -> None:
    """A hint may lag behind; what it says of the commit that it names must be true."""
    if hint is None:
        return
    if hint == 0 or (hint in chain.commits and _hinted_digest(storage) not in ("", chain.commits[hint]["digest"])):
        chain.problems.append(Problem("hint", LATEST, f"names a commit {hint} that is not the one in this store"))


def _hinted_digest(storage: Storage) -> str:
    try:
        return str(unseal(LATEST, storage.get(LATEST)).get("commit", ""))
    except (OSError, StoreError):
        return ""  # format 1 is a bare number; and another writer may be writing a new one at this moment


def _replay(storage: Storage, chain: Chain) -> None:
    """Carry the state from the first commit to the newest; note where a link is missing, or a checkpoint disagrees."""
    base, digest = chain.base, ""
    for number in range(1, chain.newest + 1):
        commit = chain.commits.get(number)
        if commit is None:
            chain.gaps.append(number)
            digest = ""
            continue
        if number > 1 and digest and commit["parent"] != digest and not commit["repaired"]:
            chain.problems.append(Problem("commit", commit_name(number), "does not follow the commit before it"))
            chain.gaps.append(number)
        digest = commit["digest"]
        _apply(chain, commit)
        if commit["checkpoint"] is not None and (number >= base or commit["repaired"]):
            _hold_against_checkpoint(storage, chain, commit, needed=number >= base)
        if number >= chain.horizon:  # the whole of the first one, then what is new in each
            new = (entry["name"] for entry in commit["added"])
            whole = number == chain.horizon or not chain.kept or commit["checkpoint"] is not None
            chain.kept.update(chain.shards if whole else {name: chain.shards[name] for name in new})
    chain.lost -= {shard_path(name) for name in chain.shards}


def _apply(chain: Chain, commit: dict[str, Any]) -> None:
    for name in commit["removed"]:
        chain.shards.pop(name, None)
        chain.since.pop(name, None)
    for entry in commit["added"]:
        shard = Shard.of_json(entry)
        chain.shards[shard.name], chain.since[shard.name] = shard, commit["number"]
    chain.ever_named |= {*commit["removed"], *(entry["name"] for entry in commit["added"])}
    chain.lost -= {shard_path(entry["name"]) for entry in commit["added"]}
    chain.lost |= set(commit["lost"])


def _hold_against_checkpoint(storage: Storage, chain: Chain, commit: dict[str, Any], needed: bool) -> None:
    number, checkpoint = commit["number"], commit["checkpoint"]
    file = commit_name(number) if isinstance(checkpoint, list) else checkpoint["name"]
    if needed and not isinstance(checkpoint, list):
        chain.checkpoints.add(file)
    try:
        shards, since = read_checkpoint(storage, checkpoint)
    except RemoteError:
        raise
    except StoreError as error:
        if needed:
            kind = "no access" if isinstance(error.__cause__, PermissionError) else "checkpoint"
            chain.problems.append(Problem(kind, file, str(error).removeprefix(f"{file}: ")))
        if commit["repaired"]:
            chain.gaps.append(number)  # what it says beyond its own changes is known from here alone
        elif needed and not chain.gaps:
            chain.remade[file] = (dict(chain.shards), dict(chain.since))
        return
    if not chain.gaps and not commit["repaired"] and (shards, since) != (chain.shards, chain.since):
        chain.problems.append(Problem("contradiction", file, "does not hold what the commits before it add up to"))
    chain.shards, chain.since, chain.gaps = shards, since, []
    chain.ever_named |= set(shards)


def _words(error: OSError | StoreError) -> str:
    return (
        str(error).removeprefix(f"{LATEST}: ")
        if isinstance(error, StoreError)
        else f"cannot be read ({error.strerror or error})"
    )
