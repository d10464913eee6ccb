from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import skeleton_manifest
from motionunion.errors import ConfigError, MissingInput
from motionunion.joint_map import JointMap, Place, plain_names
from motionunion.joint_map_form import parse_joint_map, read_joint_map
from motionunion.joint_map_writing import joint_map_toml
from motionunion.joint_maps import JOINT_MAPS
from motionunion.skeleton import SMPL22_NAMES


def form(**changes: Any) -> dict[str, Any]:
    """A map of a file that has SMPL's own joints."""
    whole: dict[str, Any] = {
        "title": "Mine",
        "joints": {"names": [" ".join(SMPL22_NAMES)]},
        "map": {name: name for name in SMPL22_NAMES},
        "rest": {},
    }
    return copy.deepcopy(whole) | changes


def parsed(**changes: Any) -> JointMap:
    return parse_joint_map(form(**changes), "mine", "mine.toml")


def with_map(**places: Any) -> dict[str, Any]:
    return {"map": {name: name for name in SMPL22_NAMES} | places}


def same(one: JointMap, other: JointMap) -> bool:
    return one.digest == other.digest and one.title == other.title


@pytest.mark.parametrize("skeleton_id", sorted(JOINT_MAPS))
def test_every_known_map_is_written_as_it_is_read(skeleton_id: str) -> None:
    known = JOINT_MAPS[skeleton_id]
    again = parse_joint_map(tomllib.loads(joint_map_toml(known)), skeleton_id, "again.toml")
    assert same(known, again)
    assert set(skeleton_manifest(skeleton_id)) <= {"title", "up", "unit_m", "joints", "map", "rest"}


NAMES = st.lists(st.text(min_size=1).filter(lambda name: ":" not in name), min_size=22, max_size=22, unique=True)


@given(names=NAMES, dip=st.floats(-90, 90), unit_m=st.floats(1e-6, 1e3), fraction=st.floats(0, 1))
def test_any_names_and_numbers_survive_writing(names: list[str], dip: float, unit_m: float, fraction: float) -> None:
    names = [name if not name.endswith(".end") else name + "x" for name in names]
    if len(set(names)) < 22:
        return
    places = [Place(name, name, name) for name in names]
    places[6] = Place(names[3], names[3], names[9], fraction, masked=True, aimed=True)
    own = JointMap(
        skeleton_id="mine",
        title=names[0],
        names=(tuple(names),),
        places=tuple(places),
        axes={names[1]: "up front", names[2]: "left down"},
        dips={names[3]: dip},
        turns={names[4]: (dip, 0.0, unit_m)},
        up="-z",
        unit_m=unit_m,
        licence=names[1],
        added_frames=2,
    )
    text = joint_map_toml(own, [f"a comment of {names[5]!r}"])
    assert same(own, parse_joint_map(tomllib.loads(text), "mine", "mine.toml"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, r"mine.toml: colour: no such key"),
        ({"title": 3}, "title: a text"),
        ({"up": "Y"}, "up: one of x, y, z"),
        ({"unit_m": 0}, "unit_m: metres per unit of the file, more than 0"),
        ({"unit_m": float("inf")}, "unit_m: a number"),
        ({"unit_m": True}, "unit_m: a number"),
        ({"unit_m": 10**400}, "unit_m: a number"),
        ({"licence": 4}, "licence: a text"),
        ({"added_frames": -1}, "added_frames: a whole number"),
        ({"joints": {}}, "joints.names: a list"),
        ({"joints": {"names": []}}, "joints.names: a list"),
        ({"joints": {"names": [3]}}, "joints.names: a spelling"),
        ({"joints": {"names": ["Hips Hips"]}}, "'Hips' stands there twice"),
        ({"joints": {"names": ["a"], "name": 1}}, "joints.name: no such key"),
        ({"map": 3}, "map: a table"),
        (with_map(tail="pelvis"), "map.tail: no such key"),
        (with_map(head="Kopf"), r"map.head: no joint is called 'Kopf' of joints.names"),
        (with_map(head=4), "map.head: the name of a joint"),
        (with_map(head={"rotation": "head", "fraction": 2}), "map.head.fraction: from 0 to 1"),
        (with_map(head={"rotation": "head", "masked": "yes"}), "map.head.masked: true or false"),
        (with_map(head={"rotation": "head", "middle": "neck"}), "map.head.middle: no such key"),
        (with_map(head={"missing": False}), "map.head.missing: true"),
        (with_map(pelvis={"missing": True}), "map.pelvis: can be missing only where"),
        (with_map(left_collar={"missing": True}, left_shoulder={"missing": True}, left_elbow={"missing": True},
                  left_wrist={"missing": True}), "map.left_collar: nothing lies beyond it"),
        ({"rest": {"axis": {}}}, "rest.axis: no such key"),
        ({"rest": {"axes": {"up down": "head"}}}, 'rest.axes."up down": two directions across each other'),
        ({"rest": {"axes": {"up": "head"}}}, "two directions across"),
        ({"rest": {"axes": {"up front": "head", "up back": "neck head"}}}, "'head' has axes already: up front"),
        ({"rest": {"axes": {"up front": "Kopf"}}}, "no joint is called 'Kopf'"),
        ({"rest": {"axes": {"up front": 3}}}, "a text of joint names"),
        ({"rest": {"dip_deg": {"head": "low"}}}, "rest.dip_deg.head: a number"),
        ({"rest": {"dip_deg": {"Kopf": 1}}}, "no joint is called 'Kopf'"),
        ({"rest": {"turn_deg": {"head": [1, 2]}}}, "rest.turn_deg.head: three numbers"),
    ],
)  # fmt: skip
def test_a_wrong_map_is_refused_by_file_and_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parsed(**changes)


def test_a_missing_smpl_joint_in_the_form_is_no_oversight() -> None:
    places = {name: name for name in SMPL22_NAMES if name != "neck"}
    with pytest.raises(ConfigError, match=r"map.neck: is not there: name a joint, or write \{ missing = true \}"):
        parsed(map=places)


def test_a_joint_of_one_spelling_alone_cannot_be_mapped() -> None:
    other = " ".join(SMPL22_NAMES).replace("head", "Kopf")
    with pytest.raises(ConfigError, match="no joint is called 'head' in every spelling"):
        parsed(joints={"names": [" ".join(SMPL22_NAMES), other]})


def place(joint_map: JointMap, name: str) -> Place:
    return joint_map.places[SMPL22_NAMES.index(name)]


def test_missing_joints_lie_between_those_that_are_there() -> None:
    gone = {"missing": True}
    found = parsed(**with_map(spine1=gone, spine2=gone, left_collar=gone, neck=gone))
    assert place(found, "spine1") == Place("pelvis", "pelvis", "spine3", pytest.approx(1 / 3), masked=True)
    assert place(found, "spine2") == Place("pelvis", "pelvis", "spine3", pytest.approx(2 / 3), masked=True)
    assert place(found, "neck") == Place("spine3", "spine3", "head", 0.5, masked=True)
    assert place(found, "left_collar") == Place("spine3", "spine3", "left_shoulder", 0.35, masked=True)
    assert [name for name, kept in zip(SMPL22_NAMES, found.joint_mask, strict=True) if not kept] == [
        "spine1", "spine2", "neck", "left_collar",
    ]  # fmt: skip
    weights = found.position_weights(SMPL22_NAMES)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[3, [0, 9]], [2 / 3, 1 / 3])


def test_what_the_file_ends_before_lies_beyond_its_end() -> None:
    found = parsed(**with_map(left_foot={"missing": True}, head={"missing": True}))
    assert place(found, "left_foot") == Place("left_ankle", "left_ankle", "left_ankle", masked=True, beyond=True)
    assert place(found, "head").beyond
    positions = form(**with_map(left_foot={"missing": True}))
    del positions["rest"]
    with pytest.raises(ConfigError, match=r"map.left_foot: nothing lies beyond it; .*\(\[rest\]\)"):
        parse_joint_map(positions, "mine", "mine.toml")


def test_a_pelvis_between_two_hips_is_enough_for_positions() -> None:
    positions = form(**with_map(pelvis={"missing": True}))
    del positions["rest"]
    found = parse_joint_map(positions, "mine", "mine.toml")
    assert found.axes is None
    assert place(found, "pelvis") == Place("left_hip", "left_hip", "right_hip", 0.5, masked=True)


def test_a_name_space_is_no_part_of_the_names() -> None:
    assert plain_names(("rig:Hips", "rig:Spine")) == ("Hips", "Spine")
    assert plain_names(("a:b:Hips", "a:b:Spine")) == ("Hips", "Spine")
    assert plain_names(("rig:Hips", "Spine")) == ("rig:Hips", "Spine")
    assert plain_names(("Hips",)) == ("Hips",)
    assert parsed().matches(tuple(f"rig:{name}" for name in SMPL22_NAMES))


def test_end_sites_are_no_part_of_the_order() -> None:
    names = [*SMPL22_NAMES[:10], *SMPL22_NAMES[11:]]
    found = parsed(
        joints={"names": [[*names, "left_ankle.end"]]},
        **with_map(left_foot={"rotation": "left_ankle", "start": "left_ankle.end"}),
    )
    assert found.ends == ("left_ankle",)
    assert found.matches(names)
    assert not found.matches((*names, "left_ankle.end"))


def test_a_file_s_name_is_the_map_s_id(tmp_path: Path) -> None:
    text = joint_map_toml(parsed())
    for name in ("studio.toml", "studio.skeleton.toml"):
        (tmp_path / name).write_text(text)
        assert read_joint_map(tmp_path / name).skeleton_id == "studio"


def test_a_file_that_is_no_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="cannot be read"):
        read_joint_map(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe4"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_joint_map(tmp_path / "latin.toml")
    (tmp_path / "broken.toml").write_text("title = ")
    with pytest.raises(ConfigError, match="not TOML"):
        read_joint_map(tmp_path / "broken.toml")


def test_everything_that_changes_values_changes_the_digest() -> None:
    digests = {
        parsed().digest,
        parsed(up="y").digest,
        parsed(unit_m=0.01).digest,
        parsed(licence="CC0-1.0").digest,
        parsed(added_frames=1).digest,
        parsed(rest={"axes": {"up front": "head"}}).digest,
        parsed(rest={"dip_deg": {"head": 1}}).digest,
        parsed(rest={"turn_deg": {"head": [1, 0, 0]}}).digest,
        parsed(**with_map(head="neck")).digest,
        parse_joint_map(form(), "other", "other.toml").digest,
    }
    assert len(digests) == 10
    assert parsed(title="Another title").digest == parsed().digest


@pytest.mark.parametrize("text", ["title = ", "unit_m = " + "9" * 5000, "joints = " + "[" * 5000])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match="not TOML"):
        read_joint_map(tmp_path / "mine.toml")
