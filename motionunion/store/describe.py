"""One clip for a person: found by whatever name they have, and told in full."""

from __future__ import annotations

from typing import Any

from motionunion.errors import MissingInput, UsageError
from motionunion.store.store import Store

_WAYS = (
    "clip_id = $1",
    '"key" = $1 OR uid = lower($1)',
    "clip_id IN (SELECT clip_id FROM segments WHERE name = $1)",
    "starts_with(clip_id, lower($1))",
    'contains(lower("key"), lower($1))',
)


def find_clip(store: Store, name: str) -> str:
    """The id of the clip that a name means: an id, a key or uid, a segment's name, the beginning of an id, part of a key.

    Raises:
        MissingInput: Nothing bears that name.
        UsageError: Several do; the message lists some.
    """
    for way in _WAYS:
        found = store.rows(f'SELECT clip_id, source, "key" FROM clips WHERE {way} ORDER BY source, "key"', [name])
        if len(found) == 1:
            return str(found[0][0])
        if found:
            some = "\n".join(f"  {clip_id[:12]}  {source}  {key}" for clip_id, source, key in found[:10])
            raise UsageError(f"{name}: {len(found)} clips bear that name; say which by its id:\n{some}")
    raise MissingInput(
        f"{name}: no clip of that id, key, uid or segment in {store.url}; "
        f"`motionunion query \"select clip_id, source, key from clips where key like '%...%'\"` searches"
    )


def describe(store: Store, clip_id: str) -> dict[str, Any]:
    """Everything that the index knows of a clip, with its captions and segments, ready for JSON."""
    (clip,) = store.sql("SELECT * FROM clips WHERE clip_id = ?", [clip_id]).to_dicts()
    labels = store.rows("SELECT unnest(map_entries(labels)) FROM clips WHERE clip_id = ?", [clip_id])
    clip["labels"] = {entry["key"]: entry["value"] for (entry,) in labels}
    clip["segments"] = store.sql(
        "SELECT name, layer, start_s, end_s, split FROM segments WHERE clip_id = ? ORDER BY start_s, name", [clip_id]
    ).to_dicts()
    clip["captions"] = store.sql(
        "SELECT text, tokens, start_s, end_s, layer, segment, generator FROM captions WHERE clip_id = ? "
        "ORDER BY segment NULLS FIRST, start_s NULLS FIRST, text",
        [clip_id],
    ).to_dicts()
    return clip
