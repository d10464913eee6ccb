"""BEHAVE: two sequences of a camera whose Y points down, one with missing frames; an object, genders, and the split."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation
from motionunion.body import TEMPLATE

WHOLE, TORN = "Date01_Sub01_backpack_back", "Date03_Sub06_yogaball_sit"


def write(root: Path, walk: Callable[..., Any]) -> None:
    for number, name in enumerate((WHOLE, TORN)):
        folder = root / "sequences" / name
        folder.mkdir(parents=True)
        walked = walk(30.0, seed=number)
        turn = rotation.from_rotvec([np.pi, 0.0, 0.0])
        poses = np.zeros((len(walked.root_T3), 52, 3))
        poses[:, :22] = walked.rotvecs_T22x3
        poses[:, 0] = rotation.to_rotvec(rotation.multiply(turn, walked.quats_T22x4[:, 0]))
        trans = rotation.rotate(turn, walked.root_T3) - TEMPLATE.pelvis_3 + (0.0, 0.0, 2.5)
        kept = np.ones(len(poses), dtype=bool)
        if name == TORN:
            kept[[5, 6]] = False
        times = np.array([f"t{3 + frame / 30:08.3f}" for frame in range(len(poses))])
        np.savez(
            folder / "smpl_fit_all.npz", poses=poses.reshape(len(poses), 156).astype(np.float32)[kept],
            betas=np.tile(np.linspace(-1, 1, 10, dtype=np.float32), (len(poses), 1))[kept],
            trans=trans.astype(np.float32)[kept], save_name="fit03", frame_times=times[kept],
        )  # fmt: skip
        np.savez(folder / "object_fit_all.npz", angles=trans, trans=trans, save_name="fit01", frame_times=times)
    (root / "sequences" / TORN / "info.json").write_text(
        json.dumps({"cat": "yogaball", "gender": "female", "beta": None})
    )
    (root / "split.json").write_text(json.dumps({"train": [WHOLE], "test": [TORN]}))
