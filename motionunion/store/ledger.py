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
from motionunion.store.receipts import UNDROPPED, Covered, Live
from motionunion.store.schema import RECEIPTS
from motionunion.store.storage import Storage

# A commit that rewrites what was known of a key brings both at once: what it holds, and the reject that is newer.
_NEWEST_FIRST = """
    PARTITION BY source, "key" ORDER BY commit_number DESC, outcome = 'reject' DESC, receipts_shard DESC
"""
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
_PLACES = """
    SELECT receipts_shard AS name, source, "key", 1 AS live_rows FROM (FROM newest UNION FROM holding)
    UNION ALL SELECT rejects_shard, source, "key", 1 FROM newest
    UNION ALL SELECT clips_shard, source, "key", 1 FROM holding
    UNION ALL SELECT captions_shard, source, "key", captions FROM holding
    UNION ALL SELECT segments_shard, source, "key", segments FROM holding
"""
_TRANSIENT = ("unreadable", "worker_died", "internal_error", "out_of_memory", UNDROPPED)
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

    def live(self, addresses: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Live]:
        """What the store goes by for each (source, key), where there is something."""
        wanted = sorted(set(addresses))
        columns = {"source": pa.array([one for one, _ in wanted], pa.string()),
                   "key": pa.array([one for _, one in wanted], pa.string())}  # fmt: skip
        self._connection.register("wanted", pa.table(columns))
        names = ", ".join(f'"{name}"' for name in RECEIPTS.names)
        found = []
        for table in ("newest", "holding"):
            query = f'SELECT {names} FROM {table} SEMI JOIN wanted USING (source, "key")'
            rows = self._connection.execute(query).fetchall()
            covered = (Covered(**dict(zip(RECEIPTS.names, row, strict=True))) for row in rows)
            found.append({one.address: one for one in covered})
        newest, holding = found
        return {address: Live(newest=one, holding=holding.get(address)) for address, one in newest.items()}

    def addresses(self, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
        """The next few (source, key) of which the store knows, sorted."""
        return self._connection.execute(
            'SELECT source, "key" FROM newest WHERE (source, "key") > (?, ?) ORDER BY source, "key" LIMIT ?',
            [*after, limit],
        ).fetchall()

    def addresses_in(self, shards: Iterable[str]) -> list[tuple[str, str]]:
        """Every (source, key) that a live receipt places in one of the shards (or that stands in one), sorted."""
        self._connection.register("named", pa.table({"name": pa.array(sorted(set(shards)), pa.string())}))
        return self._connection.execute(
            f'SELECT DISTINCT source, "key" FROM ({_PLACES}) SEMI JOIN named USING (name) ORDER BY source, "key"'
        ).fetchall()

    def use(self) -> dict[str, tuple[int, str]]:
        """Of each shard that is of use: how many rows are live, and the first key. Rejects count one a file."""
        rows = self._connection.execute(
            f'SELECT name, sum(live_rows), min("key") FROM ({_PLACES}) WHERE name IS NOT NULL GROUP BY name'
        ).fetchall()
        return {name: (int(count), first) for name, count, first in rows}

    def dropped(self) -> pa.Table:
        """What `drop` has taken out: source, key, clip_id."""
        return self._connection.execute(
            """
            SELECT source, "key", clip_id FROM holding WHERE outcome = 'dropped' AND content IS NOT NULL
            ORDER BY source, "key"
            """
        ).to_arrow_table()

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
