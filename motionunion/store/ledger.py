"""Which file was read when, and hence what is live.

Two rules, both over receipts, newest commit first:

- the newest receipt of a (source, key) says which rejects are live;
- the newest one that is not a reject says which clip, captions and segments are: a file that can no longer be read
  does not take away what an earlier reading gave.

For one clip id (one source, key and interval) that is the row of the newest commit. A shard that no live receipt
names is superseded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from motionunion.store.commits import State
from motionunion.store.reading import read_all
from motionunion.store.receipts import Covered
from motionunion.store.schema import RECEIPTS
from motionunion.store.storage import Storage

_NEWEST_FIRST = 'PARTITION BY source, "key" ORDER BY commit_number DESC, receipts_shard DESC'
LIVE_TABLES = f"""
    CREATE OR REPLACE TEMP TABLE newest AS
        SELECT * FROM covered QUALIFY row_number() OVER ({_NEWEST_FIRST}) = 1;
    CREATE OR REPLACE TEMP TABLE holding AS
        SELECT * FROM covered WHERE outcome <> 'reject' QUALIFY row_number() OVER ({_NEWEST_FIRST}) = 1;
"""
"""From `covered` (receipts with `receipts_shard` and `commit_number`) to what is live."""

_REFERENCED = """
    SELECT receipts_shard AS name FROM newest UNION SELECT rejects_shard FROM newest
    UNION SELECT receipts_shard FROM holding UNION SELECT clips_shard FROM holding
    UNION SELECT captions_shard FROM holding UNION SELECT segments_shard FROM holding
"""
_TRANSIENT = ("unreadable", "worker_died", "internal_error", "out_of_memory", "undropped")
"""Reasons that lie outside the file: the same file may well be read next time."""


def load_covered(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State) -> None:
    """Make the table `covered` of all receipts of a state, in a DuckDB connection."""
    columns = ", ".join(f'"{field.name}" {_sql_type(field.type)}' for field in RECEIPTS)
    connection.execute(f"CREATE TEMP TABLE covered ({columns}, receipts_shard VARCHAR, commit_number BIGINT)")
    for shard, table in read_all(storage, state.of_kind("receipts"), RECEIPTS.names):
        _insert(connection, table, shard.name, state.since[shard.name])


class Ledger:
    """The receipts of one store, in memory, kept up with the commits of its writer."""

    def __init__(self, storage: Storage, state: State) -> None:
        self._storage, self._shards = storage, set(state.shards)
        self._connection = duckdb.connect()
        load_covered(self._connection, storage, state)
        self._connection.execute(LIVE_TABLES)

    def up_to_date(self, listing: Sequence[Covered]) -> dict[tuple[str, str], tuple[str, str | None]]:
        """Outcome, and reason of rejects, of each listed file that has been read as it is now, by these readers, with a
        lasting result, and whose shards are there: one that was removed or set aside is made again."""
        there = {entry.name.removeprefix("shards/") for entry in self._storage.list("shards/")} & self._shards
        self._connection.register("there", pa.table({"name": pa.array(sorted(there), pa.string())}))
        self._register("listing", [one.to_row() for one in listing])
        rows = self._connection.execute(
            """
            SELECT newest.source, newest."key", newest.outcome, newest.reason FROM listing JOIN newest USING (source, "key")
            WHERE listing.stamp = newest.stamp AND listing.config = newest.config
              AND NOT list_has_any(string_split(coalesce(newest.reason, ''), ','), ?)
              AND (newest.clips_shard IS NULL OR newest.clips_shard IN (FROM there))
              AND (newest.captions_shard IS NULL OR newest.captions_shard IN (FROM there))
              AND (newest.segments_shard IS NULL OR newest.segments_shard IN (FROM there))
              AND (newest.rejects_shard IS NULL OR newest.rejects_shard IN (FROM there))
            """,
            [list(_TRANSIENT)],
        ).fetchall()
        return {(source, key): (outcome, reason) for source, key, outcome, reason in rows}

    def newest(self, keys: Iterable[Covered]) -> dict[tuple[str, str], Covered]:
        """The newest receipt of each (source, key), where there is one."""
        self._register("wanted", [one.to_row() for one in keys])
        names = ", ".join(f'newest."{name}"' for name in RECEIPTS.names)
        rows = self._connection.execute(f'SELECT {names} FROM newest SEMI JOIN wanted USING (source, "key")').fetchall()
        found = [Covered(**dict(zip(RECEIPTS.names, row, strict=True))) for row in rows]
        return {(one.source, one.key): one for one in found}

    def add(self, covered: Sequence[Covered], receipts_shard: str, commit_number: int) -> None:
        """Take in a receipts shard that a commit adds (`refresh` after the last one)."""
        self._connection.execute("DELETE FROM covered WHERE receipts_shard = ?", [receipts_shard])
        rows = [one.to_row() for one in covered]
        _insert(self._connection, pa.Table.from_pylist(rows, schema=RECEIPTS), receipts_shard, commit_number)

    def refresh(self) -> None:
        """Work out anew what is live, and forget the rest."""
        self._connection.execute(LIVE_TABLES)
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE covered AS SELECT * FROM newest UNION SELECT * FROM holding"
        )

    def unreferenced(self, names: Iterable[str]) -> list[str]:
        """Those of the named shards that no live receipt names, sorted."""
        referenced = {name for (name,) in self._connection.execute(_REFERENCED).fetchall()}
        return sorted(set(names) - referenced)

    def close(self) -> None:
        self._connection.close()

    def _register(self, name: str, rows: list[dict[str, Any]]) -> None:
        self._connection.register(name, pa.Table.from_pylist(rows, schema=RECEIPTS))


def _insert(connection: duckdb.DuckDBPyConnection, rows: pa.Table, shard: str, number: int) -> None:
    connection.register("arriving", rows)
    names = ", ".join(f'"{name}"' for name in RECEIPTS.names)
    connection.execute(f"INSERT INTO covered SELECT {names}, ?, ? FROM arriving", [shard, number])
    connection.unregister("arriving")


def _sql_type(kind: pa.DataType) -> str:
    return "BIGINT" if kind == pa.int64() else "VARCHAR"
