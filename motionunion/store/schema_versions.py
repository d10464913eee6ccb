"""Which version of the schema wrote a shard, and refusing what this version cannot read.

The version stands in the shard's Parquet metadata, under `motionunion.schema`, from version 2 on; a shard without it is
of version 1. Nothing is written for version 1, so the bytes and the names of its shards stay what they always were.
"""

from __future__ import annotations

import functools
import io

import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.errors import StoreError
from motionunion.store.schema import SCHEMA_VERSION, SCHEMAS

VERSION_KEY = b"motionunion.schema"


def version_of(metadata: pq.FileMetaData) -> int:
    """The schema version that a shard was written in. Raises `ValueError` where its metadata holds no number."""
    return int((metadata.metadata or {}).get(VERSION_KEY, b"1"))


def refuse_other_columns(where: str, name: str, metadata: pq.FileMetaData) -> None:
    """Raises `StoreError` where a shard has other columns than this version reads, with the version that wrote it.

    Args:
        where: The shard's place, for the message.
        name: The shard's name, which begins with its kind.
        metadata: Its Parquet footer.
    """
    kind = name.partition("-")[0]
    if kind in SCHEMAS and metadata.schema.equals(_columns(kind)) and VERSION_KEY not in (metadata.metadata or {}):
        return  # all shards so far
    try:
        version = version_of(metadata)
    except ValueError:
        raise StoreError(
            f"{where}: the schema version in its metadata is no number; restore it from a backup"
        ) from None
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{where}: written in schema version {version}; this version reads up to {SCHEMA_VERSION}: use a newer one"
        )
    if kind not in SCHEMAS:
        raise StoreError(
            f"{where}: a shard of kind {kind!r}, written in schema version {version}; there are {sorted(SCHEMAS)}"
        )
    if metadata.schema.equals(_columns(kind)):
        return
    found, known = metadata.schema.to_arrow_schema(), SCHEMAS[kind]
    missing = sorted(set(known.names) - set(found.names))
    extra = sorted(set(found.names) - set(known.names))
    other = [one for one in known.names if one in found.names and found.field(one).type != known.field(one).type]
    said = "; ".join(
        f"{what} {', '.join(columns)}"
        for what, columns in (("without", missing), ("with an unknown", extra), ("another type of", other))
        if columns
    )
    raise StoreError(
        f"{where}: its columns are not those of {kind} in schema version {version}, which wrote it: {said or 'another order'}. "
        "Another program changed it, or a version that was never released; restore it from a backup"
    )


@functools.cache
def _columns(kind: str) -> pq.ParquetSchema:
    buffer = io.BytesIO()
    pq.write_table(SCHEMAS[kind].empty_table(), buffer)
    return pq.read_metadata(pa.BufferReader(buffer.getvalue())).schema
