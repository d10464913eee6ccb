"""Scratch folders go with their owner: at the end, after an error, and after the owner's death."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from motionunion.archives.scratch import clear_abandoned, scratch_folder

_DIES = """
import os, signal, sys
from pathlib import Path
from motionunion.archives.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), "killed") as folder:
    (folder / "half").write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_scratch_folder_is_gone_when_its_block_ends_however_it_ends(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "unpacked", "one") as folder:
        (folder / "a" / "b").mkdir(parents=True)
    with contextlib.suppress(ValueError), scratch_folder(tmp_path / "unpacked", "two") as folder:
        (folder / "c").touch()
        raise ValueError("stop")
    assert not (tmp_path / "unpacked").exists()


def test_folders_at_work_are_left_alone_and_two_may_bear_one_label(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "unpacked", "same") as one, scratch_folder(tmp_path / "unpacked", "same") as other:
        assert one != other
        assert clear_abandoned(tmp_path / "unpacked") == 0
        assert one.is_dir()
        assert other.is_dir()


def test_another_person_s_folders_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs.lock").touch()

    def closed(path: Path, flags: int, mode: int = 0o777) -> int:
        raise PermissionError(13, "Permission denied", str(path))  # which the tests' own user may not get

    monkeypatch.setattr(os, "open", closed)
    assert clear_abandoned(tmp_path) == 0
    assert (tmp_path / "theirs").is_dir()


def test_folders_of_a_process_that_was_killed_are_cleared(tmp_path: Path) -> None:
    tmp_path = tmp_path / "unpacked"
    done = subprocess.run([sys.executable, "-c", _DIES, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2  # the folder and its lock
    with scratch_folder(tmp_path, "alive") as mine:
        assert clear_abandoned(tmp_path) == 1
        assert [path for path in tmp_path.iterdir() if path.is_dir()] == [mine]
    assert not tmp_path.exists()
