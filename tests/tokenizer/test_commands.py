"""The two commands as a person calls them, on features made here instead of a store's."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from motionunion.errors import MissingExtra

SPANS = [(96, "train"), (40, "train"), (120, "train"), (64, "val"), (48, "test"), (9, "train")]


@pytest.fixture
def scamo(use_features, make_features, tmp_path: Path):
    """Runs `scamo ...` in this process and returns its result."""
    from cli.scamo import app

    use_features(make_features(tmp_path / "features", SPANS))

    def run(*words: str):
        return CliRunner().invoke(app, [*words, "--runs", str(tmp_path / "runs")])

    return run


def test_tokenize_prints_one_json_object(scamo) -> None:
    result = scamo("tokenize", "--codebook", "256", "--preset", "tiny", "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    named = {"codebook_size", "levels", "tokenizer", "corpus", "clips", "codes", "fingerprint", "evaluation", "skipped"}
    assert named <= set(answer)
    assert answer["codebook_size"] == 240
    assert answer["skipped"] == {"short": 1}
    assert "one is trained first" in result.stderr


def test_tokenize_shows_what_it_made_and_what_comes_next(scamo) -> None:
    result = scamo("tokenize", "--codebook", "256", "--preset", "tiny")
    assert result.exit_code == 0, result.stderr
    for words in ("240 codes in truth", "mean-feature predictor", "heading-free", "exponential entropy", "val", "test",
                  "1 skipped: spans of fewer than 16 rows"):  # fmt: skip
        assert words in " ".join(result.stdout.split())
    assert "advice:" in result.stderr
    assert "Next: scamo train-ar" in result.stderr


def test_train_tokenizer_prints_one_json_object_and_a_table(scamo) -> None:
    words = ("train-tokenizer", "--codebook", "256", "--preset", "tiny", "--steps", "21")
    answer = json.loads(scamo(*words, "--json").stdout)
    assert answer["trained_now"] is True
    assert answer["held_out"]["step"] == 21
    again = scamo(*words)
    assert "held out: val" in again.stdout
    assert "is finished" in again.stderr


def test_train_tokenizer_takes_a_quantiser_changes_and_curves(scamo) -> None:
    words = ("train-tokenizer", "--codebook", "256", "--preset", "tiny", "--steps", "21", "--quantizer", "vq",
             "--set", "quantizer.reset=false", "--set", "training.guard_share=0", "--precision", "bf16", "--tensorboard",
             "--json")  # fmt: skip
    answer = json.loads(scamo(*words).stdout)
    assert answer["quantizer"]["kind"] == "vq"
    assert answer["quantizer"]["reset"] is False
    folder = Path(answer["tokenizer"])
    assert folder.name.startswith("vq256-tiny-")
    assert Path(answer["best"]["tokenizer"]) == folder / "best"
    assert list((folder / "tensorboard" / "attempt-0").glob("events.out.tfevents.*"))


def test_an_unknown_codebook_is_wrong_usage(scamo) -> None:
    result = scamo("tokenize", "--codebook", "1000")
    assert result.exception is not None
    assert getattr(result.exception, "exit_code", None) == 2


def test_an_engine_that_is_none_or_not_installed_is_said_before_anything_is_trained(
    scamo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert scamo("tokenize", "--engine", "slurm").exit_code == 2
    monkeypatch.setitem(sys.modules, "ray", None)
    result = scamo("tokenize", "--codebook", "256", "--preset", "tiny", "--engine", "ray")
    assert isinstance(result.exception, MissingExtra)
    assert not (tmp_path / "runs").exists()


def test_tokenize_of_several_codes_a_step_names_what_can_take_them(scamo) -> None:
    words = ("tokenize", "--codebook", "256", "--preset", "tiny", "--quantizer", "rvq")
    shown = scamo(*words)
    assert shown.exit_code == 0, shown.output
    assert "Next: scamo export-corpus" in shown.stderr
    assert json.loads(scamo(*words, "--json").stdout)["codes_per_step"] > 1


def test_a_negative_seed_is_wrong_usage(scamo) -> None:
    result = scamo("tokenize", "--seed", "-1")
    assert result.exit_code == 2
    assert "--seed" in result.stderr
