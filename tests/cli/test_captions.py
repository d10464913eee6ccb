"""`motionunion captions import` as a person types it: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.motionunion import app

pytest.importorskip("motionunion.ingest.run")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one AMASS clip, ingested from a file."""
    path = tmp_path / "amass/CMU/01/01_01_poses.npz"
    path.parent.mkdir(parents=True)
    rng = np.random.default_rng(0)
    np.savez(path, poses=rng.normal(0, 0.1, (240, 156)), trans=np.zeros((240, 3)), betas=np.zeros(16), gender="male",
             mocap_framerate=120.0)  # fmt: skip
    done = CliRunner().invoke(
        app, ["ingest", str(tmp_path / "amass"), "--store", str(tmp_path / "store"), "--jobs", "1"]
    )
    assert done.exit_code == 0, done.output
    return tmp_path / "store"


def test_captions_of_known_clips_are_added_and_counted(store: Path, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("clip,text\nCMU/01/01_01_poses.npz,a person stands\n")
    done = CliRunner().invoke(
        app, ["captions", "import", str(tmp_path / "own.csv"), "--store", str(store), "--layer", "own"]
    )
    assert done.exit_code == 0, done.output
    assert "1 captions of 1 motion files added (layer own)" in done.output


def test_names_that_are_not_in_the_store_end_with_exit_3(store: Path, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("clip,text\n01_01,a person stands\nnobody,nothing\n")
    done = CliRunner().invoke(app, ["captions", "import", str(tmp_path / "own.csv"), "--store", str(store), "--json"])
    assert done.exit_code == 3
    shown = json.loads(done.stdout)
    assert (shown["captions"], shown["unmatched"]) == (1, ["nobody"])
    assert "nobody" in done.stderr


def test_help_names_the_columns() -> None:
    done = CliRunner().invoke(app, ["captions", "import", "--help"])
    assert done.exit_code == 0
    assert "clip" in done.output
    assert "text" in done.output
