"""A minute of `benchmarks/fuzz_parsers.py`, whose whole summary is in `benchmarks/results/fuzz_parsers.json`; and that it finds."""

from __future__ import annotations

import random
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import fuzz_parsers
from benchmarks.fuzz.mutation import MOST_BYTES
from benchmarks.fuzz.targets import TARGETS, Target
from benchmarks.fuzz_parsers import Fuzzer, fuzz

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers of processor time")


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def fuzzer_of(read: Callable[[Path], int], tmp_path: Path) -> Fuzzer:
    """A fuzzer of text files that holds a parser with a fault in it."""
    return Fuzzer([Target("sidecar", ".txt", read)], 1, tmp_path, tmp_path / "findings")


def findings_of(read: Callable[[Path], int], tmp_path: Path) -> list[str]:
    fuzzer = fuzzer_of(read, tmp_path)
    for _ in range(200):
        fuzzer.step(fuzzer.targets[0])
        if fuzzer.reports["sidecar"].findings:
            break
    return fuzzer.reports["sidecar"].findings


@pytest.mark.slow
def test_a_minute_of_damage_finds_no_crash_no_hang_and_no_flood_of_memory(tmp_path: Path) -> None:
    reports = fuzz(list(TARGETS), 4, 60, tmp_path)
    assert {name: report.findings for name, report in reports.items() if report.findings} == {}
    assert set(reports) == set(TARGETS)
    for name, report in reports.items():
        assert report.read > 0, name
        assert report.inputs > len(TARGETS[name].seeds()), name


@pytest.mark.usefixtures("traced")
def test_seeds_are_read_and_damaged_in_the_same_way_for_the_same_seed(tmp_path: Path) -> None:
    for target in TARGETS.values():
        fuzzer = Fuzzer([target], 7, tmp_path, tmp_path / "findings")
        assert fuzzer.reports[target.name].read == len(target.seeds())
        inputs = [[target.damage(seed, target.seeds(), source) for seed in target.seeds() * 5] for source in
                  (random.Random(5), random.Random(5))]  # fmt: skip
        assert inputs[0] == inputs[1]
        assert max(map(len, inputs[0])) <= MOST_BYTES
        assert len(set(inputs[0])) > 1


@pytest.mark.usefixtures("traced")
def test_an_exception_of_another_kind_is_found_and_its_input_kept(tmp_path: Path) -> None:
    def read(path: Path) -> int:
        if b"walks" not in path.read_bytes() and b"waves" not in path.read_bytes():
            raise KeyError("walks")
        return 1

    assert any("KeyError" in finding for finding in findings_of(read, tmp_path))
    kept = list((tmp_path / "findings").iterdir())
    assert kept
    assert all(b"walks" not in path.read_bytes() for path in kept)


@pytest.mark.usefixtures("traced")
def test_a_parser_that_does_not_come_back_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_parsers, "HANG_S", 0.05)

    def read(path: Path) -> int:
        while b"walks" not in path.read_bytes() and b"waves" not in path.read_bytes():
            try:
                list(range(100))
            except Exception:  # noqa: BLE001 - such a parser must not get away with it
                continue
        return 1

    assert any("processor time" in finding for finding in findings_of(read, tmp_path))


@pytest.mark.usefixtures("traced")
def test_memory_out_of_proportion_is_found(tmp_path: Path) -> None:
    def read(path: Path) -> int:
        data = path.read_bytes()
        return 1 if b"walks" in data or b"waves" in data else int(np.zeros(70 << 20, dtype=np.uint8)[0]) + 1

    assert any("beyond ten times its content" in finding for finding in findings_of(read, tmp_path))
