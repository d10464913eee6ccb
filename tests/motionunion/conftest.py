"""A real store from clips made up in a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from motionunion.clip import Caption, Clip, Segment
from motionunion.digest import canonical_json, sha256_hex
from motionunion.feature_files import write_features
from motionunion.features import FeatureSet
from motionunion.representations import registry
from motionunion.skeleton import SMPL22_PARENTS
from motionunion.spans import Span, SpanCaption
from motionunion.store.committer import Committer
from motionunion.store.receipts import Covered, Receipt
from motionunion.store.schema import annotation_rows, clip_to_row, rows_digest
from motionunion.store.shards import write_shard
from motionunion.store.store import Store, open_store


def made_up_clip(
    key: str = "one", *, source: str = "made_up", frames: int = 120, joints: bool = False, **changes: object
) -> Clip:
    """An upright body on the target's proportions with swinging joints; the same for the same key."""
    random = np.random.default_rng([*key.encode()])
    time = np.arange(frames, dtype=np.float32)[:, None, None]
    rotvecs = 0.2 * np.sin(random.uniform(0.01, 0.1, (1, 22, 3)) * time + random.uniform(0, 6, (1, 22, 3)))
    root = np.stack([0.01 * time[:, 0, 0], 0.9 + 0 * time[:, 0, 0], np.sin(0.05 * time[:, 0, 0])], axis=-1)
    offsets = np.zeros((22, 3))
    offsets[1:] = random.uniform(-0.3, 0.3, (21, 3))
    offsets[1:3, 0] = 0.1, -0.1
    offsets[16:18, 0] = 0.1, -0.1
    rotations = {"rotvecs_T22x3": rotvecs.astype(np.float32), "root_T3": root, "offsets_22x3": offsets}
    clip = Clip(
        clip_id=sha256_hex(canonical_json([source, key, None]))[:32],
        source=source,
        key=key,
        uid=f"{source}/{key}",
        group=f"{source}/{key}",
        fps=Fraction(20),
        frames=frames,
        body="own",
        valid=(0, frames),
        provenance={"file": key, "sha256": "0" * 64, "reader": "made_up/1", "licence": "CC0-1.0"},
    )
    if joints:
        placed = np.zeros((frames, 22, 3), dtype=np.float32)
        placed[:, 0] = root
        for joint in range(1, 22):
            placed[:, joint] = placed[:, SMPL22_PARENTS[joint]] + offsets[joint] + 0.1 * rotvecs[:, joint]
        clip = replace(clip, joints_T22x3=placed)
    else:
        clip = replace(clip, **{name: np.asarray(value, dtype=np.float32) for name, value in rotations.items()})
    return replace(clip, **changes)  # type: ignore[arg-type]


@pytest.fixture
def set_of() -> Callable[..., FeatureSet]:
    """Write a feature folder of random values with spans of (rows, split), and open it."""

    def write(folder: Path, spans: list[tuple[int, str]], **changes: str) -> FeatureSet:
        random = np.random.default_rng(7)
        listing = [
            Span(
                span_id=f"{number:032x}", clip_id=f"{number + 1000:032x}", name=str(number), source="made_up",
                group=str(number), split=split, rows=rows, first_frame=0, stop_frame=rows + 1,
                captions=(SpanCaption(text=f"motion {number}"),),
            )
            for number, (rows, split) in enumerate(spans)
        ]  # fmt: skip
        chunks = [(random.normal(3, 2, (rows, 263)).astype(np.float32), split) for rows, split in spans]
        representation = registry.get("hml263@20/compat")
        about = {
            "representation": representation.id, "parameter_hash": representation.parameter_hash, "key": "key",
            "fingerprint": "f" * 64, "commit": 1, "store_uuid": "uuid", "skipped": [], "counts": {},
        }  # fmt: skip
        write_features(folder, listing, chunks, dims=263, about=about | changes)
        return FeatureSet.load(folder)

    return write


@pytest.fixture
def clip_of() -> Callable[..., Clip]:
    return made_up_clip


@pytest.fixture
def store_of(tmp_path: Path) -> Callable[..., Store]:
    """Commit clips, and captions and segments by the uid that they speak of, to a store in `tmp_path / "store"`."""

    def commit(*clips: Clip, said: tuple[Caption | Segment, ...] = ()) -> Store:
        store = open_store(tmp_path / "store", create=True)
        rows = [clip_to_row(clip) for clip in sorted(clips, key=lambda clip: clip.key)]
        captions = annotation_rows("notes", "all", tuple(one for one in said if isinstance(one, Caption)))
        segments = annotation_rows("notes", "all", tuple(one for one in said if isinstance(one, Segment)))
        shards = {
            "clips": write_shard(store.storage, "clips", "made_up", rows),
            "captions": write_shard(store.storage, "captions", "notes", captions),
            "segments": write_shard(store.storage, "segments", "notes", segments),
        }
        names = {kind: shard.name if shard else None for kind, shard in shards.items()}
        covered = [
            Covered(
                source=row["source"], key=row["key"], size=1, mtime_ns=1, stamp="1", config="made_up/1",
                outcome="clip", clip_id=row["clip_id"], content=row["content"], clips_shard=names["clips"],
            )
            for row in rows
        ]  # fmt: skip
        covered.append(
            Covered(
                source="notes", key="all", size=1, mtime_ns=1, stamp="1", config="made_up/1", outcome="annotation",
                captions=len(captions), captions_digest=rows_digest(captions), captions_shard=names["captions"],
                segments=len(segments), segments_digest=rows_digest(segments), segments_shard=names["segments"],
            )
        )  # fmt: skip
        committer = Committer(store.storage, "made up")
        committer.add(
            Receipt(
                covered=tuple(sorted(covered, key=lambda one: (one.source, one.key))),
                shards=tuple(shard for shard in shards.values() if shard is not None),
            )
        )
        committer.flush()
        committer.close()
        return open_store(store.url)

    return commit
