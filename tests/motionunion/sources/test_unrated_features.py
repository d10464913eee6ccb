"""Feature folders without a frame rate: refused until a person says it, and what follows from what is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.sources import SOURCES
from motionunion.sources.base import Folder, ReadOptions
from motionunion.sources.detect import recognise

WriteTree = Callable[[str, Path], Any]


def readings(source: str, root: Path) -> dict[str, RawClip | Exception]:
    claim = SOURCES[source].recognise(Folder.list(root))
    assert claim is not None
    found: dict[str, RawClip | Exception] = {}
    for ref in SOURCES[source].discover(claim):
        try:
            raw = SOURCES[source].read(ref, ReadOptions())
            assert isinstance(raw, RawClip)
            found[ref.key] = raw
        except (ClipError, SourceFormatError) as error:
            found[ref.key] = error
    return found


@pytest.fixture
def combat(tmp_path: Path, write_tree: WriteTree) -> Path:
    write_tree("combat_motion", tmp_path / "CMP")
    return tmp_path / "CMP"


def test_without_a_stated_rate_everything_is_refused_and_told_what_to_do(combat: Path) -> None:
    (combat / "frame_rate.toml").unlink()
    for error in readings("combat_motion", combat).values():
        assert isinstance(error, ClipError)
        assert error.reason == "unknown_frame_rate"
        assert "frame_rate.toml" in str(error)


@pytest.mark.parametrize(
    ("said", "fps", "kept"), [("20", 20, True), ("30", 30, False), ("29.97", Fraction(30000, 1001), False)]
)
def test_features_are_kept_at_the_rate_that_they_are_made_for(
    combat: Path, said: str, fps: Fraction, kept: bool
) -> None:
    (combat / "frame_rate.toml").write_text(f"fps = {said}\n")
    for raw in readings("combat_motion", combat).values():
        assert isinstance(raw, RawClip)
        assert raw.fps == fps
        assert (raw.shipped is not None) == kept


@pytest.mark.parametrize(
    "said",
    [
        "fps = 0",
        'fps = "20"',
        "rate = 20",
        "fps = true",
        "fps = inf",
        "fps",
        "fps = " + "9" * 5000,
        "x = " + "[" * 5000,
    ],
)
def test_a_rate_that_is_none_is_refused_by_the_file_that_says_it(combat: Path, said: str) -> None:
    (combat / "frame_rate.toml").write_text(f"{said}\n")
    for error in readings("combat_motion", combat).values():
        assert isinstance(error, SourceFormatError)
        assert (error.path.name, error.reason) == ("frame_rate.toml", "bad_description")


def test_animations_of_one_character_and_mirror_twins_share_a_side(combat: Path) -> None:
    for name in ("MCMP008388", "SKR_250_600362", "MSKR_250_600361"):
        like = "CMP008388" if "CMP" in name else "SKR_250_600361"
        shutil.copy(combat / f"new_joint_vecs/{like}.npy", combat / f"new_joint_vecs/{name}.npy")
    groups = {key: raw.group for key, raw in readings("combat_motion", combat).items() if isinstance(raw, RawClip)}
    assert groups["MCMP008388"] == groups["CMP008388"]
    assert len({groups[key] for key in ("SKR_250_600361", "SKR_250_600362", "MSKR_250_600361")}) == 1
    assert len(set(groups.values())) == 2


def test_a_game_whose_name_begins_with_m_is_no_mirror_image(combat: Path) -> None:
    for name in ("MHW_029_032030", "MSKR_250_600361", "MDS3_029_032030"):
        shutil.copy(combat / "new_joint_vecs/SKR_250_600361.npy", combat / f"new_joint_vecs/{name}.npy")
    found = {key: raw for key, raw in readings("combat_motion", combat).items() if isinstance(raw, RawClip)}
    assert {key: raw.flags for key, raw in found.items() if key.startswith("M")} == {
        "MHW_029_032030": (), "MSKR_250_600361": ("mirrored",), "MDS3_029_032030": ()
    }  # fmt: skip
    assert [found[key].labels["game"] for key in ("MHW_029_032030", "MSKR_250_600361")] == ["MHW", "SKR"]
    # DS3's own clip is not here, and may be in another folder.
    assert found["MDS3_029_032030"].group == "combat_motion/ds3_029"


def test_other_feature_folders_are_left_to_humanml3d_and_kit(tmp_path: Path) -> None:
    (tmp_path / "new_joint_vecs").mkdir()
    for name in ("000004", "M000004", "00004", "M00004"):
        np.save(tmp_path / f"new_joint_vecs/{name}.npy", np.zeros((3, 263)))
    for source in ("combat_motion", "smoodi_100style"):
        assert SOURCES[source].recognise(Folder.list(tmp_path)) is None


def test_cuts_of_a_take_share_its_side_with_100style_and_no_published_split_is_followed(
    tmp_path: Path, write_tree: WriteTree
) -> None:
    write_tree("smoodi_100style", tmp_path)
    home = tmp_path / "100STYLE-SMPL"
    (home / "test.txt").write_text("030001\n")
    found = readings("smoodi_100style", home)
    for raw in found.values():
        assert isinstance(raw, RawClip)
        assert (raw.group, raw.official_split) == ("100style/aeroplane_br", None)
        assert raw.labels["style"] == "Aeroplane"
    mirror, base = found["M030001"], found["030001"]
    assert isinstance(mirror, RawClip)
    assert isinstance(base, RawClip)
    assert mirror.flags == ("mirrored",)
    assert [caption.generator for caption in (*mirror.captions, *base.captions)] == ["template", "human"]
    assert mirror.captions[0].text == "a person runs backward with arms spread like an aeroplane"


def test_the_table_of_takes_is_needed_and_may_lie_one_folder_up(tmp_path: Path, write_tree: WriteTree) -> None:
    write_tree("smoodi_100style", tmp_path)
    home = tmp_path / "100STYLE-SMPL"
    (home / "100STYLE_name_dict.txt").rename(tmp_path / "100STYLE_name_dict.txt")
    assert all(isinstance(raw, RawClip) for raw in readings("smoodi_100style", home).values())
    assert {claim.source for claim in recognise([tmp_path]).claims} == {"smoodi_100style"}
    (tmp_path / "100STYLE_name_dict.txt").unlink()
    for error in readings("smoodi_100style", home).values():
        assert isinstance(error, SourceFormatError)
        assert error.reason == "missing_table"
