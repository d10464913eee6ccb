"""EgoBody: two people in one room seen by a tilted camera, a pickle per frame; one of them lacks a frame in the middle."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation
from motionunion.body import SMPLX_TEMPLATE

RECORDING = "recording_20210907_S02_S01_01"
TO_WORLD = rotation.from_rotvec([2.9, 0.2, -0.3])
SHIFT = np.array([0.4, 1.5, -2.0])


def write(root: Path, walk: Callable[..., Any]) -> None:
    scene = root / "calibrations" / RECORDING / "cal_trans" / "kinect12_to_world" / "seminar_g110.json"
    scene.parent.mkdir(parents=True)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation.to_matrix(TO_WORLD), SHIFT
    scene.write_text(json.dumps({"trans": matrix.tolist()}))
    (root / "data_splits.csv").write_text(f"train,val,test\nrecording_x,{RECORDING},recording_y\nrecording_z,,\n")
    (root / "data_info_release.csv").write_text(
        "scene_name,body_idx_0,body_idx_1,start_frame,end_frame,body_idx_fpv,recording_name\n"
        f"seminar_g110,0 female,1 male,3,9,0 female,{RECORDING}\n"
    )
    back = rotation.conjugate(TO_WORLD)
    for person, (role, gap) in enumerate((("interactee", None), ("camera_wearer", 14))):
        walked = walk(30.0, seed=person)
        turned = rotation.to_rotvec(rotation.multiply(back, walked.quats_T22x4[:, 0]))
        trans = rotation.rotate(back, walked.root_T3 - SHIFT) - SMPLX_TEMPLATE.pelvis_3
        for frame in range(30):
            if frame == gap:
                continue
            folder = (
                root / f"smplx_{role}_val" / RECORDING / f"body_idx_{person}" / "results" / f"frame_{1888 + frame:05d}"
            )
            folder.mkdir(parents=True)
            values = {
                "camera_rotation": np.eye(3)[None], "betas": np.full((1, 10), 0.1 + 1e-4 * frame, dtype=np.float32),
                "global_orient": turned[None, frame].astype(np.float32),
                "body_pose": walked.rotvecs_T22x3[None, frame, 1:].reshape(1, 63).astype(np.float32),
                "transl": trans[None, frame].astype(np.float32),
                "left_hand_pose": np.zeros((1, 12), dtype=np.float32), "jaw_pose": np.zeros((1, 3), dtype=np.float32),
                "leye_pose": np.zeros((1, 3), dtype=np.float32), "reye_pose": np.zeros((1, 3), dtype=np.float32),
                "expression": np.zeros((1, 10), dtype=np.float32), "gender": "female",
            }  # fmt: skip
            (folder / "000.pkl").write_bytes(pickle.dumps(values, protocol=2))
