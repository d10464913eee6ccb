"""BEHAVE: a rate from times, missing frames, genders, sides, and a camera whose Y points down."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionunion.clip import ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.kinematics import forward_kinematics
from motionunion.normalise import normalise
from motionunion.sources.base import ReadOptions
from motionunion.sources.behave import Behave, frame_numbers, longest_run
from motionunion.sources.detect import recognise

WHOLE, TORN = "Date01_Sub01_backpack_back", "Date03_Sub06_yogaball_sit"


@pytest.fixture
def tree(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("behave", tmp_path / "set")
    return tmp_path / "set"


def clips_of(path: Path) -> dict[str, RawClip]:
    refs: list[ClipRef] = [ref for claim in recognise([path]).claims for ref in Behave().discover(claim)]
    return {ref.key: Behave().read(ref, ReadOptions()) for ref in refs}


def times_of(numbers: Any, rate: int, start: float = 3.0) -> Any:
    return np.array([f"t{start + number / rate:08.3f}" for number in numbers])


@given(
    rate=st.sampled_from([1, 10, 15, 24, 25, 30, 50, 60, 90]),
    steps=st.lists(st.sampled_from([1, 1, 1, 1, 1, 2, 5]), min_size=9, max_size=200),
    start=st.floats(0, 100),
)
def test_times_to_the_millisecond_give_the_rate_and_the_frames(rate: int, steps: list[int], start: float) -> None:
    numbers = np.concatenate([[0], np.cumsum([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, *steps])])
    steps_of_one = (np.diff(numbers) == 1).mean()
    if steps_of_one <= 0.5:
        return
    fps, found = frame_numbers(times_of(numbers, rate, start), len(numbers), Path("a"))
    assert fps == rate
    np.testing.assert_array_equal(found, numbers)


@given(st.lists(st.integers(1, 3), max_size=30))
def test_the_longest_run_has_no_gap_and_none_is_longer(steps: list[int]) -> None:
    numbers = np.concatenate([[0], np.cumsum(steps)]).astype(np.int64)
    start, end = longest_run(numbers)
    assert (np.diff(numbers[start:end]) == 1).all()
    longest = here = 1
    for step in steps:
        here = here + 1 if step == 1 else 1
        longest = max(longest, here)
    assert end - start == longest


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        (np.array(["t0001.000"]), "bad_shape"),
        (np.array(["t0001.000", "soon"]), "no_frame_rate"),
        (np.array(["t0001.000", "t0001.000"]), "uneven_frames"),
        (np.array(["t0001.000", "t0000.900"]), "uneven_frames"),
        (np.array(["t0001.000", "tnan"]), "uneven_frames"),
        (np.array(["t0001.000", "t0001.033", "t0001.084", "t0001.117", "t0001.150"]), "uneven_frames"),
    ],
)
def test_times_that_are_none_are_refused(times: Any, reason: str) -> None:
    with pytest.raises(SourceFormatError) as caught:
        frame_numbers(times, len(times), Path("a.npz"))
    assert caught.value.reason == reason


def test_times_may_be_bytes() -> None:
    assert frame_numbers(times_of(range(9), 30).astype("S9"), 9, Path("a"))[0] == Fraction(30)


def test_only_the_longest_stretch_without_a_gap_is_valid(tree: Path) -> None:
    clips = clips_of(tree)
    assert (clips[WHOLE].valid, clips[WHOLE].flags) == (None, ())
    torn = clips[TORN]
    assert (torn.flags, torn.labels["missing_frames"]) == (("frames_missing",), "2")
    assert torn.quats_TJ4 is not None
    assert torn.valid == (5, len(torn.quats_TJ4))


def test_gender_is_that_of_the_table_beside_it_or_of_the_subjects_number(tree: Path) -> None:
    assert {key: raw.gender for key, raw in clips_of(tree).items()} == {WHOLE: "male", TORN: "female"}
    (tree / "sequences" / WHOLE / "info.json").write_text(json.dumps({"gender": "Female"}))
    assert clips_of(tree)[WHOLE].gender == "female"


def test_a_table_that_cannot_be_read_costs_what_it_would_have_said(tree: Path) -> None:
    (tree / "sequences" / TORN / "info.json").write_text("{")
    raw = clips_of(tree)[TORN]
    assert [fault.reason for fault in raw.faults] == ["bad_label"]
    assert raw.gender == "female"


def test_sides_are_those_of_the_split_and_a_sequence_in_two_parts_keeps_its_side(tree: Path) -> None:
    assert {key: raw.official_split for key, raw in clips_of(tree).items()} == {WHOLE: "train", TORN: "test"}
    (tree / "sequences" / TORN).rename(tree / "sequences" / f"{TORN}_part2")
    assert clips_of(tree)[f"{TORN}_part2"].official_split == "test"
    (tree / "split.json").unlink()
    assert {raw.official_split for raw in clips_of(tree).values()} == {None}


@pytest.mark.parametrize("text", ["{", "[]", '{"train": 1}', "[" * 5000])
def test_a_split_that_cannot_be_read_costs_itself_alone(tree: Path, text: str) -> None:
    (tree / "split.json").write_text(text)
    clips = clips_of(tree)
    assert [[fault.reason for fault in raw.faults] for raw in clips.values()] == [["bad_split"]] * 2
    assert {raw.official_split for raw in clips.values()} == {None}


def test_the_split_of_another_set_is_left_alone(tree: Path) -> None:
    (tree / "split.json").write_text('{"train": ["walk"], "test": []}')
    assert "split.json" in {skip.path.name for skip in recognise([tree]).skipped}


def test_objects_are_passed_over_and_make_the_caption(tree: Path) -> None:
    assert [skip.reason for skip in recognise([tree]).skipped] == ["pose of an object, not of a person"] * 2
    assert [raw.captions[0].text for raw in clips_of(tree).values()] == [
        "a person handles a backpack",
        "a person handles a yoga ball",
    ]


def test_the_real_sequence_stands_upright_at_thirty_frames_a_second(real_data: Path) -> None:
    (raw,) = clips_of(real_data / "amass_like/behave").values()
    assert raw.quats_TJ4 is not None
    assert (len(raw.quats_TJ4), raw.fps, raw.gender, raw.valid) == (1408, 30, "male", None)
    joints = forward_kinematics(raw.root_T3, raw.quats_TJ4, raw.skeleton.offsets_J3, raw.skeleton.parents)
    floor = -joints[:, [10, 11], 1]
    assert np.ptp(np.percentile(floor, [5, 95])) < 0.1  # -Y is up: the feet keep one level
    assert 1.35 < np.median(-joints[:, 15, 1] - floor.min(axis=1)) < 1.65
    clip = normalise(raw)
    assert clip.provenance["up"] == "-y"
