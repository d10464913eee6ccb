from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from motionunion.errors import MissingInput, UsageError
from scamo.checkpoint import load_tensors
from scamo.config import ModelConfig, from_mapping
from scamo.data import Windows
from scamo.model import new_model
from scamo.plan import train_ar
from scamo.trained import TrainedTransformer, newest_model
from tokenizer.corpus import open_corpus


@pytest.fixture
def runs(tmp_path, write_corpus, make_windows) -> Path:
    write_corpus(tmp_path, {"train": make_windows(20, 0), "val": make_windows(8, 1)})
    return tmp_path


class Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def start(self, label, total, unit): ...
    def advance(self, amount, **figures): ...
    def finish(self): ...
    def note(self, message):
        self.lines.append(message)


def test_the_newest_corpus_becomes_a_model_that_names_its_origin(runs):
    notes = Notes()
    report = train_ar(runs, steps=4, progress=notes)
    tensors, header = load_tensors(report.folder / "model.safetensors")
    corpus = open_corpus(runs / "corpora/corpus-1")
    assert header["tokenizer"] == {
        "name": "small-1",
        "hash": corpus.tokenizer_hash,
        "representation": "hml263@20/compat",
    }
    assert header["corpus"] == {"name": "corpus-1", "fingerprint": corpus.fingerprint}
    plan = json.loads((report.folder / "plan.json").read_text())
    assert plan["plan"]["tokenizer"] == header["tokenizer"]
    assert report.folder.name == f"tiny-{plan['hash'][:8]}"
    assert sorted(path.name for path in report.folder.iterdir()) == ["metrics.jsonl", "model.safetensors", "plan.json"]
    assert header["validation"] == "val split"
    assert header["restricted"]  # 40 of 240 codes occur
    assert tuple(tensors["lm_head.weight"].shape) == (241, 128)  # the official shape all the same
    assert any("softmax over the 40 codes" in line for line in notes.lines)
    assert report.as_dict()["figures"]["step"] == report.as_dict()["best_step"]


def test_rows_of_unseen_codes_are_those_of_the_first_weights(runs):
    report = train_ar(runs, steps=4)
    tensors, header = load_tensors(report.folder / "model.safetensors")
    first = new_model(from_mapping(ModelConfig, header["model"], "test"), seed=0).state_dict()
    for table in ("lm_head.weight", "transformer.wte.weight"):
        assert torch.equal(tensors[table][40:240], first[table][40:240])
        assert not torch.equal(tensors[table][:40], first[table][:40])


def test_a_second_call_finds_the_model_made(runs):
    first = train_ar(runs, steps=4)
    before = (first.folder / "model.safetensors").stat().st_ino
    again = train_ar(runs, steps=4)
    assert again.already_done
    assert not first.already_done
    assert (again.folder, again.header) == (first.folder, first.header)
    assert (first.folder / "model.safetensors").stat().st_ino == before


def test_the_newest_model_is_the_one_asked_for_last(runs):
    first, second = train_ar(runs, steps=3), train_ar(runs, steps=3, seed=1)
    assert newest_model(runs) == second.folder != first.folder
    assert train_ar(runs, steps=3).already_done
    assert newest_model(runs) == first.folder


def test_the_loaded_model_measures_what_the_report_says(runs, make_windows):
    report = train_ar(runs, steps=4)
    trained = TrainedTransformer.load(report.folder)
    found = trained.measure(make_windows(8, 1))
    for name, value in found.figures().items():
        assert report.header["figures"][name] == pytest.approx(value, rel=1e-6), name


def test_a_full_softmax_is_trained_and_loaded_too(runs, make_windows):
    report = train_ar(runs, steps=3, softmax="all")
    trained = TrainedTransformer.load(report.folder)
    assert not trained.restricted
    assert trained.measure(make_windows(8, 1)).ce == pytest.approx(report.header["figures"]["ce"], rel=1e-6)


def test_without_a_captioned_val_split_whole_recordings_are_held_out(tmp_path, write_corpus, make_windows):
    bare = Windows.of([[1, 2]], [[]])
    write_corpus(tmp_path, {"train": make_windows(20), "val": bare})
    notes = Notes()
    report = train_ar(tmp_path, steps=3, progress=notes)
    assert report.train_windows == 18  # 5 % of 10 recordings of two windows, at least one recording
    assert any("2 windows held out from the train split" in line for line in notes.lines)


def test_windows_without_captions_are_counted_and_not_used(tmp_path, write_corpus, make_windows):
    some = make_windows(20)
    lists = [some[number] for number in range(20)] + [np.array([200, 201])] * 3
    windows = Windows.of(lists, [*some.captions, [], [], []], [*some.groups, "x", "y", "z"])
    write_corpus(tmp_path, {"train": windows, "val": make_windows(5, 1)})
    notes = Notes()
    report = train_ar(tmp_path, steps=3, progress=notes)
    assert report.train_windows == 20
    assert any(line.startswith("3 training windows have no caption") for line in notes.lines)
    assert 200 not in TrainedTransformer.load(report.folder).unigram.seen


def test_a_corpus_without_captions_names_the_commands_that_bring_them(tmp_path, write_corpus):
    write_corpus(tmp_path, {"train": Windows.of([[1, 2], [3]], [[], []])})
    with pytest.raises(MissingInput, match=r"motionunion ingest HumanML3D.*motionunion captions import FILE") as caught:
        train_ar(tmp_path)
    assert caught.value.exit_code == 4


def test_without_a_corpus_the_command_that_makes_one_is_named(tmp_path):
    with pytest.raises(MissingInput, match="scamo tokenize"):
        train_ar(tmp_path)


@pytest.mark.parametrize("device", ["gpu7", "meta", *([] if torch.cuda.is_available() else ["cuda"])])
def test_a_device_that_is_not_there_is_refused(runs, device):
    with pytest.raises(UsageError, match="--device"):
        train_ar(runs, device=device)


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_ends_in_the_same_model(runs, tmp_path):
    code = f"from pathlib import Path; from scamo.plan import train_ar; train_ar(Path({str(runs)!r}), steps=60)"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    random = np.random.default_rng(0)
    folder: list[Path] = []
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code], env=environment)
        deadline = time.monotonic() + 60
        while not folder and time.monotonic() < deadline and process.poll() is None:
            folder = list((runs / "models").glob("*/state.pt"))
            time.sleep(0.02)
        time.sleep(float(random.uniform(0, 0.3)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert folder, "the run never saved a state"
    finished = train_ar(runs, steps=60)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "corpora").mkdir(parents=True)
    for part in ("corpora/corpus-1", "tokenizers"):
        (elsewhere / part).symlink_to(runs / part)
    whole = train_ar(elsewhere, steps=60)
    assert not finished.already_done
    assert (finished.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
    assert not list(finished.folder.glob(".tmp-*"))
