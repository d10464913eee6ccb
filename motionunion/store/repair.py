"""`check --repair`: set aside what is damaged, build again what can be, and commit what is left.

Nothing is destroyed: a damaged file goes to `quarantine/` before it leaves its place, and a commit that cannot be read stays
where it is. Each step leaves a store that the next run goes on with: killed anywhere and run again, it ends the same.
"""

from __future__ import annotations

import shutil
import uuid as uuids
from dataclasses import dataclass, field
from pathlib import Path

from motionunion.digest import sha256_hex
from motionunion.errors import StoreError
from motionunion.progress import SILENT, Progress
from motionunion.store.chain import Chain, read_chain
from motionunion.store.check import ABOUT, QUARANTINE, CheckReport, Examination, examine
from motionunion.store.checkpoints import encode_checkpoint
from motionunion.store.commits import FORMAT_VERSION, LATEST, State, commit_name, seal, write_commit, write_hint
from motionunion.store.location import derived_folder
from motionunion.store.receipts import Covered, sort_covered
from motionunion.store.salvage import Salvaged, receipts_as_written, salvage
from motionunion.store.shards import Shard, shard_path, write_shard
from motionunion.store.storage import LocalStorage, Storage
from motionunion.store.trouble import storage_trouble

_TRIES = 100


@dataclass(slots=True, kw_only=True)
class RepairReport:
    """What a repair did."""

    before: CheckReport
    """What was found."""
    commit: int | None = None
    """Number of the commit that it made; None where none was needed."""
    done: list[str] = field(default_factory=list)
    """What was done, in words."""
    lost: list[str] = field(default_factory=list)
    """What no command brings back, in words."""
    next: list[str] = field(default_factory=list)
    """What brings the rest back, in words."""


def repair_store(path: str | Path, progress: Progress = SILENT) -> RepairReport:
    """Make a damaged store whole again, less what is lost: it opens, and gives nothing that is not as it was written.

    A sound store is left untouched.

    Raises:
        MissingInput: There is no store at the path.
        StoreError: It cannot be reached, read or written; nothing that is damaged is lost by that.
    """
    seen = examine(path, progress)
    report = RepairReport(before=seen.report)
    if seen.report.sound:
        return report
    closed = [one for one in seen.report.damage if one["kind"] == "no access"]
    if closed:
        raise StoreError(
            f"{seen.storage.url}/{closed[0]['file']}: {closed[0]['problem']}; nothing was repaired, since what cannot be read "
            "may well be sound: see to the permissions first"
        )
    try:
        _repair(seen, report)
    except OSError as error:
        raise storage_trouble(seen.storage.url, error, seen.chain.newest) from error
    return report


def _repair(seen: Examination, report: RepairReport) -> None:
    storage = seen.storage
    uuid = seen.uuid or _write_about(seen, report)
    derived = derived_folder(storage, uuid)
    _remove_derived(derived, seen, report)
    given_up = _set_aside(seen, derived / "index", report)
    if given_up or seen.chain.gaps:
        _commit(seen, given_up, derived / "index", report)
    _renew_hint(storage, report)


def _write_about(seen: Examination, report: RepairReport) -> str:
    """A new store.json; what the old one said was the uuid alone, and features may still know it."""
    storage = seen.storage
    _copy_to_quarantine(storage, ABOUT)
    uuid = _uuid_of_features(storage)
    if uuid is None:
        uuid = str(uuids.uuid4())
        report.lost.append(
            f"the store's uuid: {uuid} is a new one, so what was derived from the old one is built again"
        )
    storage.put(ABOUT, seal({"format": FORMAT_VERSION, "uuid": uuid}))
    report.done.append(f"{ABOUT}: written again")
    return uuid


def _uuid_of_features(storage: Storage) -> str | None:
    from motionunion.feature_files import META, read_sealed

    if not isinstance(storage, LocalStorage):
        return None  # features of a remote store lie in a folder of that name
    for path in sorted(storage.path("cache").glob(f"*/{META}")):
        try:
            return str(uuids.UUID(read_sealed(path)["store_uuid"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _remove_derived(folder: Path, seen: Examination, report: RepairReport) -> None:
    for file in dict.fromkeys(one["file"] for one in seen.report.damage if one["kind"] in ("index", "features")):
        path = folder / file
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        report.done.append(f"{file}: removed; it is built again when it is next asked for")


def _set_aside(seen: Examination, indexes: Path, report: RepairReport) -> list[str]:
    """Put damaged files into quarantine, and back what can be made again to the byte; the names of those given up."""
    storage, chain = seen.storage, seen.chain
    given_up: list[str] = []
    for one in seen.report.damage:
        kind, file = one["kind"], one["file"]
        if file in given_up or kind not in ("commit", "checkpoint", "shard", "contradiction"):
            continue
        if kind == "contradiction":
            report.lost.append(f"{file}: {one['problem']}; no damage to a file does that, please report it")
            continue
        if kind == "commit":
            report.lost.append(f"{file}: {one['problem']}; states that need this commit cannot be opened any more")
            if file == LATEST:  # it is the commit that is lost, not the hint
                continue
        elif kind == "checkpoint" and _put_checkpoint_back(storage, chain, file):
            report.done.append(f"{file}: made again from the commits before it, byte for byte")
            continue
        elif kind == "checkpoint":
            moved = _quarantine(storage, file)
            report.done.append(f"{file}: {f'set aside as {moved}' if moved else 'is missing'}")
        elif kind == "shard":
            shard = chain.kept.get(file.removeprefix("shards/")) or chain.shards[file.removeprefix("shards/")]
            if _is_whole(storage, shard):
                seen.broken.discard(shard.name)  # another writer has made it again
                continue
            if shard.kind == "receipts" and _put_receipts_back(storage, chain, indexes, shard):
                seen.broken.discard(shard.name)
                report.done.append(f"{file}: made again from the index, byte for byte")
                continue
            moved = _quarantine(storage, file)
            report.done.append(
                f"{file}: {f'set aside as {moved}' if moved else 'is missing'}, and taken out of the list"
            )
            if shard.name not in chain.shards:
                report.lost.append(f"{file}: no newer state needs it, and older ones cannot be read in full without it")
        given_up.append(file)
    return given_up


def _put_checkpoint_back(storage: Storage, chain: Chain, file: str) -> bool:
    """Write a checkpoint again, if the commits before it give the very bytes that its name holds the hash of."""
    if file not in chain.remade:
        return False
    data = encode_checkpoint(*chain.remade[file])
    if not file.endswith(f"-{sha256_hex(data)}.parquet"):
        return False
    storage.put(file, data)
    return True


def _put_receipts_back(storage: Storage, chain: Chain, indexes: Path, shard: Shard) -> bool:
    data = receipts_as_written(indexes, chain, shard)
    if data is not None:
        storage.put(shard_path(shard.name), data)
    return data is not None


def _is_whole(storage: Storage, shard: Shard) -> bool:
    from motionunion.store.check_shards import check_shard

    return not check_shard(storage, shard).problems


def _quarantine(storage: Storage, file: str) -> str | None:
    """Move a file to quarantine; its new name. None where it is gone, or cannot be read and stays."""
    name = _copy_to_quarantine(storage, file)
    if name is not None:
        storage.delete(file)
    return name


def _copy_to_quarantine(storage: Storage, file: str) -> str | None:
    try:
        data = storage.get(file)
    except OSError:  # gone; or sectors that cannot be read: it leaves the list, and a new file will replace it
        return None
    name = f"{QUARANTINE}{file}"
    if not storage.put_if_absent(name, data) and storage.get(name) != data:
        name = f"{name}.{sha256_hex(data)[:12]}"  # beside that of an earlier repair
        storage.put(name, data)
    return name


def _commit(seen: Examination, given_up: list[str], indexes: Path, report: RepairReport) -> None:
    """Commit what is left, on top of whatever is the newest commit by now."""
    storage = seen.storage
    for _ in range(_TRIES):
        chain = read_chain(storage)
        found = salvage(storage, chain, seen.broken, indexes)
        added = _write_receipts(storage, found.receipts)
        there = {*found.state.shards, *(shard.name for shard in added)}
        removed = sorted(set(chain.shards) - there)
        gone = {commit_name(number) for number in range(1, chain.newest + 1) if number not in chain.commits}
        lost = sorted({*chain.lost, *given_up, *gone} - set(map(shard_path, there)))
        after = write_commit(storage, found.state, added, removed, "repair", repaired=True, lost=lost)
        if after is None:
            continue  # another writer was first
        report.commit = after.number
        if found.regained:
            report.done.append(
                f"{len(found.regained)} shards of commits that cannot be read: found, and taken in again"
            )
        _tell_of_receipts(seen, found, report)
        _tell_what_is_missing(storage, after, report)
        return
    raise StoreError(f"{storage.url}: other writers committed {_TRIES} times in between; run the same command again")


def _write_receipts(storage: Storage, receipts: list[Covered]) -> list[Shard]:
    by_source: dict[str, list[Covered]] = {}
    for one in receipts:
        by_source.setdefault(one.source, []).append(one)
    written = (
        write_shard(storage, "receipts", source, (one.to_row() for one in sort_covered(rows)))
        for source, rows in sorted(by_source.items())
    )
    return [shard for shard in written if shard is not None]


def _tell_of_receipts(seen: Examination, found: Salvaged, report: RepairReport) -> None:
    sources = ", ".join(sorted({one.source for one in found.receipts}))
    if found.remembered:
        report.done.append(f"{len(found.receipts)} receipts of {sources}: written again, as the index knew them")
        return
    if seen.chain.gaps or any(name.startswith("receipts-") for name in seen.broken & set(seen.chain.shards)):
        report.lost.append(
            "what only the lost receipts or commits said: clips that `motionunion drop` took out by them may be back, and must be "
            "dropped again"
        )
    if found.receipts:
        report.done.append(f"{len(found.receipts)} receipts of {sources}: made from the rows that they spoke of")
        report.next.append(f"motionunion ingest PATH, with the folders of {sources}: reads those files again")


def _tell_what_is_missing(storage: Storage, state: State, report: RepairReport) -> None:
    import duckdb

    from motionunion.store.check_rows import awaited, load_live

    with duckdb.connect() as connection:
        load_live(connection, storage, state)
        for one in awaited(connection):
            report.next.append(f"files of {one['source']} whose rows were set aside ({one['files']:,}): {one['how']}")


def _renew_hint(storage: Storage, report: RepairReport) -> None:
    chain = read_chain(storage)
    if any(problem.kind == "hint" for problem in chain.problems) and chain.newest in chain.commits:
        write_hint(storage, chain.newest, chain.commits[chain.newest]["digest"])
        report.done.append("commits/_latest: written again")
