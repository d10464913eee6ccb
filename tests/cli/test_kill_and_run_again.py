"""SIGKILL at random moments: the same command, run again, ends where an undisturbed run ends.

Real processes on the small synthetic sample. The moments come from a seeded generator and the measured length of an
undisturbed run, so that they fall all over it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

KILLS = 4
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.slow


def command(*words: str) -> list[str]:
    return [str(BIN / words[0]), *words[1:]]


def run(folder: Path, *words: str) -> float:
    """Run to the end; seconds taken."""
    began = time.monotonic()
    done = subprocess.run(command(*words), cwd=folder, capture_output=True, text=True)
    assert done.returncode in (0, 3), f"{words}: exit {done.returncode}\n{done.stderr}"
    return time.monotonic() - began


def run_and_kill(folder: Path, seconds: float, *words: str) -> None:
    """Start a command in a process group of its own, and kill the whole group after some seconds."""
    process = subprocess.Popen(
        command(*words), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def kill_many_times(folder: Path, length: float, seed: int, *words: str) -> None:
    moments = random.Random(seed)
    for _ in range(KILLS):
        run_and_kill(folder, moments.uniform(0.05, 1.0) * length, *words)


def answer(folder: Path, *words: str) -> dict[str, object]:
    done = subprocess.run(command(*words), cwd=folder, capture_output=True, text=True, check=True)
    value = json.loads(done.stdout)
    assert isinstance(value, dict)
    return value


def digest_of_tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    run(folder, "motionunion", "sample", ".", "--clips", "48")
    return folder


@pytest.fixture(scope="module")
def finished(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ingest and tokenize ran undisturbed."""
    folder = tmp_path_factory.mktemp("finished")
    run(folder, "motionunion", "ingest", str(sample / "amass"))
    run(folder, "scamo", "tokenize", "--codebook", "65536", "--preset", "tiny")
    return folder


def copy(folder: Path, to: Path, *names: str) -> None:
    for name in names:
        subprocess.run(["cp", "-r", str(folder / name), str(to / name)], check=True)


def test_ingest_killed_many_times_ends_in_the_same_fingerprint(sample: Path, finished: Path, tmp_path: Path) -> None:
    other = tmp_path / "undisturbed"
    other.mkdir()
    length = run(other, "motionunion", "ingest", str(sample / "amass"))
    kill_many_times(tmp_path, length, 1, "motionunion", "ingest", str(sample / "amass"))
    run(tmp_path, "motionunion", "ingest", str(sample / "amass"))
    expected = answer(finished, "motionunion", "stats", "--json")
    found = answer(tmp_path, "motionunion", "stats", "--json")
    assert found["fingerprint"] == expected["fingerprint"]
    assert found["clips"] == expected["clips"]
    assert answer(tmp_path, "motionunion", "check", "--json")


def test_tokenize_killed_many_times_writes_the_same_corpus_bytes(finished: Path, tmp_path: Path) -> None:
    copy(finished, tmp_path, "motionunion-store")
    (tmp_path / "scamo-runs").mkdir()
    copy(finished, tmp_path, "scamo-runs/tokenizers")
    line = ("scamo", "tokenize", "--codebook", "65536", "--preset", "tiny")
    length = run(finished, *line)
    kill_many_times(tmp_path, length, 2, *line)
    run(tmp_path, *line)
    expected = digest_of_tree(finished / "scamo-runs" / "corpora")
    assert expected
    assert digest_of_tree(tmp_path / "scamo-runs" / "corpora") == expected


def test_tokenizer_training_killed_many_times_finishes_with_the_same_weights(finished: Path, tmp_path: Path) -> None:
    copy(finished, tmp_path, "motionunion-store")
    line = ("scamo", "tokenize", "--codebook", "65536", "--preset", "tiny")
    kill_many_times(tmp_path, 12.0, 3, *line)
    run(tmp_path, *line)
    weights = "scamo-runs/tokenizers/*/tokenizer.safetensors"
    (expected,) = finished.glob(weights)
    (found,) = tmp_path.glob(weights)
    assert found.read_bytes() == expected.read_bytes()


def test_train_ar_killed_many_times_ends_with_a_finished_model(finished: Path, tmp_path: Path) -> None:
    copy(finished, tmp_path, "motionunion-store", "scamo-runs")
    line = ("scamo", "train-ar", "--steps", "12")
    other = tmp_path / "undisturbed"
    other.mkdir()
    copy(finished, other, "motionunion-store", "scamo-runs")
    length = run(other, *line)
    kill_many_times(tmp_path, length, 4, *line)
    run(tmp_path, *line)
    (expected,) = other.glob("scamo-runs/models/*/model.safetensors")
    (found,) = tmp_path.glob("scamo-runs/models/*/model.safetensors")
    assert found.read_bytes() == expected.read_bytes()
