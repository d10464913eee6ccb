"""What receipts say against what shards hold, and the index against both."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from motionunion.store.check_shards import ROWS
from motionunion.store.commits import State
from motionunion.store.index import TABLES, index_in_memory, index_path, read_index
from motionunion.store.ledger import LIVE_TABLES, load_covered
from motionunion.store.storage import Storage

# What each live receipt promises: so many rows of its key in a shard; of a clip its content too, of rejects any number.
_PROMISED = """
    SELECT 'clips' AS kind, clips_shard AS shard, source, "key", 1 AS rows, clip_id, content FROM holding
    UNION ALL SELECT 'captions', captions_shard, source, "key", captions, NULL, NULL FROM holding WHERE captions > 0
    UNION ALL SELECT 'segments', segments_shard, source, "key", segments, NULL, NULL FROM holding WHERE segments > 0
    UNION ALL SELECT 'rejects', rejects_shard, source, "key", NULL, NULL, NULL FROM newest
"""
_BROKEN = f"""
    SELECT promised.source, promised."key", promised.kind, promised.shard,
        coalesce(sum(held.rows), 0) AS found, any_value(promised.rows) AS wanted,
        bool_and(promised.clip_id IS NOT DISTINCT FROM held.clip_id AND promised.content IS NOT DISTINCT FROM held.content) AS same
    FROM ({_PROMISED}) AS promised SEMI JOIN held AS looked_at ON promised.shard = looked_at.shard
    LEFT JOIN held ON held.shard = promised.shard AND held.source = promised.source AND held."key" = promised."key"
    GROUP BY ALL HAVING found <> coalesce(wanted, greatest(found, 1)) OR NOT same ORDER BY ALL LIMIT 100
"""
_AWAITED = f"""
    SELECT source, holding.config = 'append' AS imported, newest.outcome = 'reject' AS refused, count(DISTINCT "key")
    FROM ({_PROMISED}) AS promised JOIN newest USING (source, "key") LEFT JOIN holding USING (source, "key")
    WHERE shard IS NOT NULL AND shard NOT IN (FROM there) GROUP BY ALL ORDER BY ALL
"""


class ReceiptCheck:
    """Collects what every shard holds, and holds the receipts against it."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self._connection.register("nothing", ROWS.empty_table())
        self._connection.execute("CREATE TABLE held AS SELECT * FROM nothing")

    def take(self, rows: pa.Table) -> None:
        """Take down what a sound shard holds for each key (`ROWS`)."""
        self._connection.register("arriving", rows)
        self._connection.execute("INSERT INTO held SELECT * FROM arriving")
        self._connection.unregister("arriving")

    def broken(self, storage: Storage, sound: State) -> Iterator[tuple[str, str]]:
        """Receipts (named in words) whose rows are not there as they say, with what is wrong; the first hundred.

        Args:
            storage: Where.
            sound: The newest state without its damaged shards.
        """
        load_live(self._connection, storage, sound)
        found = self._connection.execute(_BROKEN).fetchall()
        for source, key, kind, shard, rows, promised, _ in found:
            said = f"{rows} {kind} in {shard}" + (f" where it promises {promised}" if promised != rows else "")
            yield f"receipt of {source} {key}", f"{kind} and their receipt disagree ({said})"

    def awaited(self, sound: State) -> list[Awaited]:
        """Files whose rows are in no shard of the state: those of damaged shards, and of shards that were set aside."""
        return awaited(self._connection, sound)

    def close(self) -> None:
        self._connection.close()


Awaited = dict[str, str | int]
"""Files of one source whose rows are gone: `source`, `files`, and `how` they come back."""


def load_live(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State) -> None:
    """Make the tables `newest` and `holding` of a state."""
    load_covered(connection, storage, state)
    connection.execute(LIVE_TABLES)


def awaited(connection: duckdb.DuckDBPyConnection, state: State) -> list[Awaited]:
    """Files whose live receipts name a shard that is not in the state, per source and way back (after `load_live`)."""
    connection.register("there", pa.table({"name": pa.array(sorted(state.shards), pa.string())}))
    found: list[Awaited] = []
    for source, imported, refused, files in connection.execute(_AWAITED).fetchall():
        how = "ingest the folder that they came from again"
        if imported:
            how = "import the annotations again"
        elif refused:
            how = "lost for good unless the files can be read again: what is there now was refused"
        found.append({"source": source, "files": files, "how": how})
    return found


def index_differs(folder: Path, storage: Storage, state: State) -> Iterator[tuple[str, str]]:
    """What is wrong with the index file of a state, if there is one: its name, and the problem."""
    path = index_path(folder, state.head)
    if not path.exists():
        return
    try:
        written = read_index(path)
    except duckdb.Error as error:
        yield path.name, f"is damaged ({error})"
        return
    with contextlib.closing(written), contextlib.closing(index_in_memory(storage, state)) as fresh:
        for table in (*TABLES, "about"):
            counts = [_rows_of(connection, table) for connection in (written, fresh)]
            if counts[0] != counts[1]:
                yield path.name, f"its table {table} differs from the shards"
                return


def _rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> Counter[str] | str:
    try:
        return Counter(str(row) for row in connection.execute(f"SELECT hash(t) FROM {table} AS t").fetchall())
    except duckdb.Error as error:
        return str(error)
