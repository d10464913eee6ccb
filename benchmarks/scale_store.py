"""The store that `benchmarks.scale` measures: made up, but made by the store's own shard writer and committer.

A task is 100 clips of 200 frames. In all but one of 200 tasks the body stands still, each clip in a place of its own:
every frame is there and hashed, and constant values compress to nearly nothing, so that a million clips fit on a small
disk. The remaining tasks hold motion as noisy as recorded motion and as large on disk, for an honest read of one clip.
Every clip has a caption; one source has segments with official splits, one has a reject per task.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from motionunion.clip import Caption, Clip, Segment
from motionunion.digest import sha256_hex
from motionunion.normalise import clip_id
from motionunion.representations.hml263_layout import TARGET_OFFSETS_22x3
from motionunion.skeleton import SMPL22_PARENTS, FloatArray
from motionunion.store.committer import Committer
from motionunion.store.receipts import Covered, Receipt
from motionunion.store.schema import Row, annotation_rows, clip_to_row, row_content, rows_digest
from motionunion.store.shards import write_shard
from motionunion.store.storage import LocalStorage
from motionunion.store.store import open_store

CLIPS_A_TASK, FRAMES = 100, 200
TASKS_A_COMMIT = 100
SOURCES = 10
MOVING_EVERY = 200
_RATES = (Fraction(20), Fraction(30), Fraction(60), Fraction(100), Fraction(120))
_DOES = ("walks", "runs", "jumps", "turns", "kicks", "waves", "sits down", "stands up", "dances", "crawls")
_HOW = ("slowly", "quickly", "in a circle", "to the left", "to the right", "backwards", "while looking around")


class HastyStorage(LocalStorage):
    """A folder without fsync: building the store is not what is measured."""

    def put(self, name: str, data: bytes) -> None:
        path = self.path(name)
        temporary = path.with_name(f".tmp-{os.getpid()}-{path.name[-40:]}")
        temporary.write_bytes(data)
        temporary.replace(path)


def build(root: Path, clips: int, jobs: int) -> list[float]:
    """Make the store, or go on with one that is half made; returns the seconds that each commit took."""
    storage = HastyStorage(root)
    store = open_store(root, create=True, storage=storage)
    tasks = clips // CLIPS_A_TASK
    numbers = iter(range(store.commit * TASKS_A_COMMIT, tasks))
    seconds: list[float] = []
    if store.commit * TASKS_A_COMMIT >= tasks:
        return seconds
    committer = Committer(storage, "scale", clock=lambda: 0.0)
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        receipts = pool.imap(run_task, ((root, number) for number in numbers), chunksize=4)
        while batch := list(islice(receipts, TASKS_A_COMMIT)):
            began = time.perf_counter()
            for receipt in batch:
                committer.add(receipt)
            committer.flush()
            seconds.append(time.perf_counter() - began)
            print(
                f"  commit {committer.state.number} of {-(-tasks // TASKS_A_COMMIT)}: {seconds[-1]:.2f} s", flush=True
            )
    committer.close()
    return seconds


def run_task(job: tuple[Path, int]) -> Receipt:
    """Make the shards of one task, given the store's folder and the number of the task."""
    root, number = job
    storage = HastyStorage(root)
    random = np.random.default_rng(number)
    source = f"source_{number % SOURCES}"
    template = clip_to_row(_standing(source))
    rows: list[Row] = []
    captions: dict[str, list[Row]] = {}
    segments: dict[str, list[Row]] = {}
    for index in range(CLIPS_A_TASK):
        key = f"subject_{number:05d}/take_{index:03d}"
        uid = f"{source}/{key}"
        row = {**template, "clip_id": clip_id(source, key), "key": key, "uid": uid, "group": uid}
        row["provenance"] = sorted(
            {**dict(template["provenance"]), "file": f"{key}.npz", "sha256": sha256_hex(uid.encode())}.items()
        )
        row["joints"] = _moving(random) if number % MOVING_EVERY == 0 else _still(number * CLIPS_A_TASK + index)
        row["content"] = row_content(row)
        row["version"] = row["content"][:32]
        rows.append(row)
        text = f"a person {_DOES[random.integers(len(_DOES))]} {_HOW[random.integers(len(_HOW))]}, take {index}"
        captions[key] = annotation_rows(source, key, [Caption(uid=uid, text=text, layer="labels")])
        segments[key] = []
        if source == "source_0":
            split = ("train", "train", "train", "val", "test")[int(random.integers(5))]
            said = Segment(uid=uid, name=f"{number:05d}{index:03d}", layer="cuts", start_s=0.0, end_s=1.5, split=split)
            segments[key] = annotation_rows(source, key, [said])
    bad = f"subject_{number:05d}/take_999"
    refused = {"source": source, "key": bad, "file": bad, "reason": "truncated", "message": "ends early", "line": None}
    shards = {
        "clips": write_shard(storage, "clips", source, rows),
        "captions": write_shard(storage, "captions", source, (one for said in captions.values() for one in said)),
        "segments": write_shard(storage, "segments", source, (one for said in segments.values() for one in said)),
        "rejects": write_shard(storage, "rejects", source, [refused] if source == "source_1" else []),
    }
    names = {kind: shard.name if shard else None for kind, shard in shards.items()}
    covered = [
        Covered(
            source=source,
            key=row["key"],
            size=50_000 + number,
            mtime_ns=1_700_000_000_000_000_000 + number,
            stamp=sha256_hex(row["uid"].encode())[:32],
            config="scale/1 normalise/1",
            outcome="clip",
            clip_id=row["clip_id"],
            content=row["content"],
            captions=len(captions[row["key"]]),
            captions_digest=rows_digest(captions[row["key"]]),
            segments=len(segments[row["key"]]),
            segments_digest=rows_digest(segments[row["key"]]),
            clips_shard=names["clips"],
            captions_shard=names["captions"],
            segments_shard=names["segments"] if segments[row["key"]] else None,
        )
        for row in rows
    ]
    if source == "source_1":
        template_of = replace(covered[0], key=bad, outcome="reject", reason="truncated", clip_id=None, content=None)
        covered.append(
            replace(
                template_of,
                captions=0,
                captions_digest=None,
                clips_shard=None,
                captions_shard=None,
                rejects_shard=names["rejects"],
            )
        )
    return Receipt(covered=tuple(covered), shards=tuple(shard for shard in shards.values() if shard))


def _standing(source: str) -> Clip:
    """A clip whose identity and values are filled in one by one."""
    return Clip(
        clip_id="",
        source=source,
        key="",
        uid="",
        group="",
        fps=_RATES[int(source.removeprefix("source_")) % len(_RATES)],
        frames=FRAMES,
        body="own",
        joints_T22x3=np.zeros((FRAMES, 22, 3), dtype=np.float32),
        valid=(0, FRAMES),
        labels={"content": "made up"},
        flags=("synthetic",),
        provenance={"file": "", "sha256": "", "reader": "scale/1", "licence": "CC0-1.0", "up": "y", "unit_m": "1.0"},
    )


def _rest() -> FloatArray:
    rest = np.zeros((22, 3))
    for joint in range(1, 22):
        rest[joint] = rest[SMPL22_PARENTS[joint]] + TARGET_OFFSETS_22x3[joint]
    return rest


_REST_22x3 = _rest()


def _still(number: int) -> FloatArray:
    """Joints of a body that stands on a square metre of its own, channel-major: 66 constant channels, flat."""
    place = np.array([number % 1000, 0.0, number // 1000])
    return np.repeat((_REST_22x3 + place).astype(np.float32).ravel(), FRAMES)


def _moving(random: np.random.Generator) -> FloatArray:
    """Joints that sway and travel, with a tenth of a millimetre of noise: as large on disk as recorded motion."""
    time_T = np.arange(FRAMES)[:, None, None]
    sway = 0.05 * np.sin(random.uniform(0.05, 0.4, (1, 22, 3)) * time_T + random.uniform(0, 6.28, (1, 22, 3)))
    noise = random.normal(scale=1e-4, size=(FRAMES, 22, 3))
    return (_REST_22x3 + sway + noise).astype(np.float32).reshape(FRAMES, 66).T.ravel()
