"""Which known skeleton a BVH file has, and which of its joints are the body's.

A skeleton is known by the exact ordered list of its joint names. What hangs on head, hands and feet varies from character to
character (fingers, eyes, face, end joints) and moves nothing of the body, so it is cut off before names are compared, unless
the map names it; so are roll joints that carry nothing, and a name space (`mixamorig7:`). A joint anywhere else (a tail, a
fourth spine joint) makes another skeleton.

Names alone are not enough: SMPL goes about under LAFAN1's names, and Xsens writes its skeleton with arms level or hanging.
So a map must also fit the rest offsets: turned as the map says, thighs and shins must point down and arms sideways, to
within 50 degrees (CMU's splayed legs are 20 off). Of several maps that fit, the one that fits best is taken; one of
positions alone, which fits everything, only where no other does.

A name that ends in `.end` in a map is the End Site of that joint.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.joint_map import END
from motionunion.joint_maps import JOINT_MAPS, JointMap, plain_names
from motionunion.measure import AXES
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton

FloatArray = npt.NDArray[np.float64]

_NAME_SPACE = re.compile(r"mixamorig\d*_?(?=[A-Z])")
_ROLL = re.compile(r"(Roll|Twist)\d*$")
_POINTS = {
    "left": AXES["x"], "right": AXES["-x"], "up": AXES["y"], "down": AXES["-y"], "front": AXES["z"], "back": AXES["-z"],
}  # fmt: skip
_STRAIGHT = {
    "left_hip": "down", "right_hip": "down", "left_knee": "down", "right_knee": "down",
    "left_shoulder": "left", "left_elbow": "left", "right_shoulder": "right", "right_elbow": "right",
}  # fmt: skip
_LIMB_ENDS = ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle", "left_foot", "right_foot")
FARTHEST_DEG = 50.0
"""How far a limb may be from its direction in a T-pose for a map to fit."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A file's skeleton, recognised."""

    joint_map: JointMap
    joints: int
    """Of the whole file."""
    kept: tuple[int, ...]
    """Indices of the joints that are the body's, in file order."""
    names: tuple[str, ...]
    """Their names without name space."""
    ends: tuple[str, ...]
    """Joints whose End Sites the map counts as joints, after the others."""


def body_of(skeleton: Skeleton, ends: Collection[str] = (), *, check_fit: bool = True) -> Body | None:
    """The known skeleton that a file has; None where it has none of them.

    Args:
        skeleton: The file's joints with their OFFSETs.
        ends: Names of the joints that have End Sites.
        check_fit: Whether the offsets must fit; not where they cannot be read.
    """
    found = [body for joint_map in JOINT_MAPS.values() if (body := _as(joint_map, skeleton, ends)) is not None]
    if not check_fit or not found:
        return found[0] if found else None
    fitting = [(misfit_deg(skeleton, body), body) for body in found if body.joint_map.axes is not None]
    best = min(fitting, key=lambda one: one[0], default=None)
    if best is not None and best[0] <= FARTHEST_DEG:
        return best[1]
    return next((body for body in found if body.joint_map.axes is None), None)


def misfit_deg(skeleton: Skeleton, body: Body) -> float:
    """By how many degrees the worst bone of arms and legs misses its direction in the T-pose of the map.

    Infinite where a limb does not hang together or has no length.
    """
    joint_map = body.joint_map
    at = dict(zip(body.names, body.kept, strict=True))
    worst = 0.0
    for name, direction in _STRAIGHT.items():
        limb = SMPL22_NAMES.index(name)
        above = joint_map.places[limb].rotation
        end = at.get(joint_map.places[SMPL22_PARENTS.index(limb)].rotation)
        path = _path(skeleton, at[above], end) if above in at and end is not None else []
        bone = sum((_in_rest(joint_map, skeleton, joint) for joint in path), np.zeros(3))
        length = float(np.linalg.norm(bone))
        if length == 0:
            return float("inf")
        cosine = float(bone @ np.array(_POINTS[direction])) / length
        worst = max(worst, float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
    return worst


def _as(joint_map: JointMap, skeleton: Skeleton, ends: Collection[str]) -> Body | None:
    """The file's skeleton taken for one known one, by names."""
    plain = tuple(_NAME_SPACE.sub("", name) for name in plain_names(skeleton.names))
    limb_ends = {joint_map.places[SMPL22_NAMES.index(name)].rotation for name in _LIMB_ENDS}
    for spelling in joint_map.names:
        wanted = tuple(name for name in spelling if not name.endswith(END))
        sites = tuple(name.removesuffix(END) for name in spelling if name.endswith(END))
        if not set(wanted) <= set(plain) or not set(sites) <= {
            _NAME_SPACE.sub("", end.rpartition(":")[2]) for end in ends
        }:
            continue
        body: list[int] = []
        hanging: set[int] = set()
        for joint, (name, parent) in enumerate(zip(plain, skeleton.parents, strict=True)):
            cut = parent in hanging or (parent >= 0 and plain[parent] in limb_ends)
            if name not in wanted and (cut or (_ROLL.search(name) and joint not in skeleton.parents)):
                hanging.add(joint)
            else:
                body.append(joint)
        names = tuple(plain[joint] for joint in body)
        if names == wanted:
            return Body(joint_map, len(plain), tuple(body), names, sites)
    return None


def _path(skeleton: Skeleton, above: int, joint: int) -> list[int]:
    """Joints from below `above` down to `joint`; empty where they do not hang together."""
    path: list[int] = []
    while joint >= 0 and joint != above:
        path.append(joint)
        joint = skeleton.parents[joint]
    return path if joint == above else []


def _in_rest(joint_map: JointMap, skeleton: Skeleton, joint: int) -> FloatArray:
    """The bone to a joint, in the T-pose that faces +Z."""
    name = _NAME_SPACE.sub("", plain_names(skeleton.names)[skeleton.parents[joint]])
    x, y = (np.array(_POINTS[word]) for word in (joint_map.axes or {}).get(name, "left up").split())
    turned: FloatArray = np.stack([x, y, np.cross(x, y)], axis=-1) @ skeleton.offsets_J3[joint]
    for vector in ((joint_map.dips.get(name, 0.0), 0.0, 0.0), joint_map.turns.get(name, (0.0, 0.0, 0.0))):
        turned = rotation.rotate(rotation.from_rotvec(np.deg2rad(vector)), turned)
    return turned
