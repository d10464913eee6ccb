"""AMASS, SMPL+H release: two takes of one subject, one of them 100 Hz, and a body shape without motion."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation


def write(root: Path, walk: Callable[..., Any]) -> None:
    folder = root / "KIT" / "3"
    folder.mkdir(parents=True)
    for number, fps in enumerate((100.0, 120.0)):
        walked = walk(fps, seed=number)
        body = walked.rotvecs_T22x3.reshape(len(walked.root_T3), 66)
        # AMASS has +Z up: the world is turned by a quarter about X.
        turn = rotation.from_rotvec([np.pi / 2, 0.0, 0.0])
        body[:, :3] = rotation.to_rotvec(rotation.multiply(turn, walked.quats_T22x4[:, 0]))
        np.savez(
            folder / f"walk{number:02d}_poses.npz", poses=np.hstack([body, np.zeros((len(body), 90))]),
            trans=rotation.rotate(turn, walked.root_T3), betas=np.zeros(16), dmpls=np.zeros((len(body), 8)),
            gender="neutral", mocap_framerate=fps,
        )  # fmt: skip
    np.savez(folder / "shape.npz", betas=np.zeros(16), gender="neutral")
