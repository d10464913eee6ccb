"""`scamo tokenize` on the store of a small data folder, in processes of its own: its answer, its bytes, and a damaged one."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent
LINE = ("scamo", "tokenize", "--codebook", "65536", "--preset", "tiny")

pytestmark = pytest.mark.slow


def run(folder: Path, *words: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([BIN / words[0], *words[1:]], cwd=folder, capture_output=True, text=True)
    assert done.returncode == expected, f"{words}: exit {done.returncode}\n{done.stderr}"
    return done


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with a store and a corpus that one process wrote, and what the command answered. For reading only."""
    folder = tmp_path_factory.mktemp("made")
    run(folder, "motionunion", "sample", ".", "--clips", "12")
    run(folder, "motionunion", "ingest", "amass", expected=3)  # five of its files are bad on purpose
    return folder, json.loads(run(folder, *LINE, "--jobs", "1", "--json").stdout)


def test_the_answer_says_what_was_made_and_where(made: tuple[Path, dict[str, Any]]) -> None:
    folder, answer = made
    assert (answer["codebook"], answer["codebook_size"], answer["levels"]) == (65536, 64000, [8, 8, 8, 5, 5, 5])
    assert (folder / answer["tokenizer"] / "tokenizer.safetensors").is_file()
    manifest = json.loads((folder / answer["corpus"] / "manifest.json").read_bytes())
    assert answer["fingerprint"] == manifest["sha256"]
    assert (manifest["codebook_size"], manifest["end_id"], manifest["code_type"]) == (64000, 64000, "uint16")
    stats = json.loads(run(folder, "motionunion", "stats", "--json").stdout)
    assert answer["clips"] == stats["clips"] > 0
    assert answer["codes"] == sum(split["tokens"] for split in manifest["splits"].values()) > answer["clips"]


def test_two_processes_write_the_bytes_of_one(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, answer = made
    shutil.copytree(folder / "motionunion-store", tmp_path / "motionunion-store")
    shutil.copytree(folder / "scamo-runs/tokenizers", tmp_path / "scamo-runs/tokenizers")
    again = json.loads(run(tmp_path, *LINE, "--jobs", "2", "--json").stdout)
    assert not again["trained_now"]
    assert {**again, "trained_now": True} == answer
    assert tree(tmp_path / "scamo-runs/corpora") == tree(folder / "scamo-runs/corpora")


def test_a_flipped_byte_is_named_and_mended_by_the_command_that_is_advised(
    made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, answer = made
    shutil.copytree(folder / "motionunion-store", tmp_path / "motionunion-store")
    shutil.copytree(folder / "scamo-runs", tmp_path / "scamo-runs")
    part = tmp_path / answer["corpus"] / "train-00000.parquet"
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    said = run(tmp_path, "scamo", "train-ar", "--steps", "2", expected=4).stderr
    assert "train-00000.parquet is damaged" in said
    assert "scamo tokenize" in said
    assert "train-00000.parquet is missing or damaged, and is made again" in run(tmp_path, *LINE).stderr
    assert tree(tmp_path / "scamo-runs/corpora") == tree(folder / "scamo-runs/corpora")
