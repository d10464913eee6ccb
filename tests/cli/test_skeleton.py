"""`motionunion skeleton inspect` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.motionunion import app
from motionunion.errors import ClipError, UsageError
from motionunion.sample.bvh import write_bvh


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes of a skeleton that nobody knows: the sample's, with other names."""
    folder = tmp_path_factory.mktemp("takes")
    for path in write_bvh(folder, 3):
        if path.stem.endswith(("_FW", "_BW")):
            path.write_text(path.read_text().replace("Chest", "Rumpf").replace("Hips", "Becken"))
        else:
            path.unlink()
    return folder


def call(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_an_unknown_file_is_inspected_its_map_saved_and_used(takes: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    unread = call("ingest", takes, *store)
    assert "skeleton inspect" in str(unread.exception)
    path = takes / "Synthetic_FW.bvh"
    shown = call("skeleton", "inspect", path, "--save", tmp_path / "studio.toml")
    assert shown.exit_code == 0
    for said in (
        "Becken",
        "Rumpf4",
        "left_collar",
        "LeftCollar",
        "T-pose",
        "60 Hz",
        "0.01 m",
        "not known",
        "confidence",
    ):
        assert said in shown.stdout
    assert "two legs and two arms" in shown.stderr
    assert f"motionunion ingest {takes} --skeleton {tmp_path / 'studio.toml'}" in shown.stderr
    done = call("ingest", takes, *store, "--skeleton", tmp_path / "studio.toml", "--jobs", "1")
    assert done.exit_code == 0, done.output
    rows = json.loads(call("query", "SELECT key, fk_error_m FROM clips ORDER BY key", *store, "--json").stdout)
    assert [row[0] for row in rows["rows"]] == ["studio/Synthetic_BW", "studio/Synthetic_FW"]
    assert all(row[1] < 0.005 for row in rows["rows"])


def test_json_holds_everything(takes: Path) -> None:
    found = json.loads(call("skeleton", "inspect", takes / "Synthetic_FW.bvh", "--json").stdout)
    assert (found["fps"], found["frames"], found["known"], found["refusal"]) == ("60", 720, None, None)
    assert [joint["name"] for joint in found["joints"]][:2] == ["Becken", "Rumpf"]
    assert found["joints"][1]["parent"] == 0
    proposal = found["proposal"]
    assert proposal["up"]["value"] == "y"
    assert proposal["unit_m"]["value"] == 0.01
    assert proposal["map"]["left_knee"]["rotation"] == "LeftKnee"
    assert proposal["confidence"] > 0.9


def test_a_known_skeleton_needs_no_map(tmp_path: Path) -> None:
    path = write_bvh(tmp_path, 4)[0]
    shown = call("skeleton", "inspect", path)
    assert "known as xsens_100style" in shown.stdout
    assert f"This skeleton is known. Next: motionunion ingest {tmp_path}" in shown.stderr


def test_what_is_no_body_is_shown_and_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "stick.bvh"
    path.write_text(
        "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Xrotation Yrotation Zrotation\nJOINT b\n{\nOFFSET 0 1 0\n"
        "CHANNELS 3 Xrotation Yrotation Zrotation\nEnd Site\n{\nOFFSET 0 1 0\n}\n}\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n"
        "0 0 0 0 0 0\n"
    )
    shown = call("skeleton", "inspect", path)
    assert shown.exit_code == 0
    assert "none: no two legs and two arms" in shown.stdout
    refused = call("skeleton", "inspect", path, "--save", tmp_path / "map.toml")
    assert isinstance(refused.exception, ClipError)
    assert refused.exception.exit_code == 4
    assert not (tmp_path / "map.toml").exists()


def test_what_is_no_bvh_is_not_called_a_broken_one(takes: Path, tmp_path: Path) -> None:
    (tmp_path / "walk.npz").write_bytes(b"PK")
    for path, said in ((takes, "is a folder; name one BVH file in it"), (tmp_path / "walk.npz", "is no .bvh")):
        error = call("skeleton", "inspect", path).exception
        assert isinstance(error, UsageError)
        assert said in str(error)


def test_a_map_that_is_not_sure_is_not_offered_for_saving(takes: Path, tmp_path: Path) -> None:
    path = tmp_path / "stilts.bvh"
    lines = (takes / "Synthetic_FW.bvh").read_text().splitlines()
    # Shins four times as long: no person, and no unit would make it one.
    for joint in ("LeftAnkle", "RightAnkle"):
        index = next(place for place, line in enumerate(lines) if f"JOINT {joint}" in line) + 2
        words = lines[index].split()
        lines[index] = " ".join(["OFFSET", *(str(4 * float(word)) for word in words[1:])])
    path.write_text("\n".join(lines) + "\n")
    shown = call("skeleton", "inspect", path)
    assert shown.exit_code == 0
    assert "Not sure enough to be saved" in shown.stderr
    assert "--save my_data.toml" not in shown.stderr
