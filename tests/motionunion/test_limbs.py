from __future__ import annotations

import numpy as np
import pytest

from motionunion.errors import ClipError
from motionunion.limbs import Limb, Tree, find_limbs
from motionunion.skeleton import Skeleton

LEG = """
{s}thigh {hips} {x} -.05 0
{s}shin {s}thigh 0 -.40 0
{s}foot {s}shin 0 -.41 0
{s}toe {s}foot 0 -.06 .12
"""
ARM = """
{s}collar {chest} {x} .08 0
{s}arm {s}collar {x} 0 0
{s}forearm {s}arm .27 0 0
{s}hand {s}forearm .25 0 0
"""
TRUNK = """
hips - 0 0 0
belly hips 0 .12 0
chest belly 0 .22 0
neck chest 0 .18 0
head neck 0 .10 0
"""


def tree(text: str) -> Skeleton:
    """A skeleton from lines `name parent x y z`."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    names = [row[0] for row in rows]
    parents = [names.index(row[1]) if row[1] in names else -1 for row in rows]
    return Skeleton(tuple(names), tuple(parents), np.array([[float(value) for value in row[2:]] for row in rows]))


def person(extra: str = "", *, leg: str = LEG, arm: str = ARM, trunk: str = TRUNK) -> Skeleton:
    legs = "".join(leg.format(s=side, hips="hips", x=x) for side, x in (("l", 0.09), ("r", -0.09)))
    arms = "".join(arm.format(s=side, chest="chest", x=x) for side, x in (("l", 0.1), ("r", -0.1)))
    return tree(trunk + legs + arms + extra)


def words(skeleton: Skeleton, *joints: int) -> str:
    return " ".join(skeleton.names[joint] for joint in joints)


def bones(skeleton: Skeleton, limb: Limb) -> str:
    return words(skeleton, limb.upper, limb.middle, limb.lower)


def test_a_person_is_two_legs_two_arms_and_what_lies_between() -> None:
    skeleton = person()
    limbs = find_limbs(skeleton)
    assert words(skeleton, limbs.pelvis) == "hips"
    assert words(skeleton, *limbs.spine) == "belly chest"
    assert words(skeleton, *limbs.neck) == "neck head"
    assert [bones(skeleton, limb) for limb in limbs.legs] == ["lthigh lshin lfoot", "rthigh rshin rfoot"]
    assert [bones(skeleton, limb) for limb in limbs.arms] == ["larm lforearm lhand", "rarm rforearm rhand"]
    assert words(skeleton, *limbs.arms[0].holders) == "lcollar"
    assert words(skeleton, *limbs.legs[1].beyond) == "rtoe"


FINGERS = "".join(
    f"{side}{finger}1 {side}hand .09 0 {z}\n{side}{finger}2 {side}{finger}1 .04 0 0\n{side}{finger}3 {side}{finger}2 .03 0 0\n"
    for side in "lr"
    for finger, z in (("index", 0.03), ("middle", 0), ("ring", -0.03))
)


def test_fingers_and_twist_joints_lie_within_and_beyond_the_limbs() -> None:
    arm = """
{s}collar {chest} {x} .08 0
{s}arm {s}collar {x} 0 0
{s}armtwist {s}arm .14 0 0
{s}forearm {s}armtwist .13 0 0
{s}foretwist {s}forearm .12 0 0
{s}hand {s}foretwist .13 0 0
"""
    skeleton = person(FINGERS, arm=arm)
    limbs = find_limbs(skeleton)
    assert [bones(skeleton, limb) for limb in limbs.arms] == ["larm lforearm lhand", "rarm rforearm rhand"]


def test_hip_holders_and_joints_of_no_length_are_before_the_hip() -> None:
    leg = """
{s}buttock {hips} {x} .04 0
{s}thigh {s}buttock 0 -.03 0
{s}shin {s}thigh 0 -.40 0
{s}foot {s}shin 0 -.41 0
"""
    skeleton = person(leg=leg)
    limbs = find_limbs(skeleton)
    assert bones(skeleton, limbs.legs[0]) == "lthigh lshin lfoot"
    assert words(skeleton, *limbs.legs[0].holders) == "lbuttock"
    still = """
{s}joint {hips} 0 0 0
{s}thigh {s}joint {x} -.12 0
{s}shin {s}thigh 0 -.40 0
{s}foot {s}shin 0 -.41 0
{s}toe {s}foot 0 -.06 .12
"""
    skeleton = person(leg=still)
    assert bones(skeleton, find_limbs(skeleton).legs[0]) == "lthigh lshin lfoot"


def test_arms_without_collars_begin_at_the_shoulder() -> None:
    arm = "\n{s}arm {chest} {x} .08 0\n{s}forearm {s}arm .27 0 0\n{s}hand {s}forearm .25 0 0\n"
    skeleton = person(FINGERS, arm=arm)
    limbs = find_limbs(skeleton)
    assert bones(skeleton, limbs.arms[0]) == "larm lforearm lhand"
    assert limbs.arms[0].holders == ()


def test_a_face_ends_the_neck() -> None:
    skeleton = person("leye head .03 .05 .08\nreye head -.03 .05 .08\njaw head 0 -.02 .05\nchin jaw 0 -.03 .05\n")
    assert words(skeleton, *find_limbs(skeleton).neck) == "neck head"


def test_legs_on_a_joint_beside_the_spine_are_legs() -> None:
    trunk = TRUNK.replace("hips - 0 0 0", "root - 0 0 0\nhips root 0 -.02 0").replace("belly hips", "belly root")
    skeleton = person(trunk=trunk)
    limbs = find_limbs(skeleton)
    assert words(skeleton, limbs.pelvis) == "root"
    assert words(skeleton, *limbs.spine) == "belly chest"
    assert bones(skeleton, limbs.legs[0]) == "lthigh lshin lfoot"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TRUNK, "0 pairs"),
        (TRUNK + LEG.format(s="l", hips="hips", x=0.1) + LEG.format(s="r", hips="hips", x=-0.1), "1 pairs"),
        ("hips - 0 0 0", "0 pairs"),
    ],
)
def test_a_part_of_a_body_is_no_body(text: str, why: str) -> None:
    with pytest.raises(ClipError, match="no two legs and two arms") as error:
        find_limbs(tree(text))
    assert why in str(error.value)
    assert error.value.reason == "no_human_body"


def test_a_body_without_a_head_is_none() -> None:
    trunk = "\n".join(line for line in TRUNK.splitlines() if not line.startswith(("neck", "head")))
    with pytest.raises(ClipError, match="there is no head"):
        find_limbs(person(trunk=trunk))


def test_legs_of_different_lengths_are_no_pair() -> None:
    skeleton = person()
    offsets = skeleton.offsets_J3.copy()
    offsets[skeleton.index("lshin")] *= 0.5
    with pytest.raises(ClipError, match="1 pairs"):
        find_limbs(Skeleton(skeleton.names, skeleton.parents, offsets))


def test_a_tree_knows_its_paths_and_reach() -> None:
    skeleton = person()
    found = Tree(skeleton)
    hips, toe = skeleton.index("hips"), skeleton.index("ltoe")
    assert words(skeleton, *found.path(hips, toe)) == "lthigh lshin lfoot ltoe"
    assert found.distance(skeleton.index("lthigh"), skeleton.index("lfoot")) == pytest.approx(0.81)
    assert found.reach[skeleton.index("lthigh")] == pytest.approx(0.81 + np.hypot(0.06, 0.12))
    assert words(skeleton, *found.chain(skeleton.index("lthigh"))) == "lthigh lshin lfoot ltoe"
