"""100STYLE's cut list: which frames are the motion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from motionunion.clip import RawClip
from motionunion.errors import ClipError
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise

HEADER = "STYLE_NAME,BW_START,BW_STOP,FW_START,FW_STOP"


@pytest.fixture
def takes(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("100style", tmp_path / "100STYLE")
    return tmp_path / "100STYLE"


def read(root: Path) -> dict[str, RawClip]:
    (claim,) = recognise([root]).claims
    source = SOURCES["100style"]
    return {ref.key: source.read(ref, ReadOptions()) for ref in source.discover(claim)}


@pytest.mark.parametrize("folder", [".", ".."])
def test_frames_outside_the_cut_are_not_valid(takes: Path, folder: str) -> None:
    (takes / folder / "Frame_Cuts.csv").write_text(f"{HEADER}\r\nAngry,N/A,N/A, 20 ,90\r\nOld,30,100000,,\r\n")
    raws = read(takes)
    assert {key: raw.valid for key, raw in raws.items()} == {"Angry_FW": (20, 90), "Old_BW": (30, 120)}
    assert {len(raw.quats_TJ4) for raw in raws.values()} == {120}
    assert [path.name for path in raws["Angry_FW"].inputs] == ["Angry_FW.bvh", "Frame_Cuts.csv"]


def test_a_style_that_is_not_in_the_list_is_valid_throughout(takes: Path) -> None:
    (takes / "Frame_Cuts.csv").write_text(f"{HEADER}\nangry,N/A,N/A,20,90\n")
    raws = read(takes)
    assert raws["Angry_FW"].valid == (20, 90)
    assert raws["Old_BW"].valid is None


@pytest.mark.parametrize("cells", ["x,90", "90,20", "-3,9", "5,", "nan,7", "1e400,2"])
def test_a_bad_cut_is_named_by_line_and_costs_the_cut_not_the_clip(takes: Path, cells: str) -> None:
    (takes / "Frame_Cuts.csv").write_text(f"{HEADER}\nOld,1,9,,\nAngry,,,{cells}\n")
    raw = read(takes)["Angry_FW"]
    assert raw.valid is None
    (fault,) = raw.faults
    assert (fault.line, fault.reason) == (3, "bad_label")


def test_a_list_without_its_columns_is_said_to_be_none(takes: Path) -> None:
    (takes / "Frame_Cuts.csv").write_text("a,b\n1,2\n")
    assert [fault.line for fault in read(takes)["Old_BW"].faults] == [1]


def test_a_cut_beyond_the_end_is_another_take_s(takes: Path) -> None:
    (takes / "Frame_Cuts.csv").write_text(f"{HEADER}\nAngry,,,500,900\n")
    with pytest.raises(ClipError, match="do not belong together") as caught:
        read(takes)
    assert caught.value.reason == "no_valid_frames"
