"""From the limbs of a skeleton to a proposed joint map: sides by the motion, stand-ins by what is missing.

What a rigid tree of 22 joints cannot follow is treated as in the maps of the known skeletons: a joint without a bone of its
own stands in 35 % of the way to the next one and is aimed at it, a spine of more than three joints keeps its first, its last
and one between them, and the bones over the others are aimed.

Shapes: T frames, J joints of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from motionunion.joint_map import END, Place, plain_names
from motionunion.joint_map_form import fill_missing
from motionunion.limbs import Limb, Limbs
from motionunion.moving_skeleton import Moving
from motionunion.rotation import rotate
from motionunion.skeleton import SMPL22_NAMES

FloatArray = npt.NDArray[np.float64]

_STAND_IN = 0.35
_SPINE2 = 0.6
"""Of a spine of more than three joints that one is spine2 that lies nearest to this share of its length."""
_NOWHERE = 1e-4
_ON = 0.5
_NUB_WORDS = ("end", "nub", "top", "site", "tip")


@dataclass(frozen=True, slots=True)
class Sides:
    """Which leg and arm is the left one."""

    limbs: Limbs
    """With left before right."""
    sure: float
    """Share of the frames that say so, from 0.5 to 1."""


def tell_sides(moving: Moving, limbs: Limbs) -> Sides:
    """Left is where Y x Z = X points: to the side of a trunk that is up, of feet (or bent knees) that are in front."""
    joints = moving.joints_TJ3
    up = joints[:, limbs.chest] - joints[:, limbs.pelvis]
    front = sum((_foot(moving, leg) for leg in limbs.legs), np.zeros_like(up))
    leftwards = np.cross(up, front)
    votes = []
    for pair in (limbs.legs, limbs.arms):
        across = joints[:, pair[0].upper] - joints[:, pair[1].upper]
        votes.append(float((np.einsum("tc,tc->t", leftwards, across) > 0).mean()))
    legs, arms = limbs.legs, limbs.arms
    if votes[0] < 0.5:
        legs = (legs[1], legs[0])
    hips = joints[:, legs[0].upper] - joints[:, legs[1].upper]
    shoulders = joints[:, arms[0].upper] - joints[:, arms[1].upper]
    # Arms follow the legs: a twist of the trunk by more than a quarter turn is rarer than feet that point anywhere.
    alike = float((np.einsum("tc,tc->t", hips, shoulders) > 0).mean())
    if alike < 0.5:
        arms = (arms[1], arms[0])
    sure = min(max(votes[0], 1 - votes[0]), max(alike, 1 - alike))
    return Sides(replace(limbs, legs=legs, arms=arms), sure)


def propose_places(moving: Moving, limbs: Limbs) -> tuple[tuple[Place, ...], tuple[str, ...]]:
    """Places of the 22 SMPL joints, and the End Sites that they name (as `Foot.end`)."""
    places: dict[str, Place | None] = {"pelvis": _plain(moving, limbs.pelvis)}
    ends: list[str] = []
    places |= _spine(moving, limbs)
    places |= _neck(moving, limbs, places)
    for side, leg, arm in zip(("left", "right"), limbs.legs, limbs.arms, strict=True):
        places[f"{side}_hip"], places[f"{side}_knee"] = _plain(moving, leg.upper), _plain(moving, leg.middle)
        places[f"{side}_ankle"] = _plain(moving, leg.lower)
        places[f"{side}_foot"] = _toes(moving, leg, ends)
        places[f"{side}_collar"] = _collar(moving, limbs.chest, arm)
        places[f"{side}_shoulder"], places[f"{side}_elbow"] = _plain(moving, arm.upper), _plain(moving, arm.middle)
        places[f"{side}_wrist"] = _plain(moving, arm.lower)
    return fill_missing([places[name] for name in SMPL22_NAMES]), tuple(ends)


def _name(moving: Moving, joint: int) -> str:
    return plain_names(moving.skeleton.names)[joint]


def _plain(moving: Moving, joint: int, *, aimed: bool = False) -> Place:
    name = _name(moving, joint)
    return Place(name, name, name, aimed=aimed)


def _stand_in(moving: Moving, rotation: int, start: int, end: int) -> Place:
    return Place(_name(moving, rotation), _name(moving, start), _name(moving, end), _STAND_IN, masked=True, aimed=True)


def _length(moving: Moving, *joints: int) -> float:
    return float(np.linalg.norm(moving.skeleton.offsets_J3[list(joints)], axis=-1).sum())


def _spine(moving: Moving, limbs: Limbs) -> dict[str, Place | None]:
    spine = list(limbs.spine)
    nowhere = _NOWHERE * _length(moving, *spine)
    first: Place | None = None
    while len(spine) > 1 and _length(moving, spine[0]) <= nowhere:
        first = first or _stand_in(moving, spine[0], limbs.pelvis, spine[1])
        spine.pop(0)
    spine = spine[:1] + [joint for joint in spine[1:] if _length(moving, joint) > nowhere]
    upper = _plain(moving, spine[-1])
    if first is None and len(spine) > 1:
        first = _plain(moving, spine.pop(0))
    between = spine[:-1]
    if not between:
        return {"spine1": first, "spine2": None, "spine3": upper}
    along = np.cumsum([_length(moving, joint) for joint in spine])
    whole = along[-1] + (0.0 if first is None or first.masked else _length(moving, limbs.spine[0]))
    chosen = int(np.argmin(np.abs((along[:-1] - along[-1] + whole) / whole - _SPINE2)))
    if first is not None and chosen > 0 and not first.masked:
        first = replace(first, aimed=True)
    middle = _plain(moving, between[chosen], aimed=chosen < len(between) - 1)
    return {"spine1": first, "spine2": middle, "spine3": upper}


def _neck(moving: Moving, limbs: Limbs, places: dict[str, Place | None]) -> dict[str, Place | None]:
    chain = list(limbs.neck)
    while len(chain) > 1 and (_is_nub(moving, chain[-1]) or (len(chain) > 2 and not _goes_on(moving, chain))):
        chain.pop()
    head = _plain(moving, chain[-1])
    if len(chain) == 1:
        if places["spine2"] is not None and _is_above_shoulders(moving, limbs):
            # The arms hang on the neck, as in 3ds Max: the chest is the joint below.
            return {"neck": places["spine3"], "spine3": places["spine2"], "spine2": None, "head": head}
        return {"neck": None, "head": head}
    if _length(moving, chain[0]) <= _NOWHERE * _length(moving, *chain):
        return {"neck": _stand_in(moving, chain[0], limbs.chest, chain[1]), "head": head}
    return {"neck": _plain(moving, chain[0], aimed=len(chain) > 2), "head": head}


def _is_nub(moving: Moving, joint: int) -> bool:
    """Whether a joint only marks the end of the one before it: it never turns, and its name says so."""
    name = _name(moving, joint).lower()
    return joint not in moving.turns and any(name.rstrip("_0123456789").endswith(word) for word in _NUB_WORDS)


def _goes_on(moving: Moving, chain: list[int]) -> bool:
    """Whether the last bone of a neck goes on where the one before it went: a jaw does not, and has often no length."""
    before, last = (moving.joints_TJ3[:, chain[k]] - moving.joints_TJ3[:, chain[k - 1]] for k in (-2, -1))
    if not last.any() or not before.any():
        return bool(last.any())
    lengths = np.linalg.norm(before, axis=-1) * np.linalg.norm(last, axis=-1)
    return bool((np.einsum("tc,tc->t", before, last) / lengths).mean() > _ON)


def _is_above_shoulders(moving: Moving, limbs: Limbs) -> bool:
    joints = moving.joints_TJ3
    up = joints[:, limbs.chest] - joints[:, limbs.pelvis]
    shoulders = (joints[:, limbs.arms[0].upper] + joints[:, limbs.arms[1].upper]) / 2
    return bool((np.einsum("tc,tc->t", joints[:, limbs.chest] - shoulders, up) > 0).mean() > 0.5)


def _collar(moving: Moving, chest: int, arm: Limb) -> Place | None:
    if not arm.holders:
        return None
    collar = next((joint for joint in arm.holders if joint in moving.turns), arm.holders[-1])
    between = arm.holders[: arm.holders.index(collar) + 1]
    if _length(moving, *between) <= _NOWHERE * _length(moving, arm.upper, arm.middle):
        return _stand_in(moving, collar, chest, arm.upper)
    return _plain(moving, collar)


def _toes(moving: Moving, leg: Limb, ends: list[str]) -> Place | None:
    """The toe nearest to the middle of the foot, or the foot's End Site."""
    skeleton = moving.skeleton
    toes = [joint for joint, parent in enumerate(skeleton.parents) if parent == leg.lower]
    toes = [toe for toe in toes if _length(moving, toe) > _NOWHERE * _length(moving, leg.middle, leg.lower)]
    if toes:
        offsets = skeleton.offsets_J3[toes]
        far = np.linalg.norm(offsets, axis=-1) > 0.5 * np.linalg.norm(offsets, axis=-1).max()
        middle = offsets[far].mean(axis=0)
        near = np.linalg.norm(offsets - middle, axis=-1)
        return _plain(moving, toes[int(np.argmin(np.where(far, near, np.inf)))])
    ankle = _name(moving, leg.lower)
    if ankle not in moving.ends or not np.any(moving.ends[ankle]):
        return None
    ends.append(ankle + END)
    return Place(ankle, ankle + END, ankle + END)


def _foot(moving: Moving, leg: Limb) -> FloatArray:
    """Where a leg points to the front, (T, 3): from ankle to toes, or from the leg to a bent knee."""
    joints = moving.joints_TJ3
    if leg.beyond:
        return joints[:, leg.beyond[0]] - joints[:, leg.lower]
    ankle = _name(moving, leg.lower)
    if ankle in moving.ends:
        return rotate(moving.world_TJ4[:, leg.lower], moving.ends[ankle])
    return joints[:, leg.middle] - (joints[:, leg.upper] + joints[:, leg.lower]) / 2
