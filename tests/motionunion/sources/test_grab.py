"""GRAB: AMASS's names, sides by object, shapes of the subjects' meshes, and pickled parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manifests import source_manifest
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.npz import member_heads, read_npz
from motionunion.formats.plain_pickle import read_object_array
from motionunion.sources.amass_names import uid_of
from motionunion.sources.base import ReadOptions
from motionunion.sources.detect import recognise
from motionunion.sources.grab import Grab


@pytest.fixture
def tree(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("grab", tmp_path / "set")
    return tmp_path / "set"


def refs_of(path: Path) -> list[ClipRef]:
    return [ref for claim in recognise([path]).claims for ref in Grab().discover(claim)]


def read(ref: ClipRef) -> RawClip:
    return Grab().read(ref, ReadOptions())


def rewrite(path: Path, name: str | None = None, **changes: Any) -> Path:
    arrays: dict[str, Any] = {}
    for member, head in member_heads(path).items():
        arrays[member] = read_object_array(path, member) if head.pickled else read_npz(path, (member,))[member]
    arrays |= changes
    path = path if name is None else path.with_name(f"{name}.npz")
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def params_of(path: Path) -> dict[str, Any]:
    params: dict[str, Any] = read_object_array(path, "body").item()["params"]
    return params


def test_a_take_has_the_uid_that_it_has_in_amass(tree: Path) -> None:
    refs = refs_of(tree)
    assert [ref.key for ref in refs] == ["s2/airplane_fly_1", "s2/mug_drink_2"]
    assert [ref.uid for ref in refs] == [
        uid_of("GRAB/s2/airplane_fly_1_stageii"),
        uid_of("GRAB/s2/mug_drink_2_stageii"),
    ]
    assert all(read(ref).group is None for ref in refs)  # hence the uid


@pytest.mark.parametrize(("thing", "side"), [("mug", "test"), ("apple", "val"), ("duck", "train")])
def test_sides_are_by_object(tree: Path, thing: str, side: str) -> None:
    path = rewrite(tree / "grab/s2/mug_drink_2.npz", f"{thing}_lift")
    raw = read(next(ref for ref in refs_of(tree) if ref.path == path))
    assert raw.official_split == side
    assert raw.labels["object"] == thing


def test_the_authors_lists_of_objects_name_ten(tree: Path) -> None:
    manifest = source_manifest("grab")
    named = [*manifest["objects"]["test"], *manifest["objects"]["val"]]
    assert len(set(named)) == 10
    assert set(named) <= set(manifest["caption"]["object"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mug_drink_2", "a person drinks from a mug"),
        ("airplane_lift_Retake", "a person lifts a toy airplane"),
        ("binoculars_see_1", "a person looks through binoculars"),
        ("mug_juggle_1", None),
        ("saw_lift", None),
    ],
)
def test_captions_are_made_of_what_the_tables_know(tree: Path, name: str, text: str | None) -> None:
    path = rewrite(tree / "grab/s2/mug_drink_2.npz", name)
    raw = read(next(ref for ref in refs_of(tree) if ref.path == path))
    assert [caption.text for caption in raw.captions] == ([] if text is None else [text])


def test_hands_and_face_go_along(tree: Path) -> None:
    raw = read(refs_of(tree)[0])
    full = params_of(tree / "grab/s2/airplane_fly_1.npz")["fullpose"]
    np.testing.assert_array_equal(raw.hands_T90, full[:, 75:])
    assert {name: track.shape[1] for name, track in raw.face.items()} == {"jaw": 3, "eyes": 6, "expression": 10}
    assert (raw.fps, raw.up, raw.gender, raw.labels["intent"]) == (120, "z", "female", "use")


def test_shape_numbers_are_those_of_the_subjects_mesh(tree: Path, tmp_path: Path) -> None:
    raw = read(refs_of(tree)[0])
    np.testing.assert_allclose(raw.betas, np.linspace(-1, 1, 10))
    assert raw.flags == ()
    assert [path.name for path in raw.inputs] == ["airplane_fly_1.npz", "s2_betas.npy"]
    (tree / "tools").rename(tmp_path / "gone")
    raw = read(refs_of(tree)[0])
    assert (raw.betas, raw.flags, len(raw.inputs)) == (None, ("no_shape",), 1)


def test_a_name_of_a_subject_leads_nowhere_else(tree: Path) -> None:
    np.save(tree / "grab" / "x_betas.npy", np.ones(10))
    path = rewrite(tree / "grab/s2/mug_drink_2.npz", sbj_id="../../../grab/x")
    raw = read(next(ref for ref in refs_of(tree) if ref.path == path))
    np.testing.assert_allclose(raw.betas, np.linspace(-1, 1, 10))


def test_without_the_whole_pose_its_parts_are_taken_and_hands_are_not(tree: Path) -> None:
    path = tree / "grab/s2/mug_drink_2.npz"
    before, params = read(refs_of(tree)[1]), params_of(path)
    del params["fullpose"]
    rewrite(path, body={"params": params})
    raw = read(refs_of(tree)[1])
    np.testing.assert_array_equal(raw.quats_TJ4, before.quats_TJ4)
    assert raw.hands_T90 is None


def test_a_file_without_a_rate_has_the_sets_own(tree: Path) -> None:
    rewrite(tree / "grab/s2/mug_drink_2.npz", framerate=None)
    assert read(refs_of(tree)[1]).fps == 120
    rewrite(tree / "grab/s2/mug_drink_2.npz", framerate=60.0)
    assert read(refs_of(tree)[1]).fps == 60


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"params": {"transl": np.zeros((4, 3))}}, "missing_array"),
        ({"params": {"fullpose": np.zeros((4, 165))}}, "missing_array"),
        ({"params": {"fullpose": np.zeros((4, 165)), "transl": np.zeros((5, 3))}}, "bad_shape"),
        ({"other": 1}, "missing_array"),
        (Path("run me"), "pickled"),
        (np.zeros(3), "bad_dtype"),
    ],
)
def test_a_body_that_is_none_is_refused(tree: Path, body: Any, reason: str) -> None:
    rewrite(tree / "grab/s2/mug_drink_2.npz", body=body)
    with pytest.raises(SourceFormatError) as caught:
        read(refs_of(tree)[1])
    assert caught.value.reason == reason
