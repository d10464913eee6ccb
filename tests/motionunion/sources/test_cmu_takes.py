"""Takes captured at 60 frames a second, which the BVH conversions call 120."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manifests import source_manifest
from motionunion.clip import RawClip
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.cmu_takes import take_of
from motionunion.sources.detect import recognise


def read_as(name: str, folder: Path) -> RawClip:
    (claim,) = recognise([folder]).claims
    assert claim.source == "cmu_cgspeed"
    refs = {ref.key: ref for ref in SOURCES[claim.source].discover(claim)}
    raw = SOURCES[claim.source].read(refs[name], ReadOptions())
    assert isinstance(raw, RawClip)
    return raw


@pytest.fixture
def folder(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("cmu_cgspeed", tmp_path)
    return tmp_path / "01"


@pytest.mark.parametrize(
    ("name", "fps", "flags"),
    [("60_01", 60, ("fps_corrected",)), ("79_12_painting", 60, ("fps_corrected",)), ("74_09", 120, ()), ("01_01", 120, ())],
)  # fmt: skip
def test_a_slow_take_that_says_120_is_read_at_its_own_rate_and_flagged(
    folder: Path, name: str, fps: int, flags: tuple[str, ...]
) -> None:
    (folder / "01_01.bvh").rename(folder / f"{name}.bvh")
    raw = read_as(name, folder)
    assert (raw.fps, raw.flags) == (fps, flags)


def test_a_slow_take_that_says_another_rate_is_believed(folder: Path) -> None:
    path = (folder / "01_01.bvh").rename(folder / "60_01.bvh")
    path.write_text(path.read_text().replace("Frame Time: 0.0083333", "Frame Time: 0.0333333"))
    raw = read_as("60_01", folder)
    assert (raw.fps, raw.flags) == (30, ())


def test_the_table_of_slow_takes_counts_what_amass_does() -> None:
    """495 of AMASS's takes are 60 frames a second; subjects that are listed whole are not listed take by take too."""
    rates = source_manifest("cmu_asfamc")["rates"]
    whole, single, but = (rates[key].split() for key in ("sixty_subjects", "sixty", "but_120"))
    assert (len(whole), len(single), len(but)) == (17, 10, 5)
    assert not {take.split("_")[0] for take in single} & set(whole)
    assert {take.split("_")[0] for take in but} <= set(whole)
    assert take_of("dance") is None
