from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import torch

from motionunion.errors import MissingInput, SourceFormatError
from scamo.evaluation import official
from scamo.evaluation.networks import EvaluatorNetworks
from scamo.evaluation.words import tagged_words

LIST = ["sos", "eos", "unk", "walk", "person"]


def test_a_folder_of_the_published_layout_loads(tmp_path, write_folder):
    evaluator = official.load_official(write_folder(tmp_path))
    assert evaluator.official
    assert not evaluator.networks.training
    motion = np.random.default_rng(0).normal(size=(60, 263)).astype(np.float32)
    assert evaluator.embed_motions([motion]).shape == (1, 512)
    sentence = evaluator.vocabulary.read(tagged_words("", "walk/VERB"))
    words, _, lengths = evaluator.look_up([sentence])
    assert words[0, 1, 0] == 3 * 300
    assert lengths.tolist() == [3]
    assert evaluator.embed_texts([sentence]).shape == (1, 512)


def test_missing_files_are_listed_with_their_origin(narrow, tmp_path, write_folder):
    folder = write_folder(tmp_path)
    (folder / official.VECTORS).unlink()
    with pytest.raises(MissingInput) as caught:
        official.load_official(folder)
    assert official.VECTORS in str(caught.value)
    assert "EricGuo5513/text-to-motion" in str(caught.value)
    assert official.WEIGHTS not in str(caught.value)
    with pytest.raises(MissingInput) as caught:
        official.load_official(tmp_path / "nothing")
    assert all(name in str(caught.value) for name in official.ORIGINS)


def test_another_key_or_shape_is_refused(narrow, tmp_path, write_folder):
    state = EvaluatorNetworks(official.EvaluatorConfig()).movement_encoder.state_dict()
    with pytest.raises(SourceFormatError, match=r"unknown key movement_encoder\.extra"):
        official.load_official(write_folder(tmp_path / "a", {"movement_encoder": state | {"extra": torch.ones(1)}}))
    lacking = {key: value for key, value in state.items() if key != "out_net.bias"}
    with pytest.raises(SourceFormatError, match=r"lacks movement_encoder\.out_net\.bias"):
        official.load_official(write_folder(tmp_path / "b", {"movement_encoder": lacking}))
    wrong = state | {"out_net.bias": torch.ones(3)}
    with pytest.raises(SourceFormatError, match=r"out_net\.bias has shape \(3,\)"):
        official.load_official(write_folder(tmp_path / "c", {"movement_encoder": wrong}))
    with pytest.raises(SourceFormatError, match="lacks one of"):
        official.load_official(write_folder(tmp_path / "d", {"text_encoder": None}))


class Attack:
    def __reduce__(self):
        return (os.mkdir, ("owned",))


def test_pickles_with_objects_are_refused_and_run_nothing(narrow, tmp_path, monkeypatch, write_folder):
    monkeypatch.chdir(tmp_path)
    folder = write_folder(tmp_path / "a")
    (folder / official.WORDS).write_bytes(pickle.dumps(["sos", Attack()], protocol=3))
    with pytest.raises(SourceFormatError, match="instruction"):
        official.load_official(folder)
    folder = write_folder(tmp_path / "b", {"opt_text_encoder": Attack()})
    with pytest.raises(SourceFormatError, match="plain tensors"):
        official.load_official(folder)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pickle.dumps(LIST, protocol=3)[:-9],
        b"\x80\x03]r\xff\xff\xff\x7f.",  # a memo number of two milliards
        b"\x80\x03X\xff\xff\xff\x7fsos.",  # a string of two gigabytes, says its header
        b"\x80\x03a.",
        b"not a pickle",
    ],
)
def test_damaged_word_lists_are_refused(narrow, tmp_path, data, write_folder):
    folder = write_folder(tmp_path)
    (folder / official.WORDS).write_bytes(data)
    with pytest.raises(SourceFormatError, match="our_vab_words"):
        official.load_official(folder)


def test_a_word_without_a_vector_is_refused(narrow, tmp_path, write_folder):
    folder = write_folder(tmp_path)
    (folder / official.ROWS).write_bytes(pickle.dumps({w: i + 1 for i, w in enumerate(LIST)}))
    with pytest.raises(SourceFormatError, match="have no vector"):
        official.load_official(folder)


def test_the_published_word_files_are_read(test_data):
    folder = test_data / "eval_assets"
    words, rows = (
        official.read_plain_pickle(folder / official.WORDS),
        official.read_plain_pickle(folder / official.ROWS),
    )
    assert len(words) == len(rows) == 4199
    assert [rows[word] for word in ("sos", "eos", "unk")] == [0, 1, 2]


def test_statistics_are_the_published_numbers(test_data):
    mean, std = official.statistics()
    folder = test_data / "eval_assets" / "mdm_dataset"
    np.testing.assert_array_equal(mean, np.load(folder / "t2m_mean.npy", allow_pickle=False))
    np.testing.assert_array_equal(std, np.load(folder / "t2m_std.npy", allow_pickle=False))


def test_statistics_with_one_digit_changed_are_refused(tmp_path, monkeypatch):
    stored = json.loads((official.files("manifests") / "evaluator_stats_t2m.json").read_text())
    stored["std"][100] *= 1.0001
    (tmp_path / "evaluator_stats_t2m.json").write_text(json.dumps(stored))
    monkeypatch.setattr(official, "files", lambda package: tmp_path)
    with pytest.raises(SourceFormatError, match="`std` is not the published one"):
        official.statistics()
