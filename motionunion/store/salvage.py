"""From what is left of a store to the state that it can stand on.

Two sorts of thing may be gone. A commit that cannot be read: what it added lies in `shards/` under names that no other
commit knows, and its receipts shards say which rows of which shards count. And a receipts shard: an index of that very
commit holds every receipt that counts. Where there is none, rows are there of which nothing says that they count; each
shows the file that it came from, and a receipt without a stamp is made of them, so that the clip stays and the next
ingest reads the file again.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.digest import sha256_hex
from motionunion.store.chain import Chain
from motionunion.store.check_rows import damaged_indexes, hold_rows, load_live
from motionunion.store.check_shards import ROWS, check_shard, rows_by_key
from motionunion.store.commits import State, commit_name
from motionunion.store.index import find_index, read_index
from motionunion.store.ledger import Ledger
from motionunion.store.receipts import Covered, sort_covered
from motionunion.store.schema import RECEIPTS, SCHEMAS, rows_digest
from motionunion.store.shards import Shard, ShardWriter, footer_sha256, read_columns, read_rows, shard_path
from motionunion.store.storage import Entry, Storage

_NAME = re.compile(rf"({'|'.join(SCHEMAS)})-.+-([0-9a-f]{{64}})\.parquet")
_RECEIPT = ", ".join(f'"{name}"' for name in RECEIPTS.names)
_SHARD_COLUMNS = ("clips_shard", "captions_shard", "segments_shard", "rejects_shard")


@dataclass(slots=True, kw_only=True)
class Salvaged:
    """What a repair commits."""

    state: State
    """What is left, under the number and digest of the newest commit: the parent of the repair's own."""
    regained: list[str] = field(default_factory=list)
    """Shards of commits that cannot be read, found by their receipts."""
    receipts: list[Covered] = field(default_factory=list)
    """To be written again, in place of those that are gone."""
    remembered: bool = False
    """Whether they are the very ones, from an index; else they are made from the rows that they spoke of."""


def salvage(storage: Storage, chain: Chain, broken: set[str], indexes: Path) -> Salvaged:
    """The newest state that is left when some shards are gone.

    Args:
        storage: Where.
        chain: What its commits say.
        broken: Names of shards that are damaged or missing.
        indexes: Folder of index files.
    """
    standing = chain.standing
    whole = {name: shard for name, shard in standing.shards.items() if name not in broken}
    state = replace(standing, shards=whole, since={name: standing.since[name] for name in whole})
    receipts_are_gone = {name for name in broken & set(standing.shards) if name.startswith("receipts-")}
    found = Salvaged(state=state)
    if chain.gaps:
        _regain(storage, chain, found)
    remembered = _receipts_from_index(indexes, chain, receipts_are_gone)
    if remembered is not None:
        found.receipts, found.remembered = remembered, True
    elif chain.gaps or receipts_are_gone:
        found.receipts = _receipts_from_rows(storage, found.state)
    return found


def receipts_as_written(indexes: Path, chain: Chain, shard: Shard) -> bytes | None:
    """The very bytes of a receipts shard, from an index of the newest commit; None where it does not hold all of its rows."""
    rows = _ask_index(indexes, chain, f"SELECT {_RECEIPT} FROM live WHERE receipts_shard = ?", shard.name)
    writer = ShardWriter("receipts")
    for one in sort_covered(rows or []):
        writer.add(one.to_row())
    data = writer.finish()
    return data if sha256_hex(data) == shard.sha256 else None


def _receipts_from_index(indexes: Path, chain: Chain, gone: set[str]) -> list[Covered] | None:
    """What was live of some receipts shards, if an index of the newest commit is there and whole.

    A key comes with all that is known of it: written anew, what it holds must not look newer than a reject that came later.
    """
    query = f"""
        SELECT {_RECEIPT} FROM live SEMI JOIN (FROM live WHERE list_contains(?, receipts_shard)) USING (source, "key")
    """
    return _ask_index(indexes, chain, query, sorted(gone)) if gone else None


def _ask_index(indexes: Path, chain: Chain, query: str, asked: object) -> list[Covered] | None:
    """Receipts from the index of the newest commit (`live`: all that count); None where there is none that is whole."""
    path = None if chain.state is None else find_index(indexes, chain.state.head)
    if path is None or path.name in dict(damaged_indexes(indexes)):
        return None
    with contextlib.closing(read_index(path)) as index:
        rows = index.execute(f"WITH live AS (FROM receipts UNION ALL FROM behind) {query}", [asked]).fetchall()
    return [Covered(**dict(zip(RECEIPTS.names, row, strict=True))) for row in rows]


def _regain(storage: Storage, chain: Chain, found: Salvaged) -> None:
    """Take in what the unreadable commits added: receipts shards that no commit names, and the shards that these name."""
    there = {entry.name.removeprefix("shards/"): entry for entry in storage.list("shards/")}
    unnamed = [entry for name, entry in there.items() if name.startswith("receipts-") and name not in chain.ever_named]
    shards, since = dict(found.state.shards), dict(found.state.since)
    for number, entry in _commits_of(storage, chain, unnamed):
        receipts = read_loose_shard(storage, entry)
        if receipts is None:
            continue
        for name in (receipts.name, *_names_in(storage, receipts)):
            shard = shards.get(name) or (read_loose_shard(storage, there[name]) if name in there else None)
            if shard is not None:
                found.regained += [name] if name not in shards else []
                shards[name], since[name] = shard, max(number, since.get(name, 0))
    state = replace(found.state, shards=shards, since=since)
    ledger = Ledger(storage, state)
    superseded = set(ledger.unreferenced(shards))
    ledger.close()
    found.regained = sorted(set(found.regained) - superseded)
    found.state = replace(
        state,
        shards={name: shard for name, shard in shards.items() if name not in superseded},
        since={name: number for name, number in since.items() if name not in superseded},
    )


def _commits_of(storage: Storage, chain: Chain, entries: Iterable[Entry]) -> list[tuple[int, Entry]]:
    """Which unreadable commit may have added each file: it was written after the commit before, by the storage's clock.

    A file that is older than that was left by a killed run, and what it says may be out of date. Of several unreadable
    commits in a row, the newest file is given the last.
    """
    written = {entry.name: entry.modified for entry in storage.list("commits/")}
    by_run: dict[int, list[Entry]] = defaultdict(list)
    ends: dict[int, int] = {}
    for gap in chain.gaps:
        before = max((number for number in chain.commits if number < gap), default=0)
        ends[before] = gap
    for entry in entries:
        runs = [before for before in ends if entry.modified >= written.get(commit_name(before), 0.0)]
        if runs:
            by_run[max(runs)].append(entry)
    numbered = []
    for before, members in by_run.items():
        newest_first = sorted(members, key=lambda entry: (-entry.modified, entry.name))
        numbered += [(max(ends[before] - place, before + 1), entry) for place, entry in enumerate(newest_first)]
    return sorted(numbered, key=lambda one: (one[0], one[1].name))


def read_loose_shard(storage: Storage, entry: Entry) -> Shard | None:
    """The shard of a file that no commit speaks for; None where it is not what its name says, in every byte and row."""
    name = entry.name.removeprefix("shards/")
    parts = _NAME.fullmatch(name)
    try:
        data = storage.get(shard_path(name))
        if parts is None or sha256_hex(data) != parts[2]:
            return None
        rows = pq.read_metadata(pa.BufferReader(data)).num_rows
        shard = Shard(
            name=name,
            kind=parts[1],
            rows=rows,
            bytes=len(data),
            sha256=parts[2],
            footer_sha256=footer_sha256(data),
        )
    except (OSError, ValueError, pa.ArrowException):
        return None
    return None if check_shard(storage, shard).problems else shard


def _names_in(storage: Storage, receipts: Shard) -> list[str]:
    table = read_columns(storage, receipts, _SHARD_COLUMNS)
    return sorted({name for column in table.columns for name in column.to_pylist() if name is not None})


# A row counts if no live receipt speaks of it, and none that is as new speaks of its file.
_UNSPOKEN = """
    WITH speaks AS (
        SELECT 'clips' AS kind, source, "key", clips_shard AS shard, commit_number FROM holding
        UNION ALL SELECT 'captions', source, "key", captions_shard, commit_number FROM holding
        UNION ALL SELECT 'segments', source, "key", segments_shard, commit_number FROM holding
        UNION ALL SELECT 'rejects', source, "key", rejects_shard, commit_number FROM newest
    ), unspoken AS (
        SELECT held.*, commit_number AS since FROM held JOIN shards ON held.shard = shards.name
        ANTI JOIN speaks ON speaks.kind = held.kind AND speaks.shard = held.shard
            AND speaks.source = held.source AND speaks."key" = held."key"
    )
    SELECT unspoken.* FROM unspoken LEFT JOIN speaks USING (kind, source, "key")
    WHERE since > coalesce(commit_number, 0)
    QUALIFY row_number() OVER (PARTITION BY kind, source, "key" ORDER BY since DESC, unspoken.shard DESC) = 1
    ORDER BY source, "key", kind
"""


def _receipts_from_rows(storage: Storage, state: State) -> list[Covered]:
    with duckdb.connect() as connection:
        hold_rows(connection, ROWS.empty_table())
        load_live(connection, storage, state)
        for _, shard in sorted(state.shards.items()):
            if shard.kind != "receipts":
                by = ("source", "key", "clip_id", "content") if shard.kind == "clips" else ("source", "key")
                hold_rows(connection, rows_by_key(shard, read_columns(storage, shard, by)))
        answer = connection.execute(_UNSPOKEN)
        columns = [str(column[0]) for column in answer.description or ()]
        found = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
        refused = connection.execute(f"SELECT {_RECEIPT} FROM newest WHERE outcome = 'reject'").fetchall()
    by_file: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in found:
        by_file[row["source"], row["key"]][row["kind"]] = row
    texts = _Annotations(storage, state, found)
    made = [_covered(source, key, kinds, texts) for (source, key), kinds in by_file.items()]
    holding = {one.address for one in made if one.outcome != "reject"}
    # A reject that came later stays the newer one.
    later = (Covered(**dict(zip(RECEIPTS.names, row, strict=True))) for row in refused)
    return [*made, *(one for one in later if one.address in holding)]


class _Annotations:
    """Captions, segments and rejects of the files in question, by shard and file."""

    def __init__(self, storage: Storage, state: State, found: Iterable[dict[str, Any]]) -> None:
        wanted = {(row["shard"], row["source"], row["key"]) for row in found if row["kind"] != "clips"}
        self._rows: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        for name in sorted({shard for shard, _, _ in wanted}):
            for row in read_rows(storage, state.shards[name]):
                address = (name, row["source"], row["key"])
                if address in wanted:
                    self._rows[address].append(row)

    def of(self, row: dict[str, Any] | None) -> list[dict[str, Any]]:
        return [] if row is None else self._rows[row["shard"], row["source"], row["key"]]


def _covered(source: str, key: str, kinds: dict[str, dict[str, Any]], texts: _Annotations) -> Covered:
    """A receipt of what is there. Its stamp is that of no file, so the next ingest reads the file again."""
    clip, captions, segments, rejects = (kinds.get(kind) for kind in ("clips", "captions", "segments", "rejects"))
    said = [one for one in (clip, captions, segments) if one is not None]
    if rejects is not None and any(one["since"] > rejects["since"] for one in said):
        rejects = None  # of an earlier reading
    outcome = "clip" if clip is not None else "annotation" if said else "reject"
    return Covered(
        source=source,
        key=key,
        size=0,
        mtime_ns=0,
        stamp="",
        config="",
        outcome=outcome,
        reason=",".join(sorted({row["reason"] for row in texts.of(rejects)})) or None,
        clip_id=None if clip is None else clip["clip_id"],
        content=None if clip is None else clip["content"],
        captions=len(texts.of(captions)),
        captions_digest=rows_digest(texts.of(captions)),
        segments=len(texts.of(segments)),
        segments_digest=rows_digest(texts.of(segments)),
        clips_shard=None if clip is None else clip["shard"],
        captions_shard=None if captions is None else captions["shard"],
        segments_shard=None if segments is None else segments["shard"],
        rejects_shard=None if rejects is None else rejects["shard"],
    )
