"""Disks and paths that refuse: one line that names the place, exit code 4, and no traceback."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.show import run_command

resource = pytest.importorskip("resource", reason="limits of a process are POSIX's")

WRITE_TOO_MUCH = """
import resource, sys
from pathlib import Path
from cli.show import run_command
from motionunion.digest import write_atomic
from tokenizer.training_log import TrainingLog
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
folder = Path(sys.argv[1])
writes = {
    "log": lambda: TrainingLog(folder).write({"kind": "x" * 2000}),
    "file": lambda: write_atomic(folder / "state.pt", bytes(2000)),
}
run_command(writes[sys.argv[2]])
"""


@pytest.mark.parametrize(("what", "file"), [("log", "metrics.jsonl"), ("file", "state.pt")])
def test_a_file_that_finds_no_room_is_named(tmp_path: Path, what: str, file: str) -> None:
    line = [sys.executable, "-c", WRITE_TOO_MUCH, str(tmp_path), what]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 4
    assert f"error: {tmp_path / file}: the disk is full" in done.stderr
    assert "Traceback" not in done.stderr


def below_a_file(folder: Path) -> None:
    (folder / "file").touch()
    (folder / "file" / "runs").mkdir()


def a_name_too_long(folder: Path) -> None:
    (folder / ("x" * 300)).mkdir()


@pytest.mark.parametrize("act", [below_a_file, a_name_too_long])
def test_a_path_that_cannot_be_is_named(
    tmp_path: Path, act: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cli.show._drop_output", lambda: None)
    with pytest.raises(SystemExit) as ended:
        run_command(lambda: act(tmp_path))
    said = capsys.readouterr().err
    assert ended.value.code == 4
    assert said.startswith(f"error: {tmp_path}")
    assert "run the same command again" in said


def test_an_error_that_no_place_gave_is_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    with pytest.raises(SystemExit) as ended:
        run_command(fail)
    assert ended.value.code == 1
    assert "bug: OSError" in capsys.readouterr().err
