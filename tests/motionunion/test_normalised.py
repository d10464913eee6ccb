from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motionunion import feature_files, normalised
from motionunion.errors import StoreError, UsageError
from motionunion.feature_files import LEFT_ALONE_S, verify_features
from motionunion.features import FeatureSet

MakeSet = Callable[..., FeatureSet]


@pytest.fixture
def features(set_of: MakeSet, tmp_path: Path) -> FeatureSet:
    return set_of(tmp_path / "set", [(30, "train"), (20, "val"), (41, "train")])


def copies(features: FeatureSet) -> list[Path]:
    return sorted(features.path.glob("normalised-*.npy"))


def test_the_copy_is_what_normalising_gives(features: FeatureSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_files, "PIECE_ROWS", 7)
    statistics = features.statistics(feat_bias=5.0)
    found = features.normalised(statistics)
    np.testing.assert_array_equal(found, statistics.normalise(features.values))
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    train = found[np.r_[0:30, 50:91]]
    np.testing.assert_allclose(train.mean(0, dtype=np.float64), 0.0, atol=1e-5)


def test_a_second_call_opens_the_first_one_s_copy(features: FeatureSet, monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = features.statistics()
    features.normalised(statistics)
    (path,) = copies(features)
    monkeypatch.setattr(normalised, "write_rows", _must_not_run)
    again = FeatureSet.load(features.path)
    np.testing.assert_array_equal(again.normalised(statistics), statistics.normalise(features.values))
    np.testing.assert_array_equal(again.normalised(statistics, verify=True), statistics.normalise(features.values))
    assert copies(again) == [path]


def test_other_statistics_have_a_copy_of_their_own(features: FeatureSet) -> None:
    one, other = features.statistics(), features.statistics(feat_bias=5.0)
    np.testing.assert_array_equal(features.normalised(one), one.normalise(features.values))
    np.testing.assert_array_equal(features.normalised(other), other.normalise(features.values))
    assert len(copies(features)) == 2
    assert verify_features(features.path) == []


def test_values_that_are_damaged_are_not_normalised(features: FeatureSet) -> None:
    path = features.path / "values.npy"
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    damaged = FeatureSet.load(features.path)
    with pytest.raises(StoreError, match=r"values\.npy: damaged"):
        damaged.normalised(damaged.statistics())
    os.truncate(path, len(data) - 1052)
    with pytest.raises(StoreError, match=r"values\.npy: damaged"):
        features.normalised(features.statistics())
    assert [entry.name for entry in sorted(features.path.iterdir())] == ["features.json", "spans.parquet", "values.npy"]


@pytest.mark.parametrize("name", ["npy", "json"])
def test_a_damaged_copy_is_written_again_where_it_is_verified(features: FeatureSet, name: str) -> None:
    statistics = features.statistics()
    expected = np.array(features.normalised(statistics))
    path = copies(features)[0].with_suffix(f".{name}")
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    assert verify_features(features.path)
    np.testing.assert_array_equal(features.normalised(statistics, verify=True), expected)
    assert verify_features(features.path) == []


def test_a_copy_that_was_cut_is_written_again_without_being_verified(features: FeatureSet) -> None:
    statistics = features.statistics()
    expected = np.array(features.normalised(statistics))
    (path,) = copies(features)
    path.write_bytes(path.read_bytes()[:-4])
    np.testing.assert_array_equal(features.normalised(statistics), expected)


def test_a_full_disk_is_an_error_that_says_how_much_is_needed(
    features: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> str:
        path.write_bytes(b"some of it")
        raise OSError(28, "No space left on device")

    statistics = features.statistics()
    monkeypatch.setattr(normalised, "write_rows", full)
    with pytest.raises(StoreError, match=r"No space left.* GB beside values\.npy"):
        features.normalised(statistics)
    assert [entry.name for entry in sorted(features.path.iterdir())] == ["features.json", "spans.parquet", "values.npy"]
    monkeypatch.undo()
    np.testing.assert_array_equal(features.normalised(statistics), statistics.normalise(features.values))


def test_a_copy_of_which_nothing_is_said_is_written_again(features: FeatureSet) -> None:
    """As a kill between the copy and its JSON leaves it; it may even hold something else."""
    statistics = features.statistics()
    expected = np.array(features.normalised(statistics))
    (path,) = copies(features)
    path.with_suffix(".json").unlink()
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    np.testing.assert_array_equal(features.normalised(statistics), expected)
    assert verify_features(features.path) == []


def test_a_kill_at_any_moment_leaves_nothing_that_is_read(features: FeatureSet) -> None:
    statistics = features.statistics()
    for moment in ("write_rows", "fsync_directory", "write_sealed"):
        code = (
            "import os, signal, sys\nfrom pathlib import Path\n"
            "from motionunion import normalised\nfrom motionunion.features import FeatureSet\n"
            "features = FeatureSet.load(Path(sys.argv[1]))\n"
            f"normalised.{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
            "features.normalised(features.statistics())\n"
        )
        ended = subprocess.run([sys.executable, "-c", code, features.path], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert verify_features(features.path) == []
    np.testing.assert_array_equal(features.normalised(statistics), statistics.normalise(features.values))


def test_only_old_leftovers_are_removed(features: FeatureSet) -> None:
    old, young = features.path / ".tmp-old.npy", features.path / ".tmp-young.npy"
    for path in (old, young):
        path.write_bytes(b"half")
    long_ago = time.time() - LEFT_ALONE_S - 60
    os.utime(old, (long_ago, long_ago))
    features.normalised(features.statistics())
    assert not old.exists()
    assert young.exists()


def test_features_in_memory_are_normalised_in_memory(features: FeatureSet, tmp_path: Path) -> None:
    in_memory = FeatureSet(
        path=tmp_path / "nowhere", representation=features.representation, key="k", values=np.array(features.values),
        spans=features.spans, offsets=features.offsets, fingerprint="", commit=0, store_uuid="", skipped=[], counts={},
    )  # fmt: skip
    statistics = in_memory.statistics()
    assert statistics.hash == features.statistics().hash
    np.testing.assert_array_equal(in_memory.normalised(statistics), statistics.normalise(features.values))
    assert not in_memory.path.exists()


def test_statistics_of_another_representation_are_refused(features: FeatureSet) -> None:
    other = replace(features.statistics(), representation="ms272@30")
    with pytest.raises(UsageError, match="ms272@30"):
        features.normalised(other)


def _must_not_run(*_: object) -> None:
    raise AssertionError("nothing was to be written")
