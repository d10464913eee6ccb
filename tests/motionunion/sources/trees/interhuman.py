"""InterHuman: a scene as parameters with its processed joints beside, and one as processed joints alone."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation
from motionunion.body import TEMPLATE

SENTENCES = "In a match, one attacks.\nthe two fight\n\n"


def write(root: Path, walk: Callable[..., Any]) -> None:
    turn = rotation.from_rotvec([np.pi / 2, 0.0, 0.0])
    for folder in ("motions", "annots", "split", "motions_processed/person1", "motions_processed/person2"):
        (root / folder).mkdir(parents=True)
    scene: dict[str, Any] = {"mocap_framerate": 59.94, "frames": 60}
    for person in (1, 2):
        walked = walk(60.0, 1.0, person)
        root_orient = rotation.to_rotvec(rotation.multiply(turn, walked.quats_T22x4[:, 0]))
        scene[f"person{person}"] = {
            "gender": "male", "betas": np.linspace(0, 1, 10).astype(np.float32),
            "trans": rotation.rotate(turn, walked.root_T3) + np.array([0, person, 0]) - TEMPLATE.pelvis_3,
            "root_orient": root_orient.astype(np.float32),
            "pose_body": walked.rotvecs_T22x3[:, 1:].reshape(-1, 63).astype(np.float32),
        }  # fmt: skip
        slow = walk(30.0, 1.0, person)
        values = np.zeros((len(slow.root_T3), 492), dtype=np.float32)
        values[:, :66] = (rotation.rotate(turn, slow.joints_T22x3) + np.array([0, person, 0])).reshape(-1, 66)
        for name in ("1", "7"):
            np.save(root / "motions_processed" / f"person{person}" / f"{name}.npy", values)
    (root / "motions" / "1.pkl").write_bytes(pickle.dumps(scene, protocol=4))
    (root / "annots" / "1.txt").write_text(SENTENCES)
    (root / "split" / "val.txt").write_text("7\n")
    (root / "split" / "test.txt").write_text("1\n9\n")
    (root / "ignore_list.txt").write_text("7\n12\n")
