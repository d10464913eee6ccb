"""From receipts to what is live, in DuckDB: all of a state's receipts, or those of a few commits more.

Two rules, both over receipts, newest commit first:

- the newest receipt of a (source, key) says which rejects are live;
- the newest one that is not a reject says which clip, captions and segments are: a file that can no longer be read
  does not take away what an earlier reading gave.

For one clip id (one source, key and interval) that is the row of the newest commit. A shard that no live receipt
names is superseded.

`receipts` holds the newest receipt of every key; `behind` holds, for keys whose newest one is a reject, the newest that is
none. Few keys have one, so that the two tables together are hardly longer than the first.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from motionunion.store.commits import State
from motionunion.store.reading import read_batches
from motionunion.store.schema import RECEIPTS
from motionunion.store.storage import Storage

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
_NAMES = ", ".join(f'"{field.name}"' for field in RECEIPTS)
_COLUMNS = ", ".join(f'"{field.name}" {"BIGINT" if field.type == pa.int64() else "VARCHAR"}' for field in RECEIPTS)
_TABLE = f"({_COLUMNS}, receipts_shard VARCHAR, commit_number BIGINT)"
_VIEWS = """
    CREATE TEMP VIEW newest AS FROM receipts;
    CREATE VIEW holding AS FROM receipts WHERE outcome <> 'reject' UNION ALL FROM behind;
"""

# A commit that rewrites what was known of a key brings both at once: what it holds, and the reject that is newer.
_FIRST = """
    row_number() OVER (
        PARTITION BY source, "key" ORDER BY commit_number DESC, outcome = 'reject' DESC, receipts_shard DESC
    ) = 1
"""
# Nearly every key has one receipt; only those of the others are sorted.
_CONTESTED = """
    CREATE TEMP TABLE contested AS SELECT source, "key" FROM receipts GROUP BY ALL HAVING count(*) > 1;
    INSERT INTO arriving FROM receipts SEMI JOIN contested USING (source, "key");
    DELETE FROM receipts WHERE (source, "key") IN (SELECT (source, "key") FROM contested);
    DROP TABLE contested;
"""
_KNOWN_OF_ARRIVING = """
    INSERT INTO arriving
        SELECT * FROM (FROM receipts UNION ALL FROM behind) AS known
        WHERE (source, "key") IN (SELECT (source, "key") FROM arriving);
    DELETE FROM receipts WHERE (source, "key") IN (SELECT (source, "key") FROM arriving);
    DELETE FROM behind WHERE (source, "key") IN (SELECT (source, "key") FROM arriving);
"""
_MERGE = f"""
    INSERT INTO receipts SELECT * FROM arriving QUALIFY {_FIRST};
    INSERT INTO behind
        SELECT * FROM (SELECT * FROM arriving WHERE outcome <> 'reject' QUALIFY {_FIRST}) AS last
        WHERE (source, "key") IN (
            SELECT (source, "key") FROM receipts WHERE outcome = 'reject'
        );
"""


def load_shards(connection: duckdb.DuckDBPyConnection, state: State) -> None:
    """Make the table `shards` of a state."""
    shards = [shard for _, shard in sorted(state.shards.items())]
    columns = {name: [getattr(shard, name) for shard in shards] for name in _SHARDS.names[:-1]}
    columns["commit_number"] = [state.since[shard.name] for shard in shards]
    connection.register("all_shards", pa.table(columns, schema=_SHARDS))
    connection.execute("CREATE TABLE shards AS FROM all_shards")
    connection.unregister("all_shards")


def load_receipts(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State, based: bool) -> None:
    """Make `receipts`, `behind`, and the views `newest` and `holding` over them.

    Args:
        connection: Has `shards` of the state, and may have an earlier index attached as `base`.
        storage: Where the shards lie.
        state: The commit's.
        based: Begin with the receipts of `base`, where what changed since then allows it.

    Raises:
        StoreError: If a receipts shard cannot be read.
    """
    connection.execute(f"CREATE TABLE receipts {_TABLE}; CREATE TABLE behind {_TABLE}; {_VIEWS}")
    connection.execute(f"CREATE TEMP TABLE arriving {_TABLE}")
    if not (based and _load_on_base(connection, storage, state)):
        _read(connection, storage, state, "SELECT name FROM shards WHERE kind = 'receipts'", into="receipts")
        connection.execute(f"{_CONTESTED} {_MERGE}")
    connection.execute("DELETE FROM arriving")


def take_in(connection: duckdb.DuckDBPyConnection, rows: pa.Table, number: int) -> None:
    """Put rows of receipts shards, each with its `receipts_shard`, among those that `merge_arriving` will merge."""
    connection.register("rows_of_shards", rows)
    connection.execute(f"INSERT INTO arriving SELECT {_NAMES}, receipts_shard, ? FROM rows_of_shards", [number])
    connection.unregister("rows_of_shards")


def merge_arriving(connection: duckdb.DuckDBPyConnection) -> None:
    """Work out anew what is live for the keys in `arriving`, and keep in `arriving` every row that had a say."""
    connection.execute(f"BEGIN; {_KNOWN_OF_ARRIVING} {_MERGE} COMMIT")


def _load_on_base(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State) -> bool:
    """Merge what came since `base` into its receipts; False (and nothing changed) where that could be wrong.

    For one key, let K be the receipts in shards that both states have, and N those in shards that came since. If every
    shard of N came in a later commit than all of K, then the newest of K and N is the newest of N, where there is one,
    and else the newest of K; and the newest of K is what `base` says, if the shard of that receipt is still there. The
    same holds for the newest that is no reject. So a live receipt whose shard went out must be superseded by N.
    """
    ((in_order,),) = connection.execute(
        """
        SELECT coalesce(min(came.commit_number) > (SELECT max(commit_number) FROM base.shards), true)
        FROM (FROM shards WHERE kind = 'receipts') AS came ANTI JOIN base.shards USING (name, commit_number)
        """
    ).fetchall()
    if not in_order:
        return False
    connection.execute(
        "CREATE TEMP TABLE gone AS SELECT name FROM base.shards ANTI JOIN shards USING (name, commit_number)"
    )
    _read(
        connection,
        storage,
        state,
        "SELECT name FROM (FROM shards WHERE kind = 'receipts') ANTI JOIN base.shards USING (name, commit_number)",
        into="arriving",
    )
    ((lost,),) = connection.execute(
        """
        SELECT count(*) FROM (FROM base.receipts UNION ALL FROM base.behind) AS live SEMI JOIN gone ON receipts_shard = name
        WHERE CASE live.outcome WHEN 'reject' THEN (source, "key") NOT IN (SELECT (source, "key") FROM arriving)
            ELSE (source, "key") NOT IN (SELECT (source, "key") FROM arriving WHERE outcome <> 'reject') END
        """
    ).fetchall()
    if lost:
        connection.execute("DELETE FROM arriving; DROP TABLE gone")
        return False
    for table in ("receipts", "behind"):
        connection.execute(f"INSERT INTO {table} FROM base.{table} ANTI JOIN gone ON receipts_shard = name")
    connection.execute("DROP TABLE gone")
    merge_arriving(connection)
    return True


def _read(connection: duckdb.DuckDBPyConnection, storage: Storage, state: State, names: str, into: str) -> None:
    """Read receipts shards into a table."""
    shards = [state.shards[name] for (name,) in connection.execute(f"{names} ORDER BY name").fetchall()]
    for batch in read_batches(storage, shards, RECEIPTS.names):
        connection.register("rows_of_shards", batch)
        connection.execute(
            f"""
            INSERT INTO {into} SELECT {_NAMES}, shard, commit_number
            FROM rows_of_shards JOIN shards ON shards.name = rows_of_shards.shard
            """
        )
        connection.unregister("rows_of_shards")
