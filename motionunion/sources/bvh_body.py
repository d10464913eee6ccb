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
from functools import lru_cache

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
_MOST_REMEMBERED = 1000
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
    limbs: tuple[tuple[tuple[int, ...], FloatArray, FloatArray], ...]
    """Bones of arms and legs: joints along each, rotations (n, 3, 3) of their frames in the T-pose that faces +Z, and where
    the bone points in it. No joints where a limb does not hang together."""


def body_of(skeleton: Skeleton, ends: Collection[str] = (), *, check_fit: bool = True) -> Body | None:
    """The known skeleton that a file has; None where it has none of them.

    Args:
        skeleton: The file's joints with their OFFSETs.
        ends: Names of the joints that have End Sites.
        check_fit: Whether the offsets must fit; not where they cannot be read.
    """
    # The files of a data set have one list of names; an immense one is not worth remembering.
    recall = _by_names if len(skeleton.names) <= _MOST_REMEMBERED else _by_names.__wrapped__
    found = recall(skeleton.names, skeleton.parents, frozenset(ends))
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
    worst = 0.0
    for joints, turns, direction in body.limbs:
        bone = np.einsum("nij,nj->i", turns, skeleton.offsets_J3[list(joints)])
        length = float(np.linalg.norm(bone))
        if length == 0:
            return float("inf")
        worst = max(worst, float(np.degrees(np.arccos(np.clip(bone @ direction / length, -1, 1)))))
    return worst


@lru_cache(maxsize=256)
def _by_names(names: tuple[str, ...], parents: tuple[int, ...], ends: frozenset[str]) -> tuple[Body, ...]:
    plain = tuple(_NAME_SPACE.sub("", name) for name in plain_names(names))
    sites = frozenset(_NAME_SPACE.sub("", end.rpartition(":")[2]) for end in ends)
    found = (_as(joint_map, plain, parents, sites) for joint_map in JOINT_MAPS.values())
    return tuple(body for body in found if body is not None)


def _as(joint_map: JointMap, plain: tuple[str, ...], parents: tuple[int, ...], sites: frozenset[str]) -> Body | None:
    """The file's skeleton taken for one known one, by names."""
    carriers = set(parents)
    limb_ends = {joint_map.places[SMPL22_NAMES.index(name)].rotation for name in _LIMB_ENDS}
    for spelling in joint_map.names:
        wanted = tuple(name for name in spelling if not name.endswith(END))
        ends = tuple(name.removesuffix(END) for name in spelling if name.endswith(END))
        if not set(wanted) <= set(plain) or not sites.issuperset(ends):
            continue
        kept: list[int] = []
        hanging: set[int] = set()
        for joint, (name, parent) in enumerate(zip(plain, parents, strict=True)):
            cut = parent in hanging or (parent >= 0 and plain[parent] in limb_ends)
            if name not in wanted and (cut or (_ROLL.search(name) and joint not in carriers)):
                hanging.add(joint)
            else:
                kept.append(joint)
        names = tuple(plain[joint] for joint in kept)
        if names == wanted:
            return Body(joint_map, len(plain), tuple(kept), names, ends, _limbs(joint_map, plain, parents))
    return None


def _limbs(
    joint_map: JointMap, plain: tuple[str, ...], parents: tuple[int, ...]
) -> tuple[tuple[tuple[int, ...], FloatArray, FloatArray], ...]:
    if joint_map.axes is None:
        return ()
    limbs = []
    for name, direction in _STRAIGHT.items():
        limb = SMPL22_NAMES.index(name)
        above = plain.index(joint_map.places[limb].rotation)
        joint = plain.index(joint_map.places[SMPL22_PARENTS.index(limb)].rotation)
        path: list[int] = []
        while joint >= 0 and joint != above:
            path.append(joint)
            joint = parents[joint]
        if joint != above:
            path = []
        turns = [_rest_frame(joint_map, plain[parents[joint]]) for joint in path]
        limbs.append((tuple(path), np.array(turns).reshape(-1, 3, 3), np.array(_POINTS[direction])))
    return tuple(limbs)


def _rest_frame(joint_map: JointMap, name: str) -> FloatArray:
    """World rotation (3, 3) of a joint in the T-pose that faces +Z, as the map says."""
    x, y = (np.array(_POINTS[word]) for word in (joint_map.axes or {}).get(name, "left up").split())
    frame: FloatArray = np.stack([x, y, np.cross(x, y)], axis=-1)
    for vector in ((joint_map.dips.get(name, 0.0), 0.0, 0.0), joint_map.turns.get(name, (0.0, 0.0, 0.0))):
        frame = rotation.to_matrix(rotation.from_rotvec(np.deg2rad(vector))) @ frame
    return frame
