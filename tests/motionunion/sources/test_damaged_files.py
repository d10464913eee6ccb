"""Damage that got past a reader once, on small copies of the data sets: it must be refused, or cost what it damaged alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from motionunion.errors import ClipError, SourceFormatError
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise
from motionunion.sources.humanml3d_index import read_index

WriteTree = Callable[[str, Path], Any]


def outcomes(root: Path) -> dict[str, str]:
    """What becomes of every reading below a folder: `read`, or the reason of the refusal."""
    found = {}
    for claim in recognise([root]).claims:
        for ref in SOURCES[claim.source].discover(claim):
            try:
                SOURCES[claim.source].read(ref, ReadOptions())
                found[ref.key] = "read"
            except (SourceFormatError, ClipError) as error:
                found[ref.key] = error.reason
    return found


def test_a_number_that_no_float_holds_is_refused_in_joints_written_as_json(
    tmp_path: Path, write_tree: WriteTree
) -> None:
    write_tree("joint_arrays", tmp_path)
    before = outcomes(tmp_path)
    (path,) = (tmp_path / "pair").glob("*.json")
    path.write_text(re.sub(r"(\[\[\[\[)[^,]+", r"\g<1>" + "9" * 400, path.read_text(), count=1))
    changed = {key: outcome for key, outcome in outcomes(tmp_path).items() if outcome != before.get(key)}
    assert changed
    assert set(changed.values()) <= {"bad_dtype"}


def test_a_table_of_recordings_whose_lines_end_early_costs_no_motion(tmp_path: Path, write_tree: WriteTree) -> None:
    write_tree("egobody", tmp_path)
    before = outcomes(tmp_path)
    assert "read" in before.values()
    (path,) = tmp_path.rglob("data_info_release.csv")
    path.write_text(path.read_text() + "seminar_g110\n")
    assert outcomes(tmp_path) == before


@pytest.mark.parametrize("place", [200, 600, 1200])
def test_a_damaged_hdf5_structure_costs_its_own_file_alone(tmp_path: Path, write_tree: WriteTree, place: int) -> None:
    write_tree("joint_arrays", tmp_path)
    before = outcomes(tmp_path)
    (path,) = tmp_path.rglob("*.h5")
    data = path.read_bytes()
    path.write_bytes(data[:place] + b"\xa5" * 64 + data[place + 64 :])
    after = outcomes(tmp_path)
    others = {key: outcome for key, outcome in before.items() if not key.startswith("many")}
    assert {key: after.get(key) for key in others} == others


@pytest.mark.parametrize("said", ["1e999999999", "1e-999999999", "30/0", "-30", "٣٠", "1_0"])
def test_a_rate_in_words_that_are_no_ratio_is_refused_at_once(tmp_path: Path, write_tree: WriteTree, said: str) -> None:
    write_tree("joint_arrays", tmp_path)
    (path,) = tmp_path.rglob("lab.toml")
    path.write_text(path.read_text().replace("30000/1001", said))
    assert "bad_description" in {outcome for key, outcome in outcomes(tmp_path).items() if key.startswith("lab")}


def test_a_phase_of_endless_frames_costs_the_captions_alone(tmp_path: Path, write_tree: WriteTree) -> None:
    write_tree("humman", tmp_path)
    before = outcomes(tmp_path)
    assert set(before.values()) == {"read"}
    path = next(path for path in sorted(tmp_path.rglob("*.json")) if "end_frame" in path.read_text())
    path.write_text(re.sub(r'("end_frame": "?)[0-9]+', r"\g<1>" + "9" * 400, path.read_text(), count=1))
    assert outcomes(tmp_path) == before


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "link to itself"])
def test_what_is_called_a_map_and_is_no_file_costs_no_other_motion(
    tmp_path: Path, write_tree: WriteTree, kind: str
) -> None:
    write_tree("bvh", tmp_path)
    before = outcomes(tmp_path)
    assert set(before.values()) == {"read"}
    path = tmp_path / "takes" / "other.skeleton.toml"
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.name if kind == "link to itself" else "nothing")
    assert outcomes(tmp_path) == before


def test_a_name_of_endless_digits_in_humanml3d_s_index_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    name = f"./pose_data/humanact12/humanact12/P11G01R02F1812T{'9' * 5000}A0402.npy"
    path.write_text(f"source_path,start_frame,end_frame,new_name\n{name},0,-1,009707.npy\n")
    assert set(read_index(path).bad) == {2}
