"""MotionHub: a take of GRAB with captions, and a mirrored one of HumanML3D in the older layout; lists of sides."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.body import TEMPLATE


def write(root: Path, walk: Callable[..., Any]) -> None:
    takes = (
        ("GRAB", "smplh_52", "s1/airplane_fly_1", "test"),
        ("GRAB", "smplh_52", "s1/mug_lift", "train"),
        ("HumanML3D_AMASS", "smplx_55", "M000/M000012", "train"),
    )
    for number, (subset, layout, name, side) in enumerate(takes):
        walked = walk(30.0, seed=number)
        frames = len(walked.root_T3)
        hands = np.zeros((frames, 45), dtype=np.float32)
        parts = {
            "global_orient": walked.rotvecs_T22x3[:, 0].astype(np.float32),
            "body_pose": walked.rotvecs_T22x3[:, 1:].reshape(frames, 63).astype(np.float32),
            "left_hand_pose": hands, "right_hand_pose": hands,
            "transl": (walked.root_T3 - TEMPLATE.pelvis_3).astype(np.float32),
            "betas": np.zeros(16, dtype=np.float32), "gender": np.array("neutral"), "mocap_framerate": np.array(30),
        }  # fmt: skip
        if layout == "smplh_52":
            parts["poses"] = np.concatenate([parts["global_orient"], parts["body_pose"], hands, hands], axis=1)
        path = root / subset / layout / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **parts)
        said = {
            "action": "plays",
            "category": "daily activity",
            "macro": ["A person plays."],
            "meso": [],
            "micro": ["x", "y"],
        }
        captions = root / subset / "hierarchical_caption" / f"{name}.json"
        captions.parent.mkdir(parents=True, exist_ok=True)
        captions.write_text(json.dumps(said))
        entry = {"smplh_path": f"{subset}/{layout}/{name}.npz", "fps": 30, "num_frames": frames}
        (root / subset / f"{side}.json").write_text(json.dumps({"data_list": {name: entry}}))
