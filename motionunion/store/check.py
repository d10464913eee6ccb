"""`check`: every digest, every shard, every row, and the index against the shards."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.digest import sha256_hex
from motionunion.errors import MotionUnionError, StoreError
from motionunion.progress import SILENT, Progress
from motionunion.store.commits import LATEST, State, latest_number, read_commit, read_state, unseal
from motionunion.store.index import TABLES, index_in_memory, index_path, read_index
from motionunion.store.location import derived_folder, storage_at
from motionunion.store.schema import SCHEMAS, row_content
from motionunion.store.shards import Shard, footer_sha256, table_rows
from motionunion.store.storage import Storage


@dataclass(slots=True, kw_only=True)
class CheckReport:
    """What a check found."""

    store: str
    commits: int = 0
    shards: int = 0
    clips: int = 0
    bytes: int = 0
    damage: list[dict[str, str]] = field(default_factory=list)
    """What is not as it was written: `file` and `problem`."""
    dangling: list[str] = field(default_factory=list)
    """Shards that no commit names: left by a killed run, superseded, or not committed yet. Harmless."""

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage

    def found(self, file: str, problem: str) -> None:
        """Take down one piece of damage."""
        self.damage.append({"file": file, "problem": problem})


def check_store(path: str | Path, progress: Progress = SILENT) -> CheckReport:
    """Verify a store in full: the digest of every commit and their chain, hash, footer and columns of every shard, the
    content hash of every clip, receipts against rows, and the index against the shards.

    Damage is reported, not raised; a store that cannot be opened at all is reported with the file that prevents it.

    Raises:
        MissingInput: There is no store at the path.
    """
    from motionunion.store.store import open_store

    storage = storage_at(path)
    report = CheckReport(store=storage.url)
    try:
        about = unseal("store.json", storage.get("store.json"))
    except (FileNotFoundError, NotADirectoryError):
        open_store(path)  # says which kind of nothing this is
        raise
    except StoreError as error:
        report.found("store.json", str(error))
        return report
    state = _check_commits(storage, report)
    if state is None:
        return report
    sound: set[str] = set()
    progress.start("check", sum(shard.bytes for shard in state.shards.values()) / 1e6, "MB")
    for name, shard in sorted(state.shards.items()):
        if _check_shard(storage, shard, report):
            sound.add(name)
        progress.advance(shard.bytes / 1e6, damaged=len(report.damage))
    progress.finish()
    _list_dangling(storage, state, report)
    if len(sound) == len(state.shards):
        _check_receipts(storage, state, report)
        _check_index(derived_folder(storage, about["uuid"]) / "index", storage, state, report)
    return report


def _check_commits(storage: Storage, report: CheckReport) -> State | None:
    """Verify every commit and its link to the one before; the newest state if all of them hold."""
    try:
        newest = latest_number(storage)
    except StoreError as error:
        report.found("commits/_latest", str(error))
        return None
    parent = ""
    for number in range(1, newest + 1):
        try:
            commit = read_commit(storage, number)
        except StoreError as error:
            report.found(f"commits/{number:020d}.json", str(error))
            parent = ""
            continue
        report.commits += 1
        if number > 1 and parent and commit["parent"] != parent:
            report.found(f"commits/{number:020d}.json", "does not follow the commit before it")
        parent = commit["digest"]
    for entry in storage.list("commits/"):
        if entry.name != LATEST and not entry.name.endswith(".json"):
            report.found(entry.name, "no commit, and nothing else belongs here")
    try:
        return read_state(storage) if report.sound else None
    except StoreError as error:
        report.found(f"commits/{newest:020d}.json", str(error))
        return None


def _check_shard(storage: Storage, shard: Shard, report: CheckReport) -> bool:
    """Verify one shard's bytes, columns and rows."""
    name = f"shards/{shard.name}"
    before = len(report.damage)
    try:
        data = storage.get(name)
    except OSError as error:
        report.found(name, "missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})")
        return False
    report.shards += 1
    report.bytes += len(data)
    if sha256_hex(data) != shard.sha256 or len(data) != shard.bytes:
        report.found(name, f"its bytes are not those that were committed ({len(data)} bytes, {shard.bytes} committed)")
        return False
    try:
        if footer_sha256(data) != shard.footer_sha256:
            report.found(name, "its footer is not the one that was committed")
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            if not file.schema_arrow.equals(SCHEMAS[shard.kind]):
                report.found(name, f"its columns are not those of {shard.kind}")
            if file.metadata.num_rows != shard.rows:
                report.found(name, f"has {file.metadata.num_rows} rows, {shard.rows} committed")
        if shard.kind == "clips" and len(report.damage) == before:
            for group, row in _numbered(data):
                report.clips += 1
                if row_content(row) != row["content"] or row["row_group"] != group:
                    report.found(
                        name, f"clip {row['clip_id']} ({row['key']}) does not have its content hash or its place"
                    )
    except (MotionUnionError, ValueError, pa.ArrowException) as error:
        report.found(name, str(error))
    return len(report.damage) == before


def _numbered(data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            for row in table_rows(file.read_row_group(group, use_threads=False)):
                yield group, row


def _list_dangling(storage: Storage, state: State, report: CheckReport) -> None:
    report.dangling = [
        entry.name for entry in storage.list("shards/") if entry.name.removeprefix("shards/") not in state.shards
    ]


def _check_receipts(storage: Storage, state: State, report: CheckReport) -> None:
    """Every live receipt finds the rows that it speaks of, and no more."""
    with contextlib.closing(index_in_memory(storage, state)) as index:
        for kind, table, expected in (
            (
                "clips",
                "clips",
                "SELECT source, \"key\", count(*) FROM holding WHERE clip_id IS NOT NULL AND outcome <> 'dropped' GROUP BY ALL",
            ),
            (
                "captions",
                "live_captions",
                'SELECT source, "key", captions FROM holding WHERE captions > 0 AND captions_shard IS NOT NULL',
            ),
            (
                "segments",
                "live_segments",
                'SELECT source, "key", segments FROM holding WHERE segments > 0 AND segments_shard IS NOT NULL',
            ),
        ):
            held = f'SELECT source, "key", count(*) FROM {table} GROUP BY ALL'
            for one, other in ((expected, held), (held, expected)):
                for source, key, count in index.execute(f"({one}) EXCEPT ({other})").fetchmany(20):
                    report.found(f"receipt of {source} {key}", f"{count} {kind} and their receipt disagree")


def _check_index(folder: Path, storage: Storage, state: State, report: CheckReport) -> None:
    """The index file, where there is one, says the same as one built anew."""
    path = index_path(folder, state.head)
    if not path.exists():
        return
    try:
        written = read_index(path)
    except duckdb.Error as error:
        report.found(f"index/{path.name}", f"is damaged ({error}); delete it, it is rebuilt")
        return
    with contextlib.closing(written), contextlib.closing(index_in_memory(storage, state)) as fresh:
        for table in (*TABLES, "about"):
            counts = [_rows_of(connection, table) for connection in (written, fresh)]
            if counts[0] != counts[1]:
                report.found(
                    f"index/{path.name}", f"its table {table} differs from the shards; delete it, it is rebuilt"
                )


def _rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> Counter[str] | str:
    try:
        return Counter(str(row) for row in connection.execute(f"SELECT hash(t) FROM {table} AS t").fetchall())
    except duckdb.Error as error:
        return str(error)
