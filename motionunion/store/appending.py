"""Annotations that come from no motion file, such as an imported list of captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from motionunion.clip import Caption, Segment
from motionunion.digest import canonical_json, sha256_hex
from motionunion.store.committer import Committer
from motionunion.store.receipts import Covered, Receipt
from motionunion.store.schema import annotation_rows, rows_digest
from motionunion.store.shards import write_shard
from motionunion.store.storage import Storage
from motionunion.store.trouble import storage_trouble


def append(
    storage: Storage,
    rows_by_kind: Mapping[str, Sequence[Caption] | Sequence[Segment]],
    *,
    source: str,
    key: str,
    note: str,
    committed: int,
) -> int:
    """See `Store.append`. `committed` is what an error message calls safe."""
    unknown = set(rows_by_kind) - {"captions", "segments"}
    if unknown:
        raise ValueError(f"append takes captions and segments, not {sorted(unknown)}")
    captions = annotation_rows(source, key, rows_by_kind.get("captions", ()))
    segments = annotation_rows(source, key, rows_by_kind.get("segments", ()))
    try:
        captions_shard = write_shard(storage, "captions", source, captions)
        segments_shard = write_shard(storage, "segments", source, segments)
    except OSError as error:
        raise storage_trouble(storage.url, error, committed) from error
    digests = rows_digest(captions), rows_digest(segments)
    covered = Covered(
        source=source,
        key=key,
        size=0,
        mtime_ns=0,
        stamp=sha256_hex(canonical_json(list(digests))),
        config="append",
        outcome="annotation",
        captions=len(captions),
        captions_digest=digests[0],
        segments=len(segments),
        segments_digest=digests[1],
        captions_shard=captions_shard.name if captions_shard else None,
        segments_shard=segments_shard.name if segments_shard else None,
    )
    shards = tuple(shard for shard in (captions_shard, segments_shard) if shard is not None)
    committer = Committer(storage, note or f"append {source} {key}")
    try:
        committer.add(Receipt(covered=(covered,), shards=shards))
        committer.flush()
        return committer.state.number
    finally:
        committer.close()
