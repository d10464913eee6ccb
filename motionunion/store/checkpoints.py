"""Checkpoints: all shards of one state in a Parquet file, named by a commit."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.digest import sha256_hex
from motionunion.errors import StoreError
from motionunion.store.shards import Shard
from motionunion.store.storage import Storage

_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("kind", pa.string()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("footer_sha256", pa.string()),
        ("since", pa.int64()),
    ]
)


def write_checkpoint(
    storage: Storage, number: int, shards: Mapping[str, Shard], since: Mapping[str, int]
) -> dict[str, Any]:
    """Write a state's shards; returns what its commit says of the file."""
    data = encode_checkpoint(shards, since)
    digest = sha256_hex(data)
    name = f"checkpoints/{number:020d}-{digest}.parquet"
    storage.put(name, data)
    return {"name": name, "sha256": digest, "bytes": len(data), "shards": len(shards)}


def encode_checkpoint(shards: Mapping[str, Shard], since: Mapping[str, int]) -> bytes:
    """The bytes of a state's checkpoint: the same for the same state, as long as the Parquet writer is the same."""
    rows = [{**shard.to_json(), "since": since[name]} for name, shard in sorted(shards.items())]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), buffer, compression="zstd")
    return buffer.getvalue()


def read_checkpoint(storage: Storage, checkpoint: Any) -> tuple[dict[str, Shard], dict[str, int]]:
    """Shards of a state, and the commit that added each.

    Args:
        storage: Where.
        checkpoint: What a commit says of it (format 1: the shards themselves).

    Raises:
        StoreError: If the file is missing, or is not what was written.
    """
    rows = checkpoint if isinstance(checkpoint, list) else _rows(storage, checkpoint)
    shards = [Shard.of_json(row) for row in rows]
    return {shard.name: shard for shard in shards}, {row["name"]: int(row["since"]) for row in rows}


def _rows(storage: Storage, checkpoint: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = checkpoint["name"]
    try:
        data = storage.get(name)
    except FileNotFoundError:
        raise StoreError(f"{name}: missing, though a commit names it; restore this file from a backup") from None
    except OSError as error:
        raise StoreError(
            f"{storage.url}/{name}: cannot be read ({error.strerror or error}); see to the disk or to this file's permissions"
        ) from error
    if sha256_hex(data) != checkpoint["sha256"]:
        raise StoreError(
            f"{name}: damaged, its bytes are not those that were written; restore this file from a backup, or try "
            "`motionunion check --repair`"
        )
    with pq.ParquetFile(pa.BufferReader(data)) as file:
        rows: list[dict[str, Any]] = file.read(use_threads=False).to_pylist()
    return rows
