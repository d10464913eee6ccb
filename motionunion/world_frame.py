"""Axes, hand and unit of a file, and the way from there to the store's: +Y up, right-handed, metres.

What a file or a manifest states is taken at its word here, and held against the motion later (`motionunion.plausibility`).
Where a reader says `measured`, which it may only where its manifest says so too (fits to video, arrays of unknown origin),
the motion itself is asked; an uncertain answer is a refusal.

Axes are changed by proper rotations only: z-up to y-up is (x, y, z) -> (x, z, -y), a quarter turn; the bare exchange of y and
z would mirror the body. A file in left-handed axes is the one thing that is mirrored, and its reader must say so.

Shapes: T frames, J joints of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from manifests import source_manifest
from motionunion import rotation
from motionunion.clip import RawClip
from motionunion.errors import ClipError
from motionunion.joint_map import JointMap
from motionunion.joint_maps import JOINT_MAPS
from motionunion.kinematics import forward_kinematics
from motionunion.measure import AXES, Measured, measured_unit_m, measured_up

FloatArray = npt.NDArray[np.float64]
Value = TypeVar("Value")

MEASURED = "measured"
"""What `RawClip.up`, and a manifest's `up` or `unit_m`, say where the motion itself is to tell."""

_QUARTER = np.pi / 2
_TO_Y_UP = {
    "y": (0.0, 0.0, 0.0), "z": (-_QUARTER, 0.0, 0.0), "-z": (_QUARTER, 0.0, 0.0),
    "-y": (np.pi, 0.0, 0.0), "x": (0.0, 0.0, _QUARTER), "-x": (0.0, 0.0, -_QUARTER),
}  # fmt: skip
TO_Y_UP: dict[str, FloatArray] = {axis: rotation.from_rotvec(rotvec) for axis, rotvec in _TO_Y_UP.items()}
"""World rotation, as a quaternion, that brings each axis to +Y. From -Y it is the half turn about X that takes a camera's
axes (Y down, Z away from it) to those of a scene that it looks at."""

_SURE_ENOUGH = 0.5
_NEGATED_X = np.array([-1.0, 1.0, 1.0])
_REFLECTED_TURN = np.array([1.0, 1.0, -1.0, -1.0])  # a rotation seen in a mirror across X, as a quaternion


@dataclass(frozen=True, slots=True)
class WorldFrame:
    """How to read the numbers of one file."""

    up: str
    unit_m: float
    measured: dict[str, str] = field(default_factory=dict)
    """For what was measured (`up`, `unit_m`): how sure, and why."""

    @property
    def turn(self) -> FloatArray:
        """World rotation to +Y up, a quaternion."""
        return TO_Y_UP[self.up]


def joint_map_of(raw: RawClip) -> JointMap | None:
    """The map that leads from the clip's skeleton to the SMPL joints; None where it has them already."""
    if raw.joint_map is not None:
        return raw.joint_map
    return None if raw.skeleton_id == "smpl22" else JOINT_MAPS[raw.skeleton_id]


def right_handed(raw: RawClip) -> RawClip:
    """The clip in right-handed axes: X negated where the reader says that the file's are left-handed.

    Left and right joints are not exchanged: it is the axes that were mirrored, not the person.
    """
    if not raw.reflected:
        return raw
    flipped = {"x": "-x", "-x": "x"}
    skeleton = replace(raw.skeleton, offsets_J3=raw.skeleton.offsets_J3 * _NEGATED_X)
    turns = None if raw.quats_TJ4 is None else raw.quats_TJ4 * _REFLECTED_TURN
    return replace(
        raw,
        up=flipped.get(raw.up, raw.up),
        skeleton=skeleton,
        quats_TJ4=turns,
        root_T3=None if raw.root_T3 is None else raw.root_T3 * _NEGATED_X,
        joints_TJ3=None if raw.joints_TJ3 is None else raw.joints_TJ3 * _NEGATED_X,
        hands_T90=None if raw.hands_T90 is None else raw.hands_T90 * np.tile(_REFLECTED_TURN[1:], 30),
    )


def smpl22_joints(raw: RawClip) -> FloatArray:
    """The clip's SMPL-22 joints (T, 22, 3) in the file's own unit and axes."""
    if raw.joints_TJ3 is not None:
        joints = np.asarray(raw.joints_TJ3, dtype=np.float64)
    else:
        assert raw.quats_TJ4 is not None
        assert raw.root_T3 is not None
        joints = forward_kinematics(raw.root_T3, raw.quats_TJ4, raw.skeleton.offsets_J3, raw.skeleton.parents)
    joint_map = joint_map_of(raw)
    if joint_map is None:
        return joints
    mapped: FloatArray = np.einsum("kj,tjc->tkc", joint_map.position_weights(raw.skeleton.names), joints)
    return mapped


def world_frame(raw: RawClip, valid: tuple[int, int]) -> WorldFrame:
    """Up axis and unit as stated, or measured over the `valid` frames where the reader says so.

    Raises:
        ClipError: `unknown_axis` or `unknown_unit`, where the motion does not tell them surely enough.
    """
    if raw.up not in AXES and raw.up != MEASURED:
        raise ValueError(f"{raw.ref.source}: up is {raw.up!r}, not one of {', '.join(AXES)} or {MEASURED}")
    if raw.up != MEASURED and raw.unit_m is not None:
        return WorldFrame(raw.up, raw.unit_m)
    joints = smpl22_joints(raw)[valid[0] : valid[1]]
    up, unit_m, measured = raw.up, raw.unit_m, {}
    if up == MEASURED:
        found = measured_up(joints)
        up = _sure(raw, "up", "unknown_axis", "which axis points up", found)
        measured["up"] = _said(found)
    if unit_m is None:
        size = measured_unit_m(joints, up)
        unit_m = _sure(raw, "unit_m", "unknown_unit", "the length unit", size)
        measured["unit_m"] = _said(size)
    return WorldFrame(up, unit_m, measured)


def _sure(raw: RawClip, key: str, reason: str, what: str, found: Measured[Value]) -> Value:
    if MEASURED not in str(source_manifest(raw.ref.source).get(key, "")):
        raise ValueError(f"{raw.ref.source}: its manifest does not let {key} be measured")
    if found.confidence < _SURE_ENOUGH:
        raise ClipError(
            f"{raw.ref.path}: {what} is not stated, and the motion does not tell it ({'; '.join(found.reasons)}): state it",
            reason=reason,
        )
    return found.value


def _said(found: Measured[str] | Measured[float]) -> str:
    return f"{found.value} ({found.confidence:.2f}): {'; '.join(found.reasons)}"
