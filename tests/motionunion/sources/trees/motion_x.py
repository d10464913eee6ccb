"""Motion-X: a stretch of HumanML3D and its mirror image, a fit of a video in its camera's axes, and a dance in AIST's unit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation
from motionunion.body import SMPLX_TEMPLATE

IDS = (
    "humanml/000021",
    "humanml/M000021",
    "kungfu/subset_0005/Tai_Chi_Step7_clip_4",
    "aist/subset_0000/Dance_Break_clip_2",
)
CAMERA = rotation.from_rotvec([np.pi, 0.0, 0.0])


def write(root: Path, walk: Callable[..., Any]) -> None:
    home = root / "datasets"
    for seed, name in enumerate(IDS):
        walked = walk(30.0, seed=seed % 2 if seed < 2 else seed, seconds=3.0)
        rows = np.zeros((len(walked.root_T3), 322), dtype=np.float32)
        rotvecs, trans = walked.rotvecs_T22x3.copy(), walked.root_T3 - SMPLX_TEMPLATE.pelvis_3
        if name.startswith("kungfu"):
            rotvecs[:, 0] = rotation.to_rotvec(rotation.multiply(CAMERA, walked.quats_T22x4[:, 0]))
            trans = rotation.rotate(CAMERA, walked.root_T3) - SMPLX_TEMPLATE.pelvis_3
        if name.startswith("aist"):
            trans = trans * [94.0, 94.0, -94.0]
        rows[:, :66], rows[:, 309:312] = rotvecs.reshape(len(rows), 66), trans
        rows[:, 159:162] = 0.1
        path = home / "motion_data" / "smplx_322" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rows)
        text = home / "texts" / "semantic_labels" / f"{name}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("a man walks.#a/DET man/NOUN#0.0#0.0\n" if name.startswith("humanml") else "A person moves.\n")
    face = home / "face_motion_data" / "smplx_322" / "humanml"
    face.mkdir(parents=True)
    np.save(face / "000021.npy", np.zeros((4, 153)))
    (home / "texts" / "face_texts" / "humanml").mkdir(parents=True)
    (home / "texts" / "face_texts" / "humanml" / "000021.txt").write_text("neutral\n")
    (home / "train.txt").write_text("\n".join(IDS[:2]) + "\n")
    (home / "test.txt").write_text("\n".join(IDS[2:]) + "\n")
