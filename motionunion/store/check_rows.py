"""What receipts say against what shards hold, and the index against both."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from motionunion.digest import sha256_file
from motionunion.store.check_shards import ROWS
from motionunion.store.commits import State
from motionunion.store.index import TABLES, find_index, index_in_memory, read_index
from motionunion.store.receipt_tables import load_receipts, load_shards
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
    WHERE shard IS NOT NULL AND shard NOT IN (SELECT name FROM shards) GROUP BY ALL ORDER BY ALL
"""
_SAME = "SELECT count(*), bit_xor(hash(one)), sum(hash(one)::HUGEINT) FROM {table} AS one"
_MEMORY = "512MiB"
"""What DuckDB may hold; the rest of it goes to disk."""
_BATCH_ROWS = 1 << 15
_INDEX_FILE = re.compile(r"\d{20}-\w+-v\d+-([0-9a-f]{64})\.duckdb")


class ReceiptCheck:
    """Collects what every shard holds, and holds the receipts against it."""

    def __init__(self) -> None:
        self._spill = tempfile.TemporaryDirectory(prefix="motionunion-check-")
        self._connection = duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": self._spill.name})
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def take(self, rows: pa.Table) -> None:
        """Take down what a sound shard holds for each key (`ROWS`)."""
        self._waiting.append(rows)
        self._rows += rows.num_rows
        if self._rows >= _BATCH_ROWS:
            self._hold()

    def _hold(self) -> None:
        hold_rows(self._connection, pa.concat_tables([ROWS.empty_table(), *self._waiting]))
        self._waiting, self._rows = [], 0

    def broken(self, storage: Storage, sound: State) -> Iterator[tuple[str, str]]:
        """Receipts (named in words) whose rows are not there as they say, with what is wrong; the first hundred.

        Args:
            storage: Where.
            sound: The newest state without its damaged shards.
        """
        self._hold()
        load_live(self._connection, storage, sound)
        found = self._connection.execute(_BROKEN).fetchall()
        for source, key, kind, shard, rows, promised, _ in found:
            said = f"{rows} {kind} in {shard}" + (f" where it promises {promised}" if promised != rows else "")
            yield f"receipt of {source} {key}", f"{kind} and their receipt disagree ({said})"

    def awaited(self) -> list[Awaited]:
        """Files whose rows are in no shard of that state: those of damaged shards, and of shards that were set aside."""
        return awaited(self._connection)

    def close(self) -> None:
        self._connection.close()
        self._spill.cleanup()


Awaited = dict[str, str | int]
"""Files of one source whose rows are gone: `source`, `files`, and `how` they come back."""


def hold_rows(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    """Add to the table `held`, which is made where there is none."""
    connection.register("arriving_rows", rows)
    connection.execute("CREATE TABLE IF NOT EXISTS held AS FROM arriving_rows LIMIT 0")
    connection.execute("INSERT INTO held FROM arriving_rows")
    connection.unregister("arriving_rows")


def load_live(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State) -> None:
    """Make the tables `newest`, `holding` and `shards` of a state."""
    load_shards(connection, state)
    load_receipts(connection, storage, state, based=False)


def awaited(connection: duckdb.DuckDBPyConnection) -> list[Awaited]:
    """Files whose live receipts name a shard that is not in the state, per source and way back (after `load_live`)."""
    found: list[Awaited] = []
    for source, imported, refused, files in connection.execute(_AWAITED).fetchall():
        how = "motionunion ingest PATH, with the folder that they came from, reads exactly these tasks again"
        if imported:
            how = "motionunion captions import, with the same file, brings them back"
        elif refused:
            how = "lost for good unless the files can be read again: what is there now was refused"
        found.append({"source": source, "files": files, "how": how})
    return found


def damaged_indexes(folder: Path) -> Iterator[tuple[str, str]]:
    """Index files, of whatever commit, whose bytes are not those that their name holds the hash of; with the problem."""
    for path in sorted(folder.glob("*.duckdb")):
        name = _INDEX_FILE.fullmatch(path.name)
        try:
            if name is not None and sha256_file(path) != name[1]:
                yield path.name, "its bytes are not those that were written"
        except FileNotFoundError:  # `gc` removed it since the folder was listed
            continue
        except OSError as error:
            yield path.name, f"cannot be read ({error.strerror or error})"


def index_differs(folder: Path, storage: Storage, state: State) -> Iterator[tuple[str, str]]:
    """The index file of a state, where it says another thing than the shards, with the problem."""
    path = find_index(folder, state.head)
    if path is None:
        return
    with contextlib.closing(read_index(path)) as written, contextlib.closing(index_in_memory(storage, state)) as fresh:
        for table in TABLES:
            one, other = (connection.execute(_SAME.format(table=table)).fetchall() for connection in (written, fresh))
            if one != other:
                yield path.name, f"its table {table} differs from the shards"
