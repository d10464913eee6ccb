"""HumanML3D: one id with features, one that annotates a stretch of an AMASS file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.representations import decode, encode

DAMAGED = (".npy",)


def write(root: Path, walk: Callable[..., Any]) -> None:
    features = encode(walk(20).joints_T22x3, "hml263@20/compat", fps=20)
    for folder in ("new_joint_vecs", "new_joints", "texts"):
        (root / folder).mkdir()
    np.save(root / "new_joint_vecs" / "000004.npy", features.astype(np.float32))
    np.save(root / "new_joints" / "000004.npy", decode(features, "hml263@20/compat").astype(np.float32))
    for name in ("000004", "000005"):
        (root / "texts" / f"{name}.txt").write_text("a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\n")
        (root / ("train.txt" if name == "000004" else "test.txt")).write_text(f"{name}\n")
    (root / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n"
        "./pose_data/KIT/3/kick_poses.npy,0,41,000004.npy\n./pose_data/KIT/4/walk_poses.npy,10,110,000005.npy\n"
    )
