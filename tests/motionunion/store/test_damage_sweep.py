"""A part of `benchmarks/damage_sweep.py`: the whole sweep's summary is in `benchmarks/results/damage_sweep.json`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.damage_sweep import Outcome, Place, build_store, draw_places, kind_of, read_everything, sweep

PLACES = 25


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_store(tmp_path_factory.mktemp("sweep"))


@pytest.mark.slow
def test_check_finds_every_damage_and_no_reading_is_wrong(store: Path) -> None:
    places = draw_places(store, PLACES)
    kinds = {kind_of(path.relative_to(store).as_posix()) for path in store.rglob("*") if path.is_file()}
    assert {place.kind for place in places} == kinds
    assert {f"{kind} shards" for kind in ("clips", "captions", "segments", "rejects", "receipts")} <= kinds
    before = read_everything(store)
    in_all = Outcome()
    for outcome in sweep(store, places, note=lambda line: None).values():
        in_all.add(outcome)
    assert in_all.open == []
    assert (in_all.places, in_all.found) == (PLACES, PLACES)
    assert (in_all.wrong, in_all.crashed) == (0, 0)
    assert in_all.refused > 0
    assert in_all.right > 0
    assert read_everything(store) == before


def test_a_place_is_one_bit_or_a_tail() -> None:
    assert Place("x", "x", 1, 3).harm(b"\x00\x00\x00") == b"\x00\x08\x00"
    assert Place("x", "x", 1, None).harm(b"abc") == b"a"


@pytest.mark.slow
def test_a_reading_that_nothing_notices_would_be_counted_as_wrong(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from motionunion.features import FeatureSet

    load = FeatureSet.load
    monkeypatch.setattr(FeatureSet, "load", staticmethod(lambda folder, verify=False: load(folder)))
    place = next(place for place in draw_places(store, 200) if place.kind == "features values.npy" and place.bit)
    outcome = sweep(store, [place], note=lambda line: None)["features values.npy"]
    assert (outcome.found, outcome.wrong) == (1, 1)
    assert len(outcome.open) == 1
