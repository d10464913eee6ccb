"""`scamo sweep tokenizer` as a person calls it, on features made here instead of a store's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.scamo import app
from motionunion.errors import ConfigError, UsageError
from tokenizer.sweep import command

SMALL = ("--preset", "tiny", "--steps", "6", "--set", "model.width=8", "--set", "training.batch=2", "--device", "cpu")


@pytest.fixture
def sweep(features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs `scamo sweep tokenizer ...` in this process; figures are drawn elsewhere."""
    monkeypatch.setattr("motionunion.open_store", lambda path: path)
    monkeypatch.setattr(command, "build_features", lambda store, *rest, verify: features)
    monkeypatch.setattr(command, "draw_sweep", lambda cells, folder, title: (folder / "figure.png").write_bytes(b""))

    def run(*words: str):
        return CliRunner().invoke(app, ["sweep", "tokenizer", *words, "--runs", str(tmp_path / "runs")])

    return run


def test_every_pair_is_trained_and_shown_and_found_again(sweep, tmp_path: Path) -> None:
    words = ("--codebooks", "256,512", "--quantizers", "fsq,vq-no-reset", *SMALL)
    shown = sweep(*words)
    assert shown.exit_code == 0, shown.output
    (folder,) = (tmp_path / "runs" / "sweeps").iterdir()
    # Of the figure's two files the stand-in above writes one.
    assert shown.stderr.endswith(f"written to {folder}: table.md, sweep.json, figure.png\n")
    assert {path.name for path in folder.iterdir()} >= {"table.md", "sweep.json", "figure.png", "cells"}
    assert "vq-no-reset" in shown.stdout
    weights = {path: path.stat().st_mtime_ns for path in folder.glob("cells/*/tokenizer.safetensors")}
    assert len(weights) == 4
    again = sweep(*words, "--json")
    found = json.loads(again.stdout)
    assert {(one["variant"], one["codebook"], one["codebook_size"]) for one in found["cells"]} == {
        ("fsq", 256, 240), ("fsq", 512, 512), ("vq-no-reset", 256, 256), ("vq-no-reset", 512, 512),
    }  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in weights} == weights


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("--codebooks", "many"), UsageError, "'many' is no size"),
        (("--quantizers", "fsq,xyz"), UsageError, "'xyz'"),
        (("--set", "model.no=1"), ConfigError, "model"),
        (("--device", "gpu7"), UsageError, "--device gpu7"),
    ],
)
def test_what_cannot_be_swept_is_wrong_usage_and_nothing_is_begun(sweep, tmp_path: Path, words, error, said) -> None:
    result = sweep(*words)
    assert isinstance(result.exception, error)
    assert said in str(result.exception)
    assert result.exception.exit_code == 2
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("word", ["--codebooks", "--quantizers", "--preset", "--steps", "--set", "--seed"])
def test_the_help_explains_every_option(sweep, word: str) -> None:
    assert word in CliRunner().invoke(app, ["sweep", "tokenizer", "--help"]).output
