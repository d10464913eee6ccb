"""Rows of several shards, copied into one new shard, and verified on the way.

Rows come out sorted by key. Of each input one row group is in memory at a time, of the output its compressed bytes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from motionunion.errors import StoreError
from motionunion.store.receipts import Covered
from motionunion.store.remote_errors import RemoteError
from motionunion.store.schema import Row, row_content, rows_digest
from motionunion.store.shards import Shard, ShardWriter, open_shard, read_rows, shard_path, store_shard
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

    Every clip is held against its content hash and that of its receipt, captions and segments against the digest of their
    receipt, rejects against the checksums of their pages.

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
    """All rows, one row group in memory; between groups no file is open, since there may be thousands of shards."""
    try:
        with open_shard(storage, shard.name, shard.bytes, shard.footer_sha256) as file:
            groups = file.num_row_groups
        for group in range(groups):
            yield from list(read_rows(storage, shard, group))
    except RemoteError:
        raise  # a server that does not answer is no damage
    except StoreError as error:
        raise ShardDamage(shard.name, str(error)) from error


def _is_as_said(kind: str, rows: list[Row], covered: Covered) -> bool:
    if kind == "clips":
        said: Any = (covered.clip_id, covered.content)
        return len(rows) == 1 and (rows[0]["clip_id"], rows[0]["content"]) == said and row_content(rows[0]) == said[1]
    if kind == "captions":
        return len(rows) == covered.captions and rows_digest(rows) == covered.captions_digest
    if kind == "segments":
        return len(rows) == covered.segments and rows_digest(rows) == covered.segments_digest
    return True


def _damage(storage: Storage, shard: Shard, problem: str) -> ShardDamage:
    return ShardDamage(
        shard.name,
        f"{storage.url}/{shard_path(shard.name)}: {problem}. `motionunion check` lists what is damaged, and `motionunion check "
        "--repair` sets it aside to be ingested again",
    )
