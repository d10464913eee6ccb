"""CMU for DAZ Studio: centimetres, buttocks, End Sites instead of toes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
hip -
abdomen hip
chest abdomen
neck chest
head neck
leftEye head
rightEye head
rCollar chest
rShldr rCollar
rForeArm rShldr
rHand rForeArm
rThumb1 rHand
rThumb2 rThumb1
rIndex1 rHand
rIndex2 rIndex1
rMid1 rHand
rMid2 rMid1
rRing1 rHand
rRing2 rRing1
rPinky1 rHand
rPinky2 rPinky1
lCollar chest
lShldr lCollar
lForeArm lShldr
lHand lForeArm
lThumb1 lHand
lThumb2 lThumb1
lIndex1 lHand
lIndex2 lIndex1
lMid1 lHand
lMid2 lMid1
lRing1 lHand
lRing2 lRing1
lPinky1 lHand
lPinky2 lPinky1
rButtock hip
rThigh rButtock
rShin rThigh
rFoot rShin
lButtock hip
lThigh lButtock
lShin lThigh
lFoot lShin
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for take in (1, 2):
        walk(120, seed=take).write_bvh(root / "10" / f"10_{take:02d}.bvh", "cmu_daz", TREE, fps=120, unit_m=0.01)
