"""MotionMillion: a fit of a video and its mirror image, with captions, lists and statistics."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.motion import posed
from motionunion.representations import encode

IDS = ("MotionGV/folder0/12", "Mirror_MotionGV/folder0/12", "MotionLLAMA/interx/G001T000A000R005/P1")


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(IDS):
        walked = walk(30.0, seed=seed)
        motion = posed(Fraction(30), walked.root_T3, walked.quats_T22x4, walked.offsets_22x3)
        path = root / "motion_272rpr" / f"{name}.npy"
        path.parent.mkdir(parents=True)
        np.save(path, encode(motion, "ms272@30/compat"))
        text = root / "texts" / f"{name}.txt"
        text.parent.mkdir(parents=True)
        text.write_text("A person walks.\nSomeone goes for a walk.\n\n")
    for version, sides in (("t2m_60_300", {"train": IDS[:1], "test": IDS[1:2]}), ("tokenizer_96", {"train": IDS})):
        folder = root / "split" / "version1" / version
        folder.mkdir(parents=True)
        for side, names in sides.items():
            (folder / f"{side}.txt").write_text("\n".join(names) + "\n")
    statistics = root / "mean_std" / "vector_272"
    statistics.mkdir(parents=True)
    for name in ("mean", "std"):
        np.save(statistics / f"{name}.npy", np.ones(272))
