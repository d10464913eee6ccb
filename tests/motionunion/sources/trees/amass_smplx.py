"""AMASS, SMPL-X release: two takes with the arrays that one file has, the pickled one included."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation


def write(root: Path, walk: Callable[..., Any]) -> None:
    folder = root / "CMU" / "01"
    folder.mkdir(parents=True)
    turn = rotation.from_rotvec([np.pi / 2, 0.0, 0.0])  # +Z up
    for number in range(2):
        walked = walk(60, seed=number)
        frames = len(walked.root_T3)
        np.savez(
            folder / f"01_{number + 1:02d}_stageii.npz",
            root_orient=rotation.to_rotvec(rotation.multiply(turn, walked.quats_T22x4[:, 0])),
            pose_body=walked.rotvecs_T22x3[:, 1:].reshape(frames, 63), pose_hand=np.zeros((frames, 90)),
            pose_jaw=np.zeros((frames, 3)), pose_eye=np.zeros((frames, 6)), trans=rotation.rotate(turn, walked.root_T3),
            betas=np.zeros(16), gender="neutral", mocap_frame_rate=60.0,
            markers_latent_vids=np.array([{"a": 1}], dtype=object),
        )  # fmt: skip
