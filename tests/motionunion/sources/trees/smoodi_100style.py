"""SMooDi: a cut of a take and its mirror, with the table of names beside the features."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.representations import encode


def write(root: Path, walk: Callable[..., Any]) -> None:
    home = root / "100STYLE-SMPL"
    for folder in ("new_joint_vecs", "texts"):
        (home / folder).mkdir(parents=True)
    (home / "frame_rate.toml").write_text("fps = 30\n")
    for name in ("030001", "M030001", "030002"):
        features = encode(walk(20).joints_T22x3, "hml263@20/compat", fps=20)
        np.save(home / "new_joint_vecs" / f"{name}.npy", features.astype(np.float32))
    (home / "texts" / "030001.txt").write_text("a man runs#a/DET man/NOUN run/VERB#0.0#0.0\n")
    lines = [f"{name} Aeroplane_BR_0{number}.bvh 0" for number, name in enumerate(("030001", "M030001", "030002"))]
    (home / "100STYLE_name_dict.txt").write_text("\n".join(lines) + "\n")
