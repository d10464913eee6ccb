"""Real processes, really killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motionunion.engines.serial import Serial
from motionunion.ingest.run import ingest
from motionunion.store.check import check_store
from motionunion.store.store import open_store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

_PROGRAM = """
import json
import sys
import motionunion.ingest.plan as plan
import motionunion.store.committer as committer
from cli.show import run_command
from motionunion.ingest.run import ingest

plan._SMALLEST_TASK = 1 << 15  # many tasks, and a commit for each: many moments to be killed at
committer.COMMIT_EVERY_S = 0.0
if __name__ == "__main__":
    run_command(lambda: ingest([sys.argv[1]], sys.argv[2], jobs=2, **json.loads(sys.argv[3])) and None)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("program") / "ingest_it.py"
    path.write_text(_PROGRAM)
    return path


def start(program: Path, source: Path, store: Path, **options: str) -> subprocess.Popen[bytes]:
    # A group of its own, so that a signal can be sent to it and its workers as a terminal does.
    return subprocess.Popen(
        [sys.executable, program, source, store, json.dumps(options)], start_new_session=True, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, env=os.environ | {"RAY_ADDRESS": "local"},
    )  # fmt: skip


@pytest.mark.slow
def test_killed_at_six_random_moments_it_always_ends_in_the_same_fingerprint(program, tmp_path, amass):
    source = amass(tmp_path / "amass", 60, frames=400)
    whole = ingest([source], tmp_path / "whole", executor=Serial()).fingerprint
    began = time.monotonic()
    assert start(program, source, tmp_path / "undisturbed").wait() == 0
    duration = time.monotonic() - began
    moments, rng = [], random.Random(2)
    for number in range(3):
        store = tmp_path / f"store{number}"
        for _ in range(2):  # on the way to one store
            running = start(program, source, store)
            moments.append(rng.uniform(0.1, 1.0) * duration)
            try:
                running.wait(timeout=moments[-1])
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
        if (store / "store.json").exists():
            assert check_store(store).sound
        finished = start(program, source, store)
        assert finished.wait() == 0, finished.communicate()
        finished.communicate()
        assert open_store(store).fingerprint() == whole, moments


def wait_for_a_commit(store: Path) -> None:
    while not list((store / "commits").glob("0*.json")):
        time.sleep(0.01)


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"shard": "1/2"}, marks=pytest.mark.slow),
        pytest.param({"engine": "ray"}, marks=pytest.mark.slow),
    ],
    ids=["pool", "share", "ray"],
)
def test_ctrl_c_finishes_and_commits_what_is_in_hand_and_a_second_one_stops_at_once(program, tmp_path, amass, options):
    if "engine" in options:
        pytest.importorskip("ray")
    source = amass(tmp_path / "amass", 24, frames=120)
    whole = ingest([source], tmp_path / "whole", executor=Serial()).fingerprint
    for presses in (1, 2):
        store = tmp_path / f"store{presses}"
        running = start(program, source, store, **options)
        wait_for_a_commit(store)
        for _ in range(presses):
            os.killpg(running.pid, signal.SIGINT)
            time.sleep(0.05)
        _, errors = running.communicate()
        assert running.returncode == 130, errors
        assert b"run the same command again" in errors
        assert check_store(store).sound
        assert 0 < open_store(store).rows("SELECT count(*) FROM clips")[0][0] < 24
        assert ingest([source], store, executor=Serial()).fingerprint == whole


def test_the_workers_of_a_killed_parent_end_by_themselves(program, tmp_path, amass):
    running = start(program, amass(tmp_path / "amass", 24, frames=120), tmp_path / "store")
    wait_for_a_commit(tmp_path / "store")
    group = running.pid
    running.kill()
    running.communicate()  # returns when the last holder of the pipes is gone: the workers
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker outlived its parent by 30 s")
