"""Clips made up for the store's tests, and the work of a task done by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from motionunion.clip import Caption, Clip, Segment, Shipped
from motionunion.digest import canonical_json, sha256_hex
from motionunion.store.committer import Committer
from motionunion.store.receipts import Covered, Receipt
from motionunion.store.schema import annotation_rows, clip_to_row, rows_digest
from motionunion.store.shards import write_shard
from motionunion.store.store import Store, open_store


def build_clip(
    key: str, *, source: str = "made_up", frames: int = 20, seed: int = 0, joints: bool = False, **changes: object
) -> Clip:
    random = np.random.default_rng([seed, *key.encode()])

    def noise(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    clip = Clip(
        clip_id=sha256_hex(canonical_json([source, key, None]))[:32],
        source=source,
        key=key,
        uid=f"{source}/{key}",
        group=f"{source}/{key}",
        fps=Fraction(30),
        frames=frames,
        body="own",
        rotvecs_T22x3=None if joints else noise(frames, 22, 3),
        root_T3=None if joints else noise(frames, 3),
        offsets_22x3=None if joints else noise(22, 3),
        joints_T22x3=noise(frames, 22, 3) if joints else None,
        valid=(0, frames),
        labels={"content": "walk"},
        provenance={"file": key, "sha256": "0" * 64, "reader": "made_up/1", "licence": "CC0-1.0"},
    )
    return replace(clip, **changes)  # type: ignore[arg-type]


def full_clip(key: str = "full") -> Clip:
    """A clip in which every field holds something."""
    random = np.random.default_rng(7)
    return build_clip(
        key,
        frames=11,
        fps=Fraction(24000, 1001),
        official_split="val",
        gender="female",
        valid=(1, 10),
        joint_mask=np.arange(22) % 5 != 0,
        betas=random.normal(size=(16,)).astype(np.float32),
        hands_T90=random.normal(size=(11, 90)).astype(np.float32),
        face={
            "jaw": random.normal(size=(11, 3)).astype(np.float32),
            "expression": random.normal(size=(11, 10)).astype(np.float32),
        },
        shipped=Shipped(representation="hml263@20/compat", features_TD=random.normal(size=(10, 263))),
        fk_error_m=0.0125,
        flags=("synthetic", "mirrored"),
    )


class Desk:
    """Does by hand what an ingest task does: rows to shards to a receipt to a commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        open_store(path, create=True)

    def receipt(
        self,
        clips: tuple[Clip, ...] = (),
        rejects: tuple[tuple[str, str], ...] = (),
        captions: dict[str, tuple[Caption, ...]] | None = None,
        segments: dict[str, tuple[Segment, ...]] | None = None,
        stamp: str = "1",
        source: str = "made_up",
    ) -> Receipt:
        storage = open_store(self.path).storage
        captions, segments = captions or {}, segments or {}
        rows = {clip.key: clip_to_row(clip) for clip in clips}
        said = {key: annotation_rows(source, key, captions.get(key, ())) for key in {*rows, *captions, *segments}}
        cut = {key: annotation_rows(source, key, segments.get(key, ())) for key in said}
        reject_rows = [
            {"source": source, "key": key, "file": key, "reason": reason, "message": "made up", "line": None}
            for key, reason in sorted(rejects)
        ]
        shards = {
            "clips": write_shard(storage, "clips", source, (rows[key] for key in sorted(rows))),
            "captions": write_shard(storage, "captions", source, (row for key in sorted(said) for row in said[key])),
            "segments": write_shard(storage, "segments", source, (row for key in sorted(cut) for row in cut[key])),
            "rejects": write_shard(storage, "rejects", source, reject_rows),
        }
        names = {kind: shard.name if shard else None for kind, shard in shards.items()}
        common = {"source": source, "size": 1, "mtime_ns": 1, "stamp": stamp, "config": "made_up/1"}
        covered = [
            Covered(
                **common,
                key=key,
                outcome="clip" if key in rows else "annotation",
                clip_id=rows[key]["clip_id"] if key in rows else None,
                content=rows[key]["content"] if key in rows else None,
                clips_shard=names["clips"] if key in rows else None,
                captions=len(said[key]),
                captions_digest=rows_digest(said[key]),
                captions_shard=names["captions"] if said[key] else None,
                segments=len(cut[key]),
                segments_digest=rows_digest(cut[key]),
                segments_shard=names["segments"] if cut[key] else None,
            )
            for key in said
        ] + [
            Covered(**common, key=key, outcome="reject", reason=reason, rejects_shard=names["rejects"])
            for key, reason in rejects
        ]
        covered.sort(key=lambda one: one.key)
        return Receipt(covered=tuple(covered), shards=tuple(shard for shard in shards.values() if shard))

    def commit(self, *receipts: Receipt) -> Store:
        store = open_store(self.path)
        committer = Committer(self.path, store.storage, "made up")
        for receipt in receipts:
            committer.add(receipt)
        committer.flush()
        committer.close()
        return open_store(self.path)


@pytest.fixture
def make_clip() -> Callable[..., Clip]:
    return build_clip


@pytest.fixture
def everything_clip() -> Clip:
    return full_clip()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "store")
