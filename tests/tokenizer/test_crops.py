from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motionunion.errors import MissingInput, StoreError
from motionunion.features import FeatureSet
from tokenizer.crops import GUARD, CropSampler, spread, training_data
from tokenizer.mirror import mirror_of


def test_a_draw_is_a_function_of_seed_attempt_step_and_purpose(make_features, tmp_path: Path) -> None:
    data = training_data(make_features(tmp_path, [(120, "train"), (90, "train"), (80, "val")]), 5.0)
    sampler = CropSampler(data, 32)
    first = sampler.draw(8, seed=1, attempt=0, step=5)[0]
    assert np.array_equal(first, CropSampler(data, 32).draw(8, seed=1, attempt=0, step=5)[0])
    for other in (
        sampler.draw(8, seed=2, attempt=0, step=5),
        sampler.draw(8, seed=1, attempt=1, step=5),
        sampler.draw(8, seed=1, attempt=0, step=6),
        sampler.draw(8, seed=1, attempt=0, step=5, purpose=GUARD),
    ):
        assert not np.array_equal(first, other[0])


def test_crops_lie_within_one_training_window_and_are_normalised(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(80, "val"), (100, "train"), (60, "test"), (72, "train")])
    data = training_data(features, 5.0)
    crops, mask = CropSampler(data, 16).draw(200, seed=0, attempt=0, step=0)
    assert mask.all()
    normal = data.statistics.normalise(features.values)
    places = {normal[row].tobytes(): row for row in range(len(normal))}
    starts = [places[crop[0].tobytes()] for crop in crops]
    for crop, start in zip(crops, starts, strict=True):
        assert 80 <= start <= 164 or 240 <= start <= 296  # rows of the two train spans, 16 rows before their ends
        np.testing.assert_array_equal(crop, normal[start : start + 16])
    assert min(starts) < 90
    assert max(starts) > 285


def test_mirrored_crops_are_mirrored_and_then_normalised(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(80, "train"), (20, "train"), (40, "val")])
    data = training_data(features, 5.0)
    plain, mirrored = CropSampler(data, 32), CropSampler(data, 32, mirrored=0.5)
    drawn = mirrored.choose(60, seed=0, attempt=0, step=3)
    assert 10 < drawn.mirrored.sum() < 50
    np.testing.assert_array_equal(drawn.first, plain.choose(60, seed=0, attempt=0, step=3).first)
    crops = mirrored.read(drawn)
    image = mirror_of(features.representation)
    for place in range(60):
        rows = features.values[drawn.first[place] : drawn.first[place] + drawn.lengths[place]]
        expected = data.statistics.normalise(image(rows) if drawn.mirrored[place] else rows)
        found = crops[place, : drawn.lengths[place]]
        if not drawn.mirrored[place]:
            np.testing.assert_array_equal(found, expected)
        # Rounded once more, at the size of what normalising subtracts.
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_features_on_disk_are_verified_before_they_are_trained_on(make_features, save_features, tmp_path: Path) -> None:
    made = make_features(tmp_path / "made", [(80, "train"), (40, "val")])
    save_features(made, tmp_path / "set")
    features = FeatureSet.load(tmp_path / "set")
    expected = CropSampler(training_data(made, 5.0), 16).draw(8, seed=0, attempt=0, step=0)
    for _ in range(2):  # as the normalised copy is written, and from the copy
        data = training_data(features, 5.0)
        for array, other in zip(CropSampler(data, 16).draw(8, seed=0, attempt=0, step=0), expected, strict=True):
            np.testing.assert_array_equal(array, other)
    (copy,) = (tmp_path / "set").glob("normalised-*.npy")
    for path in (copy, tmp_path / "set" / "values.npy"):
        content = bytearray(path.read_bytes())
        content[-50] ^= 1
        path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        training_data(FeatureSet.load(tmp_path / "set"), 5.0)


def test_a_short_window_is_padded_with_its_last_row_outside_the_mask(make_features, tmp_path: Path) -> None:
    data = training_data(make_features(tmp_path, [(20, "train"), (40, "val")]), 5.0)
    crops, mask = CropSampler(data, 32).draw(3, seed=0, attempt=0, step=0)
    assert mask.sum(axis=1).tolist() == [20, 20, 20]
    assert np.array_equal(crops[:, 20:], np.repeat(crops[:, 19:20], 12, axis=1))


def test_every_row_is_about_equally_likely(make_features, tmp_path: Path) -> None:
    data = training_data(make_features(tmp_path, [(16, "train"), (160, "train"), (40, "val")]), 5.0)
    _, mask = CropSampler(data, 32).draw(4000, seed=0, attempt=0, step=0)
    short = float((mask.sum(axis=1) == 16).mean())
    # 16 of 176 rows; four standard deviations of a share of 4000 draws.
    assert short == pytest.approx(16 / 176, abs=4 * (16 / 176 * 160 / 176 / 4000) ** 0.5)


def test_without_validation_whole_groups_of_train_are_held_out(make_features, tmp_path: Path) -> None:
    data = training_data(make_features(tmp_path, [(40, "train")] * 60), 5.0)
    assert "twentieth of train" in data.held_out_name
    assert data.held_out
    assert data.train
    assert not {window.group for window in data.train} & {window.group for window in data.held_out}


def test_a_single_recording_is_looked_at_itself_and_says_so(make_features, tmp_path: Path) -> None:
    data = training_data(make_features(tmp_path, [(40, "train")]), 5.0)
    assert data.held_out == data.train
    assert "train itself" in data.held_out_name


def test_a_store_without_training_windows_stops(make_features, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no train window"):
        training_data(make_features(tmp_path, [(40, "test"), (10, "train")]), 5.0)


def test_spreading_keeps_windows_from_the_whole_listing(make_features, tmp_path: Path) -> None:
    data = training_data(make_features(tmp_path, [(40, "train")] * 50 + [(40, "val")]), 5.0)
    some = spread(data.train, 400)
    assert sum(window.rows for window in some) <= 400
    assert some[0] == data.train[0]
    assert data.train.index(some[-1]) >= 40
    assert spread(data.train, 10**6) == data.train
