"""What changed from one commit to another, in terms of what the store says: clips, captions, segments, rejects."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motionunion.store.store import Store

_READ = {
    "clips": 'SELECT clip_id, source, "key", content FROM clips',
    "captions": 'SELECT source, "key", uid, text, tokens, start_s, end_s, layer, segment, generator FROM captions',
    "segments": 'SELECT source, "key", uid, name, layer, start_s, end_s, split FROM segments',
    "rejects": 'SELECT source, "key", file, reason, line FROM rejects',
    "dropped": "SELECT clip_id FROM receipts WHERE outcome = 'dropped' AND clip_id IS NOT NULL",
}
CHANGES: tuple[str, ...] = (
    "clips_added", "clips_removed", "clips_dropped", "clips_changed", "captions_added", "captions_removed",
    "segments_added", "segments_removed", "rejects_new", "rejects_lifted",
)  # fmt: skip
"""Kinds of change. A caption that reads otherwise than before is one removed and one added; so is a segment."""
_CHANGED = """
    CREATE TABLE changed AS
        SELECT 'clips_added' AS change, source, "key" FROM to_clips ANTI JOIN from_clips USING (clip_id)
    UNION ALL
        SELECT if(to_dropped.clip_id IS NULL, 'clips_removed', 'clips_dropped'), source, "key"
        FROM (FROM from_clips ANTI JOIN to_clips USING (clip_id)) LEFT JOIN to_dropped USING (clip_id)
    UNION ALL
        SELECT 'clips_changed', t.source, t."key"
        FROM to_clips AS t JOIN from_clips AS f USING (clip_id) WHERE t.content <> f.content
"""
_MORE = "    UNION ALL SELECT '{change}', source, \"key\" FROM (FROM {one} EXCEPT ALL FROM {other})\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What one commit says that another does not."""

    store: str
    commits: tuple[int, int]
    fingerprints: tuple[str, str]
    sources: tuple[dict[str, Any], ...]
    """Per source with changes, sorted: `source`, and how many changes of each kind of `CHANGES`."""
    keys: dict[str, list[tuple[str, str]]]
    """For each kind of change the (source, key) that it befell, sorted, no more than were asked for."""
    keys_in_all: dict[str, int]
    """How many there are of each."""

    @property
    def same(self) -> bool:
        """Whether both commits say the same."""
        return self.fingerprints[0] == self.fingerprints[1]


def compare(older: Store, newer: Store, limit: int | None = None) -> Difference:
    """What changed from one commit of a store to another (or from one store to another).

    Reads the two indexes alone, and builds one where it is missing; holds ids and texts of both in memory, about 400
    bytes a clip.

    Args:
        older: The store at one commit.
        newer: The store at the other.
        limit: List at most so many keys of each kind of change; all where None.
    """
    import duckdb

    with contextlib.closing(duckdb.connect()) as connection:
        for side, store in (("from", older), ("to", newer)):
            for table, query in _READ.items():
                connection.register(f"{side}_{table}", store.arrow(query))
        changed = _CHANGED
        for table, gained, lost in (
            ("captions", "captions_added", "captions_removed"),
            ("segments", "segments_added", "segments_removed"),
            ("rejects", "rejects_new", "rejects_lifted"),
        ):
            changed += _MORE.format(change=gained, one=f"to_{table}", other=f"from_{table}")
            changed += _MORE.format(change=lost, one=f"from_{table}", other=f"to_{table}")
        connection.execute(changed)
        counts = connection.execute("SELECT source, change, count(*) FROM changed GROUP BY ALL").fetchall()
        keys_in_all = dict.fromkeys(CHANGES, 0)
        query = 'SELECT change, count(*) FROM (SELECT DISTINCT change, source, "key" FROM changed) GROUP BY change'
        keys_in_all.update(connection.execute(query).fetchall())
        query = 'SELECT DISTINCT source, "key" FROM changed WHERE change = ? ORDER BY ALL LIMIT ?'
        most = None if limit is None else min(limit, sum(keys_in_all.values()))  # DuckDB takes no number beyond 64 bits
        keys = {change: connection.execute(query, [change, most]).fetchall() for change in CHANGES}
    of_source: dict[str, dict[str, int]] = {}
    for source, change, count in counts:
        of_source.setdefault(source, dict.fromkeys(CHANGES, 0))[change] = count
    return Difference(
        store=newer.url,
        commits=(older.commit, newer.commit),
        fingerprints=(older.fingerprint(), newer.fingerprint()),
        sources=tuple({"source": source, **counted} for source, counted in sorted(of_source.items())),
        keys=keys,
        keys_in_all=keys_in_all,
    )
