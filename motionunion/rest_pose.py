"""Rest-pose alignment: the rotations of a BVH skeleton, said relative to the SMPL rest pose.

Zero rotation means a T-pose in SMPL and whatever the exporter liked elsewhere: Bandai-Namco and LAFAN1 skeletons collapse
onto their local X axes, CMU ones stand with splayed legs. So the map of each skeleton (`manifests/skeletons/`) says, for
the T-pose facing +Z (left at +X), where the local axes of each joint point in the world. With that rotation G of a joint,
its world rotation R in the file becomes R G^-1 in SMPL's terms: identity exactly when the file's joint is as in the T-pose.
(The A of "R_smpl = R_bvh A" is G^-1: it takes the SMPL rest bone to the file's rest bone, and the front axis to the file's
front axis.)

The tables of the data sets were measured: local axes averaged over standing and walking frames turned to a common heading
point along the world's axes within a few degrees in trunk and legs; for arms the elbow's hinge decides. The dip of the foot
is that of feet at rest on the floor (below 3 cm/s): Bandai-Namco 39.6 degrees from ankle to toe base and 23.0 for the
toes, LAFAN1 25.1 and 3.6. Limb bones are then turned by the least angle onto SMPL's own, whose rest pose is not quite a T: its
shins lean back by 6 degrees, its arms hang by some. So the splayed legs of CMU stand under the body, and feet and hands go along;
where a limb is as in SMPL already, or nearly, they keep their turn, for a foot that is level in a T-pose is level in SMPL's.

Reachable accuracy, largest error of any unmasked joint over the frames of 164 real clips: 0.001 mm for Bandai-Namco and
LAFAN1, where all joints are rigid; 0.6 mm for 100STYLE; for CMU 2 mm in a walk and 24 mm in a climb, at the head. Why is in
`joint_map` and in the maps.

Shapes: T frames, J joints of the file. Quaternions wxyz; metres, +Y up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.errors import ClipError
from motionunion.joint_map import JointMap, plain_names
from motionunion.kinematics import forward_kinematics, global_rotations, local_rotations, pose
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton

FloatArray = npt.NDArray[np.float64]

DIRECTIONS = {
    "left": (1.0, 0.0, 0.0),
    "right": (-1.0, 0.0, 0.0),
    "up": (0.0, 1.0, 0.0),
    "down": (0.0, -1.0, 0.0),
    "front": (0.0, 0.0, 1.0),
    "back": (0.0, 0.0, -1.0),
}
"""The words of a map, in the T-pose that faces +Z with the left at +X."""
_NO_LENGTH_M = 1e-6
_LIMBS = (
    "left_hip", "right_hip", "left_knee", "right_knee", "left_shoulder", "left_elbow", "right_shoulder", "right_elbow"
)  # fmt: skip
_CHILD = {SMPL22_NAMES[parent]: name for name, parent in zip(SMPL22_NAMES, SMPL22_PARENTS, strict=True) if parent >= 0}
_SMPL_BONES = {name: TEMPLATE.offsets_22x3[SMPL22_NAMES.index(_CHILD[name])] for name in _LIMBS}
_GO_ALONG = {
    "left_ankle": "left_knee", "left_foot": "left_knee", "right_ankle": "right_knee", "right_foot": "right_knee",
    "left_wrist": "left_elbow", "right_wrist": "right_elbow",
}  # fmt: skip

_SHIFTED_M = 1e-3
_NEARLY_RAD = np.deg2rad(10)
"""Within this of SMPL's, a limb at rest is taken to hold a foot or hand as SMPL does."""


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """A motion in SMPL-22 terms."""

    quats_T22x4: FloatArray
    """Local rotations relative to the SMPL rest pose."""
    root_T3: FloatArray
    offsets_22x3: FloatArray
    """Rest offsets in the SMPL rest pose; row 0 is zero (the file has no body origin apart from its pelvis)."""
    joints_T22x3: FloatArray
    """The file's own mapped joints, which the rotations are to reproduce."""


def rest_rotations(skeleton: Skeleton, joint_map: JointMap) -> FloatArray:
    """World rotation (J, 4) of each joint of the file in the T-pose that faces +Z.

    Raises:
        ClipError: `unknown_skeleton`, where a limb is not one bone of some length; `unknown_rest_pose`, where the map is one
            of positions alone.
    """
    if joint_map.axes is None:
        raise ClipError(
            f"the map of {joint_map.skeleton_id} does not say how its joints are turned in a T-pose, so rotations cannot be "
            "read: add [rest] to it",
            reason="unknown_rest_pose",
        )
    names = plain_names(skeleton.names)
    pointing = [[DIRECTIONS[word] for word in joint_map.axes.get(name, "left up").split()] for name in names]
    x, y = np.moveaxis(np.array(pointing), 1, 0)
    dipping = np.zeros((len(skeleton.names), 3))
    dipping[:, 0] = np.deg2rad([joint_map.dips.get(name, 0.0) for name in names])
    level = rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=-1))
    further = np.deg2rad([joint_map.turns.get(name, (0.0, 0.0, 0.0)) for name in names])
    rest = rotation.multiply(rotation.from_rotvec(further), rotation.multiply(rotation.from_rotvec(dipping), level))
    return _limbs_as_in_smpl(skeleton, joint_map, rest)


def _limbs_as_in_smpl(skeleton: Skeleton, joint_map: JointMap, rest_J4: FloatArray) -> FloatArray:
    """The same with arms and legs where SMPL's rest pose has them; what hangs on a limb that was elsewhere goes along."""
    turned_by = joint_map.rotation_joints(skeleton.names)
    joints = dict(zip(SMPL22_NAMES, turned_by, strict=True))
    limbs = [joints[name] for name in _LIMBS]
    below = [joints[_CHILD[name]] for name in _LIMBS]
    paths = [_path(skeleton, limb, end) for limb, end in zip(limbs, below, strict=True)]
    bones = np.array([_reach(skeleton, rest_J4, path) for path in paths])
    if not all(paths) or not bones.any(axis=1).all():
        raise ClipError(
            f"an arm or leg does not hang together, or has no length: the joints bear the names of {joint_map.skeleton_id}, but "
            "are another skeleton",
            reason="unknown_skeleton",
        )
    arcs = dict(zip(limbs, rotation.shortest_arc(bones, list(_SMPL_BONES.values())), strict=True))
    for name, along in _GO_ALONG.items():
        arc = arcs[joints[along]]
        if joints[name] not in arcs and np.linalg.norm(rotation.to_rotvec(arc)) > _NEARLY_RAD:
            arcs[joints[name]] = arc
    turns = np.zeros_like(rest_J4)
    turns[:, 0] = 1.0
    mapped = set(turned_by)
    for joint, parent in enumerate(skeleton.parents):
        if joint in arcs:
            turns[joint] = arcs[joint]
        elif joint not in mapped and parent >= 0:  # twist joints, fingers: as their parent
            turns[joint] = turns[parent]
    return rotation.multiply(turns, rest_J4)


def _path(skeleton: Skeleton, above: int, joint: int) -> list[int]:
    """Joints from below `above` down to `joint`; empty where they do not hang together."""
    path: list[int] = []
    while joint >= 0 and joint != above:
        path.append(joint)
        joint = skeleton.parents[joint]
    return path[::-1] if joint == above else []


def _reach(skeleton: Skeleton, rest_J4: FloatArray, path: list[int]) -> FloatArray:
    """From the joint above a path to its last one, in the rest pose."""
    turned = rest_J4[[skeleton.parents[joint] for joint in path]]
    reach: FloatArray = rotation.rotate(turned, skeleton.offsets_J3[path]).sum(axis=0)
    return reach


def align(skeleton: Skeleton, joint_map: JointMap, world_TJ4: FloatArray, joints_TJ3: FloatArray) -> Aligned:
    """Bring a posed BVH skeleton to SMPL-22 rotations and offsets.

    Args:
        skeleton: The file's joints with rest offsets in metres.
        joint_map: Its map.
        world_TJ4: World rotations of the file's joints, +Y up.
        joints_TJ3: Their world positions, metres.
    """
    rest = rest_rotations(skeleton, joint_map)
    weights = joint_map.position_weights(skeleton.names)
    turned_by = joint_map.rotation_joints(skeleton.names)

    rest_joints = weights @ pose(np.zeros((1, 3)), rest[None], skeleton.offsets_J3, skeleton.parents)[0]
    parents = np.array(SMPL22_PARENTS)
    offsets = rest_joints - rest_joints[parents]
    offsets[0] = 0.0
    targets = np.einsum("kj,tjc->tkc", weights, joints_TJ3)
    world = rotation.multiply(world_TJ4[:, turned_by], rotation.conjugate(rest[turned_by]))
    _settle(joint_map, world, offsets, targets)
    _aim(joint_map, world, offsets, targets)
    _go_beyond(joint_map, world, offsets, targets)
    return Aligned(local_rotations(world, SMPL22_PARENTS), targets[:, 0], offsets, targets)


def _settle(joint_map: JointMap, world: FloatArray, offsets: FloatArray, targets: FloatArray) -> None:
    """Give joints below others that turn and stand for nothing (buttocks, CMU's hip joints) their median place, in place.

    Such a joint is not where rest offsets put it: in style sets that were brought onto CMU's skeleton the hips lie 3 cm away,
    for a whole clip. Where rest and median agree to the millimetre, as in all files whose hip joints keep still, the file's
    own offset stands.
    """
    for joint, parent in enumerate(SMPL22_PARENTS):
        places = (joint_map.places[joint], joint_map.places[parent])
        if joint == 0 or any(place.masked or place.aimed or place.fraction for place in places):
            continue
        seen = rotation.rotate(rotation.conjugate(world[:, parent]), targets[:, joint] - targets[:, parent])
        median = np.median(seen, axis=0)
        if np.linalg.norm(median - offsets[joint]) > _SHIFTED_M:
            offsets[joint] = median


def _aim(joint_map: JointMap, world: FloatArray, offsets: FloatArray, targets: FloatArray) -> None:
    """Turn aimed bones onto the file's joints, in place; their length becomes the median over the clip."""
    for joint, place in enumerate(joint_map.places):
        if not place.aimed:
            continue
        child = SMPL22_PARENTS.index(joint)
        reached = pose(targets[:, 0], world, offsets, SMPL22_PARENTS)
        bones = targets[:, child] - reached[:, joint]
        lengths = np.linalg.norm(bones, axis=-1)
        if min(float(np.linalg.norm(offsets[child])), float(lengths.min())) < _NO_LENGTH_M:
            raise ClipError(
                f"the bone from {SMPL22_NAMES[joint]} to {SMPL22_NAMES[child]} has no length, so it cannot be aimed: the joints bear "
                f"the names of {joint_map.skeleton_id}, but are another skeleton",
                reason="unknown_skeleton",
            )
        offsets[child] *= np.median(lengths) / np.linalg.norm(offsets[child])
        arc = rotation.shortest_arc(rotation.rotate(world[:, joint], offsets[child]), bones)
        world[:, joint] = rotation.multiply(arc, world[:, joint])


def _go_beyond(joint_map: JointMap, world: FloatArray, offsets: FloatArray, targets: FloatArray) -> None:
    """Put joints that the file ends before where the template body has them, in place."""
    for joint, place in enumerate(joint_map.places):
        if place.beyond:
            parent = SMPL22_PARENTS[joint]
            above_m, template_m = (float(np.linalg.norm(rest[parent])) for rest in (offsets, TEMPLATE.offsets_22x3))
            offsets[joint] = TEMPLATE.offsets_22x3[joint] * (above_m / template_m)
            targets[:, joint] = targets[:, parent] + rotation.rotate(world[:, parent], offsets[joint])


def largest_error_m(
    rotvecs_T22x3: npt.NDArray[np.floating],
    offsets_22x3: npt.NDArray[np.floating],
    targets_T22x3: FloatArray,
    joint_mask: npt.NDArray[np.bool_],
) -> float:
    """Largest distance between posed rotations and the file's own joints, over unmasked joints and all frames."""
    quats = rotation.from_rotvec(rotvecs_T22x3)
    posed = forward_kinematics(targets_T22x3[:, 0], quats, offsets_22x3, SMPL22_PARENTS)
    return float(np.linalg.norm((posed - targets_T22x3)[:, joint_mask], axis=-1).max())


def pose_file(skeleton: Skeleton, quats_TJ4: npt.ArrayLike, root_T3: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """World rotations (T, J, 4) and positions (T, J, 3) of the file's own joints."""
    world = global_rotations(quats_TJ4, skeleton.parents)
    return world, pose(root_T3, world, skeleton.offsets_J3, skeleton.parents)
