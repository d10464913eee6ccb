"""`motionunion ingest` as a person meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.motionunion import app
from motionunion.errors import SourceFormatError, UsageError


@pytest.fixture
def amass(tmp_path: Path) -> Path:
    """Six SMPL-H files, two of them cut short."""
    for number in range(6):
        times = np.arange(60)[:, None] / 60
        poses = np.zeros((60, 156))
        poses[:, 0] = np.pi / 2
        poses[:, 3:66] = 0.1 * np.sin(times + np.arange(63) + number)
        path = tmp_path / "amass" / "CMU" / f"{number:02d}" / f"{number:02d}_01_poses.npz"
        path.parent.mkdir(parents=True)
        np.savez(path, poses=poses, trans=np.hstack([times, 0 * times, 0.95 + 0 * times]), betas=np.zeros(16),
                 gender="neutral", mocap_framerate=60.0)  # fmt: skip
        if number in (1, 4):
            path.write_bytes(path.read_bytes()[:5000])
    return tmp_path / "amass"


def call(*words: object) -> Any:
    return CliRunner().invoke(app, ["ingest", *(str(word) for word in words)])


def test_a_share_says_that_it_is_one(amass: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    done = call(amass, *store, "--shard", "0/1")
    assert done.exit_code == 3
    assert "Share 0/1 of the work: read into" in done.stdout
    assert "2 refused (2 truncated)" in done.stderr
    found = json.loads(call(amass, *store, "--shard", "0/1", "--json").stdout)
    assert (found["shard"], found["tasks"], found["refused"], found["standing_rejects"]) == ("0/1", 0, 0, 2)


def test_fail_is_exit_code_4_and_continue_is_3(amass: Path, tmp_path: Path) -> None:
    failed = call(amass, "--store", tmp_path / "failed", "--on-error", "fail")
    assert isinstance(failed.exception, SourceFormatError)
    assert failed.exception.exit_code == 4
    assert "_01_poses.npz" in str(failed.exception)
    assert call(amass, "--store", tmp_path / "store", "--on-error", "continue").exit_code == 3


def test_memory_is_a_size_and_enough(amass: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    for words, problem in {"much": "not a size", "10MB": "too little to read anything"}.items():
        done = call(amass, *store, "--memory", words)
        assert isinstance(done.exception, UsageError)
        assert problem in str(done.exception)
    assert not (tmp_path / "store").exists()
    assert call(amass, *store, "--memory", "2GiB", "--jobs", 1).exit_code == 3


def test_wrong_words_are_wrong_usage(amass: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    for words in (("--engine", "slurm"), ("--on-error", "ignore")):
        assert call(amass, *store, *words).exit_code == 2
    assert isinstance(call(amass, *store, "--shard", "2/2").exception, UsageError)
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_with_ray_too_stdout_is_the_result_alone(amass: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    done = subprocess.run(
        [Path(sys.executable).with_name("motionunion"), "ingest", amass, "--store", tmp_path / "store", "--engine", "ray", "--json"],
        capture_output=True, text=True, env=os.environ | {"RAY_ADDRESS": "local"},
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    assert found["sources"]["amass_smplh"]["clips"] == 4
    assert (
        found["fingerprint"] == json.loads(call(amass, "--store", tmp_path / "other", "--json").stdout)["fingerprint"]
    )
