"""KIT-ML in both forms, the sides of its joints, and the AMASS files that its ids are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import Annotation, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.normalise import normalise
from motionunion.skeleton import SMPL22_NAMES
from motionunion.sources.base import Folder, Reading, ReadOptions
from motionunion.sources.kitml import KitML, read_table
from motionunion.sources.kitml_paths import amass_uids

READER = KitML()


def readings(root: Path) -> dict[str, Reading | Exception]:
    claim = READER.recognise(Folder.list(root))
    assert claim is not None
    found: dict[str, Reading | Exception] = {}
    for ref in READER.discover(claim):
        try:
            found[ref.key] = READER.read(ref, ReadOptions())
        except (ClipError, SourceFormatError) as error:
            found[ref.key] = error
    return found


@pytest.fixture
def tree(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("kitml", tmp_path)
    return tmp_path


def test_joints_at_100_frames_a_second_are_the_person_who_walked(tree: Path, walk: Callable[..., Any]) -> None:
    raw = readings(tree / "kit-mocap")["00002"]
    assert isinstance(raw, RawClip)
    clip = normalise(raw)
    there = np.flatnonzero(clip.joint_mask)
    assert [SMPL22_NAMES[joint] for joint in np.flatnonzero(~clip.joint_mask)] == [
        "spine2",
        "left_collar",
        "right_collar",
    ]
    assert clip.joints_T22x3 is not None
    np.testing.assert_allclose(clip.joints_T22x3[:, there], walk(100, seed=1).joints_T22x3[:, there], atol=1e-5)
    assert (clip.fps, clip.group, clip.flags[0]) == (100, "kitml/00002", "side_unverified")


def test_an_id_that_is_an_amass_file_shares_its_group_and_speaks_of_it_too(tree: Path) -> None:
    found = readings(tree / "kit-mocap")
    raw, said = found["00001"], found["00003"]
    assert isinstance(raw, RawClip)
    assert raw.group == "amass/kit/4/walking01"
    assert [caption.uid for caption in raw.captions] == ["kitml/00001", "amass/kit/4/walking01"]
    assert isinstance(said, Annotation)
    assert [(caption.uid, caption.text) for caption in said.captions] == [
        ("amass/kit/3/kneel", "A person kneels down.")
    ]


def test_features_are_kept_and_their_joints_are_those_beside_them(tree: Path, walk: Callable[..., Any]) -> None:
    root = tree / "KIT-ML"
    raw = readings(root)["03950"]
    assert isinstance(raw, RawClip)
    assert raw.shipped is not None
    assert (raw.shipped.representation, raw.shipped.features_TD.shape[1], raw.fps) == (
        "kit251@12.5",
        251,
        Fraction(25, 2),
    )
    assert (raw.official_split, [caption.text for caption in raw.captions]) == ("train", ["a person walks"])
    pelvis = normalise(raw).joints_T22x3
    assert pelvis is not None
    np.testing.assert_allclose(pelvis[:, 0], walk(12.5, seed=3).joints_T22x3[:, 0], atol=1e-5)
    shutil.rmtree(root / "new_joints")
    decoded = readings(root)["03950"]
    assert isinstance(decoded, RawClip)
    assert decoded.joints_TJ3 is not None
    assert decoded.joints_TJ3.shape == (len(raw.shipped.features_TD), 21, 3)


def test_the_split_of_an_id_goes_to_its_amass_file(tree: Path) -> None:
    root = tree / "KIT-ML"
    (root / "amass-path2kitml.json").write_text(json.dumps({"03950": "KIT/3/walk_poses.npz"}))
    shutil.copy(root / "new_joint_vecs/03950.npy", root / "new_joint_vecs/M03950.npy")
    found = readings(root)
    raw, mirror = found["03950"], found["M03950"]
    assert isinstance(raw, RawClip)
    assert isinstance(mirror, RawClip)
    (segment,) = raw.segments
    assert (segment.uid, segment.name, segment.split, segment.end_s) == ("amass/kit/3/walk", "03950", "train", 0.0)
    assert (mirror.group, mirror.segments, mirror.flags) == (raw.group, (), ("side_unverified", "mirrored"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[: len(text) // 2], "truncated"),
        (lambda text: text.replace("BP_tx", "LS_tx", 1), "bad_shape"),
        (lambda text: text.replace(",root_tx", "", 1), "bad_shape"),
        (lambda text: text + "1,2,3\n", "bad_shape"),
        (lambda text: text.replace("\n0,", "\nzero,", 1), "bad_values"),
        (lambda text: text.split("\n")[0] + "\n", "truncated"),
    ],
)
def test_a_table_that_is_none_is_refused(tree: Path, change: Callable[[str], str], reason: str) -> None:
    path = tree / "kit-mocap" / "00001_fke.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(SourceFormatError) as caught:
        read_table(path)
    assert caught.value.reason == reason


def test_a_row_of_what_is_no_number_is_refused_as_motion(tree: Path) -> None:
    path = tree / "kit-mocap" / "00001_fke.csv"
    lines = path.read_text().split("\n")
    lines[3] = ",".join(["2", *["nan"] * 63])
    path.write_text("\n".join(lines))
    with pytest.raises(ClipError, match="first frame 2"):
        read_table(path)


def test_columns_without_names_are_taken_in_the_order_of_the_set(tree: Path) -> None:
    path = tree / "kit-mocap" / "00001_fke.csv"
    named = read_table(path)
    path.write_text(path.read_text().replace(path.read_text().split("\n")[0], "," + ",".join(map(str, range(63))), 1))
    np.testing.assert_array_equal(read_table(path), named)


def test_bad_sentences_cost_themselves(tree: Path) -> None:
    (tree / "kit-mocap" / "00001_annotations.json").write_text('{"no": "list"}')
    raw = readings(tree / "kit-mocap")["00001"]
    assert isinstance(raw, RawClip)
    assert ([fault.reason for fault in raw.faults], raw.captions) == (["bad_caption"], ())


def test_the_real_map_names_amass_files(real_data: Path) -> None:
    uids = amass_uids(real_data / "kitml/amass_annotation_unifier/amass-path2kitml.json")
    assert uids["02489"] == "amass/cmu/139/139_13"
    assert {uid.split("/")[1] for uid in uids.values()} == {"kit", "cmu", "ekut"}
    assert len(uids) == 3701
