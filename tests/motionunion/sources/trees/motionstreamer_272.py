"""HumanML3D and BABEL as 272 features: an id with its mirror image, one of BABEL, and a stream of two stretches."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.motion import posed
from motionunion.representations import encode

SETS = {
    "humanml3d_272/motion_data": ("000004", "M000004"),
    "babel_272/motion_data": ("000004",),
    "babel_272_stream/val_stream": ("seq1",),
}


def write(root: Path, walk: Callable[..., Any]) -> None:
    for number, (folder, names) in enumerate(SETS.items()):
        (root / folder).mkdir(parents=True)
        for seed, name in enumerate(names):
            walked = walk(30.0, seed=2 * number + seed)
            motion = posed(Fraction(30), walked.root_T3, walked.quats_T22x4, walked.offsets_22x3)
            np.save(root / folder / f"{name}.npy", encode(motion, "ms272@30/compat"))
    for folder, name in (("humanml3d_272", "mean_std"), ("babel_272", "t2m_babel_mean_std")):
        for inner in ("texts", "split", name):
            (root / folder / inner).mkdir()
        np.save(root / folder / name / "Mean.npy", np.zeros(272))
    for name in SETS["humanml3d_272/motion_data"]:
        (root / "humanml3d_272" / "texts" / f"{name}.txt").write_text(
            "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\nhe stops.#he/PRON stop/VERB#1.0#2.0\n"
        )
    (root / "humanml3d_272" / "split" / "test.txt").write_text("000004\nM000004\n")
    (root / "babel_272" / "texts" / "000004.txt").write_text("walk#walk/VERB#0.0#0.0\n")
    (root / "babel_272" / "split" / "train.txt").write_text("000004\n")
    (root / "babel_272_stream" / "val_stream_text").mkdir()
    (root / "babel_272_stream" / "val_stream_text" / "seq1.txt").write_text("walk forward*stand still#30\n")
