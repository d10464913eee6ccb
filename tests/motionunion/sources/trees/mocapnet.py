"""MocapNET: a face, thumbs and toes, some of each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- hip abdomen chest neck neck1 head __jaw jaw
chest rcollar rshoulder relbow rhand __rthumb rthumb
chest lcollar lshoulder lelbow lhand __lthumb lthumb
hip rbuttock rhip rknee rfoot toe1-1.r
rfoot toe2-1.r toe2-2.r
hip lbuttock lhip lknee lfoot toe1-1.l
lfoot toe2-1.l toe2-2.l
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("05_01", "wave")):
        walk(25, seed=seed).write_bvh(root / f"{name}.bvh", "mocapnet", TREE, fps=25, unit_m=0.01)
