"""How the joints of an unknown skeleton are turned in a T-pose: from its zero pose, or else from its motion.

Most exporters put zero rotation at a T-pose, an A-pose or hanging arms. Then all joints share one set of axes, those in which
that pose stands upright and faces the front; straightening the limbs is the matter of `motionunion.rest_pose`. Others collapse
at zero rotation (all bones along one local axis): `motionunion.rest_motion` asks the motion.

Shapes: T frames, J joints of the file; +Y up, any unit.
"""

from __future__ import annotations

import numpy as np

from motionunion import rotation
from motionunion.joint_map import JointMap, plain_names
from motionunion.kinematics import pose
from motionunion.measure import joint
from motionunion.rest_axes import FloatArray, Rest, degrees, snap, unit
from motionunion.rest_motion import rest_from_motion
from motionunion.skeleton import Skeleton

_LEANING_DEG = 25.0
"""By how much the trunk of a zero pose may lean or turn in axes that are meant to be the world's."""


def find_rest(
    skeleton: Skeleton, joint_map: JointMap, world_TJ4: FloatArray, joints_TJ3: FloatArray, fps: float
) -> Rest:
    """The rest axes of a skeleton in motion; `joint_map` needs no axes yet. Arguments as of `rest_from_motion`."""
    still = np.zeros((1, len(skeleton.names), 4))
    still[..., 0] = 1.0
    weights = joint_map.position_weights(skeleton.names)
    zero: FloatArray = weights @ pose(np.zeros((1, 3)), still, skeleton.offsets_J3, skeleton.parents)[0]
    frame = _frame_of_a_body(zero)
    if frame is None:
        return rest_from_motion(skeleton, joint_map, world_TJ4, joints_TJ3, fps)
    return _of_zero_pose(skeleton, zero, frame)


def _frame_of_a_body(zero_22x3: FloatArray) -> FloatArray | None:
    """Rotation (3, 3) that stands a pose up and turns it to the front; None where it is no pose of a body."""
    up = unit(joint(zero_22x3, "neck") - joint(zero_22x3, "pelvis"))
    left = joint(zero_22x3, "left_hip") - joint(zero_22x3, "right_hip")
    left = unit(left - up * (left @ up))
    frame = np.stack([left, up, np.cross(left, up)])
    if not np.isfinite(frame).all() or joint(zero_22x3, "head") @ up < joint(zero_22x3, "neck") @ up:
        return None
    stands = (frame @ zero_22x3.T).T
    for side, sign in (("left", 1.0), ("right", -1.0)):
        thigh, shin, arm, forearm = (
            unit(joint(stands, f"{side}_{end}") - joint(stands, f"{side}_{start}"))
            for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
        )
        foot = joint(stands, f"{side}_foot") - joint(stands, f"{side}_ankle")
        straight = thigh[1] < -0.8 and shin[1] < -0.8 and arm @ forearm > 0.7 and arm[0] * sign > -0.3
        if not straight or (np.linalg.norm(foot) > 0 and unit(foot)[2] < 0.3):
            return None
    return frame


def _of_zero_pose(skeleton: Skeleton, zero_22x3: FloatArray, frame: FloatArray) -> Rest:
    arm = unit(joint(zero_22x3, "left_elbow") - joint(zero_22x3, "left_shoulder"))
    sideways = float(np.degrees(np.arccos(np.clip(frame[0] @ arm, -1, 1))))
    level = "hanging arms" if frame[1] @ arm < 0 else "raised arms"
    kind = "T-pose" if sideways < 30 else "A-pose" if sideways < 65 and level == "hanging arms" else level
    names = plain_names(skeleton.names)
    snapped = snap(rotation.from_matrix(frame))
    reason = f"at zero rotation the skeleton stands up: {kind}"
    axes = {} if snapped.words == "left up" else dict.fromkeys(names, snapped.words)
    if snapped.off_deg <= _LEANING_DEG:
        return Rest(kind, axes, confidence=0.8 if kind == "raised arms" else 1.0, reasons=(reason,))
    turn = degrees(snapped.residual)
    reasons = (reason, "turned off the world's axes")
    return Rest(kind, axes, turns=dict.fromkeys(names, turn), confidence=0.9, reasons=reasons)
