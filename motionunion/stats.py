"""What is in a store, counted: per source and in all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motionunion.clip import SPLITS

if TYPE_CHECKING:
    from motionunion.store.store import Store

_PER_SOURCE = """
    SELECT source, count(*) AS clips, sum(frames)::BIGINT AS frames, sum(seconds) / 3600 AS hours,
        list_sort(list(DISTINCT fps)) AS fps, sum(caption_count)::BIGINT AS captions,
        count(*) FILTER (caption_count > 0) AS captioned_clips, count(*) FILTER (body = 'template') AS template_body,
        count(*) FILTER (list_contains(flags, 'synthetic')) AS synthetic,
        count(*) FILTER (shipped IS NOT NULL) AS shipped, min(licence) AS licence
    FROM clips GROUP BY source ORDER BY source
"""
_SUMS = ("clips", "frames", "hours", "captions", "captioned_clips", "template_body", "synthetic", "shipped")


def summarise(store: Store) -> dict[str, Any]:
    """Clips, frames, hours, captions, frame rates, splits and rejects, in all and per source.

    Returns:
        The sums; `splits` and `reject_reasons` as name to count; `fingerprint`, `commit`, `store`; `captions` counts those
        that speak of a clip in the store, `captions_waiting` those whose clip has not been ingested; `sources` is a list
        of one object per source, in which `share` is the source's share of all hours, and `rejects_share` its rejects
        over the files (of HumanML3D: ids) that it was asked to read.
    """
    sources = {row["source"]: {**row, "splits": _no_splits(), "rejects": 0} for row in _dicts(store, _PER_SOURCE)}
    for source, rejects in store.rows("SELECT source, count(*) FROM rejects GROUP BY source ORDER BY source"):
        sources.setdefault(source, _without_clips(source))["rejects"] = rejects
    files = dict(store.rows("SELECT source, count(*) FROM receipts GROUP BY source"))
    for source, split, clips in store.rows("SELECT source, split, count(*) FROM clips GROUP BY ALL"):
        sources[source]["splits"][split] = clips
    total = {name: sum(source[name] for source in sources.values()) for name in (*_SUMS, "rejects")}
    for source in sources.values():
        source["share"] = source["hours"] / total["hours"] if total["hours"] else 0.0
        source["rejects_share"] = source["rejects"] / files[source["source"]]
    return {
        "store": store.url,
        "commit": store.commit,
        "fingerprint": store.fingerprint(),
        **total,
        "rejects_share": total["rejects"] / sum(files.values()) if files else 0.0,
        "captions_waiting": _one(store, "SELECT count(*) FROM captions WHERE clip_id IS NULL"),
        "segments": _one(store, "SELECT count(*) FROM segments WHERE clip_id IS NOT NULL"),
        "segments_waiting": _one(store, "SELECT count(*) FROM segments WHERE clip_id IS NULL"),
        "fps": sorted({rate for source in sources.values() for rate in source["fps"]}),
        "splits": {split: sum(source["splits"][split] for source in sources.values()) for split in SPLITS},
        "reject_reasons": dict(
            store.rows("SELECT reason, count(*) AS n FROM rejects GROUP BY reason ORDER BY n DESC, reason")
        ),
        "sources": [sources[name] for name in sorted(sources)],
    }


def _dicts(store: Store, query: str) -> list[dict[str, Any]]:
    """Rows by column name. (A data frame would do, at the price of a third of a second for its library.)"""
    names, rows = store.table(query)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _one(store: Store, query: str) -> int:
    return int(store.rows(query)[0][0])


def _no_splits() -> dict[str, int]:
    return dict.fromkeys(SPLITS, 0)


def _without_clips(source: str) -> dict[str, Any]:
    """A source of which nothing but rejects is in the store."""
    counts = dict.fromkeys(_SUMS, 0)
    return {"source": source, **counts, "hours": 0.0, "fps": [], "licence": None, "splits": _no_splits(), "rejects": 0}
