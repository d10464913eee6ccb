from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.errors import ClipError
from motionunion.joint_map import Place
from motionunion.joint_maps import JOINT_MAPS, skeleton_id_of
from motionunion.kinematics import forward_kinematics, global_rotations, pose
from motionunion.rest_pose import align, largest_error_m, pose_file, rest_rotations
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton

FloatArray = npt.NDArray[np.float64]


def tree(text: str) -> Skeleton:
    """A skeleton from lines `name parent x y z`, in metres."""
    rows = [line.split() for line in text.strip().splitlines()]
    names = [row[0] for row in rows]
    parents = [names.index(row[1]) if row[1] in names else -1 for row in rows]
    return Skeleton(tuple(names), tuple(parents), np.array([[float(value) for value in row[2:]] for row in rows]))


# Bodies invented for these tests, with the local axes of the real exporters: bones along local X, negative on the right.
BANDAI = tree("""
Hips - 0 0 0
Spine Hips .15 0 0
Chest Spine .10 0 0
Neck Chest .15 0 0
Head Neck .07 0 0
Shoulder_L Chest .12 0 .05
UpperArm_L Shoulder_L .06 0 0
LowerArm_L UpperArm_L .25 0 0
Hand_L LowerArm_L .22 0 0
Shoulder_R Chest .12 0 -.05
UpperArm_R Shoulder_R -.06 0 0
LowerArm_R UpperArm_R -.25 0 0
Hand_R LowerArm_R -.22 0 0
UpperLeg_L Hips -.02 -.07 0
LowerLeg_L UpperLeg_L .40 0 0
Foot_L LowerLeg_L .41 0 0
Toes_L Foot_L .12 0 0
UpperLeg_R Hips -.02 .07 0
LowerLeg_R UpperLeg_R -.40 0 0
Foot_R LowerLeg_R -.41 0 0
Toes_R Foot_R -.12 0 0
""")
LAFAN1 = tree("""
Hips - 0 0 0
LeftUpLeg Hips 0 .02 .10
LeftLeg LeftUpLeg .43 0 0
LeftFoot LeftLeg .42 0 0
LeftToe LeftFoot .17 0 0
RightUpLeg Hips 0 .02 -.10
RightLeg RightUpLeg .43 0 0
RightFoot RightLeg .42 0 0
RightToe RightFoot .17 0 0
Spine Hips .07 -.02 0
Spine1 Spine .12 0 0
Spine2 Spine1 .12 0 0
Neck Spine2 .25 0 0
Head Neck .11 0 0
LeftShoulder Spine2 .20 -.01 .06
LeftArm LeftShoulder .11 0 0
LeftForeArm LeftArm .33 0 0
LeftHand LeftForeArm .25 0 0
RightShoulder Spine2 .20 -.01 -.06
RightArm RightShoulder .11 0 0
RightForeArm RightArm .33 0 0
RightHand RightForeArm .25 0 0
""")
XSENS = tree("""
Hips - 0 0 0
Chest Hips 0 .13 0
Chest2 Chest 0 .10 0
Chest3 Chest2 0 .09 0
Chest4 Chest3 0 .09 0
Neck Chest4 0 .13 0
Head Neck 0 .09 0
RightCollar Chest4 -.03 .07 0
RightShoulder RightCollar -.16 0 0
RightElbow RightShoulder -.31 0 0
RightWrist RightElbow -.26 0 0
LeftCollar Chest4 .03 .07 0
LeftShoulder LeftCollar .16 0 0
LeftElbow LeftShoulder .31 0 0
LeftWrist LeftElbow .26 0 0
RightHip Hips -.11 0 0
RightKnee RightHip 0 -.44 0
RightAnkle RightKnee 0 -.43 0
RightToe RightAnkle 0 -.10 .19
LeftHip Hips .11 0 0
LeftKnee LeftHip 0 -.44 0
LeftAnkle LeftKnee 0 -.43 0
LeftToe LeftAnkle 0 -.10 .19
""")
CMU = tree("""
Hips - 0 0 0
LHipJoint Hips 0 0 0
LeftUpLeg LHipJoint .08 -.10 .05
LeftLeg LeftUpLeg .14 -.38 0
LeftFoot LeftLeg .14 -.38 0
LeftToeBase LeftFoot .005 -.015 .11
RHipJoint Hips 0 0 0
RightUpLeg RHipJoint -.08 -.10 .05
RightLeg RightUpLeg -.14 -.38 0
RightFoot RightLeg -.14 -.38 0
RightToeBase RightFoot -.005 -.015 .11
LowerBack Hips 0 0 0
Spine LowerBack 0 .11 -.01
Spine1 Spine 0 .11 .01
Neck Spine1 0 0 0
Neck1 Neck 0 .10 0
Head Neck1 0 .10 -.02
LeftShoulder Spine1 0 0 0
LeftArm LeftShoulder .19 .06 0
LeftForeArm LeftArm .26 0 0
LeftHand LeftForeArm .18 0 0
LeftFingerBase LeftHand 0 0 0
LeftHandIndex1 LeftFingerBase .03 0 0
LThumb LeftHand 0 0 0
RightShoulder Spine1 0 0 0
RightArm RightShoulder -.19 .06 0
RightForeArm RightArm -.26 0 0
RightHand RightForeArm -.18 0 0
RightFingerBase RightHand 0 0 0
RightHandIndex1 RightFingerBase -.03 0 0
RThumb RightHand 0 0 0
""")
BODIES = {"bandai_namco": BANDAI, "lafan1": LAFAN1, "xsens_100style": XSENS, "cmu_cgspeed": CMU}
RIGID = ("bandai_namco", "lafan1")


@pytest.fixture(params=sorted(BODIES))
def skeleton_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def joint(joints: FloatArray, name: str) -> FloatArray:
    values: FloatArray = joints[..., SMPL22_NAMES.index(name), :]
    return values


def shaken(count: int, joints: int, largest_rad: float, seed: int = 0) -> FloatArray:
    """Random rotations (T, J, 4) with angles up to `largest_rad` an axis."""
    return rotation.from_rotvec(np.random.default_rng(seed).uniform(-largest_rad, largest_rad, (count, joints, 3)))


def test_every_known_skeleton_is_known_by_its_ordered_names_alone(skeleton_id: str) -> None:
    for names in JOINT_MAPS[skeleton_id].names:
        assert skeleton_id_of(names) == skeleton_id
        assert skeleton_id_of(tuple(reversed(names))) is None
        assert skeleton_id_of(names[:-1]) is None


def test_position_weights_are_shares_of_one(skeleton_id: str) -> None:
    weights = JOINT_MAPS[skeleton_id].position_weights(BODIES[skeleton_id].names)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert len(np.unique(weights, axis=0)) == 22


def test_the_rest_body_stands_as_smpl_s_and_faces_front(skeleton_id: str) -> None:
    skeleton = BODIES[skeleton_id]
    quats = shaken(3, len(skeleton.names), 0.2)
    aligned = align(skeleton, JOINT_MAPS[skeleton_id], *pose_file(skeleton, quats, np.zeros((3, 3))))
    identity = np.tile([1.0, 0, 0, 0], (1, 22, 1))
    rest = forward_kinematics(np.zeros((1, 3)), identity, aligned.offsets_22x3, SMPL22_PARENTS)[0]
    for side, sign in (("left", 1), ("right", -1)):
        assert joint(rest, f"{side}_hip")[0] * sign > 0.05
        for name in ("knee", "ankle", "elbow", "wrist"):
            bones = (
                body[SMPL22_NAMES.index(f"{side}_{name}")] for body in (aligned.offsets_22x3, TEMPLATE.offsets_22x3)
            )
            own, smpl = (bone / np.linalg.norm(bone) for bone in bones)
            np.testing.assert_allclose(own, smpl, atol=1e-9)
        foot = joint(rest, f"{side}_foot") - joint(rest, f"{side}_ankle")
        assert foot[2] > 0.7 * np.linalg.norm(foot)
        assert foot[1] < 0
        assert abs(foot[0]) < 0.02
    for below, above in (("pelvis", "spine1"), ("spine1", "spine2"), ("spine2", "spine3"), ("neck", "head")):
        bone = joint(rest, above) - joint(rest, below)
        assert bone[1] > 0.9 * np.linalg.norm(bone) > 0


def test_the_exporter_s_own_t_pose_has_no_rotation(skeleton_id: str) -> None:
    skeleton = BODIES[skeleton_id]
    world = rest_rotations(skeleton, JOINT_MAPS[skeleton_id])[None]
    joints = forward_from_world(skeleton, world)
    aligned = align(skeleton, JOINT_MAPS[skeleton_id], world, joints)
    np.testing.assert_allclose(rotation.to_rotvec(aligned.quats_T22x4), 0, atol=1e-6)


def forward_from_world(skeleton: Skeleton, world: FloatArray) -> FloatArray:
    return pose(np.zeros((len(world), 3)), world, skeleton.offsets_J3, skeleton.parents)


@pytest.mark.parametrize("rigid", RIGID)
def test_rigid_skeletons_are_reproduced_exactly_in_any_pose(rigid: str) -> None:
    skeleton = BODIES[rigid]
    quats = shaken(50, len(skeleton.names), 1.5, seed=3)
    root = np.random.default_rng(4).normal(size=(50, 3))
    aligned = align(skeleton, JOINT_MAPS[rigid], *pose_file(skeleton, quats, root))
    posed = forward_kinematics(aligned.root_T3, aligned.quats_T22x4, aligned.offsets_22x3, SMPL22_PARENTS)
    np.testing.assert_allclose(posed, aligned.joints_T22x3, atol=1e-12)


def test_other_skeletons_are_reproduced_but_for_their_moving_bones(skeleton_id: str) -> None:
    # Spines and necks bend by up to 10 degrees an axis and joint here; limbs turn freely.
    skeleton = BODIES[skeleton_id]
    quats = shaken(50, len(skeleton.names), 1.2, seed=5)
    trunk = [
        k
        for k, name in enumerate(skeleton.names)
        if name.startswith(("Spine", "Chest", "Neck", "LowerBack", "LHipJoint", "RHipJoint"))
        or (skeleton_id == "cmu_cgspeed" and name in ("LeftShoulder", "RightShoulder"))
    ]
    hip_joints = [k for k in trunk if skeleton.names[k].endswith("HipJoint")]
    quats[:, trunk] = shaken(50, len(trunk), np.deg2rad(10), seed=6)
    quats[:, hip_joints] = [1, 0, 0, 0]  # as in every file of the exporter
    aligned = align(skeleton, JOINT_MAPS[skeleton_id], *pose_file(skeleton, quats, np.zeros((50, 3))))
    mask = JOINT_MAPS[skeleton_id].joint_mask
    rotvecs = rotation.to_rotvec(aligned.quats_T22x4)
    assert largest_error_m(rotvecs, aligned.offsets_22x3, aligned.joints_T22x3, mask) < 0.02
    pelvis_and_legs = [0, 1, 2, 4, 5, 7, 8, 10, 11]
    legs = np.isin(np.arange(22), pelvis_and_legs)
    assert largest_error_m(rotvecs, aligned.offsets_22x3, aligned.joints_T22x3, legs) < 1e-9


def test_a_bent_knee_and_a_bent_elbow_turn_about_smpl_s_axes(skeleton_id: str) -> None:
    """Bend one joint of the T-pose in the world: the SMPL rotation is that bend, about the same world axis."""
    skeleton = BODIES[skeleton_id]
    joint_map = JOINT_MAPS[skeleton_id]
    rest = rest_rotations(skeleton, joint_map)
    for name, bend in (
        ("left_knee", [1.0, 0, 0]),  # the shin swings back
        ("right_knee", [1.0, 0, 0]),
        ("left_elbow", [0, -1.0, 0]),  # the forearm swings to the front
        ("right_elbow", [0, 1.0, 0]),
        ("left_hip", [-0.5, 0, 0]),  # the thigh rises
        ("head", [0, 0.7, 0]),  # a look to the left
    ):
        world = rest.copy()
        turned = skeleton.index(joint_map.places[SMPL22_NAMES.index(name)].rotation)
        below = [turned]
        for k, parent in enumerate(skeleton.parents):
            if parent in below:
                below.append(k)
        world[below] = rotation.multiply(rotation.from_rotvec(bend), world[below])
        aligned = align(skeleton, JOINT_MAPS[skeleton_id], world[None], forward_from_world(skeleton, world[None]))
        expected = np.zeros((22, 3))
        expected[SMPL22_NAMES.index(name)] = bend
        np.testing.assert_allclose(rotation.to_rotvec(aligned.quats_T22x4)[0], expected, atol=1e-6, err_msg=name)


def test_turning_the_whole_body_turns_the_pelvis_alone(skeleton_id: str) -> None:
    skeleton = BODIES[skeleton_id]
    quats = shaken(4, len(skeleton.names), 0.3, seed=7)
    turn = rotation.from_rotvec([0.4, 2.0, -0.3])
    turned = quats.copy()
    turned[:, 0] = rotation.multiply(turn, turned[:, 0])
    before = align(skeleton, JOINT_MAPS[skeleton_id], *pose_file(skeleton, quats, np.zeros((4, 3))))
    after = align(skeleton, JOINT_MAPS[skeleton_id], *pose_file(skeleton, turned, np.zeros((4, 3))))
    np.testing.assert_allclose(after.offsets_22x3, before.offsets_22x3, atol=1e-12)
    expected = before.quats_T22x4.copy()
    expected[:, 0] = rotation.multiply(turn, expected[:, 0])
    np.testing.assert_allclose(rotation.to_matrix(after.quats_T22x4), rotation.to_matrix(expected), atol=1e-9)


def test_masked_joints_are_the_stand_ins(skeleton_id: str) -> None:
    masked = [name for name, kept in zip(SMPL22_NAMES, JOINT_MAPS[skeleton_id].joint_mask, strict=True) if not kept]
    assert masked == {
        "bandai_namco": ["spine2"],
        "lafan1": [],
        "xsens_100style": [],
        "cmu_cgspeed": ["spine1", "neck", "left_collar", "right_collar"],
    }[skeleton_id]  # fmt: skip


def test_no_bone_of_the_result_has_length_zero(skeleton_id: str) -> None:
    skeleton = BODIES[skeleton_id]
    world = global_rotations(shaken(2, len(skeleton.names), 0.1), skeleton.parents)
    aligned = align(skeleton, JOINT_MAPS[skeleton_id], world, forward_from_world(skeleton, world))
    assert np.linalg.norm(aligned.offsets_22x3[1:], axis=-1).min() > 0.02


def test_a_limb_bone_of_length_zero_is_refused() -> None:
    offsets = BANDAI.offsets_J3.copy()
    offsets[BANDAI.index("LowerLeg_L")] = 0
    with pytest.raises(ClipError, match="has no length"):
        rest_rotations(Skeleton(BANDAI.names, BANDAI.parents, offsets), JOINT_MAPS["bandai_namco"])


def test_joints_below_hip_joints_that_turn_have_their_median_place() -> None:
    quats = shaken(9, len(CMU.names), 0.3, seed=5)
    still = quats.copy()
    for side in "LR":
        quats[:, CMU.index(f"{side}HipJoint")] = rotation.from_rotvec([0.0, 0.0, 0.2])
        still[:, CMU.index(f"{side}HipJoint")] = [1.0, 0, 0, 0]
    hips, knees = slice(1, 3), slice(4, 6)
    joint_map = JOINT_MAPS["cmu_cgspeed"]
    turned, plain = (align(CMU, joint_map, *pose_file(CMU, values, np.zeros((9, 3)))) for values in (quats, still))
    posed = forward_kinematics(turned.root_T3, turned.quats_T22x4, turned.offsets_22x3, SMPL22_PARENTS)
    np.testing.assert_allclose(posed[:, hips], turned.joints_T22x3[:, hips], atol=1e-9)
    assert np.linalg.norm(turned.offsets_22x3[hips] - plain.offsets_22x3[hips], axis=1).min() > 5e-3
    np.testing.assert_array_equal(turned.offsets_22x3[knees], plain.offsets_22x3[knees])
    rest = rotation.rotate(rotation.from_rotvec([0.0, 0.0, 0.2]), plain.offsets_22x3[hips])
    np.testing.assert_allclose(turned.offsets_22x3[hips], rest, atol=1e-9)


def test_a_further_turn_of_the_map_is_a_further_turn_of_the_rest_pose() -> None:
    known = JOINT_MAPS["lafan1"]
    turned = replace(known, turns={"Head": (0.0, 30.0, 0.0), "LeftForeArm": (40.0, 0.0, 0.0)})
    plain, other = rest_rotations(LAFAN1, known), rest_rotations(LAFAN1, turned)
    changed = rotation.to_rotvec(rotation.multiply(other, rotation.conjugate(plain)))
    expected = np.zeros((22, 3))
    expected[LAFAN1.index("Head")] = [0, np.deg2rad(30), 0]
    forearm = TEMPLATE.offsets_22x3[SMPL22_NAMES.index("left_wrist")]
    expected[LAFAN1.index("LeftForeArm")] = np.deg2rad(40) * forearm / np.linalg.norm(forearm)  # about its own bone
    np.testing.assert_allclose(changed, expected, atol=2e-3)  # the way there is not quite along the bone


def test_twist_joints_within_a_limb_turn_with_it() -> None:
    """The same body with a joint half-way down each upper arm, drawn with arms hanging at zero rotation."""
    text = []
    for name, parent, offset in zip(LAFAN1.names, LAFAN1.parents, LAFAN1.offsets_J3, strict=True):
        above = LAFAN1.names[parent] if parent >= 0 else "-"
        if name.endswith("ForeArm"):
            text.append(f"{name}Twist {above} {' '.join(map(str, offset / 2))}")
            above, offset = f"{name}Twist", offset / 2
        text.append(f"{name} {above} {' '.join(map(str, offset))}")
    twisted = tree("\n".join(text))
    known = JOINT_MAPS["lafan1"]
    assert known.axes is not None
    axes = dict(known.axes) | {"LeftForeArmTwist": "left back", "RightForeArmTwist": "right back"}
    joint_map = replace(known, names=(twisted.names,), axes=axes)
    quats = shaken(20, len(twisted.names), 1.0, seed=11)
    for k, name in enumerate(twisted.names):
        if name.endswith("Twist"):
            quats[:, k] = rotation.from_rotvec(np.random.default_rng(k).uniform(-1, 1, (20, 1)) * [1.0, 0, 0])
    aligned = align(twisted, joint_map, *pose_file(twisted, quats, np.zeros((20, 3))))
    error = largest_error_m(
        rotation.to_rotvec(aligned.quats_T22x4), aligned.offsets_22x3, aligned.joints_T22x3, joint_map.joint_mask
    )
    assert error < 1e-9
    for name in ("left_elbow", "left_wrist"):
        bones = (body[SMPL22_NAMES.index(name)] for body in (aligned.offsets_22x3, TEMPLATE.offsets_22x3))
        own, smpl = (bone / np.linalg.norm(bone) for bone in bones)
        np.testing.assert_allclose(own, smpl, atol=1e-9)


def test_a_foot_without_toes_goes_on_as_the_template_s(skeleton_id: str) -> None:
    joint_map = JOINT_MAPS[skeleton_id]
    ankles = {side: joint_map.places[SMPL22_NAMES.index(f"{side}_ankle")].rotation for side in ("left", "right")}
    places = list(joint_map.places)
    for side, ankle in ankles.items():
        places[SMPL22_NAMES.index(f"{side}_foot")] = Place(ankle, ankle, ankle, masked=True, beyond=True)
    skeleton = BODIES[skeleton_id]
    quats = shaken(10, len(skeleton.names), 0.2, seed=12)
    aligned = align(skeleton, replace(joint_map, places=tuple(places)), *pose_file(skeleton, quats, np.zeros((10, 3))))
    posed = forward_kinematics(aligned.root_T3, aligned.quats_T22x4, aligned.offsets_22x3, SMPL22_PARENTS)
    for side in ("left", "right"):
        foot, ankle = (SMPL22_NAMES.index(f"{side}_{name}") for name in ("foot", "ankle"))
        scale = np.linalg.norm(aligned.offsets_22x3[ankle]) / np.linalg.norm(TEMPLATE.offsets_22x3[ankle])
        np.testing.assert_allclose(aligned.offsets_22x3[foot], TEMPLATE.offsets_22x3[foot] * scale)
        np.testing.assert_allclose(aligned.joints_T22x3[:, foot] - aligned.joints_T22x3[:, ankle],
                                   posed[:, foot] - posed[:, ankle], atol=1e-9)  # fmt: skip


def test_an_aimed_bone_of_length_zero_is_refused() -> None:
    offsets = CMU.offsets_J3.copy()
    offsets[[CMU.index("Neck1"), CMU.index("Head")]] = 0
    body = Skeleton(CMU.names, CMU.parents, offsets)
    with pytest.raises(ClipError, match="from neck to head has no length") as error:
        align(body, JOINT_MAPS["cmu_cgspeed"], *pose_file(body, shaken(3, len(body.names), 0.1), np.zeros((3, 3))))
    assert error.value.reason == "unknown_skeleton"


def test_a_map_of_positions_alone_turns_nothing() -> None:
    with pytest.raises(ClipError, match="does not say how its joints are turned") as error:
        rest_rotations(LAFAN1, replace(JOINT_MAPS["lafan1"], axes=None))
    assert error.value.reason == "unknown_rest_pose"
