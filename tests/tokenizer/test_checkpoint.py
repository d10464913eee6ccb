from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from motionunion.errors import ConfigError, MissingInput
from tokenizer.checkpoint import FILE, Tokenizer, describe
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig

CONFIG = ModelConfig(levels=(8, 6, 5), width=16)


def make_tokenizer(seed: int = 0) -> Tokenizer:
    random = np.random.default_rng(seed)
    return Tokenizer(
        build_model(CONFIG, seed),
        mean_D=random.normal(size=263).astype(np.float32),
        std_D=random.uniform(0.5, 2, 263).astype(np.float32),
        representation="hml263@20/compat",
        parameter_hash="abc",
        codebook=256,
        provenance={"preset": "tiny"},
    )


def make_clips(lengths: list[int]) -> list[np.ndarray]:
    random = np.random.default_rng(9)
    return [random.normal(size=(length, 263)).astype(np.float32) for length in lengths]


def test_a_batch_of_many_lengths_gives_the_codes_of_every_clip_alone() -> None:
    tokenizer = make_tokenizer()
    clips = make_clips([64, 16, 196, 64, 40, 64, 63, 65, 16])
    together = tokenizer.encode(clips)
    assert [len(codes) for codes in together] == [16, 4, 49, 16, 10, 16, 15, 16, 4]
    for clip, codes in zip(clips, together, strict=True):
        assert codes.dtype == np.int32
        assert np.array_equal(codes, tokenizer.encode([clip])[0])


def test_small_batches_give_the_same_codes(monkeypatch) -> None:
    tokenizer, clips = make_tokenizer(), make_clips([32] * 7 + [48] * 3)
    whole = tokenizer.encode(clips)
    monkeypatch.setattr("tokenizer.encoding_batches.BATCH_ROWS", 70)
    assert all(np.array_equal(one, two) for one, two in zip(whole, tokenizer.encode(clips), strict=True))


def test_decoding_a_batch_keeps_clips_apart_and_denormalises() -> None:
    tokenizer = make_tokenizer()
    codes = tokenizer.encode(make_clips([64, 16, 64]))
    rows = tokenizer.decode(codes)
    assert [len(clip) for clip in rows] == [64, 16, 64]
    for one, clip in zip(codes, rows, strict=True):
        np.testing.assert_allclose(tokenizer.decode([one])[0], clip, rtol=1e-5, atol=1e-5)
        normal = tokenizer.model.decode(torch.from_numpy(one.astype(np.int64))[None])[0].numpy()
        np.testing.assert_allclose(clip, normal * tokenizer.std_D + tokenizer.mean_D, rtol=1e-4, atol=1e-5)


def test_autocast_around_encoding_does_not_change_a_code() -> None:
    tokenizer, clips = make_tokenizer(), make_clips([64] * 6)
    plain = tokenizer.encode(clips)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = tokenizer.encode(clips)
    assert all(np.array_equal(one, two) for one, two in zip(plain, cast, strict=True))


def test_saving_and_loading_keeps_everything_and_the_same_bytes(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.save(tmp_path / "one")
    loaded = Tokenizer.load(tmp_path / "one")
    loaded.save(tmp_path / "two")
    assert (tmp_path / "one" / FILE).read_bytes() == (tmp_path / "two" / FILE).read_bytes()
    assert loaded.hash == tokenizer.hash
    assert loaded.provenance == {"preset": "tiny"}
    assert (loaded.codebook, loaded.codebook_size, loaded.levels) == (256, 240, (8, 6, 5))
    clips = make_clips([40])
    assert np.array_equal(loaded.encode(clips)[0], tokenizer.encode(clips)[0])
    assert describe(tmp_path / "one")["representation"] == "hml263@20/compat"


def test_a_flipped_bit_of_a_weight_is_found(tmp_path: Path) -> None:
    path = make_tokenizer().save(tmp_path)
    data = bytearray(path.read_bytes())
    data[-100] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(MissingInput, match="the file is damaged"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("about", ["[]", "{}", "7", "null"])
def test_a_file_that_does_not_say_what_it_is_is_named(tmp_path: Path, about: str) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / FILE, metadata={"tokenizer": about})
    with pytest.raises(MissingInput, match="move its folder away"):
        describe(tmp_path)


def test_the_hash_follows_weights_statistics_and_representation_but_not_provenance() -> None:
    tokenizer = make_tokenizer()
    before = tokenizer.hash
    tokenizer.provenance["note"] = "moved"
    assert tokenizer.hash == before
    tokenizer.std_D[5] *= 2
    statistics = tokenizer.hash
    tokenizer.representation = "other@20"
    assert len({before, statistics, tokenizer.hash, make_tokenizer(1).hash}) == 4


def test_no_codes_and_no_clips_are_no_error() -> None:
    assert make_tokenizer().encode([]) == []
    assert make_tokenizer().decode([]) == []


@pytest.mark.parametrize("shape", [(3, 263), (64, 262), (64,)])
def test_features_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="clip 0 has shape"):
        make_tokenizer().encode([np.zeros(shape, np.float32)])


@pytest.mark.parametrize("codes", [[], [240], [-1], [[1, 2]]])
def test_codes_outside_the_codebook_are_refused(codes: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"codes in 0 \.\.\. 239"):
        make_tokenizer().decode([np.array(codes, dtype=np.int64)])


def spoil(path: Path, change: str) -> None:
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["tokenizer"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if change == "missing key":
        del tensors["vqvae.quantizer.project_in.bias"]
    elif change == "extra key":
        tensors["vqvae.extra"] = torch.zeros(1)
    elif change == "wrong shape":
        tensors["vqvae.quantizer.project_in.bias"] = torch.zeros(7)
    elif change == "other format":
        about["format"] = "something/9"
    elif change == "unknown configuration":
        about["model"]["wdith"] = 3
    save_file(tensors, path, metadata={"tokenizer": json.dumps(about)})


@pytest.mark.parametrize(
    "change", ["missing key", "extra key", "wrong shape", "other format", "unknown configuration", "cut short", "gone"]
)
def test_a_file_that_is_not_quite_a_tokenizer_is_refused(tmp_path: Path, change: str) -> None:
    path = make_tokenizer().save(tmp_path)
    if change == "gone":
        path.unlink()
    elif change == "cut short":
        path.write_bytes(path.read_bytes()[:-10])
    else:
        spoil(path, change)
    with pytest.raises(MissingInput, match=r"tokenizer\.safetensors"):
        Tokenizer.load(tmp_path)
