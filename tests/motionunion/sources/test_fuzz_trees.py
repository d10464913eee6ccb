"""A few turns of `benchmarks/fuzz_trees.py`, whose whole summary is in `benchmarks/results/fuzz_trees.json`; and that it finds."""

from __future__ import annotations

import random
import shutil
import signal
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.fuzz import trees
from benchmarks.fuzz.tree_damage import damage
from benchmarks.fuzz.trees import write_tree
from benchmarks.fuzz_trees import TreeFuzzer, fuzz
from motionunion.clip import ClipRef
from motionunion.sources import ReadOptions
from motionunion.sources.humman import HuMMan

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers of processor time")

FORMATS = ("humman", "aistpp", "joint_arrays", "humanml3d", "mixamo", "babel", "motionmillion")
"""One source of each form: npz, pickle, described arrays and HDF5, features with lists, BVH, JSON, deep folders."""


@pytest.fixture
def fuzzer(tmp_path: Path) -> Iterator[TreeFuzzer]:
    tracemalloc.start()
    yield TreeFuzzer(["humman"], 1, tmp_path, tmp_path / "findings")
    tracemalloc.stop()


def findings_of(fuzzer: TreeFuzzer) -> list[str]:
    for _ in range(60):
        fuzzer.step("humman")
        if fuzzer.reports["humman"].findings:
            break
    return fuzzer.reports["humman"].findings


@pytest.mark.slow
def test_damaged_trees_are_read_or_refused_and_cost_what_was_damaged_alone(tmp_path: Path) -> None:
    reports = fuzz(FORMATS, 4, 5, tmp_path)
    assert {name: report.findings for name, report in reports.items() if report.findings} == {}
    assert set(reports) == set(FORMATS)
    assert all(report.inputs > 0 for report in reports.values())


def test_the_same_seed_damages_in_the_same_way_and_names_what_it_damaged(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    write_tree("humman", whole)
    before = state_of(whole)
    seen = set()
    for number in range(60):
        done = []
        for copy in ("one", "two"):
            root = tmp_path / copy / str(number)
            shutil.copytree(whole, root)
            done.append((*damage(root, random.Random(number)), state_of(root)))
        assert done[0] == done[1]
        words, files, after = done[0]
        assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} <= files
        seen |= {word for word in words.split() if "/" not in word}
    assert seen >= {"bytes", "cut", "lost", "exchanged", "arrays"}


def test_an_exception_of_another_kind_is_found_and_its_tree_kept(
    fuzzer: TreeFuzzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(self: HuMMan, ref: ClipRef, options: ReadOptions) -> None:
        raise KeyError("transl")

    monkeypatch.setattr(HuMMan, "read", read)
    assert any("KeyError" in finding for finding in findings_of(fuzzer))
    assert list(fuzzer.findings.rglob("*.npz"))


def test_damage_that_spreads_to_others_is_found(fuzzer: TreeFuzzer, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = trees._read

    def read(ref: ClipRef, root: Path) -> trees.Told:
        told = reading(ref, root)
        motions = sorted(root.rglob("*.npz"))
        return told if len(motions) == 2 else trees.Told("missing_twin", False, told.own, told.files, 0)

    monkeypatch.setattr(trees, "_read", read)
    assert any("is another reading: missing_twin" in finding for finding in findings_of(fuzzer))


def state_of(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.readlink().as_posix() if path.is_symlink() else path.read_bytes().hex()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }
