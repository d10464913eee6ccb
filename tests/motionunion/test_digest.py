"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from motionunion.digest import canonical_json, write_atomic


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_a_file_has_the_mode_that_any_new_file_would_have(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomic(tmp_path / "atomic", b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_write_that_fails_leaves_the_old_bytes_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_canonical_json_refuses_what_json_has_no_word_for() -> None:
    with pytest.raises(ValueError):
        canonical_json({"loss": float("nan")})
    assert canonical_json({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()


def test_a_place_that_a_folder_has_is_named_by_its_own_name(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(OSError, match="there") as refused:
        write_atomic(tmp_path / "there", b"x")
    assert refused.value.filename == str(tmp_path / "there")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
