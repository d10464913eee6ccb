from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from motionunion.representations import registry
from motionunion.windows import cut
from tokenizer.checkpoint import Tokenizer
from tokenizer.metrics import evaluate_windows
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.usage import code_usage


def make_tokenizer(features) -> Tokenizer:
    statistics = features.statistics(feat_bias=5.0)
    return Tokenizer(
        build_model(ModelConfig(levels=(8, 6, 5), width=16), seed=1),
        mean_D=statistics.mean,
        std_D=statistics.std,
        representation=features.representation,
        parameter_hash="p",
        codebook=256,
        provenance={},
    )


def test_exponential_entropy_of_a_uniform_histogram_is_its_number_of_codes() -> None:
    usage = code_usage(np.array([0, 5, 5, 0, 5, 5]), 1000)
    assert (usage.tokens, usage.used) == (20, 4)
    # exp(-sum p ln(p + 1e-7)) with p = 1/4 four times is 1 / (1/4 + 1e-7)
    assert usage.exp_entropy == pytest.approx(1 / (0.25 + 1e-7), rel=1e-12)
    assert usage.share_of_codebook == 0.004
    assert usage.share_of_possible == 4 / 20
    assert usage.tokens_per_code == 5


def test_exponential_entropy_of_one_code_is_one_and_of_none_is_zero() -> None:
    assert code_usage(np.array([0, 9]), 8).exp_entropy == pytest.approx(1, abs=1e-6)
    assert code_usage(np.zeros(8, np.int64), 8).exp_entropy == 0


def test_exponential_entropy_agrees_with_the_dense_formula() -> None:
    counts = np.random.default_rng(0).integers(0, 9, 300)
    share = counts / counts.sum()
    dense = math.exp(-(share * np.log(share + 1e-7)).sum())
    assert code_usage(counts, 300).exp_entropy == pytest.approx(dense, rel=1e-12)


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
    monkeypatch.setattr("tokenizer.metrics.CHUNK_ROWS", 1)
    assert evaluate_windows(tokenizer, features.values, windows).mpjpe_mm == pytest.approx(whole.mpjpe_mm, rel=1e-6)

    decode = registry.get(features.representation).decode_batch
    total = 0.0
    for window in windows:
        real = features.values[window.start : window.start + window.rows]
        a = decode([real])[0].joints_T22x3
        b = decode(tokenizer.decode(tokenizer.encode([real])))[0].joints_T22x3
        total += float(np.linalg.norm((a - a[:, :1]) - (b - b[:, :1]), axis=-1).mean(axis=-1).sum())
    assert whole.mpjpe_mm == pytest.approx(1000 * total / 224, rel=1e-5)
    assert whole.usage.tokens == 224 // 4


def test_evaluating_nothing_is_our_own_mistake(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(120, "train")])
    with pytest.raises(ValueError, match="no window"):
        evaluate_windows(make_tokenizer(features), features.values, [])
