"""Clips out of their shards, by address: only what is asked for is taken apart, and each clip's hash is verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.clip import Clip
from motionunion.errors import StoreError
from motionunion.store.schema import row_content, row_to_clip
from motionunion.store.shards import open_shard, shard_path, table_rows
from motionunion.store.storage import Storage

SHARD_COLUMNS = "shards.bytes, shards.footer_sha256"
ROW_COLUMNS = 'row_group, "row", clip_id, content'


@dataclass(frozen=True, slots=True)
class Address:
    """Where the index says that a clip lies, and what it is: shard, `SHARD_COLUMNS`, `ROW_COLUMNS`."""

    shard: str
    bytes: int
    footer_sha256: str
    row_group: int
    row: int
    clip_id: str
    content: str


def read_clips_at(storage: Storage, addresses: Iterable[Address]) -> Iterator[Clip]:
    """Clips at addresses, which come sorted: each shard is opened once, each row group is read once.

    Raises:
        StoreError: If a shard is missing or damaged, or a clip is not what was written.
    """
    for (name, size, footer), of_shard in groupby(addresses, key=lambda one: (one.shard, one.bytes, one.footer_sha256)):
        with open_shard(storage, name, size, footer) as file:
            for group, wanted in groupby(of_shard, key=lambda one: one.row_group):
                yield from _of_group(f"{storage.url}/{shard_path(name)}", file, group, list(wanted))


def _of_group(where: str, file: pq.ParquetFile, group: int, wanted: list[Address]) -> Iterator[Clip]:
    table = file.read_row_group(group, use_threads=False) if group < file.num_row_groups else None
    if table is None or wanted[-1].row >= table.num_rows:
        raise _not_there(where, wanted[-1])
    if len(wanted) < table.num_rows:
        table = table.take(pa.array([address.row for address in wanted]))
    for address, row in zip(wanted, table_rows(table), strict=True):
        if row["clip_id"] != address.clip_id or row_content(row) != address.content:
            raise _not_there(where, address)
        yield row_to_clip(row)


def _not_there(where: str, address: Address) -> StoreError:
    return StoreError(
        f"{where}: clip {address.clip_id} is not what was written there; `motionunion check` lists what is damaged"
    )
