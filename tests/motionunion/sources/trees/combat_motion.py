"""CombatMotion: ids of both kinds in HumanML3D's layout, and the rate that a person wrote down."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.representations import decode, encode


def write(root: Path, walk: Callable[..., Any]) -> None:
    for folder in ("new_joint_vecs", "new_joints", "texts"):
        (root / folder).mkdir()
    (root / "frame_rate.toml").write_text("fps = 20\n")
    for number, name in enumerate(("CMP008388", "SKR_250_600361")):
        features = encode(walk(20, seed=number).joints_T22x3, "hml263@20/compat", fps=20)
        np.save(root / "new_joint_vecs" / f"{name}.npy", features.astype(np.float32))
        np.save(root / "new_joints" / f"{name}.npy", decode(features, "hml263@20/compat").astype(np.float32))
        (root / "texts" / f"{name}.txt").write_text("weapon attack#weapon/NOUN attack/NOUN#0.0#0.0\n")
    (root / "train.txt").write_text("CMP008388\n")
