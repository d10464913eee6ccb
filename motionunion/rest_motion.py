"""How the joints of a skeleton are turned in a T-pose, where only its motion can tell: zero rotation is no pose of a body.

Two kinds of evidence are put together. Bones are exact: in a T-pose thighs and shins point down, arms sideways, spines up.
What a bone leaves open is the turn about it. Hinges decide it for limbs: knees bend about the axis to the left, elbows
about the vertical. For the trunk it is the average, seen from a heading that turns with the body, from the pelvis upwards, each
joint relative to the one below it; hands, heads and toes that are turned little against what they hang on share its axes. How
far feet dip is measured while they rest.

Shapes: T frames, J joints of the file; +Y up, any unit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.joint_map import JointMap, plain_names
from motionunion.measure import facing, joint, leg_length
from motionunion.rest_axes import SNAP_DEG, FloatArray, Rest, degrees, mean_rotation, snap, unit
from motionunion.rest_pose import DIRECTIONS
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton

_SNAP_ALONG_DEG = 45.0
"""Where most bones lie along an axis of their joint, the exporter uses right angles, and less than this is the pose's doing."""
_COS_ALONG, _MOST = np.cos(np.deg2rad(12)), 0.6
_UPRIGHT = np.cos(np.deg2rad(30))
_SINE_BENT = np.sin(np.deg2rad(20))
_LEAF_DEG = 80.0
"""Hands hang turned inwards, heads look about: up to here they have the axes of what they hang on, if axes are right-angled."""
_FEW = 10
_RESTING = 0.06
"""A foot rests that moves by less than this share of a leg in a second."""
_USUAL_DIP_DEG = 25.0
"""From ankle to toe base, where the feet never rest: as on the template body."""
_CHILD = {SMPL22_NAMES[parent]: name for name, parent in zip(SMPL22_NAMES, SMPL22_PARENTS, strict=True) if parent >= 0}
_PARENT = {name: SMPL22_NAMES[parent] for name, parent in zip(SMPL22_NAMES, SMPL22_PARENTS, strict=True) if parent >= 0}


def rest_from_motion(
    skeleton: Skeleton, joint_map: JointMap, world_TJ4: FloatArray, joints_TJ3: FloatArray, fps: float
) -> Rest:
    """The rest axes of a skeleton that is collapsed at zero rotation.

    Args:
        skeleton: The file's, in the file's unit.
        joint_map: Which joints are which; it needs no axes yet.
        world_TJ4: World rotations, +Y up.
        joints_TJ3: World positions, in the file's unit.
        fps: Frames per second.
    """
    return _Measuring(skeleton, joint_map, world_TJ4, joints_TJ3, fps).rest()


class _Measuring:
    def __init__(
        self, skeleton: Skeleton, joint_map: JointMap, world_TJ4: FloatArray, joints_TJ3: FloatArray, fps: float
    ) -> None:
        self.skeleton, self.names, self.fps = skeleton, plain_names(skeleton.names), fps
        weights = joint_map.position_weights(skeleton.names)
        self.joints: FloatArray = np.einsum("kj,tjc->tkc", weights, joints_TJ3)
        self.turned_by = dict(zip(SMPL22_NAMES, joint_map.rotation_joints(skeleton.names), strict=True))
        front = facing(self.joints)
        heading = np.arctan2(front[:, 0], front[:, 2])[:, None] * np.array(DIRECTIONS["up"])
        self.to_heading = rotation.conjugate(rotation.from_rotvec(heading))
        self.seen = rotation.multiply(self.to_heading[:, None], world_TJ4)
        """World rotations, seen from a heading that turns with the body."""
        upright = unit(joint(self.joints, "neck") - joint(self.joints, "pelvis"))[:, 1] > _UPRIGHT
        self.upright = upright if upright.sum() >= _FEW else np.ones(len(upright), dtype=bool)
        bones = skeleton.offsets_J3[1:]
        along = np.abs(unit(bones[bones.any(axis=-1)])).max(axis=-1, initial=0.0) > _COS_ALONG
        self.snap_deg = _SNAP_ALONG_DEG if along.mean() > _MOST else SNAP_DEG
        self.found: dict[int, FloatArray] = {}
        self.reasons = [
            "at zero rotation the skeleton is no pose of a body: its axes in a T-pose follow from the motion"
        ]
        self.confidence = 0.9
        if len(self.joints) < _FEW:
            self.confidence = 0.2
            self.reasons.append(f"{len(self.joints)} frames are too few for it")
        elif upright.mean() < 0.1:
            self.confidence = 0.5
            self.reasons.append("the body hardly ever stands upright, which this needs")

    def rest(self) -> Rest:
        self.keep("pelvis", mean_rotation(self.seen[self.upright, self.turned_by["pelvis"]]))
        for name in ("spine1", "spine2", "spine3", "neck"):
            self.keep(name, self.trunk(name, "up"))
        self.leaf("head")
        dips: dict[str, float] = {}
        for side in ("left", "right"):
            self.keep(f"{side}_collar", self.trunk(f"{side}_collar", side))
            self.limb(side, ("shoulder", "elbow"), side, "down" if side == "left" else "up")
            self.leaf(f"{side}_wrist")
            self.limb(side, ("hip", "knee"), "down", "left")
        for end in ("ankle", "foot"):
            measured = {side: self.foot(side, end) for side in ("left", "right")}
            known = [dip for dip in measured.values() if dip is not None]
            for side in (side for side, dip in measured.items() if dip is not None):
                dips[self.names[self.turned_by[f"{side}_{end}"]]] = round(float(np.mean(known)), 1)
        return self.said(dips)

    def said(self, dips: dict[str, float]) -> Rest:
        axes: dict[str, str] = {}
        turns: dict[str, tuple[float, float, float]] = {}
        for index, quat in sorted(self.found.items()):
            snapped = snap(quat)
            axes[self.names[index]] = snapped.words
            if self.names[index] not in dips and snapped.off_deg > 0.5:  # what `keep` has not set to right angles
                turns[self.names[index]] = degrees(snapped.residual)
        if turns:
            self.confidence *= 0.8
            self.reasons.append(f"{', '.join(turns)}: more than {self.snap_deg:g} degrees off right angles")
        for index, parent in enumerate(self.skeleton.parents):  # twist joints, fingers: as what they hang on
            above = self.names[parent] if parent >= 0 else ""
            if self.names[index] not in axes and above in axes:
                axes[self.names[index]] = axes[above]
        dips = {name: dip for name, dip in dips.items() if dip}
        return Rest("collapsed", axes, dips, turns, self.confidence, tuple(self.reasons))

    def keep(self, name: str, quat: FloatArray) -> None:
        """Take a rotation for a joint's, unless it has one: at right angles where it is near to them."""
        snapped = snap(quat)
        near = snapped.off_deg <= self.snap_deg
        self.found.setdefault(self.turned_by[name], snapped.axes if near else quat)

    def relative(self, name: str) -> FloatArray:
        """A joint's rotation from that of the joint before it, and their mean turn against each other."""
        above = self.turned_by[_PARENT[name]]
        turned = rotation.conjugate(self.seen[:, above]), self.seen[:, self.turned_by[name]]
        mean = mean_rotation(rotation.multiply(*turned)[self.upright])
        return rotation.multiply(self.found[above], mean)

    def trunk(self, name: str, direction: str) -> FloatArray:
        """A joint of spine, neck or shoulders: as it is on average.

        Their bones are not quite upright or level in a T-pose, so they are made so only where that may lead to right angles.
        """
        quat = self.relative(name)
        if self.snap_deg == SNAP_DEG or snap(quat).off_deg <= SNAP_DEG:
            return quat
        return self.along(name, quat, direction)

    def leaf(self, name: str) -> None:
        """A joint without a bone of its own."""
        above = self.found[self.turned_by[_PARENT[name]]]
        quat = self.relative(name)
        self.keep(name, above if self.are_alike(above, quat) else quat)

    def are_alike(self, one: FloatArray, other: FloatArray) -> bool:
        """Whether right-angled axes that were measured to be so far apart are the same."""
        off = rotation.to_rotvec(rotation.multiply(one, rotation.conjugate(other)))
        return bool(self.snap_deg > SNAP_DEG and np.degrees(np.linalg.norm(off)) < _LEAF_DEG)

    def along(self, name: str, quat: FloatArray, direction: str) -> FloatArray:
        """The rotation turned on by the least angle so that the joint's bone points in a direction."""
        bone = self.bone(name)
        if not np.isfinite(bone).all():
            return quat
        return rotation.multiply(rotation.shortest_arc(rotation.rotate(quat, bone), DIRECTIONS[direction]), quat)

    def bone(self, name: str) -> FloatArray:
        """Direction of a joint's bone in its own frame: a mean, for twist joints may lie between."""
        reach = joint(self.joints, _CHILD[name]) - joint(self.joints, name)
        return unit(rotation.rotate(self.own(name), rotation.rotate(self.to_heading, reach)).mean(axis=0))

    def own(self, name: str) -> FloatArray:
        """What turns a direction, seen from the heading, into a joint's own frame (T, 4)."""
        return rotation.conjugate(self.seen[:, self.turned_by[name]])

    def limb(self, side: str, pair: tuple[str, str], direction: str, hinge: str) -> None:
        """Two bones in one direction, and the axis about which the second bends against the first."""
        upper, lower = (f"{side}_{name}" for name in pair)
        bones = [
            rotation.rotate(self.to_heading, unit(joint(self.joints, _CHILD[name]) - joint(self.joints, name)))
            for name in (upper, lower)
        ]
        bends = np.cross(bones[0], bones[1])
        bent = np.linalg.norm(bends, axis=-1) > _SINE_BENT
        if bent.sum() >= _FEW:
            turns = [
                _turn(
                    self.bone(name),
                    rotation.rotate(self.own(name)[bent], unit(bends[bent])).mean(axis=0),
                    direction,
                    hinge,
                )
                for name in (upper, lower)
            ]
            self.keep(upper, turns[0])
            # Forearms are twisted against the elbow: as with hands, unless that is more than a twist.
            alike = rotation.multiply(turns[0], rotation.shortest_arc(self.bone(lower), self.bone(upper)))
            self.keep(lower, alike if self.are_alike(alike, turns[1]) else turns[1])
            return
        self.confidence *= 0.95 if pair[0] == "hip" else 0.85
        self.reasons.append(f"the {lower.replace('_', ' ')} never bends, which would tell how the limb is turned")
        # Hips are turned little on average. Arms hang, with a turn of their own; their collars are as in a T-pose.
        collar = self.found.get(self.turned_by[f"{side}_collar"])
        base = self.relative(upper) if pair[0] == "hip" or collar is None else collar
        turn = self.along(upper, base, direction)
        self.keep(upper, turn)
        self.keep(lower, rotation.multiply(turn, rotation.shortest_arc(self.bone(lower), self.bone(upper))))

    def resting(self, side: str) -> npt.NDArray[np.bool_]:
        """Frames in which a foot lies on the floor."""
        places = joint(self.joints, f"{side}_foot")
        steps = np.linalg.norm(np.diff(places, axis=0), axis=-1) * self.fps
        if not len(steps):
            return np.zeros(len(places), dtype=bool)
        speed = np.maximum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))
        leg = leg_length(self.joints)
        low = places[:, 1] < np.quantile(places[:, 1], 0.1) + 0.05 * leg
        resting: npt.NDArray[np.bool_] = (speed < _RESTING * leg) & low
        return resting

    def foot(self, side: str, end: str) -> float | None:
        """Ankle or toes: keeps their axes, and says by how many degrees they dip when the foot rests.

        None where the axes are not at right angles but for the dip, so that nothing is left to say.
        """
        name = f"{side}_{end}"
        resting = self.resting(side)
        measured = mean_rotation(self.seen[resting, self.turned_by[name]]) if resting.sum() >= 5 else None
        usual = self.usual_foot(side) if end == "ankle" else self.relative(name)
        quat = usual if measured is None else measured
        level = snap(usual)
        if np.degrees(np.linalg.norm(rotation.to_rotvec(level.residual)[1:])) > self.snap_deg:
            self.keep(name, quat)
            return None
        if end == "foot" and self.are_alike(ankle := self.found[self.turned_by[f"{side}_ankle"]], usual):
            level = snap(ankle)
        self.keep(name, level.axes)
        index = self.turned_by[name]
        left_over = rotation.multiply(quat, rotation.conjugate(self.found[index]))
        return float(np.degrees(rotation.to_rotvec(left_over)[0]))

    def usual_foot(self, side: str) -> FloatArray:
        """An ankle whose bone dips as on the template body, and whose axis to the left is the shin's."""
        knee = self.turned_by[f"{side}_knee"]
        bone = self.bone(f"{side}_ankle")
        left = rotation.rotate(rotation.conjugate(self.found[knee]), DIRECTIONS["left"])
        axis = rotation.rotate(rotation.multiply(self.own(f"{side}_ankle"), self.seen[:, knee]), left).mean(axis=0)
        level = _turn(bone, axis, "front", "left")
        return rotation.multiply(rotation.from_rotvec([np.deg2rad(_USUAL_DIP_DEG), 0.0, 0.0]), level)


def _turn(bone: FloatArray, axis: FloatArray, direction: str, hinge: str) -> FloatArray:
    """The rotation that turns a bone into a direction, and an axis across it into another."""
    across = unit(axis - (axis @ bone) * bone)
    own = np.stack([bone, across, np.cross(bone, across)], axis=-1)
    ahead, aside = np.array(DIRECTIONS[direction]), np.array(DIRECTIONS[hinge])
    return rotation.from_matrix(np.stack([ahead, aside, np.cross(ahead, aside)], axis=-1) @ own.T)
