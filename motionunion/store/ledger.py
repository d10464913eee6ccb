"""What a writer knows of its store: which file was read when, what is live, and which shards nobody names any more."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from motionunion.store.commits import State
from motionunion.store.index import attached, base_index, connect_aside, index_folder
from motionunion.store.receipt_tables import load_receipts, load_shards, merge_arriving, take_in
from motionunion.store.receipts import UNDROPPED, Covered, Live
from motionunion.store.schema import RECEIPTS
from motionunion.store.storage import Storage

_PLACES = """
    SELECT receipts_shard AS name, source, "key", 1 AS live_rows FROM (FROM newest UNION FROM holding)
    UNION ALL SELECT rejects_shard, source, "key", 1 FROM newest
    UNION ALL SELECT clips_shard, source, "key", 1 FROM holding
    UNION ALL SELECT captions_shard, source, "key", captions FROM holding
    UNION ALL SELECT segments_shard, source, "key", segments FROM holding
"""
_TRANSIENT = ("unreadable", "worker_died", "internal_error", "out_of_memory", UNDROPPED)
"""Reasons that lie outside the file: the same file may well be read next time."""


_NAMED = """
    SELECT name, count(*) FROM (
        SELECT receipts_shard AS name FROM {receipts} UNION ALL SELECT rejects_shard FROM {receipts}
        UNION ALL SELECT unnest([clips_shard, captions_shard, segments_shard]) FROM {receipts} WHERE outcome <> 'reject'
        UNION ALL SELECT unnest([receipts_shard, clips_shard, captions_shard, segments_shard]) FROM {behind}
    ) WHERE name IS NOT NULL GROUP BY name
"""
"""How often each shard is named by what is live."""
_OF_ARRIVING = '(SELECT * FROM {table} SEMI JOIN arriving USING (source, "key"))'


class Ledger:
    """The receipts of one store, kept up with the commits of its writer.

    They lie in a temporary file, of which a few hundred megabytes are in memory at most.
    """

    def __init__(self, storage: Storage, state: State) -> None:
        self._storage, self._shards = storage, set(state.shards)
        self._folder = tempfile.TemporaryDirectory(prefix="motionunion-ledger-")
        self._connection = connect_aside(Path(self._folder.name, "ledger.duckdb"))
        load_shards(self._connection, state)
        folder = index_folder(storage)
        with attached(self._connection, base_index(folder, state) if folder is not None else None) as based:
            load_receipts(self._connection, storage, state, based)
        self._named = Counter(self._count("receipts", "behind"))

    def up_to_date(self, listing: Sequence[Covered]) -> dict[tuple[str, str], tuple[str, str | None]]:
        """Outcome, and reason of rejects, of each listed file that has been read as it is now, by these readers, with a
        lasting result, and whose shards are there: one that was removed or set aside is made again."""
        there = {entry.name.removeprefix("shards/") for entry in self._storage.list("shards/")} & self._shards
        self._connection.register("there", pa.table({"name": pa.array(sorted(there), pa.string())}))
        columns = ("source", "key", "stamp", "config")
        listed = {name: pa.array([getattr(one, name) for one in listing], pa.string()) for name in columns}
        self._connection.register("listing", pa.table(listed))
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
        for table in ("there", "listing"):  # of all files: not to be held for as long as this ledger is
            self._connection.unregister(table)
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

    def newest_marked(self, ending: str) -> list[Covered]:
        """The newest receipt of each (source, key), where its `config` ends so."""
        names = ", ".join(f'"{name}"' for name in RECEIPTS.names)
        rows = self._connection.execute(f"SELECT {names} FROM newest WHERE ends_with(config, ?)", [ending]).fetchall()
        return [Covered(**dict(zip(RECEIPTS.names, row, strict=True))) for row in rows]

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

    def use(self) -> dict[str, tuple[int, str, str]]:
        """Of each shard that is of use: how many rows are live, whose, and the first key. Rejects count one a file."""
        rows = self._connection.execute(
            f'SELECT name, sum(live_rows), min(source), min("key") FROM ({_PLACES}) WHERE name IS NOT NULL GROUP BY name'
        ).fetchall()
        return {name: (int(count), source, first) for name, count, source, first in rows}

    def dropped(self) -> pa.Table:
        """What `drop` has taken out: source, key, clip_id."""
        return self._connection.sql(
            """
            SELECT source, "key", clip_id FROM holding WHERE outcome = 'dropped' AND content IS NOT NULL
            ORDER BY source, "key"
            """
        ).to_arrow_table()

    def add(self, rows: Sequence[tuple[dict[str, Any], str]], commit_number: int) -> None:
        """Take in the rows of receipts shards that a commit adds, each with its shard's name: what is live now follows."""
        arriving = pa.Table.from_pylist([row for row, _ in rows], schema=RECEIPTS)
        shards = pa.array([name for _, name in rows], pa.string())
        take_in(self._connection, arriving.append_column("receipts_shard", shards), commit_number)
        touched = [_OF_ARRIVING.format(table=table) for table in ("receipts", "behind")]
        self._named.subtract(self._count(*touched))
        merge_arriving(self._connection)
        self._named.update(self._count(*touched))
        self._connection.execute("DELETE FROM arriving")

    def unreferenced(self, names: Iterable[str]) -> list[str]:
        """Those of the named shards that no live receipt names, sorted."""
        return sorted(name for name in set(names) if not self._named[name])

    def close(self) -> None:
        self._connection.close()
        self._folder.cleanup()

    def _count(self, receipts: str, behind: str) -> dict[str, int]:
        return dict(self._connection.execute(_NAMED.format(receipts=receipts, behind=behind)).fetchall())
