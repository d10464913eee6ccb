from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.scamo import app
from motionunion.errors import MissingInput, MotionUnionError
from motionunion.representations import registry
from scamo import tokenizer_evaluation
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import Corpus
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers import quantizer_named


def run(*words: str):
    return CliRunner().invoke(app, ["eval", *words])


def test_the_command_prints_its_tables_and_where_they_are(toy_runs, open_toy, copy_of):
    open_toy(toy_runs[0])
    runs = copy_of(toy_runs[1])
    shown = run("humanml3d", "--runs", str(runs), "--device", "cpu")
    assert shown.exit_code == 0, shown.output
    assert "NOT comparable with published numbers" in " ".join(shown.stdout.split())
    assert "mean-feature predictor" in shown.stdout
    folder = next((runs / "evaluations").iterdir())
    assert str(folder) in shown.stderr.replace("\n", "")
    as_json = run("humanml3d", "--runs", str(runs), "--device", "cpu", "--json")
    found = json.loads(as_json.stdout)
    assert found == json.loads((folder / "evaluation.json").read_text())
    assert found["comparable"] is False
    assert [row["name"] for row in found["rows"]] == ["real", "reconstruction", "generated"]


def test_an_unknown_protocol_is_a_usage_error(tmp_path):
    result = run("kit", "--runs", str(tmp_path))
    assert result.exit_code == 2
    assert "kit" in result.output


@pytest.mark.parametrize("word", ["--store", "--runs", "--model", "--evaluator", "--device", "--seed", "--json"])
def test_the_help_explains_every_option(word):
    assert word in run("humanml3d", "--help").output


def test_a_model_of_several_codes_a_step_is_not_evaluated(toy_runs, open_toy, monkeypatch):
    open_toy(toy_runs[0])
    monkeypatch.setattr(Corpus, "codes_per_step", 3)
    shown = run("humanml3d", "--runs", str(toy_runs[1]), "--device", "cpu")
    assert isinstance(shown.exception, MissingInput)
    assert "3 codes for each step" in str(shown.exception)


@pytest.fixture
def tokenizers(toy, tmp_path, monkeypatch):
    """Two tokenizers of random weights in a runs folder, and a few spans behind any store path."""
    features = toy({"train": 8, "val": 3, "test": 5})
    monkeypatch.setattr("motionunion.open_store", lambda path: path)
    monkeypatch.setattr(tokenizer_evaluation, "build_features", lambda store, *rest, verify: features)
    statistics = features.statistics(feat_bias=5.0)
    for kind, codebook in (("fsq", 256), ("vq", 512)):
        Tokenizer(
            build_model(ModelConfig(quantizer=quantizer_named(kind, codebook), width=8), seed=codebook),
            mean_D=statistics.mean, std_D=statistics.std, representation=features.representation, codebook=codebook,
            parameter_hash=registry.get(features.representation).parameter_hash,
            provenance={"store": {"uuid": features.store_uuid, "fingerprint": features.fingerprint}},
        ).save(tmp_path / "tokenizers" / f"{kind}{codebook}")  # fmt: skip
    return tmp_path


def test_a_tokenizer_s_figures_are_printed_for_every_split(tokenizers):
    words = ("tokenizer", "--tokenizer", "fsq256", "--runs", str(tokenizers), "--device", "cpu")
    shown = run(*words)
    assert shown.exit_code == 0, shown.output
    said = " ".join(shown.stdout.split())
    for word in ("Tokenizer fsq256: codebook 256, 240 codes in truth", "MPJPE", "val", "test", "no evaluator is there"):
        assert word in said
    (folder,) = (tokenizers / "evaluations").iterdir()
    assert shown.stderr.endswith(f"written to {folder}: table.md, evaluation.json\n")
    found = json.loads(run(*words, "--json").stdout)
    assert found == json.loads((folder / "evaluation.json").read_text())
    (one,) = found["tokenizers"]
    assert (one["codebook_size"], {group["split"] for group in one["groups"]}) == (240, {"val", "test"})
    assert 0 < one["groups"][0]["usage"][0]["share_of_codebook"] <= 1


def test_splits_and_sweep_reach_the_library(tokenizers, monkeypatch):
    drawn = []
    monkeypatch.setattr(tokenizer_evaluation, "draw_sweep", lambda cells, folder, title: drawn.append(title))
    shown = run("tokenizer", "--sweep", "--split", "test", "--runs", str(tokenizers), "--device", "cpu", "--json")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)["tokenizers"]
    assert {one["name"] for one in found} == {"fsq256", "vq512"}
    assert {group["split"] for one in found for group in one["groups"]} == {"test"}
    assert drawn == ["2 tokenizers"]
    table = run("tokenizer", "--sweep", "--split", "test", "--runs", str(tokenizers), "--device", "cpu").stdout
    assert "fsq" in table
    assert "vq" in table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sweep", "--tokenizer", "fsq256"), "not both"),
        (("--split", "tset"), "--split tset"),
        (("--tokenizer", "other"), "other: no tokenizer"),
        (("--device", "gpu7"), "--device gpu7"),
    ],
)
def test_wrong_wishes_for_a_tokenizer_are_refused(tokenizers, words, said):
    shown = run("tokenizer", "--runs", str(tokenizers), *words)
    assert isinstance(shown.exception, MotionUnionError)
    assert said in str(shown.exception)
    assert not (tokenizers / "evaluations").exists()


@pytest.mark.parametrize("word", ["--tokenizer", "--sweep", "--split", "--evaluator", "--jobs"])
def test_the_help_explains_the_options_of_tokenizers(word):
    assert word in run("tokenizer", "--help").output
