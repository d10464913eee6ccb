"""MocapNET: a face, thumbs and toes, some of each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
hip -
abdomen hip
chest abdomen
neck chest
neck1 neck
head neck1
__jaw head
jaw __jaw
rcollar chest
rshoulder rcollar
relbow rshoulder
rhand relbow
__rthumb rhand
rthumb __rthumb
lcollar chest
lshoulder lcollar
lelbow lshoulder
lhand lelbow
__lthumb lhand
lthumb __lthumb
rbuttock hip
rhip rbuttock
rknee rhip
rfoot rknee
toe1-1.r rfoot
toe2-1.r rfoot
toe2-2.r toe2-1.r
lbuttock hip
lhip lbuttock
lknee lhip
lfoot lknee
toe1-1.l lfoot
toe2-1.l lfoot
toe2-2.l toe2-1.l
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("05_01", "wave")):
        walk(25, seed=seed).write_bvh(root / f"{name}.bvh", "mocapnet", TREE, fps=25, unit_m=0.01)
