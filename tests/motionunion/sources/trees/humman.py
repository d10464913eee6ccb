"""HuMMan: an action and its mirror image, +Z up, with phases; shapes fitted frame by frame."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation
from motionunion.body import TEMPLATE


def write(root: Path, walk: Callable[..., Any]) -> None:
    (root / "smpl_on_ground").mkdir(parents=True)
    (root / "annotations").mkdir()
    turn = rotation.from_rotvec([np.pi / 2, 0.0, 0.0])
    for number, name in enumerate(("p000459_a000011", "p000459_r000011")):
        walked = walk(30.0, seed=7)
        frames = len(walked.root_T3)
        body = np.zeros((frames, 23, 3))
        body[:, :21] = walked.rotvecs_T22x3[:, 1:]
        np.savez(
            root / f"smpl_on_ground/{name}.npz", body_pose=body.reshape(frames, 69),
            betas=np.full((frames, 10), 0.5) + (number * 1e-3 * np.arange(frames))[:, None],
            global_orient=rotation.to_rotvec(rotation.multiply(turn, walked.quats_T22x4[:, 0])),
            transl=rotation.rotate(turn, walked.root_T3) - TEMPLATE.pelvis_3,
        )  # fmt: skip
        phases = [
            {
                "start_frame": 0,
                "end_frame": 12,
                "num_frames": 12,
                "all": "Stand with legs open.",
                "head": "Look ahead.",
            },
            {
                "start_frame": 12,
                "end_frame": frames,
                "num_frames": frames - 12,
                "all": "Take several\n steps.",
                "head": "-",
            },
        ]
        (root / f"annotations/{name}.json").write_text(json.dumps(phases))
