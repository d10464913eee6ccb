"""InterHuman: two people of one scene, from parameters or from processed joints."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.normalise import normalise
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise


@pytest.fixture
def refs(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> dict[str, ClipRef]:
    write_tree("interhuman", tmp_path)
    return listed(tmp_path)


def listed(root: Path) -> dict[str, ClipRef]:
    return {ref.key: ref for claim in recognise([root]).claims for ref in SOURCES["interhuman"].discover(claim)}


def read(ref: ClipRef) -> RawClip:
    raw = SOURCES["interhuman"].read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    return raw


def test_each_person_of_a_scene_is_a_clip_and_joints_of_parameters_are_left_out(
    refs: dict[str, ClipRef], tmp_path: Path
) -> None:
    assert list(refs) == ["1#P1", "1#P2", "processed/7#P1", "processed/7#P2"]
    skipped = recognise([tmp_path]).skipped
    assert [(skip.path.name, "motions/" in skip.reason) for skip in skipped] == [("1.npy", True), ("1.npy", True)]
    assert list(listed(tmp_path / "motions")) == ["1#P1", "1#P2"]


def test_parameters_give_two_people_in_one_world_at_the_stated_rate(
    refs: dict[str, ClipRef], walk: Callable[..., Any]
) -> None:
    for person in (1, 2):
        raw = read(refs[f"1#P{person}"])
        assert (raw.fps, raw.up, raw.unit_m, raw.gender) == (Fraction(60000, 1001), "z", 1.0, "male")
        assert raw.betas is not None
        assert raw.group == "interhuman/1"
        assert raw.official_split == "test"
        assert raw.labels == {
            "recording": "1", "person": f"P{person}", "partner": f"1#P{3 - person}", "stated_fps": "59.94",
        }  # fmt: skip
        assert raw.flags == ("one_of_two",)
        assert [c.text for c in raw.captions] == ["In a match, one attacks.", "the two fight"]
        assert {c.uid for c in raw.captions} == {f"interhuman/1/p{person}"}
        clip = normalise(raw)
        wanted = walk(60.0, 1.0, person)
        assert clip.root_T3 is not None
        apart = clip.root_T3 - wanted.root_T3
        np.testing.assert_allclose(apart, np.tile([0.0, 0.0, -person], (len(apart), 1)), atol=1e-6)


def test_processed_files_give_joints_only(refs: dict[str, ClipRef], walk: Callable[..., Any]) -> None:
    raw = read(refs["processed/7#P2"])
    assert (raw.fps, raw.official_split, raw.flags) == (30, "val", ("one_of_two", "known_bad"))
    assert raw.labels["partner"] == "processed/7#P1"
    clip = normalise(raw)
    assert clip.kind == "joints"
    assert clip.joints_T22x3 is not None
    np.testing.assert_allclose(clip.joints_T22x3, walk(30.0, 1.0, 2).joints_T22x3 + np.array([0, 0, -2]), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda scene: scene.pop("mocap_framerate"), "no_frame_rate"),
        (lambda scene: scene.update(mocap_framerate=0.0), "no_frame_rate"),
        (lambda scene: scene.pop("person2"), "missing_array"),
        (lambda scene: scene["person2"].pop("trans"), "missing_array"),
        (lambda scene: scene["person2"].update(trans=np.zeros((3, 3))), "bad_shape"),
        (lambda scene: scene["person2"].update(pose_body=np.zeros((60, 69))), "bad_shape"),
        (lambda scene: scene["person2"].update(trans=np.full((60, 3), np.nan)), "non_finite"),
    ],
)
def test_a_scene_that_is_not_whole_is_refused_for_the_person_it_concerns(
    refs: dict[str, ClipRef], change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    ref = refs["1#P2"]
    scene = pickle.loads(ref.path.read_bytes())  # noqa: S301 - written by this test
    change(scene)
    ref.path.write_bytes(pickle.dumps(scene))
    with pytest.raises((SourceFormatError, ClipError)) as caught:
        read(ref)
    assert caught.value.reason == reason
    if "frame_rate" not in reason:
        assert read(refs["1#P1"]).fps > 0


def test_a_processed_array_of_another_width_is_refused(refs: dict[str, ClipRef]) -> None:
    np.save(refs["processed/7#P1"].path, np.zeros((5, 262)))
    with pytest.raises(SourceFormatError, match=r"\(T, 492\)") as caught:
        read(refs["processed/7#P1"])
    assert caught.value.reason == "bad_shape"


def test_words_that_are_no_text_cost_the_words(refs: dict[str, ClipRef], tmp_path: Path) -> None:
    (tmp_path / "annots" / "1.txt").write_bytes("zwei Leute kämpfen".encode("latin-1"))
    raw = read(refs["1#P1"])
    assert raw.captions == ()
    assert [fault.reason for fault in raw.faults] == ["not_utf8"]


def test_pickles_of_other_sets_are_left_alone(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> None:
    write_tree("aistpp", tmp_path)
    assert {claim.source for claim in recognise([tmp_path]).claims} == {"aistpp"}
