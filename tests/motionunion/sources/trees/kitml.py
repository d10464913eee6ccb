"""KIT-ML as published with joints made of its angles, and as features with joints, captions and lists."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.joint_maps import JOINT_MAPS
from motionunion.skeleton import SMPL22_NAMES

DAMAGED = (".csv",)


def mmm(joints: Any) -> Any:
    """SMPL joints as the files have them: 21 joints, 480 units for 0.75 m, X negated."""
    like = {
        place.start: name
        for name, place in zip(SMPL22_NAMES, JOINT_MAPS["mmm21"].places, strict=True)
        if not place.masked
    }
    like |= {"LMrot": "left_ankle", "RMrot": "right_ankle"}
    return joints[:, [SMPL22_NAMES.index(like[name]) for name in JOINT_MAPS["mmm21"].names[0]]] * [-640, 640, 640]


def write(root: Path, walk: Callable[..., Any]) -> None:
    raw, features = root / "kit-mocap", root / "KIT-ML"
    raw.mkdir()
    names = JOINT_MAPS["mmm21"].names[0]
    header = "," + ",".join(f"{name}_t{axis}" for name in names for axis in "xyz")
    for number, key in enumerate(("00001", "00002")):
        rows = mmm(walk(100, seed=number).joints_T22x3).reshape(-1, 63)
        lines = [f"{index},{','.join(f'{value:.3f}' for value in row)}" for index, row in enumerate(rows)]
        (raw / f"{key}_fke.csv").write_text("\n".join([header, *lines, ""]))
        (raw / f"{key}_annotations.json").write_text(json.dumps(["A person walks."]))
    (raw / "00003_annotations.json").write_text(json.dumps(["A person kneels down."]))
    (raw / "00003_mmm.xml").write_text("<MMM/>")
    (raw / "amass-path2kitml.json").write_text(
        json.dumps({"00001": "KIT/4/Walking01_poses.npz", "00003": "KIT/3/kneel_poses.npz"})
    )

    for folder in ("new_joint_vecs", "new_joints", "texts"):
        (features / folder).mkdir(parents=True)
    joints = mmm(walk(12.5, seed=3).joints_T22x3)
    np.save(features / "new_joints" / "03950.npy", joints.astype(np.float32))
    np.save(features / "new_joint_vecs" / "03950.npy", np.zeros((len(joints), 251), np.float32))
    (features / "texts" / "03950.txt").write_text("a person walks#a/DET person/NOUN walk/VERB#0.0#0.0\n")
    (features / "train.txt").write_text("03950\n")
