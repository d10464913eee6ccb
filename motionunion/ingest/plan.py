"""What lies there, listed file by file and cut into tasks.

Both are pure functions of the files' names, sizes and times: the same folder gives the same tasks wherever it lies,
whoever asks and in whatever order. Tasks are cut at hashes of keys, so that one file more changes one task.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionunion.clip import ClipRef
from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import MissingInput
from motionunion.joint_map import JointMap
from motionunion.normalise import VERSION as NORMALISER_VERSION
from motionunion.sources import SOURCES, Claim, ReadOptions, Skip
from motionunion.store.receipts import Covered
from motionunion.store.schema import SCHEMA_VERSION
from motionunion.store.storage import Storage

TASK_BYTES = 128 << 20
"""Input of one task in a large source; a small one is cut finer, so that all workers have some."""
_SMALLEST_TASK = 1 << 20
_TASKS_OF_A_SMALL_SOURCE = 16
_COST_OF_A_FILE = 4096
"""Opening a file takes as long as reading so many bytes."""
_TABLES = (".csv", ".txt", ".json", ".jsonl", ".tsv", ".toml")


@dataclass(frozen=True, slots=True)
class Listed:
    """One thing to read, and the state of the files that the reading depends on."""

    ref: ClipRef
    size: int
    mtime_ns: int
    stamp: str
    config: str

    def covered(self, outcome: str, **what: Any) -> Covered:
        """The receipt of having read it."""
        return Covered(
            source=self.ref.source,
            key=self.ref.key,
            size=self.size,
            mtime_ns=self.mtime_ns,
            stamp=self.stamp,
            config=self.config,
            outcome=outcome,
            **what,
        )


@dataclass(frozen=True, slots=True)
class Task:
    """A run of the listing, sorted by key, of one source. Crosses process borders."""

    files: tuple[Listed, ...]
    options: ReadOptions
    storage: Storage

    @property
    def source(self) -> str:
        return self.files[0].ref.source

    @property
    def size(self) -> int:
        """Bytes of input."""
        return sum(listed.size for listed in self.files)

    def split(self) -> list[Task]:
        """The same work, one file a task."""
        return [Task((listed,), self.options, self.storage) for listed in self.files]


def list_claims(claims: Iterable[Claim], options: ReadOptions) -> tuple[list[Listed], list[Skip]]:
    """Everything that the claims hold, sorted by source and key, and what is left out since its key is taken.

    Where two folders hold the same key of the same source, the larger file is read. Raises `MissingInput` where a file
    that was found is gone, or closed to us.
    """
    best: dict[tuple[str, str], Listed] = {}
    doubles: list[Skip] = []
    for claim in claims:
        for listed in _listed(claim, options):
            address = (listed.ref.source, listed.ref.key)
            other = best.get(address)
            if other is None:
                best[address] = listed
                continue
            keep, drop = sorted((listed, other), key=lambda one: (-one.size, one.stamp, str(one.ref.path)))
            best[address] = keep
            doubles.append(Skip(drop.ref.path, f"has the same key as {keep.ref.path}, which is read"))
    return [best[address] for address in sorted(best)], doubles


def cut_tasks(listing: Sequence[Listed], options: ReadOptions, storage: Storage) -> list[Task]:
    """Cut a sorted listing into tasks of about `TASK_BYTES`, never across sources.

    After each file there is a cut with a chance of its share of a task, decided by the hash of its key, but not before
    a quarter of a task is full and at the latest when two are.
    """
    by_source: dict[str, list[Listed]] = defaultdict(list)
    for listed in listing:
        by_source[listed.ref.source].append(listed)
    tasks: list[Task] = []
    for files in by_source.values():
        target = _task_bytes(sum(_cost(listed) for listed in files))
        held: list[Listed] = []
        held_cost = 0
        for listed in files:
            held.append(listed)
            held_cost += _cost(listed)
            chance = int(hashlib.sha256(listed.ref.key.encode()).hexdigest()[:15], 16) / 16**15
            if held_cost >= 2 * target or (held_cost >= target // 4 and chance < _cost(listed) / target):
                tasks.append(Task(tuple(held), options, storage))
                held, held_cost = [], 0
        if held:
            tasks.append(Task(tuple(held), options, storage))
    return tasks


def reading_config(options: ReadOptions) -> str:
    """What besides the reader decides the values: versions, and options."""
    return f"normalise/{NORMALISER_VERSION} schema/{SCHEMA_VERSION} {_body(options)}"


def skeletons_config(skeletons: Iterable[JointMap]) -> str:
    """The same of maps that a person brought: nothing where there are none, so that all else stays as it was."""
    digests = sorted(joint_map.digest for joint_map in skeletons)
    return f" skeletons/{sha256_hex(canonical_json(digests))[:16]}" if digests else ""


def _cost(listed: Listed) -> int:
    return listed.size + _COST_OF_A_FILE


def _task_bytes(total: int) -> int:
    """A power of two, so that a source that grows a little is cut as before."""
    share = max(total // _TASKS_OF_A_SMALL_SOURCE, 1)
    return min(max(1 << (share.bit_length() - 1), _SMALLEST_TASK), TASK_BYTES)


def _listed(claim: Claim, options: ReadOptions) -> list[Listed]:
    try:
        return _list_claim(claim, options)
    except OSError as error:
        raise MissingInput(
            f"{error.filename}: cannot be listed ({error.strerror}); if the folder is changing, wait and run the same "
            "command again"
        ) from error


def _list_claim(claim: Claim, options: ReadOptions) -> list[Listed]:
    reader = SOURCES[claim.source]
    refs = list(reader.discover(claim))
    config = f"{reader.name}/{reader.version} {reading_config(options)}{skeletons_config(claim.skeletons)}"
    own, shared = _owned(claim, refs)
    states = {path: _state(path) for path in {*claim.files, *claim.sidecars, *(ref.path for ref in refs)}}
    sharing = Counter(ref.path for ref in refs)  # a file of many motions is not read as a whole for each of them
    around = sorted(states[path] for path in shared)
    around_stamp = sha256_hex(canonical_json(around))
    listing = []
    for ref, files in zip(refs, own, strict=True):
        found = sorted(states[path] for path in files)
        listing.append(
            Listed(
                ref=ref,
                size=sum(states[path][1] // max(sharing[path], 1) for path in files),
                mtime_ns=max((changed for _, _, changed in found), default=0),
                stamp=sha256_hex(canonical_json([found, around_stamp]))[:32],
                config=config,
            )
        )
    return listing


def _owned(claim: Claim, refs: Sequence[ClipRef]) -> tuple[list[set[Path]], set[Path]]:
    """Which of the claimed files each ref depends on, and which all of them do (an index, a list of splits).

    A motion file belongs to the ref that reads it, as do the ref's `more`; another file to the refs whose key or motion file
    bears its name.
    """
    motions = Counter(ref.path for ref in refs if ref.path.suffix.lower() not in _TABLES)
    told = {path for ref in refs for path in ref.more}
    beside: dict[str, list[Path]] = defaultdict(list)
    for path in (*claim.files, *claim.sidecars):
        if path not in motions and path not in told:
            beside[path.stem].append(path)
    own: list[set[Path]] = []
    for ref in refs:
        files = {*beside.get(Path(ref.key).name, ()), *beside.get(Path(ref.key).stem, ()), *ref.more}
        if ref.path in motions:
            files |= {ref.path, *beside.get(ref.path.stem, ())}
        own.append(files)
    shared = set(claim.files).difference(motions, told, *own)
    return own, shared


def _state(path: Path) -> tuple[str, int, int]:
    """Name, size and time of a file: no folder, since a source may be moved."""
    try:
        status = path.stat()
    except OSError:
        return path.name, -1, 0  # gone or closed to us since it was found: reading it says so
    return path.name, status.st_size, status.st_mtime_ns


def _body(options: ReadOptions) -> str:
    if options.body_models is None:
        return "body/template"
    files = [Path(folder) / name for folder, _, names in os.walk(options.body_models) for name in names]
    return f"body/{sha256_hex(canonical_json(sorted(_state(path) for path in files)))[:16]}"
