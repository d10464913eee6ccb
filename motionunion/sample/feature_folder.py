"""The folder `humanml3d/`: the same kind of motions as HumanML3D ships them, as 263 features and decoded joints."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motionunion.body import TEMPLATE
from motionunion.kinematics import forward_kinematics
from motionunion.sample.annotations import Annotated, write_annotations
from motionunion.sample.archive import npy_bytes
from motionunion.sample.programme import plan
from motionunion.sample.take import FRAME_RATE
from motionunion.skeleton import SMPL22_PARENTS

REPRESENTATION = "hml263@20/compat"
_FIRST = 910_000  # clip names, above those of `amass/`: the two folders hold different motions


def write_features(root: Path, clips: int, seed: int) -> list[Annotated]:
    """Write `new_joint_vecs`, `new_joints`, `texts`, the splits and `index.csv` for some clips of their own."""
    from motionunion.representations import decode, encode

    rows: list[Annotated] = []
    motions = []
    for recording in plan(clips, seed, first=_FIRST, prefix="Synthetic_Features"):
        take = recording.take()
        posed = take.perform(FRAME_RATE, TEMPLATE.offsets_22x3)
        joints = forward_kinematics(posed.root_T3, posed.quats_T22x4, TEMPLATE.offsets_22x3, SMPL22_PARENTS)
        for name, part in zip(recording.clips, take.parts, strict=True):
            motions.append(joints[part.start : part.end])
            rows.append(
                Annotated(
                    name=name, address=recording.address, start=part.start, end=part.end, split=recording.split,
                    captions=part.captions,
                )
            )  # fmt: skip
    features = encode(motions, REPRESENTATION, fps=FRAME_RATE)
    decoded = decode(features, REPRESENTATION)
    for folder, arrays in (("new_joint_vecs", features), ("new_joints", decoded)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for row, values in zip(rows, arrays, strict=True):
            (root / folder / f"{row.name}.npy").write_bytes(npy_bytes(np.asarray(values, dtype=np.float32)))
    write_annotations(root, rows)
    return rows
