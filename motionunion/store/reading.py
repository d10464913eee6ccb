"""Some columns of many shards, in order, a few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from motionunion.store.shards import Shard, read_columns
from motionunion.store.storage import Storage

_THREADS = 4
_AHEAD = 16
"""Tables that wait to be taken, at most: memory stays bounded however many shards there are."""


def read_all(storage: Storage, shards: Sequence[Shard], columns: Sequence[str]) -> Iterator[tuple[Shard, pa.Table]]:
    """Each shard with its table, in the order given. Raises `StoreError` where one cannot be read."""
    waiting: deque[tuple[Shard, Future[pa.Table]]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for shard in shards:
                waiting.append((shard, pool.submit(read_columns, storage, shard, columns)))
                if len(waiting) > _AHEAD:
                    first, table = waiting.popleft()
                    yield first, table.result()
            while waiting:
                first, table = waiting.popleft()
                yield first, table.result()
        finally:
            for _, table in waiting:
                table.cancel()
