"""`drop` and `compact` as a person types them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.motionunion import app


def call(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of three clips, read in two runs."""
    poses = np.zeros((60, 156))
    poses[:, 0] = np.pi / 2
    for number in range(3):
        path = tmp_path / f"part{number // 2}" / "amass" / f"0{number}_poses.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        trans = np.full((60, 3), 0.9 + 0.01 * number)
        np.savez(path, poses=poses, trans=trans, betas=np.zeros(16), gender="neutral", mocap_framerate=60.0)
    for part in range(2):
        call("ingest", tmp_path / f"part{part}", "--jobs", 1, "--store", tmp_path / "store")
    return tmp_path / "store"


def test_drop_says_what_brings_clips_back_and_when_nothing_matches(store: Path) -> None:
    at = ("--store", store)
    assert "--undo" not in call("drop", "--where", "key like '%00%'", "--dry-run", *at)
    assert "motionunion drop --undo" in call("drop", "--where", "key like '%00%'", *at)
    assert "Nothing here matches" in call("drop", "--where", "key like '%00%'", *at)
    assert "motionunion ingest PATH" in call("drop", "--undo", "--where", "true", *at)


def test_compact_says_what_deletes_the_old_shards(store: Path) -> None:
    assert "until `motionunion gc`" in call("compact", "--store", store)
    assert "There was nothing to do" in call("compact", "--store", store)
