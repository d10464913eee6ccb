"""Some columns of many shards, in order, in batches: a shard may hold very few rows, and a database wants many at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from motionunion.store.shards import Shard, read_columns, read_whole
from motionunion.store.storage import LocalStorage, Storage

_THREADS_LOCAL, _THREADS_REMOTE = 4, 16
"""A local read is work for a core; a remote one is mostly waiting."""
_AHEAD = 16
"""Shards that wait to be taken, at most: memory stays bounded however many there are."""
_BATCH_ROWS = 1 << 14
_VALUES = "clips"
"""The kind of which only some columns are read: the others are small, are read whole, and are held against their hash."""


def read_batches(storage: Storage, shards: Sequence[Shard], columns: Sequence[str]) -> Iterator[pa.Table]:
    """Rows of many shards, in the order given, with two more columns: `shard`, and `position`, the row in its shard.

    Captions, segments, rejects and receipts are held against the sha256 of their shard; of clips, the footer against its
    own and what is read against the checksums of its pages.

    Raises:
        StoreError: If a shard is missing or damaged.
    """
    held: list[pa.Table] = []
    rows = 0
    for shard, table in _tables(storage, shards, columns):
        positions = pa.array(np.arange(table.num_rows, dtype=np.int64))
        table = table.append_column("shard", pa.repeat(pa.scalar(shard.name), table.num_rows))
        held.append(table.append_column("position", positions))
        rows += table.num_rows
        if rows >= _BATCH_ROWS:
            yield pa.concat_tables(held)
            held, rows = [], 0
    if held:
        yield pa.concat_tables(held)


def _tables(storage: Storage, shards: Sequence[Shard], columns: Sequence[str]) -> Iterator[tuple[Shard, pa.Table]]:
    waiting: deque[tuple[Shard, Future[pa.Table]]] = deque()
    threads = _THREADS_LOCAL if isinstance(storage, LocalStorage) else _THREADS_REMOTE
    with ThreadPoolExecutor(threads) as pool:
        try:
            for shard in shards:
                read = read_columns if shard.kind == _VALUES else read_whole
                waiting.append((shard, pool.submit(read, storage, shard, columns)))
                if len(waiting) > _AHEAD:
                    first, table = waiting.popleft()
                    yield first, table.result()
            while waiting:
                first, table = waiting.popleft()
                yield first, table.result()
        finally:
            for _, table in waiting:
                table.cancel()
