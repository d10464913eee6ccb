"""One DuckDB file per commit: what is live, ready for questions. Derived, never the truth: delete it and it is rebuilt.

An open DuckDB writer shuts out the readers of other processes. So a file is built aside, renamed into its place, and
from then on only ever opened read-only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from motionunion.digest import TEMPORARY_PREFIX, fsync_directory, name_aside
from motionunion.splits import SPLIT_TABLE
from motionunion.store.commits import Head, State, read_state
from motionunion.store.ledger import LIVE_TABLES, load_covered
from motionunion.store.reading import read_all
from motionunion.store.schema import CLIPS, SCHEMA_VERSION, SCHEMAS, VALUE_COLUMNS
from motionunion.store.storage import Storage

INDEX_VERSION = 2
"""Part of the file's name: a newer index layout rebuilds, never misreads."""
TABLES: tuple[str, ...] = ("clips", "captions", "segments", "rejects", "receipts", "shards")
_READER_CONFIG: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": "false"}
_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.float64(): "DOUBLE",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.map_(pa.string(), pa.string()): "MAP(VARCHAR, VARCHAR)",
}

_INDEX = """
    CREATE TABLE clips AS
        SELECT clip_id, uid, source, "key", "group", split, official_split, fps_num, fps_den,
            fps_num / fps_den AS fps, frames, frames * fps_den / fps_num AS seconds, kind, body, gender, shipped,
            valid_start, valid_end, flags, labels,
            map_extract(provenance, 'licence')[1] AS licence, map_extract(provenance, 'file')[1] AS file,
            map_extract(provenance, 'sha256')[1] AS file_sha256, map_extract(provenance, 'reader')[1] AS reader,
            fk_error_m, version, content, commit_number, shard, row_group, "row"
        FROM live_clips JOIN split_of_group USING ("group") ORDER BY source, "key", clip_id;
    CREATE TABLE captions AS
        SELECT clip_id, uid, text, tokens, start_s, end_s, layer, segment, generator, said.source, said."key"
        FROM live_captions AS said LEFT JOIN (SELECT clip_id, uid FROM live_clips) USING (uid)
        ORDER BY said.source, said."key", position, clip_id;
    CREATE TABLE segments AS
        SELECT clip_id, uid, name, layer, start_s, end_s, said.split, said.source, said."key"
        FROM live_segments AS said LEFT JOIN (SELECT clip_id, uid FROM live_clips) USING (uid)
        ORDER BY said.source, said."key", position, clip_id;
    CREATE TABLE rejects AS
        SELECT source, "key", file, reason, message, line FROM live_rejects ORDER BY source, "key", position;
    CREATE TABLE receipts AS
        SELECT * FROM newest ORDER BY source, "key";
"""


def open_index(folder: Path, storage: Storage, head: Head) -> duckdb.DuckDBPyConnection:
    """The index of a commit, read-only; built first where it is missing or damaged.

    Where it cannot be written (a store that this person may only read, a full disk), it is built in memory.

    Args:
        folder: Where index files lie, on this machine.
        storage: Where the store's shards lie.
        head: The commit.
    """
    path = index_path(folder, head)
    if path.exists():
        # A damaged file is built anew; so is one that another process removed just now as outdated.
        with contextlib.suppress(duckdb.IOException):
            return read_index(path)
    state = read_state(storage, head.number)
    try:
        write_index(folder, storage, state)
    except (OSError, duckdb.Error):
        return index_in_memory(storage, state)
    return read_index(path)


def read_index(path: Path) -> duckdb.DuckDBPyConnection:
    """Open an index file to read, with no way out of it to other files. Raises `duckdb.IOException` where it is damaged."""
    return duckdb.connect(path, read_only=True, config=_READER_CONFIG)


def is_damage(error: duckdb.Error) -> bool:
    """Whether an index file, not the question, is to blame. Blocks are read, and their checksums seen, when first asked for."""
    return isinstance(error, duckdb.IOException | duckdb.FatalException) or "Corrupt database file" in str(error)


def index_path(folder: Path, head: Head) -> Path:
    """Where the index of a commit lies. The commit's digest is in the name, lest another chain's index be taken for ours."""
    return folder / f"{head.number:020d}-{head.digest[:12] or 'empty'}-v{INDEX_VERSION}.duckdb"


def write_index(folder: Path, storage: Storage, state: State) -> None:
    """Build the index of a commit aside and give it its name; indexes of earlier commits are removed.

    Raises `OSError` or `duckdb.Error` where it cannot be written, and `StoreError` where a shard cannot be read.
    """
    path = index_path(folder, state.head)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = name_aside(path, suffix=".duckdb")  # DuckDB wants to make the file itself
    try:
        with duckdb.connect(aside) as connection:
            _build(connection, storage, state)
            connection.execute("CHECKPOINT")  # closing would write it too, but a full disk is not said then
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        for leftover in (aside, aside.with_name(f"{aside.name}.wal")):
            leftover.unlink(missing_ok=True)
    fsync_directory(path.parent)
    _remove_older(path)


def index_in_memory(storage: Storage, state: State) -> duckdb.DuckDBPyConnection:
    """The same tables, in memory only. Raises `StoreError` where a shard cannot be read."""
    connection = duckdb.connect()
    _build(connection, storage, state)
    connection.execute("SET enable_external_access = false")
    return connection


def _remove_older(path: Path) -> None:
    for other in path.parent.glob("*.duckdb"):
        if other.name < path.name and not other.name.startswith(TEMPORARY_PREFIX):
            try:
                other.unlink(missing_ok=True)
            except PermissionError:
                continue  # Windows keeps a file that a reader has open; the next build removes it


def _build(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State) -> None:
    load_covered(connection, storage, state)
    connection.execute(LIVE_TABLES)
    for kind in ("clips", "captions", "segments", "rejects"):
        _load_live(connection, storage, state, kind)
    connection.execute(SPLIT_TABLE)
    connection.execute(_INDEX)
    rows = [{**shard.to_json(), "commit_number": state.since[name]} for name, shard in sorted(state.shards.items())]
    connection.register("all_shards", pa.Table.from_pylist(rows, schema=_SHARDS))
    connection.execute("CREATE TABLE shards AS SELECT * FROM all_shards")
    connection.unregister("all_shards")
    connection.execute("CREATE TABLE about (name VARCHAR, value VARCHAR)")
    connection.execute("INSERT INTO about VALUES ('fingerprint', ?)", [_fingerprint(connection)])


def _load_live(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State, kind: str) -> None:
    """Make `live_<kind>`: the rows of that kind's shards that a live receipt names."""
    schema = SCHEMAS[kind]
    wanted = [field for field in schema if field.name not in VALUE_COLUMNS and field.name not in _NOT_INDEXED]
    columns = ", ".join(f'"{field.name}"' for field in wanted)
    typed = ", ".join(f'"{field.name}" {_SQL_TYPES[field.type]}' for field in wanted)
    connection.execute(f"CREATE TEMP TABLE live_{kind} ({typed}, shard VARCHAR, position BIGINT, commit_number BIGINT)")
    live = "newest" if kind == "rejects" else "holding"
    for shard, table in read_all(storage, state.of_kind(kind), [field.name for field in wanted]):
        positions = pa.array(np.arange(table.num_rows, dtype=np.int64))
        connection.register("rows_of_shard", table.append_column("position", positions))
        connection.execute(
            f"""
            INSERT INTO live_{kind} SELECT {columns}, $name, position, $number FROM rows_of_shard AS rows
            SEMI JOIN {live}
                ON rows.source = {live}.source AND rows."key" = {live}."key" AND {live}.{kind}_shard = $name
            """,
            {"name": shard.name, "number": state.since[shard.name]},
        )
        connection.unregister("rows_of_shard")


_SHARDS = pa.schema(
    [
        ("name", pa.string()),
        ("kind", pa.string()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("footer_sha256", pa.string()),
        ("commit_number", pa.int64()),
    ]
)
_NOT_INDEXED = {"joint_mask", "betas_shape", "shipped_dtype", "shipped_shape", "shipped_bytes"}
assert set(VALUE_COLUMNS) | _NOT_INDEXED <= set(CLIPS.names)


def _fingerprint(connection: duckdb.DuckDBPyConnection) -> str:
    """sha256 over what the store says: schema, clips, annotations and rejects, sorted; not when, where or in which files."""
    digest = hashlib.sha256(f"motionunion store {SCHEMA_VERSION}\n".encode())
    for query in _FINGERPRINT:
        result = connection.execute(query)
        while rows := result.fetchmany(10_000):
            digest.update("".join(f"{row[0]}\n" for row in rows).encode())
    return digest.hexdigest()


_LIVE = "holding WHERE outcome <> 'dropped'"
# json_array keeps a key that holds a separator from looking like two.
_FINGERPRINT = tuple(
    f"SELECT CAST(json_array({columns}) AS VARCHAR) AS line FROM {table} ORDER BY line"
    for columns, table in (
        ("'clip', clip_id, content", "live_clips"),
        ("'captions', source, \"key\", captions_digest", f"{_LIVE} AND captions_digest IS NOT NULL"),
        ("'segments', source, \"key\", segments_digest", f"{_LIVE} AND segments_digest IS NOT NULL"),
        ("'reject', source, \"key\", file, reason, line", "live_rejects"),
    )
)
