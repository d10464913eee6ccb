"""The folder `amass/`: SMPL-H files of many subjects, and a HumanML3D annotation folder beside the subsets."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from motionunion.engines.process_pool import ProcessPool
from motionunion.engines.serial import Serial
from motionunion.errors import MissingInput
from motionunion.progress import Progress
from motionunion.sample.annotations import Annotated, write_annotations
from motionunion.sample.archive import npz_bytes
from motionunion.sample.broken import SUBJECT, UNREADABLE_CAPTIONS, spoil_captions, write_bad_files
from motionunion.sample.performer import Performer
from motionunion.sample.programme import Recording, plan
from motionunion.sample.smpl_files import smplh_archive
from motionunion.sample.take import FRAME_RATE, rehearse

ANNOTATIONS = "HumanML3D"
_BATCH = 16


def write_amass(root: Path, clips: int, seed: int, jobs: int, progress: Progress) -> tuple[list[Annotated], list[Path]]:
    """Write all recordings, their annotations and the bad files.

    Returns the annotated clips, the one with unreadable captions left out, and the files that are bad on purpose.
    """
    recordings = plan(clips, seed)
    batches = [recordings[start : start + _BATCH] for start in range(0, len(recordings), _BATCH)]
    engine = Serial() if jobs == 1 or len(batches) == 1 else ProcessPool(min(jobs, len(batches)))
    rows: list[Annotated] = []
    progress.start("recording", len(recordings), "files")
    for done in engine.run(partial(record, root), deque(batches)):
        if done.result is None:
            raise MissingInput(
                f"{root}: a process that made recordings died ({done.died}), most likely for lack of memory; run the same "
                "command again with fewer --jobs"
            )
        rows.extend(done.result)
        progress.advance(len(done.task))
    progress.finish()
    bad, spoiled = _write_broken(root, seed, max(row.name for row in rows))
    write_annotations(root / ANNOTATIONS, [*rows, spoiled])
    bad.append(spoil_captions(root / ANNOTATIONS, spoiled))
    return rows, bad


def record(root: Path, recordings: Sequence[Recording]) -> list[Annotated]:
    """Perform some recordings, write their files, and return what the index will say of them."""
    rows: list[Annotated] = []
    for recording in recordings:
        take = recording.take()
        path = root / f"{recording.address}_poses.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        gender = "female" if recording.subject % 2 else "male"
        path.write_bytes(npz_bytes(smplh_archive(take, recording.fps, gender)))
        rows.extend(
            Annotated(
                name=name, address=recording.address, start=part.start, end=part.end, split=recording.split,
                captions=part.captions,
            )
            for name, part in zip(recording.clips, take.parts, strict=True)
        )  # fmt: skip
    return rows


def _write_broken(root: Path, seed: int, last: str) -> tuple[list[Path], Annotated]:
    rng = np.random.default_rng([seed, 3])
    take = rehearse(("walk",), False, rng, Performer.draw(rng))
    good = smplh_archive(take, 120.0, "male")
    bad = write_bad_files(root, good)
    address = f"{SUBJECT}/{UNREADABLE_CAPTIONS}"
    (root / f"{address}_poses.npz").write_bytes(npz_bytes(good))
    part = take.parts[0]
    name = f"{int(last) + 1:06d}"
    end = min(part.end, int(take.seconds * FRAME_RATE))
    return bad, Annotated(name=name, address=address, start=0, end=end, split="train", captions=part.captions)
