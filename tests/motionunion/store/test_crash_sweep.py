"""A part of `benchmarks/crash_sweep.py`: the whole sweep's summary is in `benchmarks/results/crash_sweep.json`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.crash_sweep import write_source
from benchmarks.faults.injection import Fault, faulty
from benchmarks.faults.sweeping import apart, outcome_of, places, problems, state_of
from motionunion.store.storage import LocalStorage


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_source(tmp_path_factory.mktemp("source")))


@pytest.fixture(scope="module")
def reference(source: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    url = str(tmp_path_factory.mktemp("reference") / "store")
    assert outcome_of(url, source, Fault()) == "completed"
    return state_of(url)


def strike_everywhere(
    make_url: Callable[[int], str], source: str, reference: dict[str, object], fault: Fault, step: int
) -> int:
    """Faults injected in this process; fails with all that went wrong."""
    count = len(places(make_url(0), source, fault, disk=False))
    wrong = {}
    struck = range(1, count + 1, step)
    for at in struck:
        url = make_url(at)
        outcome = outcome_of(
            url, source, Fault(kind=fault.kind, at=at, after=fault.after, lasting=fault.lasting), disk=False
        )
        if found := problems(url, source, reference, outcome):
            wrong[at] = found
    assert not wrong
    return len(struck)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "step"),
    [
        (Fault(kind="stop"), 12),
        (Fault(kind="stop", after=True), 12),
        (Fault(kind="full", lasting=True), 5),
        (Fault(kind="read_error"), 9),
        (Fault(kind="reset"), 13),
        (Fault(kind="reset", after=True), 13),
    ],
    ids=lambda value: (
        f"{value.kind}{'-after' if value.after else ''}" if isinstance(value, Fault) else f"every-{value}"
    ),
)
def test_whatever_operation_fails_the_next_run_ends_in_the_same_store(tmp_path, source, reference, fault, step):
    def make_url(at: int) -> str:
        return str(tmp_path / str(at))

    assert strike_everywhere(make_url, source, reference, fault, step) >= 4


@pytest.mark.slow
def test_a_run_that_stops_at_any_operation_on_s3_is_made_good_by_the_next(bucket, source, reference):
    def make_url(at: int) -> str:
        return f"{bucket}/{at}"

    assert strike_everywhere(make_url, source, reference, Fault(kind="stop", after=True), 13) >= 4


@pytest.mark.slow
def test_twenty_kills_at_calls_to_the_disk_are_made_good_by_the_next_run(tmp_path, source, reference):
    count = len(apart(places, str(tmp_path / "counted"), source, Fault(kind="kill"), True))
    for number in range(20):
        url = str(tmp_path / str(number))
        at = 1 + number * (count - 1) // 19
        assert apart(outcome_of, url, source, Fault(kind="kill", at=at), True) == "killed", at
        assert apart(problems, url, source, reference, "killed") == [], at


def test_a_fault_strikes_where_it_is_told_and_nowhere_else(tmp_path):
    storage = LocalStorage(tmp_path)
    storage.put("a", b"old")
    full = faulty(storage, Fault(kind="full", at=2))
    full.put("b", b"1")
    assert full.get("a") == b"old"
    with pytest.raises(OSError, match="No space"):
        full.put("a", b"new")
    full.put("c", b"3")
    assert storage.get("a") == b"old"
    lost = faulty(storage, Fault(kind="reset", at=1, after=True))
    with pytest.raises(ConnectionResetError):
        lost.put("a", b"new")
    assert storage.get("a") == b"new"
    assert isinstance(lost, LocalStorage)


def test_state_of_nothing_is_nothing(tmp_path: Path):
    assert state_of(str(tmp_path / "none")) == {}
