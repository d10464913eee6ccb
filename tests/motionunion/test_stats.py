from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path

import pytest

from motionunion.clip import Caption, Segment
from motionunion.store.store import open_store


@pytest.fixture
def made(tmp_path: Path):
    """The store tests' own clip maker and desk."""
    where = Path(__file__).parent / "store" / "conftest.py"
    spec = importlib.util.spec_from_file_location("store_conftest", where)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.Desk(tmp_path / "store")


def test_everything_is_counted_per_source_and_in_all(made):
    module, desk = made
    walk = module.build_clip("walk", frames=3600, fps=Fraction(60), official_split="test")
    run = module.build_clip("run", frames=1800, fps=Fraction(30), official_split="train", flags=("synthetic",))
    amass = module.build_clip(
        "a", source="amass", frames=7200, fps=Fraction(120), body="template", official_split="val"
    )
    said = {"walk": tuple(Caption(uid=walk.uid, text=text, layer="x") for text in ("walks", "strolls"))}
    desk.commit(desk.receipt(clips=(run, walk), captions=said, rejects=(("bad", "truncated"),)))
    desk.commit(desk.receipt(clips=(amass,), source="amass"))
    desk.commit(desk.receipt(rejects=(("x", "pickled"), ("y", "pickled")), source="grab"))
    open_store(desk.path).append(
        {
            "captions": [Caption(uid="nobody/here", text="?", layer="y")],
            "segments": [Segment(uid=amass.uid, name="000001", layer="y", start_s=0, end_s=1)],
        },
        source="y",
        key="file",
    )
    found = open_store(desk.path).stats()
    assert (found["clips"], found["frames"], found["captions"], found["rejects"]) == (3, 12600, 2, 3)
    assert found["hours"] == pytest.approx(3 / 60)
    assert found["fps"] == [30.0, 60.0, 120.0]
    assert found["splits"] == {"train": 1, "val": 1, "test": 1}
    assert (found["template_body"], found["synthetic"]) == (1, 1)
    assert (found["captions_waiting"], found["segments"], found["segments_waiting"]) == (1, 1, 0)
    assert found["reject_reasons"] == {"pickled": 2, "truncated": 1}
    assert found["rejects_share"] == pytest.approx(3 / 7)  # three clips, three refusals, one list of captions
    by_name = {one["source"]: one for one in found["sources"]}
    assert list(by_name) == ["amass", "grab", "made_up"]
    assert by_name["made_up"]["share"] == pytest.approx(2 / 3)
    assert by_name["made_up"]["captioned_clips"] == 1
    assert by_name["made_up"]["fps"] == [30.0, 60.0]
    assert by_name["grab"] == {**by_name["grab"], "clips": 0, "rejects": 2, "rejects_share": 1.0, "share": 0.0}


def test_an_empty_store_counts_to_nothing(made):
    _, desk = made
    found = open_store(desk.path).stats()
    assert (found["clips"], found["hours"], found["sources"], found["fps"]) == (0, 0, [], [])
    assert len(found["fingerprint"]) == 64
