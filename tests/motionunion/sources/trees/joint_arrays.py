"""Arrays of one's own: npy, npz, HDF5 and JSON, of SMPL joints and of a skeleton with a map, one person and two."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from motionunion.joint_maps import JOINT_MAPS
from motionunion.skeleton import SMPL22_NAMES

DAMAGED = (".npy",)
SMPL = '[arrays]\nname = "{name}"\nskeleton = "smpl22"\nfps = {fps}\nup = "{up}"\nunit_m = {unit}\n'


def write(root: Path, walk: Callable[..., Any]) -> None:
    joints = walk(30).joints_T22x3
    for name in ("plain", "lab", "pair", "many"):
        (root / name).mkdir()
    (root / "plain" / "walks.toml").write_text(SMPL.format(name="plain", fps=30, up="z", unit=0.01))
    np.save(root / "plain" / "one.npy", joints[..., [2, 0, 1]] * 100)
    np.savez(root / "plain" / "two.npz", positions=joints[..., [2, 0, 1]] * 100)

    lafan1 = JOINT_MAPS["lafan1"]
    order = [SMPL22_NAMES[[p.start for p in lafan1.places].index(name)] for name in lafan1.names[0]]
    np.save(root / "lab" / "take1.npy", joints[:, [SMPL22_NAMES.index(name) for name in order]])
    (root / "lab" / "lab.toml").write_text(
        SMPL.format(name="lab", fps='"30000/1001"', up="y", unit=1).replace("smpl22", "lafan1")
    )

    two = np.stack([joints, joints * [-1, 1, -1] + [0, 0, 4]], axis=1)
    text = SMPL.format(name="pair", fps='{ array = "fps" }', up="y", unit=1)
    (root / "pair" / "pair.toml").write_text(
        text + 'files = "*.json"\narray = "take/positions"\norder = "frames people joints xyz"\n'
    )
    (root / "pair" / "waltz.json").write_text(json.dumps({"fps": 30, "take": {"positions": two.round(4).tolist()}}))

    text = SMPL.format(name="many", fps='{ seconds_per_frame = "*@dt" }', up="y", unit=1)
    (root / "many" / "many.toml").write_text(text + 'array = "*/joints"\norder = "joints_xyz frames"\n')
    with h5py.File(root / "many" / "session.h5", "w") as file:
        for name, fps in (("a", 30), ("b", 60)):
            group = file.create_group(name)
            group.attrs["dt"] = 1 / fps
            group["joints"] = walk(fps).joints_T22x3.reshape(-1, 66).T
