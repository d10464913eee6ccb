"""Codes become the motion that the tokenizer's decoder gives, in files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import motionunion
from motionunion.errors import MissingInput, SourceFormatError, UsageError
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import Corpus
from tokenizer.decode import decode_items, tokenizer_of
from tokenizer.encode import build_corpus
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig


def make_tokenizer(features, seed: int = 0) -> Tokenizer:
    statistics = features.statistics(feat_bias=5.0)
    return Tokenizer(
        build_model(ModelConfig(levels=(8, 6, 5), width=8), seed), mean_D=statistics.mean, std_D=statistics.std,
        representation=features.representation, parameter_hash="p", codebook=256, provenance={},
    )  # fmt: skip


@pytest.fixture
def corpus(make_features, tmp_path: Path) -> Corpus:
    features = make_features(tmp_path / "features", [(64, "train"), (230, "train"), (40, "val")])
    tokenizer = make_tokenizer(features)
    tokenizer.save(tmp_path / "runs/tokenizers/t")
    return build_corpus(tokenizer, "t", features, tmp_path / "runs")


def test_a_named_clip_gives_its_windows_decoded(corpus: Corpus, tmp_path: Path) -> None:
    written = decode_items(corpus, ["000001"], tmp_path / "out", gif=False)
    windows = corpus.windows("train")[1:]
    assert [one["name"] for one in written] == [window.window_id for window in windows]
    expected = tokenizer_of(corpus).decode([window.codes for window in windows])
    for one, features in zip(written, expected, strict=True):
        assert np.array_equal(np.load(one["features"]), features)
        assert np.array_equal(np.load(one["joints"]), motionunion.decode(features, corpus.representation))
        assert one["caption"] == "motion 1"
        assert one["seconds"] == len(features) / 20


def test_a_gif_is_drawn_of_the_first_windows(corpus: Corpus, tmp_path: Path) -> None:
    (one,) = decode_items(corpus, [], tmp_path / "out", split="val", count=1)
    assert Path(one["gif"]).read_bytes().startswith(b"GIF8")
    assert one["name"] == corpus.windows("val")[0].window_id


def test_codes_of_a_file_are_decoded_too(corpus: Corpus, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.arange(12, dtype=np.uint16))
    (one,) = decode_items(corpus, [str(tmp_path / "mine.npy")], tmp_path / "out", gif=False)
    assert np.load(one["features"]).shape == (48, 263)
    assert np.load(one["joints"]).shape[1:] == (22, 3)


@pytest.mark.parametrize(
    ("array", "error"),
    [
        (np.zeros((3, 2), np.int32), UsageError),
        (np.zeros(3, np.float32), UsageError),
        (np.zeros(0, np.int32), UsageError),
        (np.array([0, 240]), UsageError),
        (np.array([-1, 0]), UsageError),
        (np.array([1 << 32]), UsageError),
        (np.array([(1 << 64) - 1], np.uint64), UsageError),
    ],
)
def test_a_file_of_other_things_is_refused(corpus: Corpus, tmp_path: Path, array, error) -> None:
    np.save(tmp_path / "mine.npy", array)
    with pytest.raises(error, match="mine"):
        decode_items(corpus, [str(tmp_path / "mine.npy")], tmp_path / "out", gif=False)


def test_a_file_that_is_no_array_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    lying = io.BytesIO()
    np.lib.format.write_array_header_1_0(lying, {"descr": "<i8", "fortran_order": False, "shape": (10**12,)})
    archive = io.BytesIO()
    np.savez(archive, codes=np.arange(3))
    for data in (lying.getvalue(), archive.getvalue(), b"", b"codes"):
        (tmp_path / "mine.npy").write_bytes(data)
        with pytest.raises(SourceFormatError, match=r"mine\.npy"):
            decode_items(corpus, [str(tmp_path / "mine.npy")], tmp_path / "out", gif=False)


def test_two_files_of_one_name_do_not_take_each_other_s_place(corpus: Corpus, tmp_path: Path) -> None:
    files = [tmp_path / "a" / "x.npy", tmp_path / "b" / "x.npy"]
    for number, file in enumerate(files, start=2):
        file.parent.mkdir()
        np.save(file, np.arange(number))
    with pytest.raises(UsageError, match="one by one"):
        decode_items(corpus, [str(file) for file in files], tmp_path / "out", gif=False)
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_is_named(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no window 999999"):
        decode_items(corpus, ["000000", "999999"], tmp_path / "out")
    with pytest.raises(UsageError, match="'test'; it has train, val"):
        decode_items(corpus, [], tmp_path / "out", split="test")
    with pytest.raises(SourceFormatError, match=r"gone\.npy"):
        decode_items(corpus, ["gone.npy"], tmp_path / "out")


def test_another_tokenizer_in_its_place_is_refused(corpus: Corpus, make_features, tmp_path: Path) -> None:
    other = make_features(tmp_path / "other", [(64, "train")], seed=1)
    make_tokenizer(other, seed=1).save(corpus.tokenizer_path)
    with pytest.raises(MissingInput, match="is not the tokenizer of"):
        tokenizer_of(corpus)
