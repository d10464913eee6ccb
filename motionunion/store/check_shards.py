"""Every byte and every row of a shard, many shards at a time, within bounded memory."""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.digest import sha256_hex
from motionunion.errors import MotionUnionError
from motionunion.store.remote_errors import RemoteError
from motionunion.store.schema import SCHEMAS, row_content
from motionunion.store.shards import Shard, footer_sha256, shard_path, table_rows
from motionunion.store.storage import Storage

THREADS = 4
HELD_BYTES = 256 << 20
"""Bytes of shards that are in memory at a time; a larger shard is read alone."""
ROWS = pa.schema(
    [
        ("kind", pa.string()),
        ("shard", pa.string()),
        ("source", pa.string()),
        ("key", pa.string()),
        ("rows", pa.int64()),
        ("clip_id", pa.string()),
        ("content", pa.string()),
    ]
)
"""What rows a shard holds for each (source, key)."""


@dataclass(slots=True)
class CheckedShard:
    """What a look at one shard gave."""

    shard: Shard
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    """Empty where it is as it was committed."""
    no_access: bool = False
    """It could not be read for a reason that lies outside the file."""
    rows: pa.Table = field(default_factory=ROWS.empty_table)

    @property
    def file(self) -> str:
        return shard_path(self.shard.name)


def check_shards(storage: Storage, shards: Sequence[Shard]) -> Iterator[CheckedShard]:
    """Verify shards in the order given, some at once; at most `HELD_BYTES` of them are in memory."""
    memory = _Memory(HELD_BYTES)
    waiting: deque[Future[CheckedShard]] = deque()

    def check(shard: Shard) -> CheckedShard:
        with memory.taken(shard.bytes):
            return check_shard(storage, shard)

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for shard in shards:
                waiting.append(pool.submit(check, shard))
                if len(waiting) > 2 * THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def check_shard(storage: Storage, shard: Shard) -> CheckedShard:
    """Verify the hash, footer, columns and rows of one shard; of clips, the content hash and the place of each.

    Raises:
        RemoteError: If the storage cannot be reached: this says nothing about the shard.
    """
    checked = CheckedShard(shard)
    try:
        data = storage.get(shard_path(shard.name))
    except FileNotFoundError:
        checked.problems.append("missing")
        return checked
    except OSError as error:
        checked.problems.append(f"cannot be read ({error.strerror or error})")
        checked.no_access = error.errno not in (errno.EIO, errno.EISDIR)
        return checked
    checked.bytes = len(data)
    if len(data) != shard.bytes or sha256_hex(data) != shard.sha256:
        checked.problems.append(
            f"its bytes are not those that were committed ({len(data)} bytes, {shard.bytes} committed)"
        )
        return checked
    try:
        _check_rows(checked, data)
    except RemoteError:
        raise
    except (MotionUnionError, ValueError, KeyError, pa.ArrowException) as error:
        checked.problems.append(str(error))
    return checked


def _check_rows(checked: CheckedShard, data: bytes) -> None:
    shard = checked.shard
    if footer_sha256(data) != shard.footer_sha256:
        checked.problems.append("its footer is not the one that was committed")
    parts = []
    with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
        if not file.schema_arrow.equals(SCHEMAS[shard.kind]):
            checked.problems.append(f"its columns are not those of {shard.kind}")
            return
        if file.metadata.num_rows != shard.rows:
            checked.problems.append(f"has {file.metadata.num_rows} rows, {shard.rows} committed")
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, use_threads=False)
            if shard.kind == "clips":
                _check_clips(checked, table, group)
            parts.append(rows_by_key(shard, table))
    if parts:
        checked.rows = pa.concat_tables(parts)


def _check_clips(checked: CheckedShard, table: pa.Table, group: int) -> None:
    for number, row in enumerate(table_rows(table)):
        if row_content(row) != row["content"] or (row["row_group"], row["row"]) != (group, number):
            checked.problems.append(f"clip {row['clip_id']} ({row['key']}) does not have its content hash or its place")


def rows_by_key(shard: Shard, table: pa.Table) -> pa.Table:
    """How many rows a table of a shard has for each (source, key), as `ROWS`; of clips, what they are."""
    by = ["source", "key", "clip_id", "content"] if shard.kind == "clips" else ["source", "key"]
    found = table.select(by).group_by(by).aggregate([([], "count_all")])
    columns: dict[str, Any] = {name: found[name] for name in by}
    return pa.table(
        {
            "kind": pa.array([shard.kind] * found.num_rows, pa.string()),
            "shard": pa.array([shard.name] * found.num_rows, pa.string()),
            "source": columns["source"],
            "key": columns["key"],
            "rows": found["count_all"],
            "clip_id": columns.get("clip_id", pa.nulls(found.num_rows, pa.string())),
            "content": columns.get("content", pa.nulls(found.num_rows, pa.string())),
        },
        schema=ROWS,
    )


class _Memory:
    """Lets shards in as long as there is room; one that is larger than all of it, when nothing else is held."""

    def __init__(self, limit: int) -> None:
        self._limit, self._held = limit, 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        size = min(size, self._limit)
        with self._changed:
            self._changed.wait_for(lambda: self._held + size <= self._limit)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()
