"""Captions from text files: HumanML3D's lines, sidecars, and what is wrong with others."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionunion.captions import clip_interval, read_humanml3d_text, sidecar_captions, sidecar_file
from motionunion.clip import ClipRef
from motionunion.errors import SourceFormatError

SECONDS = st.floats(-1, 20) | st.just(math.nan)


def ref_of(path: Path) -> ClipRef:
    return ClipRef(source="amass_smplh", key=path.stem, uid=f"amass/{path.stem}", path=path, root=path.parent)


@pytest.mark.parametrize(
    ("start", "end", "seconds", "interval"),
    [
        (0.0, 0.0, 5.0, (None, None)),
        (1.0, 2.0, 5.0, (1.0, 2.0)),
        (2.0, 1.0, 5.0, (1.0, 2.0)),
        (2.0, 2.0, 5.0, (None, None)),
        (math.nan, 2.0, 5.0, (0.0, 2.0)),
        (math.nan, math.nan, 5.0, (None, None)),
        (1.0, 9.0, 5.0, (1.0, 5.0)),
        (1.0, 9.0, None, (1.0, 9.0)),
        (6.0, 9.0, 5.0, (6.0, 9.0)),
        (-1.0, 2.0, 5.0, (0.0, 2.0)),
    ],
)
def test_times_follow_the_rules_of_the_field(
    start: float, end: float, seconds: float | None, interval: tuple[float | None, float | None]
) -> None:
    assert clip_interval(start, end, seconds) == interval


@given(SECONDS, SECONDS, st.none() | st.floats(0.1, 20))
def test_an_interval_is_empty_or_in_order(start: float, end: float, seconds: float | None) -> None:
    first, last = clip_interval(start, end, seconds)
    assert (first is None) == (last is None)
    if first is not None and last is not None:
        assert 0 <= first < last


def test_a_file_of_captions_keeps_tags_times_and_letters(tmp_path: Path) -> None:
    path = tmp_path / "000001.txt"
    path.write_bytes("\ufeffun café.#un/DET café/NOUN#0.0#0.0\r\n\r\nturns##1.0#2.0\r\n".encode())
    first, second = read_humanml3d_text(path, 4.0)
    assert (first.text, first.tokens, first.start_s) == ("un café.", "un/DET café/NOUN", None)
    assert (second.text, second.tokens, second.start_s, second.end_s) == ("turns", None, 1.0, 2.0)


def test_a_sidecar_may_hold_plain_lines_and_humanml3d_lines(tmp_path: Path) -> None:
    (tmp_path / "walk.txt").write_text("a person walks\n\nrank #1 of walks\nturns#turn/VERB#1.0#9.0\n")
    said = sidecar_captions(ref_of(tmp_path / "walk.npz"), seconds=4.0)
    assert [(c.text, c.tokens, c.start_s, c.end_s) for c in said] == [
        ("a person walks", None, None, None),
        ("rank #1 of walks", None, None, None),
        ("turns", "turn/VERB", 1.0, 4.0),
    ]
    assert {(c.uid, c.layer, c.segment) for c in said} == {("amass/walk", "sidecar", None)}


def test_without_a_sidecar_there_are_no_captions(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("x")
    assert sidecar_file(ref_of(tmp_path / "walk.npz")) is None
    assert sidecar_captions(ref_of(tmp_path / "walk.npz")) == ()


def test_a_sidecar_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "walk.txt").write_bytes("fine\nna\u00efve\n".encode("latin1"))
    with pytest.raises(SourceFormatError, match="UTF-8") as caught:
        sidecar_captions(ref_of(tmp_path / "walk.npz"))
    assert (caught.value.reason, caught.value.line) == ("not_utf8", 2)


def test_a_caption_file_of_megabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "walk.txt").write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(SourceFormatError) as caught:
        sidecar_captions(ref_of(tmp_path / "walk.npz"))
    assert caught.value.reason == "too_large"
