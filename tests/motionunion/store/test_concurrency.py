"""Several processes at once on one store, as on one machine or many: nothing is lost, and no reader sees an error."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from motionunion.store.check import check_store
from motionunion.store.committer import Committer
from motionunion.store.compact import compact
from motionunion.store.store import open_store

SCRIPT = Path(__file__).with_name("beside.py")


class Process:
    """Another process, which does one thing after the other, or one thing until it is told to stop."""

    def __init__(self, role, place, number=0):
        self.role = role
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), role, str(place), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def begin(self, number):
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()

    def answer(self):
        line = self._process.stdout.readline()
        assert line, f"{self.role} died: {self._process.communicate()[1]}"
        return json.loads(line)

    def end(self):
        """Close its input; what it says last, if anything."""
        said, errors = self._process.communicate()
        assert self._process.returncode == 0, errors
        return json.loads(said) if said.strip() else None

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def processes():
    with contextlib.ExitStack() as started:

        def start(*arguments):
            process = Process(*arguments)
            started.callback(process.kill)
            return process

        yield start


@pytest.fixture(scope="module")
def beside():
    spec = importlib.util.spec_from_file_location("beside", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def serial(beside, folder, rounds, writers=(0, 1)):
    """The store that one process makes of the same work."""
    desk = beside.made.Desk(folder)
    committer = Committer(open_store(desk.path).storage, "serial")
    for number in range(rounds):
        for writer in writers:
            for receipt in beside.work(desk, writer, number):
                committer.add(receipt)
        committer.flush()
    committer.close()
    return open_store(folder)


def together(processes, place, rounds, others=()):
    """Two writers, round by round, beside others; what the others have seen."""
    writers = [processes("write", place, number) for number in (0, 1)]
    running = [processes(role, place) for role in others]
    for number in range(rounds):
        for writer in writers:
            writer.begin(number)
        commits = [writer.answer() for writer in writers]
        assert commits[0] != commits[1]
    for writer in writers:
        writer.end()
    return [process.end() for process in running]


@pytest.mark.slow
def test_two_writers_and_a_reader_for_fifty_rounds(processes, beside, tmp_path):
    place = tmp_path / "store"
    open_store(place, create=True)
    [seen] = together(processes, place, 50, ["read"])
    store = open_store(place)
    assert store.fingerprint() == serial(beside, tmp_path / "serial", 50).fingerprint()
    assert store.rows("SELECT count(*) FROM clips") == [(100 + 50 + beside.SUPERSEDED,)]
    assert seen["newest"] == store.commit
    assert seen["commits"] > 10
    assert seen["clips"] > 20
    assert check_store(place).sound


def test_two_writers_and_a_reader(processes, beside, tmp_path):
    place = tmp_path / "store"
    open_store(place, create=True)
    [seen] = together(processes, place, 2, ["read"])
    assert open_store(place).fingerprint() == serial(beside, tmp_path / "serial", 2).fingerprint()
    assert seen["newest"] == open_store(place).commit


@pytest.mark.slow
def test_compaction_beside_two_writers_and_a_reader(processes, beside, tmp_path):
    place = tmp_path / "store"
    open_store(place, create=True)
    compacted, seen = together(processes, place, 8, ["compact", "read"])
    store = open_store(place)
    assert compacted["commits"] > 0
    assert compacted["clips"] > 0
    assert seen["clips"] > 0
    assert store.fingerprint() == serial(beside, tmp_path / "serial", 8).fingerprint()
    assert check_store(place).sound
    compact(place)
    assert open_store(place).fingerprint() == store.fingerprint()


@pytest.mark.slow
def test_a_drop_beside_a_writer_and_a_reader(processes, beside, tmp_path):
    place = tmp_path / "store"
    open_store(place, create=True)
    writer, dropper, reader = processes("write", place), processes("drop", place), processes("read", place)
    dropped = 0
    for number in range(10):
        writer.begin(number)
        dropper.begin(number - 1)
        writer.answer()
        dropped += dropper.answer()
    for process in (writer, dropper, reader):
        process.end()
    store = open_store(place)
    assert dropped == 9
    assert store.rows("SELECT key FROM clips WHERE key LIKE 'own%'") == [("own0-009",)]
    assert store.rows("SELECT count(*) FROM receipts WHERE outcome = 'dropped'") == [(9,)]
    desk = beside.made.Desk(place)  # all of it once more: what was dropped stays dropped
    before = store.fingerprint()
    again = [receipt for number in range(10) for receipt in beside.work(desk, 0, number)]
    assert desk.commit(*again).fingerprint() == before
    assert check_store(place).sound


@pytest.mark.slow
def test_two_writers_a_compaction_and_a_reader_on_an_object_store(processes, beside, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("MOTIONUNION_CACHE", str(tmp_path / "cache"))
    place = f"{bucket}/store"
    open_store(place, create=True)
    compacted, seen = together(processes, place, 6, ["compact", "read"])
    store = open_store(place)
    assert compacted["commits"] > 0
    assert seen["newest"] <= store.commit
    assert store.fingerprint() == serial(beside, tmp_path / "serial", 6).fingerprint()
    assert check_store(place).sound
