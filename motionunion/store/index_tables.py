"""The tables of an index: what is live at one commit, ready for questions.

They are made from the shards alone, or from an earlier index and the shards that came since; both give the same tables,
for rows of an earlier index are taken over only where the same receipt's shard still speaks for the same key.
"""

from __future__ import annotations

import hashlib

import duckdb
import pyarrow as pa

from motionunion.splits import SPLIT_TABLE
from motionunion.store.commits import State
from motionunion.store.joint_groups import join_groups
from motionunion.store.reading import read_batches
from motionunion.store.receipt_tables import load_receipts, load_shards
from motionunion.store.schema import SCHEMA_VERSION
from motionunion.store.storage import Storage

TABLES: tuple[str, ...] = ("clips", "captions", "segments", "rejects", "receipts", "behind", "shards", "about")

_COLUMNS = {
    "clips": {
        **dict.fromkeys(("clip_id", "uid", "source", "key", "group", "own_group", "official_split"), "VARCHAR"),
        **dict.fromkeys(("fps_num", "fps_den", "frames"), "BIGINT"),
        **dict.fromkeys(("kind", "body", "gender", "shipped"), "VARCHAR"),
        **dict.fromkeys(("valid_start", "valid_end"), "BIGINT"),
        "flags": "VARCHAR[]",
        "labels": "MAP(VARCHAR, VARCHAR)",
        **dict.fromkeys(("licence", "file", "file_sha256", "reader"), "VARCHAR"),
        "fk_error_m": "DOUBLE",
        **dict.fromkeys(("version", "content", "shard"), "VARCHAR"),
        **dict.fromkeys(("row_group", "row"), "INTEGER"),
    },
    "captions": {
        **dict.fromkeys(("source", "key", "uid", "text", "tokens"), "VARCHAR"),
        **dict.fromkeys(("start_s", "end_s"), "DOUBLE"),
        **dict.fromkeys(("layer", "segment", "generator"), "VARCHAR"),
        "position": "BIGINT",
    },
    "segments": {
        **dict.fromkeys(("source", "key", "uid", "name", "layer"), "VARCHAR"),
        **dict.fromkeys(("start_s", "end_s"), "DOUBLE"),
        "split": "VARCHAR",
        "position": "BIGINT",
    },
    "rejects": {
        **dict.fromkeys(("source", "key", "file", "reason", "message"), "VARCHAR"),
        "line": "BIGINT",
        "position": "BIGINT",
    },
}
_OF_PROVENANCE = {"licence": "licence", "file": "file", "file_sha256": "sha256", "reader": "reader"}
_ADDED = {"shard", "position"}
"""Columns that shards do not have: which one a row lies in, and where."""
_MADE_ANEW = {"group": 'coalesce(own_group, "group")', "own_group": "NULL"}
"""Columns that depend on all of a store (`motionunion.store.joint_groups`): how an earlier index gives them as they were."""

# `places` is sorted by id: to look for one clip in it, DuckDB reads a block or two.
# One large join at a time, and the wide rows in one only: what is hashed stays in memory until its statement ends.
_INDEX = """
    CREATE TEMP TABLE sides AS SELECT clip_id, uid, split FROM live_clips JOIN split_of_group USING ("group");
    CREATE TEMP TABLE said AS SELECT uid, count(*) AS caption_count FROM live_captions GROUP BY uid;
    CREATE TEMP TABLE told AS
        SELECT clip_id, split, coalesce(caption_count, 0) AS caption_count FROM sides LEFT JOIN said USING (uid);
    DROP TABLE sides;
    DROP TABLE said;
    CREATE TABLE clips AS
        SELECT clip_id, uid, source, "key", "group", own_group, split, official_split, fps_num, fps_den,
            fps_num / fps_den AS fps, frames, frames * fps_den / fps_num AS seconds, live.kind, body, gender, shipped,
            valid_start, valid_end, flags, labels, licence, file, file_sha256, reader, fk_error_m,
            caption_count, version, content, commit_number, shard, row_group, "row"
        FROM live_clips AS live JOIN told USING (clip_id) JOIN shards ON shards.name = shard
        ORDER BY source, "key", clip_id;
    DROP TABLE told;
    CREATE TABLE places AS SELECT clip_id, rowid AS place FROM clips ORDER BY clip_id;
    CREATE TABLE captions AS
        SELECT clip_id, uid, text, tokens, start_s, end_s, layer, segment, generator, said.source, said."key", position
        FROM live_captions AS said LEFT JOIN (SELECT clip_id, uid FROM live_clips) USING (uid)
        ORDER BY said.source, said."key", position, clip_id;
    CREATE TABLE segments AS
        SELECT clip_id, uid, name, layer, start_s, end_s, said.split, said.source, said."key", position
        FROM live_segments AS said LEFT JOIN (SELECT clip_id, uid FROM live_clips) USING (uid)
        ORDER BY said.source, said."key", position, clip_id;
    CREATE TABLE rejects AS
        SELECT source, "key", file, reason, message, line, position FROM live_rejects ORDER BY source, "key", position;
    CREATE TABLE about (name VARCHAR, value VARCHAR);
"""
_WANTED = """
    SELECT source, "key", {kind}_shard AS shard FROM ({live}) SEMI JOIN {of}shards AS there ON there.name = {kind}_shard
"""


def build_tables(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State, based: bool) -> None:
    """Make all tables of an index, and leave behind the temporary ones `live_<kind>` that they were made of.

    Args:
        connection: Empty, or with an index of an earlier commit attached as `base`.
        storage: Where the shards lie.
        state: The commit's.
        based: Whether `base` is there.

    Raises:
        StoreError: If a shard cannot be read.
    """
    load_shards(connection, state)
    load_receipts(connection, storage, state, based)
    # What is written only to be read once more is not worth compressing.
    connection.execute("SET force_compression = 'uncompressed'")
    for kind in _COLUMNS:
        _load_live(connection, storage, state, kind, based)
    connection.execute("RESET force_compression")
    join_groups(connection)
    connection.execute(SPLIT_TABLE)
    connection.execute(_INDEX)
    connection.execute("INSERT INTO about VALUES ('fingerprint', ?)", [_fingerprint(connection)])


def _load_live(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State, kind: str, based: bool) -> None:
    """Make `live_<kind>`: the rows of that kind's shards that a live receipt names."""
    columns = _COLUMNS[kind]
    typed = ", ".join(f'"{name}" {sql_type}' for name, sql_type in columns.items())
    connection.execute(f"CREATE TEMP TABLE live_{kind} ({typed})")
    wanted = _WANTED.format(kind=kind, of="", live=_live("", kind))
    if based:
        # Both differences are small where little changed, so the large tables are looked through, never hashed together.
        known = _WANTED.format(kind=kind, of="base.", live=_live("base.", kind))
        connection.execute(f"CREATE TEMP TABLE fresh AS {wanted} EXCEPT {known}")
        connection.execute(f"CREATE TEMP TABLE gone AS {known} EXCEPT {wanted}")
        # Captions and segments stand once for each clip of their uid.
        once, at = (
            ("", 'source, "key", shard')
            if kind == "clips"
            else ('DISTINCT ON (source, "key", position)', 'source, "key"')
        )
        names = ", ".join(_MADE_ANEW.get(name, f'"{name}"') for name in columns)
        connection.execute(
            f"INSERT INTO live_{kind} SELECT {once} {names} FROM base.{kind} ANTI JOIN gone USING ({at})"
        )
        connection.execute("DROP TABLE gone")
    else:
        connection.execute(f"CREATE TEMP TABLE fresh AS {wanted}")
    within = _OF_PROVENANCE if kind == "clips" else {}
    of_all = {"own_group", *within, *_ADDED}
    read = [name for name in columns if name not in of_all] + ["provenance"] * bool(within)
    shards = [
        state.shards[name] for (name,) in connection.execute("SELECT DISTINCT shard FROM fresh ORDER BY ALL").fetchall()
    ]
    values = ", ".join(
        f"map_extract(provenance, '{within[name]}')[1]"
        if name in within
        else "NULL"
        if name == "own_group"
        else f'"{name}"'
        for name in columns
    )
    for batch in read_batches(storage, shards, read):
        connection.register("rows_of_shards", batch)
        # Of the millions that are wanted, those of these shards, lest all of them be hashed for each batch.
        connection.execute(
            f"""
            INSERT INTO live_{kind} SELECT {values} FROM rows_of_shards SEMI JOIN (
                FROM fresh SEMI JOIN (SELECT DISTINCT shard FROM rows_of_shards) USING (shard)
            ) USING (source, "key", shard)
            """
        )
        connection.unregister("rows_of_shards")
    connection.execute("DROP TABLE fresh")
    pa.default_memory_pool().release_unused()


def _live(of: str, kind: str) -> str:
    """The receipts that say which rows of a kind are live. Spelled out, since a view of `base` would look for tables here."""
    if kind == "rejects":
        return f"FROM {of}receipts"
    return f"FROM {of}receipts WHERE outcome <> 'reject' UNION ALL FROM {of}behind"


def _fingerprint(connection: duckdb.DuckDBPyConnection) -> str:
    """sha256 over what the store says: schema, clips, annotations and rejects, sorted; not when, where or in which files."""
    digest = hashlib.sha256(f"motionunion store {SCHEMA_VERSION}\n".encode())
    for query in _FINGERPRINT:
        result = connection.execute(query)
        while rows := result.fetchmany(10_000):
            digest.update("".join(f"{row[0]}\n" for row in rows).encode())
    return digest.hexdigest()


_HOLDING = "holding WHERE outcome <> 'dropped'"
# json_array keeps a key that holds a separator from looking like two.
_FINGERPRINT = tuple(
    f"SELECT CAST(json_array({columns}) AS VARCHAR) AS line FROM {table} ORDER BY line"
    for columns, table in (
        ("'clip', clip_id, content", "live_clips"),
        ("'captions', source, \"key\", captions_digest", f"{_HOLDING} AND captions_digest IS NOT NULL"),
        ("'segments', source, \"key\", segments_digest", f"{_HOLDING} AND segments_digest IS NOT NULL"),
        ("'reject', source, \"key\", file, reason, line", "live_rejects"),
    )
)
