"""Which skeleton a file has: by names, by what hangs on it, and by rest offsets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motionunion.formats.bvh import read_bvh
from motionunion.formats.end_sites import end_sites
from motionunion.joint_maps import JOINT_MAPS
from motionunion.skeleton import Skeleton
from motionunion.sources.bvh_body import body_of, misfit_deg

BODY = """
Hips - 0 0 0
Spine Hips 0 10 0
Spine1 Spine 0 10 0
Spine2 Spine1 0 10 0
Neck Spine2 0 15 0
Head Neck 0 10 0
LeftShoulder Spine2 5 10 0
LeftArm LeftShoulder 12 0 0
LeftForeArm LeftArm 27 0 0
LeftHand LeftForeArm 25 0 0
RightShoulder Spine2 -5 10 0
RightArm RightShoulder -12 0 0
RightForeArm RightArm -27 0 0
RightHand RightForeArm -25 0 0
LeftUpLeg Hips 9 -6 0
LeftLeg LeftUpLeg 0 -42 0
LeftFoot LeftLeg 0 -42 0
LeftToeBase LeftFoot 0 -8 12
RightUpLeg Hips -9 -6 0
RightLeg RightUpLeg 0 -42 0
RightFoot RightLeg 0 -42 0
RightToeBase RightFoot 0 -8 12
"""


def skeleton(tree: str, **offsets: tuple[float, float, float]) -> Skeleton:
    rows = [line.split() for line in tree.strip().splitlines()]
    names = [row[0] for row in rows]
    values = [offsets.get(row[0], tuple(map(float, row[2:]))) for row in rows]
    return Skeleton(tuple(names), tuple(names.index(row[1]) if row[1] != "-" else -1 for row in rows), np.array(values))


def id_of(tree: str, **offsets: tuple[float, float, float]) -> str | None:
    body = body_of(skeleton(tree, **offsets))
    return None if body is None else body.joint_map.skeleton_id


def after(line: str, *more: str) -> str:
    return BODY.replace(line, "\n".join([line, *more]))


@pytest.mark.parametrize("name_space", ["", "mixamorig:", "mixamorig12:", "mixamorig_", "mixamorig", "Ch03:"])
def test_a_name_space_is_no_part_of_names(name_space: str) -> None:
    rows = [line.split() for line in BODY.strip().splitlines()]
    tree = "\n".join(
        " ".join([name_space + row[0], row[1] if row[1] == "-" else name_space + row[1], *row[2:]]) for row in rows
    )
    assert id_of(tree) == "mixamo"


def test_what_hangs_on_head_hands_and_feet_is_cut_off() -> None:
    tree = after("Head Neck 0 10 0", "LeftEye Head 3 5 9", "Hair Head 0 9 0", "Hair1 Hair 0 9 0")
    tree = tree.replace("LeftHand LeftForeArm 25 0 0", "LeftHand LeftForeArm 25 0 0\nLeftHandThumb1 LeftHand 3 0 3")
    body = body_of(skeleton(tree))
    assert body is not None
    assert body.joint_map.skeleton_id == "mixamo"
    assert set(body.names) == {line.split()[0] for line in BODY.strip().splitlines()}
    assert len(body.kept) == 22
    assert body.joints == 26


def test_a_roll_joint_that_carries_nothing_is_cut_off_and_one_that_does_is_not() -> None:
    assert id_of(after("LeftForeArm LeftArm 27 0 0", "LeftForeArmRoll LeftForeArm 12 0 0")) == "mixamo"
    carrying = BODY.replace("LeftHand LeftForeArm", "LeftForeArmRoll LeftForeArm 12 0 0\nLeftHand LeftForeArmRoll")
    assert id_of(carrying) is None


def test_a_tail_or_another_spine_joint_makes_another_skeleton() -> None:
    assert id_of(after("RightToeBase RightFoot 0 -8 12", "Tail Hips 0 0 -10")) is None
    assert id_of(BODY.replace("Neck Spine2", "Spine3 Spine2 0 9 0\nNeck Spine3")) is None
    assert id_of(BODY.replace("RightToeBase RightFoot 0 -8 12\n", "")) is None


def test_the_same_names_on_another_rest_pose_are_another_skeleton() -> None:
    lafan = BODY.replace("ToeBase", "Toe")
    legs = ["LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToe", "RightUpLeg", "RightLeg", "RightFoot", "RightToe"]
    trunk = ["Spine", "Spine1", "Spine2", "Neck", "Head"]
    arms = [
        "LeftShoulder",
        "LeftArm",
        "LeftForeArm",
        "LeftHand",
        "RightShoulder",
        "RightArm",
        "RightForeArm",
        "RightHand",
    ]
    rows = {line.split()[0]: line for line in lafan.strip().splitlines()}
    smpl = "\n".join(rows[name] for name in ["Hips", *legs, *trunk, *arms])
    assert id_of(smpl) == "smpl_hips_named"
    along_x = dict.fromkeys(("LeftLeg", "LeftFoot", "RightLeg", "RightFoot"), (20.0, 0.0, 0.0))
    along_x |= dict.fromkeys(("LeftForeArm", "LeftHand", "RightForeArm", "RightHand"), (20.0, 0.0, 0.0))
    assert id_of(smpl, **along_x) == "lafan1"
    assert id_of(smpl, LeftLeg=(0.0, 42.0, 0.0)) is None
    assert id_of(smpl, LeftLeg=(0.0, 0.0, 0.0)) is None


def test_misfit_is_the_angle_of_the_worst_limb() -> None:
    straight, splayed = skeleton(BODY), skeleton(BODY, LeftLeg=(21.0, -21.0 * np.sqrt(3), 0.0))
    body = body_of(straight)
    assert body is not None
    assert misfit_deg(straight, body) == pytest.approx(0, abs=1e-5)
    assert misfit_deg(splayed, body) == pytest.approx(30)
    assert body_of(splayed) is not None
    assert body_of(skeleton(BODY, LeftLeg=(42.0, -21.0, 0.0))) is None


def test_every_known_skeleton_with_axes_can_be_told_from_every_other_of_its_names() -> None:
    by_names: dict[tuple[str, ...], list[str]] = {}
    for joint_map in JOINT_MAPS.values():
        for names in joint_map.names:
            by_names.setdefault(names, []).append(joint_map.skeleton_id)
    shared = {frozenset(ids) for ids in by_names.values() if len(ids) > 1}
    assert shared == {
        frozenset({"lafan1", "smpl_hips_named"}),
        frozenset({"lafan1_toebase", "mixamo"}),
        frozenset({"xsens_100style", "xsens_arms_down"}),
        frozenset({"soma", "soma_along_bones"}),
    }


def test_end_sites_are_offsets_in_the_frame_of_their_joints(tmp_path: Path) -> None:
    text = (
        "HIERARCHY\nROOT Hip s {OFFSET 0 0 0\nCHANNELS 3 Xrotation Yrotation Zrotation\n"
        "JOINT Foot\n{\n\tOFFSET 1 2 3\r\n CHANNELS 3 Xrotation Yrotation Zrotation\nEnd Site { OFFSET 4 5.5 -6e1 } }\n"
        "JOINT Bare { OFFSET 1 1 1 }\n"
        "End Site\n{\nOFFSET 7 8 9\n}\n}\n"
    )
    path = tmp_path / "a.bvh"
    path.write_text(text + "MOTION\nFrames: 1\nFrame Time: .1\n0 0 0 0 0 0\n")
    assert read_bvh(path).skeleton.names == ("Hip s", "Foot", "Bare")
    assert end_sites(text) == {"Foot": (4.0, 5.5, -60.0), "Hip s": (7.0, 8.0, 9.0)}
    assert end_sites("") == {}
