"""AIST++: one choreography danced by two, one of them a bad fit, with splits and keypoints; centimetres, +Y up."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.body import TEMPLATE

NAMES = ("gBR_sBM_cAll_d04_mBR0_ch01", "gBR_sBM_cAll_d05_mBR1_ch01", "gWA_sFM_cAll_d27_mWA2_ch21")


def write(root: Path, walk: Callable[..., Any]) -> None:
    for folder in ("motions", "keypoints3d", "splits"):
        (root / folder).mkdir(parents=True)
    for number, name in enumerate(NAMES):
        walked = walk(60.0, seed=number)
        scaling = np.array([90.0 + number], dtype=np.float32)
        poses = np.zeros((len(walked.root_T3), 24, 3))
        poses[:, :22] = walked.rotvecs_T22x3
        values = {
            "smpl_loss": 1.5,
            "smpl_poses": poses.reshape(len(poses), 72).astype(np.float32),
            "smpl_scaling": scaling,
            "smpl_trans": ((walked.root_T3 - TEMPLATE.pelvis_3) * scaling).astype(np.float32),
        }
        (root / f"motions/{name}.pkl").write_bytes(pickle.dumps(values, protocol=2 + number))
    (root / f"keypoints3d/{NAMES[0]}.pkl").write_bytes(pickle.dumps({"keypoints3d": np.zeros((3, 17, 3))}))
    (root / "ignore_list.txt").write_text(NAMES[1] + "\n")
    (root / "splits/crossmodal_train.txt").write_text("\n".join(NAMES[:2]) + "\n")
    (root / "splits/crossmodal_val.txt").write_text("")
    (root / "splits/crossmodal_test.txt").write_text(NAMES[2] + "\n")
