"""Shards: immutable Parquet files whose name holds the hash of their bytes.

The bytes are a pure function of the rows (sorted by key, one writer configuration). Row groups are cut at about two
megabytes of values, since reading one clip costs reading its group: 3 ms at 1.3 MB, 190 ms at 86 MB.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.digest import sha256_hex
from motionunion.errors import StoreError
from motionunion.store.schema import SCHEMAS, VALUE_COLUMNS, Row
from motionunion.store.schema_versions import refuse_other_columns
from motionunion.store.storage import LocalStorage, Storage

ROW_GROUP_BYTES = 2 << 20
_ROW_GROUP_ROWS = 65536
_TAIL_BYTES = 64 << 10
"""Read at once from the end of a shard: nearly every footer is shorter."""
_ADVICE = (
    "`motionunion check` lists what is damaged, and `motionunion check --repair` sets it aside to be ingested again"
)
# Columns whose values repeat from row to row. The rest are unique, or numbers that a dictionary only makes longer.
_REPEATING = (
    "source", "official_split", "fps_num", "fps_den", "kind", "body", "gender", "flags.list.element", "labels.key_value.key",
    "labels.key_value.value", "provenance.key_value.key", "provenance.key_value.value", "shipped", "shipped_dtype", "layer",
    "generator", "split", "reason", "config", "outcome", "clips_shard", "captions_shard", "segments_shard",
    "rejects_shard", "uid", "key", "segment",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A shard as a commit lists it."""

    name: str
    """`<kind>-<source>-<sha256>.parquet`, in `shards/`."""
    kind: str
    rows: int
    bytes: int
    sha256: str
    footer_sha256: str
    """Hash of the Parquet footer with its length and magic: a cheap look at whether this is the file that was written."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, entry: Mapping[str, Any]) -> Shard:
        """The shard of a commit's entry, or of a checkpoint's row."""
        return cls(**{name: entry[name] for name in cls.__slots__})


class ShardWriter:
    """Collects rows of one kind, in order of key, into the bytes of one shard."""

    def __init__(self, kind: str) -> None:
        self._kind, self._schema = kind, SCHEMAS[kind]
        self._sink = io.BytesIO()
        repeating = [name for name in _REPEATING if name.split(".")[0] in self._schema.names]
        planes = [f"{name}.list.element" for name in VALUE_COLUMNS if name in self._schema.names]
        self._parquet = pq.ParquetWriter(
            self._sink,
            self._schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=repeating,
            use_byte_stream_split=planes or False,
            write_page_checksum=True,
            write_statistics=False,
        )
        self._held: list[Row] = []
        self._held_bytes = 0
        self._groups = 0
        self.rows = 0

    def add(self, row: Row) -> None:
        """Take one row; rows come sorted by key."""
        if self._kind == "clips":
            row = {**row, "row_group": self._groups, "row": len(self._held)}
        self._held.append(row)
        self._held_bytes += _row_bytes(row)
        self.rows += 1
        if self._held_bytes >= ROW_GROUP_BYTES or len(self._held) >= _ROW_GROUP_ROWS:
            self._flush()

    def finish(self) -> bytes:
        """The bytes of the shard."""
        self._flush()
        self._parquet.close()
        return self._sink.getvalue()

    def _flush(self) -> None:
        if not self._held:
            return
        columns = [pa.array([row[field.name] for row in self._held], type=field.type) for field in self._schema]
        table = pa.Table.from_arrays(columns, schema=self._schema)
        self._parquet.write_table(table, row_group_size=len(self._held))
        self._held, self._held_bytes = [], 0
        self._groups += 1


def write_shard(storage: Storage, kind: str, label: str, rows: Iterable[Row]) -> Shard | None:
    """Write rows (sorted by key) as one shard; None where there are none. Writing the same rows twice writes one file."""
    writer = ShardWriter(kind)
    for row in rows:
        writer.add(row)
    return store_shard(storage, writer, kind, label)


def store_shard(storage: Storage, writer: ShardWriter, kind: str, label: str) -> Shard | None:
    """Put a writer's bytes under the name of their hash; None where it holds no rows."""
    data = writer.finish()
    if not writer.rows:
        return None
    digest = sha256_hex(data)
    safe = "".join(letter if letter.isalnum() or letter in "._" else "_" for letter in label)[:40]
    name = f"{kind}-{safe}-{digest}.parquet"
    # Over the same bytes, where they are there: what is wanted again must not look old to `motionunion gc`.
    storage.put(shard_path(name), data)
    return Shard(
        name=name, kind=kind, rows=writer.rows, bytes=len(data), sha256=digest, footer_sha256=footer_sha256(data)
    )


def footer_sha256(data: bytes) -> str:
    """Hash of a Parquet file's footer: metadata, its length, magic."""
    length = int.from_bytes(data[-8:-4], "little")
    if data[-4:] != b"PAR1" or length + 8 > len(data):
        raise ValueError("not a Parquet file: the footer is missing")
    return sha256_hex(data[-8 - length :])


def shard_path(name: str) -> str:
    """Where a shard lies in its store."""
    return f"shards/{name}"


def read_footer(storage: Storage, name: str, size: int) -> bytes:
    """A shard's footer: metadata, its length, magic. One read, where the metadata is not unusually long."""
    tail = storage.get_range(shard_path(name), max(0, size - _TAIL_BYTES), min(size, _TAIL_BYTES))
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if tail[-4:] != b"PAR1" or length > size:
        raise StoreError(f"{storage.url}/{shard_path(name)}: not a Parquet file: its footer is missing. {_ADVICE}")
    if length > len(tail):
        return storage.get_range(shard_path(name), size - length, length)
    return tail[-length:]


@contextlib.contextmanager
def open_shard(storage: Storage, name: str, size: int, footer_sha256: str) -> Iterator[pq.ParquetFile]:
    """A shard, for reading: its footer is the one that was committed, and pages are held against their checksums.

    Raises:
        StoreError: If the file is missing, is not Parquet, has another footer, or (while it is read) a damaged page.
    """
    where = f"{storage.url}/{shard_path(name)}"
    try:
        footer = read_footer(storage, name, size)
        if sha256_hex(footer) != footer_sha256:
            raise StoreError(f"{where}: its footer is not the one that was committed. {_ADVICE}")
        metadata = pq.read_metadata(pa.BufferReader(footer))
        refuse_other_columns(where, name, metadata)
        if isinstance(storage, LocalStorage):
            # Absolute, for pyarrow takes the path of a folder `s3:x` for a URL.
            path = storage.path(shard_path(name)).absolute()
            file = pq.ParquetFile(path, metadata=metadata, page_checksum_verification=True)
        else:
            from motionunion.store.range_file import RangeFile

            source = pa.PythonFile(RangeFile(storage, shard_path(name), size), mode="r")
            file = pq.ParquetFile(source, metadata=metadata, page_checksum_verification=True, pre_buffer=True)
        with file:
            yield file
    except FileNotFoundError:
        raise StoreError(f"{where}: this shard is missing. {_ADVICE}") from None
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{where}: cannot be read ({error}). {_ADVICE}") from error


def read_rows(storage: Storage, shard: Shard, group: int | None = None) -> Iterator[Row]:
    """Rows of a shard, or of one row group; float lists come as float32 arrays. Raises like `open_shard`."""
    with open_shard(storage, shard.name, shard.bytes, shard.footer_sha256) as file:
        for number in range(file.num_row_groups) if group is None else (group,):
            yield from table_rows(file.read_row_group(number, use_threads=False))


def read_columns(storage: Storage, shard: Shard, columns: Sequence[str]) -> pa.Table:
    """Some columns of a shard. Raises like `open_shard`."""
    with open_shard(storage, shard.name, shard.bytes, shard.footer_sha256) as file:
        return file.read(columns=list(columns), use_threads=False)


def read_whole(storage: Storage, shard: Shard, columns: Sequence[str]) -> pa.Table:
    """Some columns of a small shard, after all of its bytes were held against its hash. Raises like `open_shard`."""
    where = f"{storage.url}/{shard_path(shard.name)}"
    try:
        data = storage.get(shard_path(shard.name))
        if sha256_hex(data) != shard.sha256:
            raise StoreError(f"{where}: its bytes are not those that were committed. {_ADVICE}")
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            return file.read(columns=list(columns), use_threads=False)
    except FileNotFoundError:
        raise StoreError(f"{where}: this shard is missing. {_ADVICE}") from None
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{where}: cannot be read ({error}). {_ADVICE}") from error


def table_rows(table: pa.Table) -> Iterator[Row]:
    """Rows of a table; float lists as slices of one buffer."""
    columns = {name: _column(table.column(name)) for name in table.column_names}
    for index in range(table.num_rows):
        yield {name: values[index] for name, values in columns.items()}


def _column(column: pa.ChunkedArray) -> Any:
    if column.type != pa.list_(pa.float32()):
        return column.to_pylist()
    values: list[Any] = []
    for chunk in column.chunks:
        # Slices of one buffer, not lists of Python floats.
        flat, offsets = chunk.values.to_numpy(zero_copy_only=True), chunk.offsets.to_numpy()
        valid = np.asarray(chunk.is_valid())
        values += [flat[offsets[i] : offsets[i + 1]] if valid[i] else None for i in range(len(chunk))]
    return values


def _row_bytes(row: Mapping[str, Any]) -> int:
    return 256 + sum(
        value.nbytes if isinstance(value, np.ndarray) else len(value) if isinstance(value, bytes | str) else 0
        for value in row.values()
    )
