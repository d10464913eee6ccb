from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from motionunion.errors import MissingInput, UsageError
from motionunion.progress import Silent
from motionunion.representations import registry
from motionunion.windows import cut
from scamo import tokenizer_evaluation
from scamo.tokenizer_evaluation import TokenizerEvaluation, evaluate_tokenizers
from tokenizer.checkpoint import Tokenizer
from tokenizer.evaluation.evaluate import ALL, evaluate_windows
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers import quantizer_named


def save_tokenizer(features, folder: Path, kind: str = "fsq", codebook: int = 256, **about) -> Tokenizer:
    statistics = features.statistics(feat_bias=5.0)
    tokenizer = Tokenizer(
        build_model(ModelConfig(quantizer=quantizer_named(kind, codebook), width=8), seed=codebook),
        mean_D=statistics.mean,
        std_D=statistics.std,
        representation=features.representation,
        codebook=codebook,
        provenance={"store": {"uuid": features.store_uuid, "fingerprint": features.fingerprint}},
        **{"parameter_hash": registry.get(features.representation).parameter_hash, **about},
    )
    tokenizer.save(folder)
    return tokenizer


class Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def small(toy, monkeypatch: pytest.MonkeyPatch):
    """A few spans of each split behind any store path."""
    features = toy({"train": 8, "val": 3, "test": 5})
    monkeypatch.setattr("motionunion.open_store", lambda path: path)
    monkeypatch.setattr(tokenizer_evaluation, "build_features", lambda store, *rest, verify: features)
    return features


def test_the_newest_tokenizer_is_measured_on_val_and_test_without_an_evaluator(small, tmp_path: Path) -> None:
    made = save_tokenizer(small, tmp_path / "tokenizers" / "one")
    found = evaluate_tokenizers("store", tmp_path, device="cpu")
    (one,) = found.tokenizers
    assert (one.name, one.hash, one.note) == ("one", made.hash, "")
    assert {group.split for group in one.groups} == {"val", "test"}
    test = [window for window in cut(small).windows if window.split == "test"]
    scores = next(group.scores for group in one.groups if (group.split, group.group) == ("test", ALL))
    assert scores.mpjpe_mm == pytest.approx(evaluate_windows(made, small.values, test).mpjpe_mm, rel=1e-6)
    assert found.real is None
    assert one.judged is None
    (table,) = found.tables()
    assert "no evaluator is there" in table.note
    assert TokenizerEvaluation.read(found.folder) == found
    json.loads((found.folder / "evaluation.json").read_text(), parse_constant=lambda name: pytest.fail(name))


def test_a_finished_evaluation_is_found_again_and_other_splits_are_another(small, tmp_path: Path, monkeypatch) -> None:
    save_tokenizer(small, tmp_path / "tokenizers" / "one")
    first = evaluate_tokenizers("store", tmp_path, device="cpu")
    train = evaluate_tokenizers("store", tmp_path, device="cpu", splits=("train",))
    assert train.folder != first.folder
    assert {group.split for group in train.tokenizers[0].groups} == {"train"}
    monkeypatch.setattr(tokenizer_evaluation, "evaluate_groups", lambda *rest: pytest.fail("measured again"))
    assert evaluate_tokenizers("store", tmp_path, device="cpu") == first


def test_a_sweep_takes_the_tokenizers_of_runs_and_of_sweeps_by_quantiser_and_size(
    small, tmp_path: Path, monkeypatch
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(tokenizer_evaluation, "draw_sweep", lambda cells, folder, title: drawn.append(folder))
    save_tokenizer(small, tmp_path / "tokenizers" / "one", codebook=1024)
    save_tokenizer(small, tmp_path / "sweeps" / "s" / "cells" / "vq-256", "vq")
    save_tokenizer(small, tmp_path / "sweeps" / "s" / "cells" / "fsq-256")
    found = evaluate_tokenizers("store", tmp_path, device="cpu", sweep=True)
    assert [(cell.variant.split(",")[0], cell.codebook) for cell in found.cells()] == [
        ("fsq", 256), ("fsq", 1024), ("vq", 256),
    ]  # fmt: skip
    assert [len(table.rows) for table in found.tables()] == [3]
    assert drawn == [found.folder]


def test_a_sweep_says_which_tokenizers_of_other_features_it_leaves_out(small, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tokenizer_evaluation, "draw_sweep", lambda cells, folder, title: None)
    other = save_tokenizer(small, tmp_path / "tokenizers" / "other")
    other.representation = "ms272@30"
    other.save(tmp_path / "tokenizers" / "other")
    for codebook in (256, 512):
        save_tokenizer(small, tmp_path / "tokenizers" / f"new-{codebook}", codebook=codebook)
    for age, name in enumerate(("other", "new-256", "new-512")):
        os.utime(tmp_path / "tokenizers" / name / "tokenizer.safetensors", (age, age))
    notes = Notes()
    found = evaluate_tokenizers("store", tmp_path, device="cpu", sweep=True, progress=notes)
    assert {one.name for one in found.tokenizers} == {"new-256", "new-512"}
    assert "left out, since the newest tokenizer is of hml263@20/compat: other (ms272@30)" in notes.said


def test_an_evaluator_that_is_there_judges_the_reconstruction(toy_runs, copy_of, monkeypatch) -> None:
    features, runs = toy_runs
    runs = copy_of(runs)
    monkeypatch.setattr("motionunion.open_store", lambda path: path)
    monkeypatch.setattr(tokenizer_evaluation, "build_features", lambda store, *rest, verify: features)
    found = evaluate_tokenizers("store", runs, device="cpu", splits=("test",))
    (one,) = found.tokenizers
    assert found.real is not None
    assert one.judged is not None
    assert found.real["r_precision"][2] > 0.5  # chance is 0.094
    assert found.real["fid"] < one.judged["fid"]
    assert found.real["items"] == one.judged["items"] == 64
    assert "which was trained on another store" in one.note
    assert "stand-in" in found.evaluator
    judged = found.tables()[-1]
    assert [row[0] for row in judged.rows] == ["real", "toy"]
    assert all(len(row) == len(judged.columns) for row in judged.rows)


def test_what_cannot_be_measured_is_refused_with_what_to_do(small, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no finished tokenizer"):
        evaluate_tokenizers("store", tmp_path, device="cpu")
    with pytest.raises(MissingInput, match="other: no tokenizer"):
        evaluate_tokenizers("store", tmp_path, tokenizer=Path("other"), device="cpu")
    save_tokenizer(small, tmp_path / "tokenizers" / "one", parameter_hash="old")
    with pytest.raises(MissingInput, match="encodes otherwise"):
        evaluate_tokenizers("store", tmp_path, device="cpu")
    with pytest.raises(UsageError, match="not both"):
        evaluate_tokenizers("store", tmp_path, tokenizer=Path("one"), sweep=True, device="cpu")
    with pytest.raises(UsageError, match="--split tset"):
        evaluate_tokenizers("store", tmp_path, splits=("tset",), device="cpu")


def test_a_store_without_the_splits_is_refused(small, tmp_path: Path, monkeypatch) -> None:
    save_tokenizer(small, tmp_path / "tokenizers" / "one")
    trained = replace(small, spans=[replace(span, split="train") for span in small.spans])
    monkeypatch.setattr(tokenizer_evaluation, "build_features", lambda store, *rest, verify: trained)
    with pytest.raises(MissingInput, match="no window of val, test"):
        evaluate_tokenizers("store", tmp_path, device="cpu")
