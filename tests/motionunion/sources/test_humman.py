"""HuMMan: mirror images with their motions, phases as captions, one shape out of many."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import ClipRef, RawClip
from motionunion.sources.base import ReadOptions
from motionunion.sources.detect import recognise
from motionunion.sources.humman import HuMMan


@pytest.fixture
def tree(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("humman", tmp_path / "set")
    return tmp_path / "set"


def clips_of(path: Path) -> list[RawClip]:
    refs: list[ClipRef] = [ref for claim in recognise([path]).claims for ref in HuMMan().discover(claim)]
    return [HuMMan().read(ref, ReadOptions()) for ref in refs]


def test_a_mirror_image_is_flagged_and_stays_with_its_motion(tree: Path) -> None:
    motion, mirror = clips_of(tree)
    assert motion.group == mirror.group == "humman/p000459_a000011"
    assert (motion.flags, mirror.flags) == ((), ("shape_varies", "mirrored"))
    assert motion.labels == mirror.labels == {"person": "000459", "action": "000011"}


def test_rate_and_axis_are_the_viewers(tree: Path) -> None:
    assert {(raw.fps, raw.up, raw.gender) for raw in clips_of(tree)} == {(30, "z", "neutral")}


def test_phases_are_captions_with_their_times(tree: Path) -> None:
    first, second = clips_of(tree)[0].captions
    assert (first.text, first.start_s, first.end_s) == ("Stand with legs open.", 0.0, 0.4)
    assert (second.text, second.start_s, second.end_s) == ("Take several steps.", 0.4, 2.0)
    assert {caption.layer for caption in (first, second)} == {"humman"}


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", '[{"start_frame": 0}]', '[{"start_frame": 5, "end_frame": 5, "all": "x"}]',
     '[{"start_frame": "a", "end_frame": 5, "all": "x"}]', "7"],
)  # fmt: skip
def test_phases_that_cannot_be_read_cost_themselves_alone(tree: Path, text: str) -> None:
    (tree / "annotations/p000459_a000011.json").write_text(text)
    raw = clips_of(tree)[0]
    assert raw.captions == ()
    assert [fault.reason for fault in raw.faults] == ["bad_caption"]


def test_motions_alone_are_read_without_captions(tree: Path, tmp_path: Path) -> None:
    (tree / "smpl_on_ground").rename(tmp_path / "alone")
    assert [raw.captions for raw in clips_of(tmp_path / "alone")] == [(), ()]


def test_a_phase_without_a_word_is_none(tree: Path) -> None:
    phases = [{"start_frame": 0, "end_frame": 9, "all": " "}]
    (tree / "annotations/p000459_a000011.json").write_text(json.dumps(phases))
    assert clips_of(tree)[0].captions == ()


def test_a_shape_for_every_frame_becomes_their_median(tree: Path) -> None:
    motion, mirror = clips_of(tree)
    assert mirror.betas is not None
    np.testing.assert_allclose(motion.betas, np.full(10, 0.5))
    np.testing.assert_allclose(mirror.betas, np.full(10, 0.5 + 1e-3 * 29.5))


def test_files_of_other_names_are_not_its_own(tree: Path) -> None:
    path = tree / "smpl_on_ground/p000459_a000011.npz"
    path.rename(path.with_name("smpl_params.npz"))
    assert len(clips_of(tree)) == 1
