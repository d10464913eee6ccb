from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from motionunion.representations import registry
from motionunion.windows import cut
from tokenizer.checkpoint import Tokenizer
from tokenizer.evaluation.evaluate import evaluate_windows
from tokenizer.evaluation.scores import Scores
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.usage import code_usage


def make_tokenizer(features, **model) -> Tokenizer:
    statistics = features.statistics(feat_bias=5.0)
    return Tokenizer(
        build_model(ModelConfig(levels=(8, 6, 5), width=16, **model), seed=1),
        mean_D=statistics.mean,
        std_D=statistics.std,
        representation=features.representation,
        parameter_hash="p",
        codebook=256,
        provenance={},
    )


def test_a_tokenizer_that_answers_the_mean_scores_as_the_mean_predictor(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(120, "train"), (300, "train"), (60, "test")])
    tokenizer = make_tokenizer(features)
    last = tokenizer.model.vqvae.decoder.model[6]
    last.weight.zero_()
    last.bias.zero_()
    scores = evaluate_windows(tokenizer, features.values, cut(features).windows)
    assert scores.mpjpe_mm == pytest.approx(scores.mean_predictor_mpjpe_mm, rel=1e-6)
    assert scores.mpjpe_heading_free_mm == pytest.approx(scores.mean_predictor_mpjpe_heading_free_mm, rel=1e-6)
    assert scores.ratio == pytest.approx(1, rel=1e-6)
    normal = (features.values - tokenizer.mean_D) / tokenizer.std_D
    assert scores.l1 == pytest.approx(float(np.abs(normal).mean()), rel=1e-5)


def test_scores_weigh_windows_by_rows_and_do_not_depend_on_chunks(make_features, tmp_path: Path, monkeypatch) -> None:
    features = make_features(tmp_path, [(120, "train"), (40, "train"), (64, "test")])
    tokenizer = make_tokenizer(features)
    windows = cut(features).windows
    whole = evaluate_windows(tokenizer, features.values, windows)
    monkeypatch.setattr("tokenizer.evaluation.evaluate.CHUNK_ROWS", 1)
    assert evaluate_windows(tokenizer, features.values, windows).mpjpe_mm == pytest.approx(whole.mpjpe_mm, rel=1e-6)

    decode = registry.get(features.representation).decode_batch
    total = 0.0
    for window in windows:
        real = features.values[window.start : window.start + window.rows]
        a = decode([real])[0].joints_T22x3
        b = decode(tokenizer.decode(tokenizer.encode([real])))[0].joints_T22x3
        total += float(np.linalg.norm((a - a[:, :1]) - (b - b[:, :1]), axis=-1).mean(axis=-1).sum())
    assert whole.mpjpe_mm == pytest.approx(1000 * total / 224, rel=1e-5)
    assert whole.tokens == 224 // 4


def test_evaluating_nothing_is_our_own_mistake(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(120, "train")])
    with pytest.raises(ValueError, match="no window"):
        evaluate_windows(make_tokenizer(features), features.values, [])


def test_rows_that_no_code_stands_for_are_left_out_of_sums_and_of_their_weights(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(120, "train"), (20, "test")])
    tokenizer = make_tokenizer(features, down=3)  # 8 rows to a code: 16 of the 20
    scores = evaluate_windows(tokenizer, features.values, [w for w in cut(features).windows if w.split == "test"])
    real = features.values[120:136]
    (made,) = tokenizer.decode(tokenizer.encode([features.values[120:140]]))
    assert scores.rows == 16
    assert scores.l1 == pytest.approx(float(np.abs((made - real) / tokenizer.std_D).mean()), rel=1e-5)


def test_a_brief_has_the_first_code_of_a_step_and_the_others_apart(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(120, "train")])
    scores = evaluate_windows(make_tokenizer(features), features.values, cut(features).windows)
    layers = dataclasses.replace(scores, usage=(*scores.usage, code_usage(np.array([1, 1]), 240)))
    brief = json.loads(json.dumps(layers.in_brief()))
    assert brief["usage"] == scores.usage[0].as_plain()
    assert [one["used"] for one in brief["further_usage"]] == [2]
    assert brief["l1"] == scores.l1


def test_figures_of_an_earlier_version_are_read(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(120, "train")])
    plain = evaluate_windows(make_tokenizer(features), features.values, cut(features).windows).as_plain()
    del plain["mean_predictor_mpjpe_heading_free_mm"]
    assert math.isnan(Scores.from_plain(plain).mean_predictor_mpjpe_heading_free_mm)
    del plain["l1"]
    with pytest.raises(KeyError, match="l1"):
        Scores.from_plain(plain)
