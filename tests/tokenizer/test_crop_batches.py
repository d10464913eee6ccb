from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tokenizer import crop_batches
from tokenizer.crop_batches import CropBatches, rows_on_device
from tokenizer.crops import GUARD, CropSampler, training_data

SPANS = [(120, "train"), (20, "train"), (90, "train"), (80, "val")]


@pytest.mark.parametrize("mirrored", [0.0, 0.5])
def test_batches_are_the_sampler_s_crops(make_features, tmp_path: Path, mirrored: float) -> None:
    data = training_data(make_features(tmp_path, SPANS), 5.0)
    batches, sampler = CropBatches(data, 32, mirrored, torch.device("cpu")), CropSampler(data, 32, mirrored)
    for step, purpose in ((0, GUARD), (3, 1), (4, 1)):
        target, mask = batches.draw(16, 7, 0, step, purpose)
        crops, real = sampler.draw(16, 7, 0, step, purpose)
        assert torch.equal(target, torch.from_numpy(crops))
        assert torch.equal(mask, torch.from_numpy(real))


@pytest.mark.parametrize("mirrored", [0.0, 0.5, 1.0])
def test_gathering_from_a_device_s_rows_gives_the_same_bits(make_features, tmp_path: Path, mirrored: float) -> None:
    data = training_data(make_features(tmp_path, SPANS), 5.0)
    batches = CropBatches(data, 32, mirrored, torch.device("cpu"))
    rows = rows_on_device(data.normalised, torch.device("cpu"))
    short = 0
    for step in range(5):
        drawn = batches.sampler.choose(32, 7, 0, step)
        short += int((drawn.lengths < 32).sum())
        assert torch.equal(batches.gathered(rows, drawn), torch.from_numpy(batches.sampler.read(drawn)))
    assert short


@pytest.mark.parametrize("mirrored", [0.0, 0.5])
def test_rounded_rows_are_the_same_whether_they_lie_on_the_device_or_are_sent(
    make_features, tmp_path: Path, mirrored
) -> None:
    data, cpu = training_data(make_features(tmp_path, SPANS), 5.0), torch.device("cpu")
    sent = CropBatches(data, 32, mirrored, cpu, dtype=torch.bfloat16)
    rows = rows_on_device(data.normalised, cpu, torch.bfloat16)
    assert rows.element_size() == 2
    for step in range(4):
        target, _ = sent.draw(16, 7, 0, step)
        assert target.dtype == torch.float32
        assert torch.equal(target, sent.gathered(rows, sent.sampler.choose(16, 7, 0, step)))
        exact, _ = CropSampler(data, 32, mirrored).draw(16, 7, 0, step)
        torch.testing.assert_close(target, torch.from_numpy(exact), rtol=2**-7, atol=2**-7)
        assert not torch.equal(target, torch.from_numpy(exact))


def test_batches_read_ahead_are_the_same_and_parts_make_the_whole(make_features, tmp_path: Path) -> None:
    data, cpu = training_data(make_features(tmp_path, SPANS), 5.0), torch.device("cpu")
    plain, ahead = CropBatches(data, 32, 0.5, cpu), CropBatches(data, 32, 0.5, cpu, ahead=True)
    for step, purpose in ((0, 1), (1, 1), (0, GUARD), (2, 1), (5, 1), (6, 1)):  # on, a look aside, a jump
        for one, other in zip(plain.draw(7, 3, 0, step, purpose), ahead.draw(7, 3, 0, step, purpose), strict=True):
            assert torch.equal(one, other)
    shares = [ahead.draw(7, 3, 0, 9, 1, slice(rank, None, 2))[0] for rank in (0, 1)]
    whole, _ = plain.draw(7, 3, 0, 9)
    assert torch.equal(whole[0::2], shares[0])
    assert torch.equal(whole[1::2], shares[1])


@pytest.mark.parametrize("count", [1, 4, 11, 12])
def test_all_rows_arrive_piece_by_piece(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int) -> None:
    monkeypatch.setattr(crop_batches, "PIECE_ROWS", 4)
    rows = np.random.default_rng(0).normal(size=(count, 263)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r", allow_pickle=False)
    assert torch.equal(rows_on_device(mapped, torch.device("cpu")), torch.from_numpy(rows))


def test_on_a_cpu_the_rows_stay_where_they_are(make_features, tmp_path: Path) -> None:
    data = training_data(make_features(tmp_path, SPANS), 5.0)
    assert CropBatches(data, 32, 0.0, torch.device("cpu")).rows is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_sees_the_crops_that_a_cpu_sees(make_features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, gpu = training_data(make_features(tmp_path, SPANS), 5.0), torch.device("cuda")
    monkeypatch.setattr(crop_batches, "PIECE_ROWS", 50)
    there = CropBatches(data, 32, 0.5, gpu)
    monkeypatch.setattr(crop_batches, "SHARE_OF_FREE", 0.0)
    sent = CropBatches(data, 32, 0.5, gpu)
    assert there.rows is not None
    assert sent.rows is None
    for step in range(5):
        expected = CropSampler(data, 32, 0.5).draw(16, 7, 0, step)
        for batches in (there, sent):
            for tensor, array in zip(batches.draw(16, 7, 0, step), expected, strict=True):
                assert tensor.device.type == "cuda"
                assert torch.equal(tensor.cpu(), torch.from_numpy(array))
