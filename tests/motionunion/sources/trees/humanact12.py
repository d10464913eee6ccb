"""HumanAct12: 24 joints in left-handed axes, as many frames as the name says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def write(root: Path, walk: Callable[..., Any]) -> None:
    folder = root / "pose_data" / "humanact12" / "humanact12"
    folder.mkdir(parents=True)
    for number, name in enumerate(("P01G01R01F0001T0040A0201", "P11G01R02F0812T0851A0101")):
        joints = walk(20, seed=number).joints_T22x3 * [-1, 1, 1]
        np.save(folder / f"{name}.npy", np.concatenate([joints, joints[:, 20:]], axis=1))
