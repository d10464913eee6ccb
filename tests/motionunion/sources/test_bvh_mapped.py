from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import RawClip
from motionunion.engines.serial import Serial
from motionunion.errors import ClipError, ConfigError, SourceFormatError, UsageError
from motionunion.ingest.run import dry_run, ingest
from motionunion.joint_map_writing import joint_map_toml
from motionunion.joint_maps import JOINT_MAPS, JointMap, read_joint_map
from motionunion.normalise import normalise
from motionunion.skeleton import SMPL22_NAMES
from motionunion.skeleton_inspection import SURE_ENOUGH, inspect
from motionunion.sources import SOURCES, Claim, ReadOptions
from motionunion.sources.detect import recognise
from motionunion.store.store import open_store

BVH = SOURCES["bvh"]


@pytest.fixture
def rig(write_tree: Callable[[str, Path], Any], tmp_path: Path) -> tuple[Path, JointMap]:
    """Two takes of an unknown skeleton in `takes/`, and their map, which lies in another folder."""
    root = tmp_path / "rig"
    write_tree("bvh", root)
    path = tmp_path / "studio.toml"
    shutil.move(root / "left_first.skeleton.toml", path)
    return root, read_joint_map(path)


def changed(joint_map: JointMap, **fields: Any) -> JointMap:
    return replace(joint_map, **fields)


def read(claim: Claim, *maps: JointMap) -> list[RawClip]:
    readings = [BVH.read(ref, ReadOptions(skeletons=maps)) for ref in BVH.discover(claim)]
    return [reading for reading in readings if isinstance(reading, RawClip)]


def test_without_a_map_the_files_are_skipped_and_the_way_to_one_is_named(rig: tuple[Path, JointMap]) -> None:
    root, _ = rig
    with pytest.raises(Exception, match="skeleton inspect"):
        recognise([root])


def test_a_map_claims_the_files_of_its_skeleton(rig: tuple[Path, JointMap]) -> None:
    root, joint_map = rig
    (claim,) = recognise([root], None, (joint_map,)).claims
    assert claim.source == "bvh"
    assert claim.skeletons == (joint_map,)
    assert [ref.key for ref in BVH.discover(claim)] == ["studio/take0", "studio/take1"]
    assert [ref.uid for ref in BVH.discover(claim)] == ["bvh/studio/take0", "bvh/studio/take1"]
    for raw in read(claim, joint_map):
        clip = normalise(raw)
        assert (clip.provenance["skeleton_id"], clip.provenance["licence"]) == ("studio", "CC0-1.0")
        assert clip.fk_error_m is not None
        assert clip.fk_error_m < 5e-3


def test_files_of_one_name_are_told_apart_by_their_folders(rig: tuple[Path, JointMap]) -> None:
    root, joint_map = rig
    (root / "again").mkdir()
    shutil.copy(root / "takes/take0.bvh", root / "again/take0.bvh")
    (claim,) = recognise([root], None, (joint_map,)).claims
    assert [ref.key for ref in BVH.discover(claim)] == ["studio/again/take0", "studio/take1", "studio/takes/take0"]


def test_a_map_that_no_file_needs_is_an_error(rig: tuple[Path, JointMap], tmp_path: Path) -> None:
    root, joint_map = rig
    other = changed(joint_map, names=(tuple(reversed(joint_map.names[0])),))
    with pytest.raises(UsageError, match=r"--skeleton studio: no BVH file .* has exactly these joints .*--source bvh"):
        recognise([root], None, (other,))
    known = changed(JOINT_MAPS["lafan1"], skeleton_id="mine")
    with pytest.raises(UsageError, match=r"known as lafan1, .* add --source bvh"):
        recognise([root], None, (known,))


def test_a_known_skeleton_is_its_own_source_s_unless_bvh_is_asked_for(
    write_tree: Callable[[str, Path], Any], tmp_path: Path
) -> None:
    write_tree("lafan1", tmp_path / "lafan1")
    mine = changed(JOINT_MAPS["lafan1"], skeleton_id="mine", up="y", unit_m=0.01)
    (claim,) = recognise([tmp_path / "lafan1"], "bvh", (mine,)).claims
    assert [ref.key for ref in BVH.discover(claim)] == ["mine/walk1_subject1", "mine/walk1_subject5"]
    (bare,) = recognise([tmp_path / "lafan1"], "bvh").claims
    assert [ref.key for ref in BVH.discover(bare)] == ["lafan1/walk1_subject1", "lafan1/walk1_subject5"]
    ours, theirs = read(claim, mine)[0], SOURCES["lafan1"]
    (known,) = recognise([tmp_path / "lafan1"]).claims
    raw = theirs.read(next(iter(theirs.discover(known))), ReadOptions())
    assert isinstance(raw, RawClip)
    assert ours.quats_TJ4 is not None
    assert raw.quats_TJ4 is not None
    np.testing.assert_array_equal(ours.quats_TJ4, raw.quats_TJ4)


def test_an_unknown_skeleton_is_refused_by_name(rig: tuple[Path, JointMap]) -> None:
    root, _ = rig
    (claim,) = recognise([root], "bvh").claims
    ref = next(iter(BVH.discover(claim)))
    assert ref.key == "unknown/take0"
    with pytest.raises(
        SourceFormatError, match=r"take0.bvh: no map has this skeleton \(23 joints, first 'Hips'\)"
    ) as error:
        BVH.read(ref, ReadOptions())
    assert error.value.reason == "unknown_skeleton"


@pytest.mark.parametrize(("gone", "reason"), [("up", "unknown_axis"), ("unit_m", "unknown_unit")])
def test_what_neither_file_nor_map_says_is_not_guessed(rig: tuple[Path, JointMap], gone: str, reason: str) -> None:
    root, joint_map = rig
    less = changed(joint_map, **{gone: None})
    (claim,) = recognise([root], None, (less,)).claims
    with pytest.raises(ClipError, match=f"add `{gone} = ...` to it") as error:
        read(claim, less)
    assert error.value.reason == reason


def test_added_frames_are_outside_the_valid_ones(rig: tuple[Path, JointMap]) -> None:
    root, joint_map = rig
    added = changed(joint_map, added_frames=3)
    (claim,) = recognise([root], None, (added,)).claims
    for raw in read(claim, added):
        assert raw.quats_TJ4 is not None
        assert raw.valid == (3, len(raw.quats_TJ4))


def test_end_sites_that_a_map_names_are_joints(rig: tuple[Path, JointMap]) -> None:
    root, joint_map = rig
    names = tuple(name for name in joint_map.names[0] if not name.endswith("Toe"))
    toes = {"LeftToe": "LeftAnkle.end", "RightToe": "RightAnkle.end"}
    for path in sorted((root / "takes").glob("*.bvh")):
        path.write_text(without_toes(path.read_text()))
    places = tuple(
        replace(place, rotation=toes[place.start].removesuffix(".end"), start=toes[place.start], end=toes[place.end])
        if place.start in toes
        else place
        for place in joint_map.places
    )
    ended = changed(joint_map, names=((*names, *toes.values()),), places=places, axes={})
    (claim,) = recognise([root], None, (ended,)).claims
    for raw in read(claim, ended):
        clip = normalise(raw)
        assert raw.skeleton.names[-2:] == ("LeftAnkle.end", "RightAnkle.end")
        assert clip.joint_mask.all()
        assert clip.offsets_22x3 is not None
        np.testing.assert_allclose(np.linalg.norm(clip.offsets_22x3[[10, 11]], axis=1), 0.134, atol=0.01)


def without_toes(text: str) -> str:
    """The same file with its toe joints made End Sites; their columns are the last three of each leg."""
    head, _, motion = text.partition("MOTION")
    joints = [line.split()[1] for line in head.splitlines() if line.startswith(("ROOT", "JOINT"))]
    lines: list[str] = []
    rows = iter(head.splitlines())
    for line in rows:
        if line.startswith("JOINT") and line.endswith("Toe"):
            lines.append("End Site")
            lines += [next(rows), next(rows)]  # brace and OFFSET
            next(rows)  # CHANNELS
            for _ in range(4):  # the toe's own End Site
                next(rows)
        else:
            lines.append(line)
    counts = np.cumsum([0, 6, *[3] * (len(joints) - 1)])
    kept = [
        column
        for k, name in enumerate(joints)
        if not name.endswith("Toe")
        for column in range(counts[k], counts[k + 1])
    ]
    body = motion.strip().splitlines()
    numbers = [" ".join(np.array(row.split())[kept]) for row in body[2:]]
    return "\n".join([*lines, "MOTION", *body[:2], *numbers, ""])


def test_ingest_reads_again_when_the_map_changes_and_not_otherwise(rig: tuple[Path, JointMap], tmp_path: Path) -> None:
    root, joint_map = rig
    path = tmp_path / "studio.toml"

    def again() -> int:
        return ingest([root], tmp_path / "store", skeletons=[path], executor=Serial()).clips

    assert again() == 2
    assert again() == 0
    path.write_text(joint_map_toml(changed(joint_map, title="Another title")))
    assert again() == 0
    path.write_text(joint_map_toml(changed(joint_map, licence="CC-BY-4.0", unit_m=0.0101)))
    assert again() == 2
    with open_store(tmp_path / "store") as store:
        rows = store.sql("SELECT key, licence, fk_error_m FROM clips ORDER BY key").rows()
    assert [row[:2] for row in rows] == [("studio/take0", "CC-BY-4.0"), ("studio/take1", "CC-BY-4.0")]
    assert all(row[2] < 5e-3 for row in rows)


def test_a_dry_run_knows_maps_too(rig: tuple[Path, JointMap], tmp_path: Path) -> None:
    root, _ = rig
    plan = dry_run([root], tmp_path / "store", skeletons=[tmp_path / "studio.toml"])
    assert [(one.source, one.files) for one in plan.sources] == [("bvh", 2)]


def test_two_maps_of_one_name_and_broken_ones_are_refused_before_anything_is_read(
    rig: tuple[Path, JointMap], tmp_path: Path
) -> None:
    root, joint_map = rig
    (tmp_path / "other").mkdir()
    twin = shutil.copy(tmp_path / "studio.toml", tmp_path / "other/studio.toml")
    with pytest.raises(UsageError, match="another map is called studio too"):
        ingest([root], tmp_path / "store", skeletons=[tmp_path / "studio.toml", twin])
    (tmp_path / "broken.skeleton.toml").write_text(joint_map_toml(joint_map).replace("pelvis", "hip"))
    with pytest.raises(ConfigError, match=r"broken.skeleton.toml: map.hip: no such key"):
        ingest([root], tmp_path / "store", skeletons=[tmp_path / "broken.skeleton.toml"])
    assert not (tmp_path / "store").exists()


def test_maps_beside_the_files_hold_for_their_folder_and_those_below(
    rig: tuple[Path, JointMap], tmp_path: Path
) -> None:
    root, joint_map = rig
    (root / "top.skeleton.toml").write_text(joint_map_toml(joint_map))
    (root / "near").mkdir()
    shutil.copy(root / "takes/take1.bvh", root / "near/take3.bvh")
    (root / "near" / "near.skeleton.toml").write_text(joint_map_toml(joint_map))
    (claim,) = recognise([root]).claims
    assert [ref.key for ref in BVH.discover(claim)] == ["near/take3", "top/take0", "top/take1"]
    assert {path.name for path in claim.files if path.suffix == ".toml"} == {"top.skeleton.toml", "near.skeleton.toml"}
    assert [raw.skeleton_id for raw in read(claim)] == ["near", "top", "top"]
    above = recognise([root / "near"]).claims
    assert [ref.key for ref in BVH.discover(above[0])] == ["near/take3"]


BVH_SOURCES = [
    "100style", "animated_drawings", "azure_kinect", "bandai_namco_1", "bones_seed", "cmu_3dsmax", "cmu_cgspeed", "cmu_daz",
    "humanik_z_up", "lafan1", "mixamo", "mocapnet", "perception_neuron", "rokoko", "smpl_bvh", "xia_style", "xsens",
]  # fmt: skip


@pytest.mark.parametrize("source", BVH_SOURCES)
def test_inspection_proposes_for_every_exporter_the_map_made_by_hand(
    source: str, write_tree: Callable[[str, Path], Any], tmp_path: Path
) -> None:
    write_tree(source, tmp_path)
    found = inspect(min(tmp_path.rglob("*.bvh")))
    assert found.known is not None
    assert found.proposal is not None
    assert found.proposal.confidence >= SURE_ENOUGH
    assert found.proposal.fk_error_m < 1e-3
    proposed, known = found.proposal.joint_map, JOINT_MAPS[found.known]
    assert proposed.up == (known.up or "y")
    for name, place, expected in zip(SMPL22_NAMES, proposed.places, known.places, strict=True):
        assert (place.rotation, place.start, place.masked) == (expected.rotation, expected.start, expected.masked), name


def test_known_sources_are_all_tried() -> None:
    trees = {name for name, reader in SOURCES.items() if ".bvh" in reader.suffixes}
    assert trees - {"bvh", "bandai_namco_2"} == set(BVH_SOURCES)
