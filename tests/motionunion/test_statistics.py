from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion.errors import ClipError, MissingInput, UsageError
from motionunion.statistics import Statistics, statistics_of

ID = "hml263@20/compat"


def rows(count: int, seed: int = 0) -> npt.NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return random.normal(3.0, np.linspace(0.1, 2, 263), (count, 263)).astype(np.float32)


def of(*chunks: npt.NDArray[np.float32], feat_bias: float = 1.0, block_average: bool = True) -> Statistics:
    return statistics_of(
        iter(chunks), ID, split="train", clips_hash="hash", feat_bias=feat_bias, block_average=block_average
    )


def test_the_hash_of_statistics_covers_arrays_and_provenance() -> None:
    values = rows(100)
    same, other = of(values), of(values)
    assert same.hash == other.hash
    assert len({of(values).hash, of(values, feat_bias=5.0).hash, of(values + 1).hash, of(values[:50]).hash}) == 4
    assert replace(same, clips_hash="another").hash != same.hash


def test_plain_statistics_are_numpys() -> None:
    values = rows(500)
    plain = of(values[:123], values[123:], block_average=False)
    np.testing.assert_allclose(plain.mean, values.mean(0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(plain.std, values.std(0, dtype=np.float64), rtol=1e-5)
    assert plain.rows == 500


def test_blocks_share_the_mean_of_their_deviations() -> None:
    values = rows(500)
    averaged, plain = of(values), of(values, block_average=False)
    for first, stop in ((0, 1), (1, 3), (3, 4), (4, 67), (67, 193), (193, 259), (259, 263)):
        np.testing.assert_allclose(averaged.std[first:stop], plain.std[first:stop].mean(), rtol=1e-5)
    np.testing.assert_array_equal(averaged.mean, plain.mean)


def test_feat_bias_divides_root_and_contacts_only() -> None:
    values = rows(100)
    biased, plain = of(values, feat_bias=5.0), of(values)
    ratio = plain.std / biased.std
    np.testing.assert_allclose(ratio[[0, 1, 2, 3, 259, 260, 261, 262]], 5.0, rtol=1e-6)
    np.testing.assert_array_equal(ratio[4:259], 1.0)


def test_a_constant_channel_is_shifted_and_never_divided_by_zero() -> None:
    values = rows(100)
    values[:, 262] = 1.0
    plain = of(values, block_average=False)
    assert plain.std[262] == 1.0
    assert (plain.normalise(values)[:, 262] == 0).all()


@pytest.mark.parametrize("feat_bias", [0.0, -1.0, float("nan")])
def test_a_bias_that_is_not_positive_is_refused(feat_bias: float) -> None:
    with pytest.raises(UsageError, match="feat_bias"):
        of(rows(5), feat_bias=feat_bias)


def test_no_rows_are_no_statistics() -> None:
    with pytest.raises(MissingInput, match="'train'"):
        of(rows(0))


def test_a_value_that_is_not_finite_is_refused() -> None:
    values = rows(10)
    values[3, 7] = np.nan
    with pytest.raises(ClipError, match="not finite"):
        of(values)


def test_denormalise_undoes_normalise() -> None:
    values = rows(50)
    statistics = of(values, feat_bias=5.0)
    np.testing.assert_allclose(statistics.denormalise(statistics.normalise(values)), values, atol=1e-4)


def test_statistics_return_from_a_file_with_their_provenance(tmp_path: Path) -> None:
    statistics = of(rows(50), feat_bias=5.0)
    statistics.save(tmp_path / "statistics.npz")
    again = Statistics.load(tmp_path / "statistics.npz")
    np.testing.assert_array_equal(again.mean, statistics.mean)
    np.testing.assert_array_equal(again.std, statistics.std)
    assert again.provenance == statistics.provenance
    assert again.provenance["representation"] == ID
    first = (tmp_path / "statistics.npz").read_bytes()
    statistics.save(tmp_path / "statistics.npz")
    assert (tmp_path / "statistics.npz").read_bytes() == first


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", mean=np.zeros(3))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut off")
    for name in ("other.npz", "cut.npz", "missing.npz"):
        with pytest.raises(MissingInput, match=name):
            Statistics.load(tmp_path / name)
