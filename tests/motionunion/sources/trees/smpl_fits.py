"""Fits of videos: SMPL with 72 numbers and +Z up, SMPL-X with an axis for every joint and +Y up; a rate each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation
from motionunion.body import TEMPLATE

DAMAGED = ()  # what cannot be opened shows no layout: amass_smplh claims it by its suffix, and refuses it


def write(root: Path, walk: Callable[..., Any]) -> None:
    folder = root / "fits"
    folder.mkdir(parents=True)
    walked = walk(30.0, seed=3)
    turn = rotation.from_rotvec([np.pi / 2, 0.0, 0.0])
    poses = np.zeros((len(walked.root_T3), 24, 3))
    poses[:, :22] = walked.rotvecs_T22x3
    poses[:, 0] = rotation.to_rotvec(rotation.multiply(turn, walked.quats_T22x4[:, 0]))
    np.savez(
        folder / "video_walk.npz", poses=poses.reshape(len(poses), 72).astype(np.float32), betas=np.zeros(10),
        trans=rotation.rotate(turn, walked.root_T3) - TEMPLATE.pelvis_3, gender="neutral", mocap_framerate=30,
        source_video_fps=np.float32(30),
    )  # fmt: skip
    walked = walk(25.0, seed=4)
    poses = np.zeros((len(walked.root_T3), 55, 3))
    poses[:, :22] = walked.rotvecs_T22x3
    np.savez(
        folder / "walk.npz", poses=poses, trans=walked.root_T3 - TEMPLATE.pelvis_3, gender="female",
        mocap_frame_rate=25.0, expression=np.zeros((len(poses), 50)),
    )  # fmt: skip
