from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion import feature_building
from motionunion.clip import Clip
from motionunion.errors import MissingInput, UsageError
from motionunion.features import FeatureSet, features_of
from motionunion.store.store import Store

ID = "hml263@20/compat"
MakeSet = Callable[..., FeatureSet]


@pytest.fixture
def features(set_of: MakeSet, tmp_path: Path) -> FeatureSet:
    return set_of(tmp_path / "set", [(30, "train"), (20, "val"), (41, "train"), (16, "test")])


def test_a_selection_gives_the_arrays_of_its_spans_without_copying(features: FeatureSet) -> None:
    train = features.select(split="train")
    assert [span.rows for span in train.spans] == [30, 41]
    assert train.indices.tolist() == [0, 2]
    assert train.ranges.tolist() == [[0, 30], [50, 91]]
    assert (len(train), train.rows) == (2, 71)
    assert train.values is features.values
    for array, span, index in zip(train, train.spans, (0, 2), strict=True):
        assert array.shape == (span.rows, 263)
        assert np.shares_memory(array, features.values)
        np.testing.assert_array_equal(array, features.rows_of(index))
    np.testing.assert_array_equal(train[1], features.rows_of(2))


def test_selections_narrow_down(features: FeatureSet) -> None:
    ids = [span.clip_id for span in features.spans]
    assert features.select().indices.tolist() == [0, 1, 2, 3]
    assert features.select(clip_ids=ids[:2]).indices.tolist() == [0, 1]
    assert features.select(clip_ids=[ids[2], ids[1], "not there"], split="train").indices.tolist() == [2]
    assert features.select(clip_ids=ids[1:]).select(split="test").indices.tolist() == [3]
    nothing = features.select(clip_ids=[])
    assert (len(nothing), nothing.rows, nothing.spans, list(nothing)) == (0, 0, [], [])
    assert nothing.ranges.shape == (0, 2)


def test_a_split_that_is_none_is_refused(features: FeatureSet) -> None:
    with pytest.raises(UsageError, match=r"'training'.*train"):
        features.select(split="training")


def test_statistics_of_a_selection_see_its_training_spans_only(features: FeatureSet) -> None:
    some = features.select(clip_ids=[span.clip_id for span in features.spans[1:]])
    statistics = some.statistics(block_average=False)
    chosen = features.rows_of(2).astype(np.float64)
    assert (statistics.rows, statistics.split) == (41, "train")
    np.testing.assert_allclose(statistics.mean, chosen.mean(0), rtol=1e-6, atol=1e-6)
    assert features.select().statistics().hash == features.statistics().hash
    with pytest.raises(MissingInput, match="no rows"):
        features.select(split="val").statistics()


def test_statistics_counted_while_writing_are_those_of_a_pass_over_the_values(features: FeatureSet) -> None:
    counted, read = features.train_moments, features.select(split="train").moments()
    assert counted is not None
    assert counted.rows == read.rows == 71
    np.testing.assert_array_equal(counted.mean, read.mean)
    np.testing.assert_array_equal(counted.squares, read.squares)


def test_features_of_a_store_are_chosen_by_sql_and_split(
    clip_of: Callable[..., Clip], store_of: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [
        clip_of(str(index), frames=40 + 10 * index, official_split=split)
        for index, split in enumerate(("train", "test", "train", "val"))
    ]
    store = store_of(*clips)
    everything = features_of(store, ID)
    assert [span.name for span in everything.spans] == ["0", "1", "2", "3"]
    monkeypatch.setattr(feature_building, "_encode_part", None)  # from here on, nothing is built
    long = features_of(store, ID, where="frames > 45")
    assert [span.name for span in long.spans] == ["1", "2", "3"]
    assert [span.name for span in features_of(store, ID, where="frames > 45", split="train").spans] == ["2"]
    assert [span.name for span in features_of(store, ID, split="val").spans] == ["3"]
    assert len(features_of(store, ID, where="false or source = 'nobody'")) == 0
    np.testing.assert_array_equal(long[0], everything[1])
    assert len(list(store.cache_dir.iterdir())) == 1


def test_a_condition_or_a_split_that_is_wrong_is_refused_before_anything_is_built(
    clip_of: Callable[..., Clip], store_of: Callable[..., Store]
) -> None:
    store = store_of(clip_of())
    with pytest.raises(UsageError, match="colour"):
        features_of(store, ID, where="colour = 'blue'")
    with pytest.raises(UsageError, match="split"):
        features_of(store, ID, split="dev")
    assert not store.cache_dir.exists() or not list(store.cache_dir.iterdir())


def test_the_examples_of_the_documentation_run(
    clip_of: Callable[..., Clip], store_of: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    text = (Path(__file__).parents[2] / "docs" / "representations.md").read_text(encoding="utf-8")
    told = text[text.index("## The feature cache") : text.index("## Statistics")]
    lines = [line.removeprefix("    ") for line in told.splitlines() if line.startswith("    ") or not line]
    assert sum("motionunion" in line for line in lines) >= 3
    store_of(*(clip_of(str(index), frames=70 * index + 45, official_split="train") for index in range(3)))
    (tmp_path / "store").rename(tmp_path / "motionunion-store")
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec("\n".join(lines), found)
    assert capsys.readouterr().out.splitlines() == ["0 44 []", "1 114 []", "2 184 []"]
    assert found["batch"].shape == (3, 64, 263)
    np.testing.assert_array_equal(found["batch"][1], found["normal"][44:108])
