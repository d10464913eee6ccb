"""CMU for DAZ Studio: centimetres, buttocks, End Sites instead of toes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- hip abdomen chest neck head leftEye
head rightEye
chest rCollar rShldr rForeArm rHand rThumb1 rThumb2
rHand rIndex1 rIndex2
rHand rMid1 rMid2
rHand rRing1 rRing2
rHand rPinky1 rPinky2
chest lCollar lShldr lForeArm lHand lThumb1 lThumb2
lHand lIndex1 lIndex2
lHand lMid1 lMid2
lHand lRing1 lRing2
lHand lPinky1 lPinky2
hip rButtock rThigh rShin rFoot
hip lButtock lThigh lShin lFoot
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for take in (1, 2):
        walk(120, seed=take).write_bvh(root / "10" / f"10_{take:02d}.bvh", "cmu_daz", TREE, fps=120, unit_m=0.01)
