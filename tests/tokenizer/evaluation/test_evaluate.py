from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motionunion.windows import cut
from tokenizer.checkpoint import Tokenizer
from tokenizer.evaluation.evaluate import ALL, evaluate_groups, evaluate_windows
from tokenizer.evaluation.scores import Scores
from tokenizer.evaluation.table import COLUMNS, groups_table, markdown
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers import quantizer_named

SPANS = [(120, "train"), (40, "val"), (64, "test"), (18, "test"), (300, "test")]


def make_tokenizer(features, quantizer: str = "fsq") -> Tokenizer:
    statistics = features.statistics(feat_bias=5.0)
    return Tokenizer(
        build_model(ModelConfig(quantizer=quantizer_named(quantizer, 256), width=16), seed=1),
        mean_D=statistics.mean,
        std_D=statistics.std,
        representation=features.representation,
        parameter_hash="p",
        codebook=256,
        provenance={},
    )


@pytest.fixture
def windows_of(make_features, tmp_path: Path):
    features = make_features(tmp_path, SPANS)
    windows = cut(features).windows
    # As a store has them: another source, and HumanML3D's names over AMASS motion.
    sources = {"000002": ("amass_smplh", "humanml3d"), "000004": ("lafan1", None)}
    return features, [
        replace(
            window,
            source=sources.get(window.name, ("synthetic",))[0],
            layer=sources.get(window.name, ("", None))[1],
        )
        for window in windows
    ]


def test_every_split_has_its_sources_and_layers_after_all_of_it(windows_of) -> None:
    features, windows = windows_of
    found = evaluate_groups(make_tokenizer(features), features.values, windows)
    assert [(one.split, one.group) for one in found] == [
        ("train", ALL), ("train", "synthetic"), ("val", ALL), ("val", "synthetic"),
        ("test", ALL), ("test", "amass_smplh"), ("test", "humanml3d"), ("test", "lafan1"), ("test", "synthetic"),
    ]  # fmt: skip
    rows = {(one.split, one.group): one.scores.rows for one in found}
    assert rows["test", ALL] == 64 + 16 + 300
    assert rows["test", "humanml3d"] == 64
    assert rows["test", "lafan1"] == 300


def test_a_group_scores_as_its_windows_alone_do(windows_of) -> None:
    features, windows = windows_of
    tokenizer = make_tokenizer(features)
    found = {(one.split, one.group): one.scores for one in evaluate_groups(tokenizer, features.values, windows)}
    test = [window for window in windows if window.split == "test"]
    for group, some in (
        (ALL, test),
        ("lafan1", [w for w in test if w.source == "lafan1"]),
    ):
        scores, alone = found["test", group], evaluate_windows(tokenizer, features.values, some)
        assert scores.mpjpe_mm == pytest.approx(alone.mpjpe_mm, rel=1e-6)
        assert scores.mpjpe_heading_free_mm == pytest.approx(alone.mpjpe_heading_free_mm, rel=1e-6)
        assert scores.l1 == pytest.approx(alone.l1, rel=1e-6)
        assert scores.mean_predictor_mpjpe_mm == pytest.approx(alone.mean_predictor_mpjpe_mm, rel=1e-6)
        assert scores.usage == alone.usage


def test_means_of_rows_and_of_clips_differ_where_windows_differ_in_length(windows_of) -> None:
    features, windows = windows_of
    tokenizer = make_tokenizer(features)
    test = [window for window in windows if window.split == "test"]
    found = {one.group: one.scores for one in evaluate_groups(tokenizer, features.values, test)}
    alone = [evaluate_windows(tokenizer, features.values, [window]).mpjpe_mm for window in test]
    rows = np.array([window.rows for window in test])
    assert found[ALL].mpjpe_of_clips_mm == pytest.approx(np.mean(alone), rel=1e-6)
    assert found[ALL].mpjpe_mm == pytest.approx(np.dot(rows, alone) / rows.sum(), rel=1e-6)


def test_figures_do_not_depend_on_how_many_rows_are_in_memory(windows_of, monkeypatch) -> None:
    features, windows = windows_of
    tokenizer = make_tokenizer(features)
    whole = evaluate_groups(tokenizer, features.values, windows)
    monkeypatch.setattr("tokenizer.evaluation.evaluate.CHUNK_ROWS", 1)
    for one, other in zip(whole, evaluate_groups(tokenizer, features.values, windows), strict=True):
        assert one.scores.acceleration_mm == pytest.approx(other.scores.acceleration_mm, rel=1e-5)
        assert one.scores.mpjpe_unaligned_mm == pytest.approx(other.scores.mpjpe_unaligned_mm, rel=1e-5)


def test_every_code_of_a_step_has_its_own_usage(windows_of) -> None:
    features, windows = windows_of
    tokenizer = make_tokenizer(features, "rvq")
    found = evaluate_groups(tokenizer, features.values, windows)
    codes = tokenizer.encode([features.values[w.start : w.start + w.rows] for w in windows if w.split == "test"])
    scores = next(one.scores for one in found if (one.split, one.group) == ("test", ALL))
    assert len(scores.usage) == tokenizer.model.config.codes_per_step > 1
    assert [one.used for one in scores.usage] == [len(np.unique(layer)) for layer in np.concatenate(codes).T]
    assert scores.tokens == (64 + 16 + 300) // 4


def test_scores_come_back_from_json(windows_of) -> None:
    features, windows = windows_of
    for one in evaluate_groups(make_tokenizer(features, "rvq"), features.values, windows):
        assert Scores.from_plain(one.as_plain()) == one.scores
    lonely = replace(one.scores, acceleration_mm=math.nan)
    plain = lonely.as_plain()
    assert plain["acceleration_mm"] is None
    assert math.isnan(Scores.from_plain(plain).acceleration_mm)


def test_the_table_has_a_cell_for_every_column(windows_of) -> None:
    features, windows = windows_of
    found = evaluate_groups(make_tokenizer(features, "rvq"), features.values, windows)
    table = groups_table("t", found)
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert len(table.columns) == 4 + len(COLUMNS)
    assert "average" in table.note
    assert markdown([table]).count("\n| ") == len(found) + 2  # heading and rule
    assert "average" not in groups_table("t", evaluate_groups(make_tokenizer(features), features.values, windows)).note
