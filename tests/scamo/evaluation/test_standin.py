from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from motionunion.errors import ConfigError, MissingInput
from motionunion.windows import cut_spans
from scamo.evaluation import standin
from scamo.evaluation.networks import EvaluatorConfig
from scamo.evaluation.protocol import window_items
from scamo.evaluation.standin import StandinConfig, Trainer, choose_preset, contrastive_loss, preset

WIDTHS = EvaluatorConfig(movement_hidden=8, movement_out=8, motion_hidden=8, text_hidden=8, embedding=8)
TRAINING = StandinConfig(steps=8, batch=16, learning_rate=1e-2, warmup_steps=2, save_every=2)


@pytest.fixture
def small(monkeypatch, toy):
    """Arguments of `train_or_load` for a training of eight steps."""
    monkeypatch.setattr(standin, "preset", lambda name: (WIDTHS, TRAINING))
    features = toy({"train": 40})
    items = window_items(features, cut_spans(features.spans, Fraction(20)).windows, split="train").items
    statistics = {"mean": features.values.mean(0, dtype=np.float64), "std": features.values.std(0, dtype=np.float64)}
    return (items, features.values), {**statistics, "features_key": "f", "preset_name": "small"}


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, small, monkeypatch):
    given, names = small
    whole = standin.train_or_load(tmp_path / "whole", *given, **names)
    train_step, calls = Trainer.train_step, []

    def dies(self):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return train_step(self)

    monkeypatch.setattr(Trainer, "train_step", dies)
    with pytest.raises(KeyboardInterrupt):
        standin.train_or_load(tmp_path / "killed", *given, **names)
    assert list(tmp_path.glob("killed/*/state.pt"))
    resumed = standin.train_or_load(tmp_path / "killed", *given, **names)
    assert len(calls) == 6 + 4  # steps 5 to 8 again; the first four were kept
    assert resumed.digest == whole.digest
    assert not list(tmp_path.glob("killed/*/state.pt"))
    assert standin.train_or_load(tmp_path / "killed", *given, **names).digest == whole.digest
    assert len(calls) == 10


def test_embeddings_are_made_without_tf32(tmp_path, small, monkeypatch):
    given, names = small
    evaluator = standin.train_or_load(tmp_path, *given, **names)
    allowed = []
    for name in ("embed_motions", "embed_texts"):
        real = getattr(evaluator.networks, name)

        def spy(*tensors, real=real):
            allowed.append(torch.backends.cudnn.allow_tf32)
            return real(*tensors)

        monkeypatch.setattr(evaluator.networks, name, spy)
    before = torch.backends.cudnn.allow_tf32
    evaluator.embed_motions([given[1][:60]])
    evaluator.embed_texts([evaluator.vocabulary.read([("walk", "VERB")])])
    assert allowed == [False, False]
    assert torch.backends.cudnn.allow_tf32 == before


def test_a_loaded_stand_in_embeds_as_the_trained_one(tmp_path, small):
    given, names = small
    trained = standin.train_or_load(tmp_path, *given, **names)
    loaded = standin.train_or_load(tmp_path, *given, **names)
    motion = [given[1][:60]]
    np.testing.assert_array_equal(trained.embed_motions(motion), loaded.embed_motions(motion))
    assert trained.vocabulary.row == loaded.vocabulary.row
    assert not loaded.official


def test_other_features_another_preset_seed_or_item_is_another_stand_in(tmp_path, small):
    (items, values), names = small
    standin.train_or_load(tmp_path, items, values, **names)
    standin.train_or_load(tmp_path, items, values, **names | {"features_key": "g"})
    standin.train_or_load(tmp_path, items, values, **names, seed=1)
    standin.train_or_load(tmp_path, items[:-1], values, **names)
    assert len(list(tmp_path.glob("standin-*/model.safetensors"))) == 4


def test_a_damaged_stand_in_is_named(tmp_path, small):
    given, names = small
    standin.train_or_load(tmp_path, *given, **names)
    file = next(tmp_path.glob("standin-*/model.safetensors"))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(MissingInput, match="delete"):
        standin.train_or_load(tmp_path, *given, **names)


def test_one_caption_for_all_is_too_little_to_learn_from(tmp_path, toy):
    features = toy({"train": 1})
    items = window_items(features, cut_spans(features.spans, Fraction(20)).windows, split="train").items
    with pytest.raises(MissingInput, match="two different captions"):
        standin.train_or_load(
            tmp_path, items, features.values, mean=np.zeros(263), std=np.ones(263), features_key="f", preset_name="tiny"
        )


def test_equal_captions_are_no_negatives():
    torch.manual_seed(0)
    texts, motions = torch.randn(4, 6), torch.randn(4, 6)
    fits = torch.eye(4, dtype=torch.bool)
    fits[0, 2] = True
    # Text 0 fits motion 2 as well, so that motion may be anywhere for text 0's own row.
    loss = contrastive_loss(texts, motions, fits, 6.0)
    squares = ((texts[:, None] - motions[None]) ** 2).sum(-1) / 6.0

    def row(matrix: torch.Tensor, number: int, among: list[int]) -> torch.Tensor:
        return matrix[number, number] + torch.logsumexp(-matrix[number, among], 0)

    by_text = [row(squares, 0, [0, 1, 3]), *(row(squares, n, [0, 1, 2, 3]) for n in (1, 2, 3))]
    by_motion = [row(squares.T, n, [0, 1, 2, 3]) for n in (0, 1, 3)] + [row(squares.T, 2, [1, 2, 3])]
    wanted = 0.5 * (torch.stack(by_text).mean() + torch.stack(by_motion).mean())
    assert torch.allclose(loss, wanted, atol=1e-5)


def test_every_epoch_takes_each_item_once(small, toy):
    (items, values), names = small
    trainer = Trainer(items, values, names["mean"], names["std"], WIDTHS, TRAINING, 0, torch.device("cpu"))
    assert len(items) == 40
    epoch = [index for step in (0, 1) for index, _ in trainer.batch_of(step)]
    assert len(set(epoch)) == 32
    again = [index for step in (0, 1) for index, _ in trainer.batch_of(step)]
    assert epoch == again
    assert epoch != [index for step in (2, 3) for index, _ in trainer.batch_of(step)]


def test_presets_are_whole_and_the_gpus_has_the_published_widths():
    for name in ("small", "full", "tiny"):
        widths, training = preset(name)
        assert widths.features == 263
        assert training.rate(training.steps - 1) < training.learning_rate / 50
        assert training.rate(0) <= training.learning_rate
    assert preset("full")[0] == EvaluatorConfig()
    with pytest.raises(ConfigError, match="full, small, tiny"):
        preset("huge")
    assert standin.manifests.presets("evaluator")["choice"][1]["preset"] == "full"
    with pytest.raises(ConfigError, match="warmup_steps"):
        StandinConfig(steps=3, batch=2, learning_rate=1.0, warmup_steps=3)


def test_the_preset_follows_the_device(monkeypatch):
    monkeypatch.undo()
    assert choose_preset("cpu")[0] == "small"
    assert choose_preset("cuda")[0] == "full"
    with pytest.raises(ConfigError, match="mps"):
        choose_preset("mps")
