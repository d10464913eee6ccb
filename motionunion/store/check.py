"""`check`: every digest, every shard, every row, what is derived, and what lies there besides. Writes nothing."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from motionunion.archives.scratch import UNPACKED
from motionunion.errors import StoreError
from motionunion.feature_files import verify_features
from motionunion.progress import SILENT, Progress
from motionunion.store.chain import Chain, Problem, read_chain
from motionunion.store.check_rows import Awaited, ReceiptCheck, damaged_indexes, index_differs
from motionunion.store.check_shards import check_shards
from motionunion.store.commits import LATEST, READABLE_FORMATS, commit_name, commit_numbers, unseal
from motionunion.store.location import derived_folder, storage_at
from motionunion.store.schema import SCHEMAS
from motionunion.store.shards import shard_path
from motionunion.store.storage import Storage
from motionunion.store.trouble import reading_trouble

ABOUT = "store.json"
QUARANTINE = "quarantine/"
_OURS = re.compile(
    rf"store\.json|{LATEST}|commits/\d{{20}}\.json|checkpoints/\d{{20}}-[0-9a-f]{{64}}\.parquet"
    rf"|shards/({'|'.join(SCHEMAS)})-.+-[0-9a-f]{{64}}\.parquet|index/\d{{20}}-.+|cache/.+|{QUARANTINE}.+"
)


@dataclass(slots=True, kw_only=True)
class Verified:
    """How much of one kind of file was read and found to be as it was written."""

    files: int = 0
    bytes: int = 0
    rows: int = 0


@dataclass(slots=True, kw_only=True)
class CheckReport:
    """What a check found."""

    store: str
    verified: dict[str, Verified] = field(default_factory=dict)
    """By kind of file."""
    damage: list[dict[str, str]] = field(default_factory=list)
    """What is not as it was written: `kind`, `file`, `problem`."""
    history: list[str] = field(default_factory=list)
    """Files of older states that an earlier repair gave up. No state but those lacks them."""
    awaited: list[Awaited] = field(default_factory=list)
    """Files whose rows a repair has set aside, or that are damaged: per source, with the way back."""
    dangling: list[str] = field(default_factory=list)
    """Shards and checkpoints that no kept state needs: left by a killed run, or given up by `gc`. Harmless."""
    quarantined: list[str] = field(default_factory=list)
    """What a repair has set aside. Harmless; delete it when it is of no more use."""
    strays: list[str] = field(default_factory=list)
    """Files that no version of this program wrote. Harmless."""

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage

    @property
    def commits(self) -> int:
        return self._verified("commits").files

    @property
    def clips(self) -> int:
        """Rows of clips shards that were read and have their content hash."""
        return self._verified("clips").rows

    @property
    def shards(self) -> int:
        return sum(self._verified(kind).files for kind in SCHEMAS)

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.verified.values())

    def to_json(self) -> dict[str, Any]:
        """Everything, for JSON."""
        totals = {"commits": self.commits, "shards": self.shards, "clips": self.clips, "bytes": self.bytes}
        return {"store": self.store, "sound": self.sound, **totals, **asdict(self)}

    def found(self, problem: Problem) -> None:
        """Take down one piece of damage."""
        self.damage.append({"kind": problem.kind, "file": problem.file, "problem": problem.problem})

    def count(self, kind: str, size: int = 0, rows: int = 0) -> None:
        """Take down one file that is as it was written."""
        one = self.verified.setdefault(kind, Verified())
        one.files, one.bytes, one.rows = one.files + 1, one.bytes + size, one.rows + rows

    def _verified(self, kind: str) -> Verified:
        return self.verified.get(kind, Verified())


@dataclass(slots=True, kw_only=True)
class Examination:
    """A report, and what a repair needs besides."""

    report: CheckReport
    storage: Storage
    chain: Chain
    uuid: str | None
    broken: set[str] = field(default_factory=set)
    """Names of shards that are missing or damaged."""


def check_store(path: str | Path, progress: Progress = SILENT) -> CheckReport:
    """Verify a store in full: the digest of every commit, their chain and their checkpoints; hash, footer, columns and rows
    of every shard that a kept state names; content hash and place of every clip; receipts against rows; the index against the
    shards; features against their digests; and name whatever else lies there.

    Damage is reported, not raised. Writes nothing.

    Raises:
        MissingInput: There is no store at the path.
        StoreError: It cannot be reached, or was written by a newer version.
    """
    return examine(path, progress).report


def examine(path: str | Path, progress: Progress = SILENT) -> Examination:
    """As `check_store`, with what a repair needs besides."""
    storage = storage_at(path)
    try:
        return _examine(path, storage, progress)
    except OSError as error:
        raise reading_trouble(storage.url, error) from error


def _examine(path: str | Path, storage: Storage, progress: Progress) -> Examination:
    report = CheckReport(store=storage.url)
    uuid = _check_about(path, storage, report)
    chain = read_chain(storage)
    seen = Examination(report=report, storage=storage, chain=chain, uuid=uuid)
    _count_chain(seen)
    receipts = ReceiptCheck()
    try:
        _check_shards(seen, receipts, progress)
        state = chain.state
        if state is not None:
            sound = replace(state, shards={n: one for n, one in state.shards.items() if n not in seen.broken})
            for file, problem in receipts.broken(storage, sound):
                report.found(Problem("contradiction", file, problem))
            report.awaited = receipts.awaited()
    finally:
        receipts.close()
    if uuid is not None:
        _check_derived(seen, derived_folder(storage, uuid))
    _list_the_rest(seen)
    return seen


def _check_about(path: str | Path, storage: Storage, report: CheckReport) -> str | None:
    """The uuid of the store; None where its file is damaged or gone."""
    from motionunion.store.store import open_store

    try:
        data = storage.get(ABOUT)
        about = unseal(ABOUT, data)
    except (FileNotFoundError, NotADirectoryError):
        if not commit_numbers(storage):
            open_store(path)  # says which kind of nothing this is
        report.found(Problem("store.json", ABOUT, "missing, though there are commits"))
        return None
    except StoreError as error:
        report.found(Problem("store.json", ABOUT, str(error).removeprefix(f"{ABOUT}: ")))
        return None
    except OSError as error:
        raise StoreError(f"{storage.url}/{ABOUT}: cannot be read ({error.strerror or error})") from error
    if about["format"] not in READABLE_FORMATS:
        open_store(path)  # says which version is wanted
    report.count(ABOUT, len(data))
    return str(about["uuid"])


def _count_chain(seen: Examination) -> None:
    chain, report = seen.chain, seen.report
    for problem in chain.problems:
        _tell(seen, problem)
    damaged = {problem.file for problem in chain.problems}
    sizes = {entry.name: entry.size for folder in ("commits/", "checkpoints/") for entry in seen.storage.list(folder)}
    files = [("hint", LATEST), *(("commits", commit_name(number)) for number in chain.commits)]
    for kind, name in (*files, *(("checkpoints", name) for name in sorted(chain.checkpoints))):
        if name in sizes and name not in damaged:
            report.count(kind, sizes[name])


def _tell(seen: Examination, problem: Problem) -> None:
    """Damage, unless an earlier repair has given the file up."""
    if problem.file in seen.chain.lost and problem.kind != "no access":
        seen.report.history.append(problem.file)
    else:
        seen.report.found(problem)


def _check_shards(seen: Examination, receipts: ReceiptCheck, progress: Progress) -> None:
    chain, report = seen.chain, seen.report
    wanted = {**chain.kept, **chain.shards}
    progress.start("check", sum(shard.bytes for shard in wanted.values()) / 1e6, "MB")
    for checked in check_shards(seen.storage, [shard for _, shard in sorted(wanted.items())]):
        shard = checked.shard
        if checked.problems:
            seen.broken.add(shard.name)
            for problem in checked.problems:
                _tell(seen, Problem("no access" if checked.no_access else "shard", checked.file, problem))
        else:
            report.count(shard.kind, checked.bytes, shard.rows)
            if shard.name in chain.shards:
                receipts.take(checked.rows)
        progress.advance(shard.bytes / 1e6, damaged=len(report.damage))
    progress.finish()


def _check_derived(seen: Examination, folder: Path) -> None:
    """What can be made again: it must say what the store says, for it is what most readers look at."""
    report, state = seen.report, seen.chain.state
    indexes = folder / "index"
    problems = dict(damaged_indexes(indexes))
    if not problems and state is not None and not seen.broken & set(state.shards):
        problems = dict(index_differs(indexes, seen.storage, state))
    for name, problem in problems.items():
        report.found(Problem("index", f"index/{name}", problem))
    for path in sorted(indexes.glob("*.duckdb")):
        if path.name not in problems and not path.name.startswith("."):
            report.count("index", path.stat().st_size)
    cache = folder / "cache"
    for features in sorted(cache.iterdir()) if cache.is_dir() else ():
        if not features.is_dir() or features.name.startswith(".") or features.name == UNPACKED:
            continue
        wrong = verify_features(features)
        for problem in wrong:
            report.found(Problem("features", f"cache/{features.name}", problem))
        if not wrong:
            for file in features.iterdir():
                report.count("features", file.stat().st_size)


def _list_the_rest(seen: Examination) -> None:
    report, chain = seen.report, seen.chain
    needed = {*map(shard_path, chain.kept), *map(shard_path, chain.shards), *chain.checkpoints}
    for entry in seen.storage.list(""):
        name = entry.name
        if not _OURS.fullmatch(name):
            report.strays.append(name)
        elif name.startswith(QUARANTINE):
            report.quarantined.append(name)
        elif name.startswith(("shards/", "checkpoints/")) and name not in needed:
            report.dangling.append(name)
