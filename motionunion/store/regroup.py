"""Rows of several shards, copied into one new shard, and verified on the way.

Rows come out sorted by key. Of clips, one row group of each input is in memory at a time, and the compressed output.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.digest import sha256_hex
from motionunion.errors import StoreError
from motionunion.store.receipts import Covered
from motionunion.store.remote_errors import RemoteError
from motionunion.store.schema import Row, row_content
from motionunion.store.shards import Shard, ShardWriter, open_shard, read_rows, shard_path, store_shard, table_rows
from motionunion.store.storage import Storage


class ShardDamage(StoreError):
    """A shard cannot be copied, since it is not what was written.

    Attributes:
        shard: Its name.
    """

    def __init__(self, shard: str, message: str) -> None:
        super().__init__(message)
        self.shard = shard

    def __reduce__(self) -> tuple[object, ...]:
        return (ShardDamage, (self.shard, str(self)))


@dataclass(frozen=True, slots=True)
class Take:
    """What to copy from one shard."""

    shard: Shard
    wanted: Mapping[str, Covered]
    """Receipts by key: which rows, and what they must be."""


def regroup(storage: Storage, takes: Sequence[Take], into: Storage, source: str) -> Shard:
    """Copy rows of one kind and source into a new shard.

    Every clip is held against its content hash and that of its receipt; of captions, segments and rejects, the whole shard
    against its own hash.

    Args:
        storage: Where the shards lie.
        takes: What to copy; no key twice.
        into: Where the new shard goes.
        source: Whose rows they are, for the name.

    Raises:
        ShardDamage: If a shard cannot be read, or a row is not what was written, or missing.
    """
    kind = takes[0].shard.kind
    writer = ShardWriter(kind)
    for _, rows in heapq.merge(*(_taken(storage, take) for take in takes), key=_key):
        for row in rows:
            writer.add(row)
    shard = store_shard(into, writer, kind, source)
    if shard is None:
        raise ValueError("nothing to copy")
    return shard


def _key(taken: tuple[str, list[Row]]) -> str:
    return taken[0]


def _taken(storage: Storage, take: Take) -> Iterator[tuple[str, list[Row]]]:
    """Rows of each wanted key, verified, in the shard's order."""
    left = set(take.wanted)
    for key, rows in groupby(_rows(storage, take.shard), key=lambda row: str(row["key"])):
        if key not in left:
            continue
        left.discard(key)
        held = list(rows)
        if not _is_as_said(take.shard.kind, held, take.wanted[key]):
            raise _damage(storage, take.shard, f"what it holds of {key} is not what was written")
        yield key, held
    if left:
        raise _damage(storage, take.shard, f"{min(left)} is not in it ({len(left)} missing)")


def _rows(storage: Storage, shard: Shard) -> Iterator[Row]:
    """All rows. Of clips, one row group is in memory; between groups no file is open: there may be thousands of shards."""
    try:
        if shard.kind != "clips":
            data = storage.get(shard_path(shard.name))
            if sha256_hex(data) != shard.sha256:
                raise _damage(storage, shard, "its bytes are not those that were committed")
            with pq.ParquetFile(pa.BufferReader(data)) as file:
                yield from table_rows(file.read(use_threads=False))
            return
        with open_shard(storage, shard.name, shard.bytes, shard.footer_sha256) as file:
            groups = file.num_row_groups
        for group in range(groups):
            yield from list(read_rows(storage, shard, group))
    except FileNotFoundError:
        raise _damage(storage, shard, "it is missing") from None
    except (ShardDamage, RemoteError):
        raise  # a server that does not answer is no damage
    except StoreError as error:
        raise ShardDamage(shard.name, str(error)) from error
    except OSError as error:
        raise _damage(storage, shard, f"it cannot be read ({error.strerror or error})") from error


def _is_as_said(kind: str, rows: list[Row], covered: Covered) -> bool:
    if kind == "clips":
        said = (covered.clip_id, covered.content)
        return len(rows) == 1 and (rows[0]["clip_id"], rows[0]["content"]) == said and row_content(rows[0]) == said[1]
    return kind == "rejects" or len(rows) == (covered.captions if kind == "captions" else covered.segments)


def _damage(storage: Storage, shard: Shard, problem: str) -> ShardDamage:
    return ShardDamage(
        shard.name,
        f"{storage.url}/{shard_path(shard.name)}: {problem}. `motionunion check` lists what is damaged, and `motionunion check "
        "--repair` sets it aside to be ingested again",
    )
