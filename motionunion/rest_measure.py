"""How the joints of an unknown skeleton are turned in a T-pose: from its zero pose, or else from its motion.

Most exporters put zero rotation at a T-pose, an A-pose or hanging arms. Then all joints share one set of axes, those in which
that pose stands upright and faces the front; straightening the limbs is the matter of `motionunion.rest_pose`.

Others collapse at zero rotation (all bones along one local axis). There the motion is asked: seen from a heading that turns
with the body, trunk and legs of someone who stands or walks are turned on average as in a T-pose; arms hang, but their bones
and the hinge of the elbow give their axes (it bends the forearm to the front, about the vertical in a T-pose); feet are taken
when they rest. What comes out within 25 degrees of the world's axes is set to them, for exporters use right angles; where a
bone lies along one of its joint's axes, which says so, within 45.

Shapes: T frames, J joints of the file; +Y up, any unit.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.joint_map import JointMap, plain_names
from motionunion.kinematics import pose
from motionunion.measure import facing, leg_length
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton

FloatArray = npt.NDArray[np.float64]

_WORDS = {
    "left": (1.0, 0.0, 0.0), "right": (-1.0, 0.0, 0.0), "up": (0.0, 1.0, 0.0),
    "down": (0.0, -1.0, 0.0), "front": (0.0, 0.0, 1.0), "back": (0.0, 0.0, -1.0),
}  # fmt: skip
_SNAP_DEG = 25.0
_SNAP_ALONG_DEG = 45.0
"""Where a joint's bone lies along one of its axes, its exporter uses right angles, and less than this is the pose's doing."""
_COS_ALONG = np.cos(np.deg2rad(12))
_HAND_DEG = 70.0
"""Hands hang turned inwards: up to here, they are taken to have the forearm's axes."""
_UPRIGHT = np.cos(np.deg2rad(30))
_COS_STANDS = np.cos(np.deg2rad(15))
_BENT_RAD = np.deg2rad(20)
_RESTING = 0.06
"""A foot rests that moves by less than this share of a leg in a second."""
_CHILD = {SMPL22_NAMES[parent]: name for name, parent in zip(SMPL22_NAMES, SMPL22_PARENTS, strict=True) if parent >= 0}


@dataclass(frozen=True, slots=True)
class Rest:
    """What `[rest]` of a map says, and how it was found."""

    kind: str
    """`T-pose`, `A-pose`, `hanging arms`, `raised arms`, `collapsed`."""
    axes: Mapping[str, str]
    dips: Mapping[str, float] = field(default_factory=dict)
    turns: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    confidence: float = 1.0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Snapped:
    words: str
    off_deg: float
    residual: FloatArray
    """Quaternion: what turns the words' axes to the measured ones."""


def find_rest(
    skeleton: Skeleton, joint_map: JointMap, world_TJ4: FloatArray, joints_TJ3: FloatArray, fps: float
) -> Rest:
    """The rest axes of a skeleton in motion; `joint_map` needs no axes yet."""
    weights = joint_map.position_weights(skeleton.names)
    still = np.zeros((1, len(skeleton.names), 4))
    still[..., 0] = 1.0
    zero: FloatArray = weights @ pose(np.zeros((1, 3)), still, skeleton.offsets_J3, skeleton.parents)[0]
    frame = _frame_of_a_body(zero)
    if frame is not None:
        return _of_zero_pose(skeleton, zero, frame)
    return _Measuring(skeleton, joint_map, world_TJ4, joints_TJ3, weights, fps).rest()


def _unit(vectors: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        unit: FloatArray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def _at(joints: FloatArray, name: str) -> FloatArray:
    values: FloatArray = joints[..., SMPL22_NAMES.index(name), :]
    return values


def _frame_of_a_body(zero_22x3: FloatArray) -> FloatArray | None:
    """Rotation (3, 3) that stands a pose up and turns it to the front; None where it is no pose of a body."""
    up = _unit(_at(zero_22x3, "neck") - _at(zero_22x3, "pelvis"))
    left = _at(zero_22x3, "left_hip") - _at(zero_22x3, "right_hip")
    left = _unit(left - up * (left @ up))
    frame = np.stack([left, up, np.cross(left, up)])
    if not np.isfinite(frame).all() or _at(zero_22x3, "head") @ up < _at(zero_22x3, "neck") @ up:
        return None
    stands = (frame @ zero_22x3.T).T
    for side, sign in (("left", 1.0), ("right", -1.0)):
        thigh, shin, arm, forearm = (
            _unit(_at(stands, f"{side}_{end}") - _at(stands, f"{side}_{start}"))
            for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
        )
        foot = _at(stands, f"{side}_foot") - _at(stands, f"{side}_ankle")
        straight = thigh[1] < -0.8 and shin[1] < -0.8 and arm @ forearm > 0.7 and arm[0] * sign > -0.3
        if not straight or (np.linalg.norm(foot) > 0 and _unit(foot)[2] < 0.3):
            return None
    return frame


def _of_zero_pose(skeleton: Skeleton, zero_22x3: FloatArray, frame: FloatArray) -> Rest:
    arm = _unit(_at(zero_22x3, "left_elbow") - _at(zero_22x3, "left_shoulder"))
    sideways = float(np.degrees(np.arccos(np.clip(frame[0] @ arm, -1, 1))))
    level = "hanging arms" if frame[1] @ arm < 0 else "raised arms"
    kind = "T-pose" if sideways < 30 else "A-pose" if sideways < 65 and frame[1] @ arm < 0 else level
    names = plain_names(skeleton.names)
    snapped = _snap(rotation.from_matrix(frame))
    reasons = (f"at zero rotation the skeleton stands up: {kind}",)
    axes = {} if snapped.words == "left up" else dict.fromkeys(names, snapped.words)
    if snapped.off_deg <= _SNAP_DEG:
        return Rest(kind, axes, confidence=1.0 if kind != "raised arms" else 0.8, reasons=reasons)
    turn = _degrees(snapped.residual)
    return Rest(
        kind, axes, turns=dict.fromkeys(names, turn), confidence=0.9, reasons=(*reasons, "turned off the world's axes")
    )


def _snap(quat: FloatArray) -> _Snapped:
    """The two words nearest to a rotation."""
    best: _Snapped | None = None
    for (x, x_axis), (y, y_axis) in itertools.permutations(_WORDS.items(), 2):
        if np.dot(x_axis, y_axis) != 0:
            continue
        axes = rotation.from_matrix(np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)], axis=-1))
        residual = rotation.multiply(quat, rotation.conjugate(axes))
        off = float(np.degrees(np.linalg.norm(rotation.to_rotvec(residual))))
        if best is None or off < best.off_deg:
            best = _Snapped(f"{x} {y}", off, residual)
    assert best is not None
    return best


def _degrees(quat: FloatArray) -> tuple[float, float, float]:
    x, y, z = np.round(np.degrees(rotation.to_rotvec(quat)), 1).tolist()
    return x, y, z


def _mean(quats_N4: FloatArray) -> FloatArray:
    """Mean rotation: the principal axis of the outer products (Markley et al. 2007)."""
    mean: FloatArray = np.linalg.eigh(np.einsum("ni,nj->ij", quats_N4, quats_N4))[1][:, -1]
    return mean


class _Measuring:
    """One skeleton whose axes the motion tells."""

    def __init__(
        self,
        skeleton: Skeleton,
        joint_map: JointMap,
        world_TJ4: FloatArray,
        joints_TJ3: FloatArray,
        weights: FloatArray,
        fps: float,
    ) -> None:
        self.skeleton, self.names, self.fps = skeleton, plain_names(skeleton.names), fps
        self.joints = np.einsum("kj,tjc->tkc", weights, joints_TJ3)
        self.turned_by = dict(zip(SMPL22_NAMES, joint_map.rotation_joints(skeleton.names), strict=True))
        front = facing(self.joints)
        heading = rotation.from_rotvec(np.arctan2(front[:, 0], front[:, 2])[:, None] * np.array([0.0, 1.0, 0.0]))
        self.to_heading = rotation.conjugate(heading)
        self.seen = rotation.multiply(self.to_heading[:, None], world_TJ4)
        """World rotations, seen from a heading that turns with the body."""
        trunk = _unit(_at(self.joints, "neck") - _at(self.joints, "pelvis"))[:, 1] > _UPRIGHT
        self.upright = trunk if trunk.mean() > 0.02 else np.ones(len(trunk), dtype=bool)
        self.found: dict[int, FloatArray] = {}
        self.reasons: list[str] = ["at zero rotation the skeleton is no pose of a body, so its axes were measured"]
        self.confidence = 0.9 if trunk.mean() > 0.1 else 0.5

    def rest(self) -> Rest:
        if not self.upright.any() or len(self.joints) < 10:
            self.confidence = 0.2
            self.reasons.append("the motion is too short for it")
        elif self.confidence < 0.9:
            self.reasons.append("the body hardly ever stands upright, which this needs")
        middle = ("pelvis", "spine1", "spine2", "spine3", "neck", "head", "left_collar", "right_collar")
        for name in middle:
            self.average(name)
        for side in ("left", "right"):
            straight = self.straight_leg(side)
            for joint in ("hip", "knee"):
                self.average(f"{side}_{joint}", straight)
        dips: dict[str, float] = {}
        for side in ("left", "right"):
            self.arm(side)
        for joint in ("ankle", "foot"):
            dip = float(np.mean([self.foot(side, joint) for side in ("left", "right")]))
            for side in ("left", "right"):
                dips[self.names[self.turned_by[f"{side}_{joint}"]]] = round(dip, 1)
        return self.said(dips)

    def said(self, dips: dict[str, float]) -> Rest:
        axes: dict[str, str] = {}
        turns: dict[str, tuple[float, float, float]] = {}
        for joint, quat in sorted(self.found.items()):
            snapped = _snap(quat)
            axes[self.names[joint]] = snapped.words
            if self.names[joint] not in dips and snapped.off_deg > self.snap_deg(joint):
                turns[self.names[joint]] = _degrees(snapped.residual)
        if turns:
            self.confidence *= 0.8
            self.reasons.append(f"{', '.join(turns)}: more than {_SNAP_DEG:g} degrees off right angles")
        for joint, parent in enumerate(self.skeleton.parents):  # twist joints, fingers: as what they hang on
            above = self.names[parent] if parent >= 0 else ""
            if self.names[joint] not in axes and above in axes:
                axes[self.names[joint]] = axes[above]
        dips = {name: dip for name, dip in dips.items() if name not in turns and dip}
        return Rest("collapsed", axes, dips, turns, self.confidence, tuple(self.reasons))

    def snap_deg(self, joint: int) -> float:
        """From where on a measurement is taken for what it says rather than for the nearest right angles."""
        below = [child for child, parent in enumerate(self.skeleton.parents) if parent == joint]
        bones = _unit(self.skeleton.offsets_J3[below or [joint]])
        along = bool((np.abs(np.nan_to_num(bones)).max(axis=-1, initial=0.0) > _COS_ALONG).any())
        return _SNAP_ALONG_DEG if along else _SNAP_DEG

    def average(self, name: str, frames: npt.NDArray[np.bool_] | None = None) -> FloatArray:
        """Mean rotation of one joint over the upright frames."""
        joint = self.turned_by[name]
        if joint not in self.found:
            self.found[joint] = _mean(self.seen[self.upright if frames is None else frames, joint])
        return self.found[joint]

    def bone(self, name: str) -> FloatArray:
        """Direction of a joint's bone in its own frame, unit length: a mean, for twist joints may lie between."""
        joint = self.turned_by[name]
        reach = _at(self.joints, _CHILD[name]) - _at(self.joints, name)
        seen = rotation.rotate(self.to_heading, reach)
        return _unit(rotation.rotate(rotation.conjugate(self.seen[:, joint]), seen).mean(axis=0))

    def straight_leg(self, side: str) -> npt.NDArray[np.bool_]:
        """Frames in which thigh and shin stand; all upright ones where there are few."""
        hip, knee, ankle = (_at(self.joints, f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
        stands = (_unit(hip - knee)[:, 1] > _COS_STANDS) & (_unit(knee - ankle)[:, 1] > _COS_STANDS) & self.upright
        return stands if stands.sum() >= 10 else self.upright

    def arm(self, side: str) -> None:
        """Upper arm, forearm and hand: bones point sideways, the elbow bends about the vertical."""
        sideways = np.array(_WORDS[side])
        hinge_in_t_pose = np.array(_WORDS["down" if side == "left" else "up"])
        upper, fore, hand = (self.turned_by[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
        bones = self.bone(f"{side}_shoulder"), self.bone(f"{side}_elbow")
        # The forearm's frame as it would be if its bone lay in it as the upper arm's does.
        alike = rotation.multiply(self.seen[:, fore], rotation.shortest_arc(bones[0], bones[1]))
        bends = rotation.to_rotvec(rotation.multiply(rotation.conjugate(self.seen[:, upper]), alike))
        bends -= np.einsum("tc,c->t", bends, bones[0])[:, None] * bones[0]  # a twist of the forearm is no bend
        bent = np.linalg.norm(bends, axis=-1) > _BENT_RAD
        if bent.sum() < 10:
            self.confidence *= 0.6
            self.reasons.append(f"the {side} elbow never bends, which would tell how its arm is twisted")
            for joint in (upper, fore, hand):
                collar = self.found[self.turned_by[f"{side}_collar"]]
                arc = rotation.shortest_arc(rotation.rotate(collar, bones[0]), sideways)
                self.found.setdefault(joint, rotation.multiply(arc, collar))
            return
        hinge = _unit(_unit(bends[bent]).mean(axis=0))
        from_local = np.stack([bones[0], hinge, np.cross(bones[0], hinge)], axis=-1)
        to_world = np.stack([sideways, hinge_in_t_pose, np.cross(sideways, hinge_in_t_pose)], axis=-1)
        turn = rotation.from_matrix(to_world @ np.linalg.inv(from_local))
        self.found[upper] = turn
        self.found[fore] = rotation.multiply(turn, rotation.shortest_arc(bones[1], bones[0]))
        relative = _mean(rotation.multiply(rotation.conjugate(self.seen[:, fore]), self.seen[:, hand]))
        turned = np.degrees(np.linalg.norm(rotation.to_rotvec(relative))) > _HAND_DEG
        self.found[hand] = rotation.multiply(self.found[fore], relative) if turned else self.found[fore]

    def foot(self, side: str, joint: str) -> float:
        """Ankle or toes while they rest on the floor: how many degrees they dip."""
        places = _at(self.joints, f"{side}_foot")
        speed = np.zeros(len(places))
        if len(places) > 1:
            steps = np.linalg.norm(np.diff(places, axis=0), axis=-1) * self.fps
            speed = np.maximum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))
        leg = leg_length(self.joints)
        low = places[:, 1] < np.quantile(places[:, 1], 0.1) + 0.05 * leg
        resting = (speed < _RESTING * leg) & low
        if resting.sum() < 5:
            resting = self.upright
        mean = self.average(f"{side}_{joint}", resting)
        snapped = _snap(mean)
        return float(np.degrees(rotation.to_rotvec(snapped.residual)[0]))
