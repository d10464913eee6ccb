from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from motionunion.errors import ConfigError, MissingInput, MotionUnionError
from scamo.config import ModelConfig, TrainConfig
from scamo.data import Windows
from scamo.model import new_model
from scamo.objective import Objective
from scamo.text import WordEncoder
from scamo.train import Training, learning_rate, optimiser
from scamo.unigram import Unigram
from scamo.vocabulary import Vocabulary
from tokenizer.runs import alone_in
from tokenizer.team import Team

CONFIG = TrainConfig(
    steps=12, batch_tokens=120, learning_rate=3e-3, warmup_steps=2, weight_decay=0.1, pkeep=0.9, code_dropout=0.1,
    drop_edge=0.3, word_dropout=0.05, eval_every=3,
)  # fmt: skip
MODEL = ModelConfig(layers=2, heads=2, width=16, codebook_size=60, text_width=8, dropout=0.1)


@pytest.fixture
def windows(make_windows) -> tuple[Windows, Windows]:
    return make_windows(40, seed=0), make_windows(10, seed=1)


def training(
    folder: Path, windows: tuple[Windows, Windows], config: TrainConfig = CONFIG, restrict: bool = True
) -> Training:
    train, val = windows
    unigram = Unigram.of(train.codes, len(train), MODEL.codebook_size)
    vocabulary = Vocabulary(MODEL.codebook_size, unigram.seen if restrict else None)
    captions = (text for texts in train.captions for text in texts)
    encoder = WordEncoder.of(captions, 8, seed=0, word_dropout=config.word_dropout)
    objective = Objective(vocabulary.cut(new_model(MODEL, seed=0)), encoder, vocabulary)
    return Training(objective, train, val, unigram, config, folder, plan_hash="p")


def everything(run: Training) -> list[torch.Tensor]:
    """Every tensor that decides how the run goes on."""
    state = run.optimiser.state_dict()["state"]
    moments = [value for number in sorted(state) for _, value in sorted(state[number].items())]
    return [*run.objective.state_dict().values(), *moments]


@pytest.mark.parametrize("restrict", [True, False])
def test_k_steps_and_k_more_equal_2k_steps_bit_for_bit(tmp_path, windows, restrict):
    whole = training(tmp_path / "whole", windows, restrict=restrict)
    finished = whole.run()
    assert training(tmp_path / "parts", windows, restrict=restrict).run(stop_after=6) is None
    torch.manual_seed(99)  # another process has another random state
    torch.rand(7)
    second = training(tmp_path / "parts", windows, restrict=restrict)
    resumed = second.run()
    assert finished is not None
    assert resumed is not None
    assert all(torch.equal(one, other) for one, other in zip(everything(whole), everything(second), strict=True))
    assert finished.metrics == resumed.metrics
    assert all(torch.equal(finished.best[name], resumed.best[name]) for name in finished.best)
    assert (tmp_path / "whole/metrics.jsonl").read_bytes() == (tmp_path / "parts/metrics.jsonl").read_bytes()


def test_a_run_killed_between_two_saves_ends_in_the_same_weights(tmp_path, windows):
    whole = training(tmp_path / "whole", windows)
    whole.run()
    killed = training(tmp_path / "killed", windows)
    killed.run(stop_after=5)  # the last save was after step 3: steps 4 and 5 are lost
    again = training(tmp_path / "killed", windows)
    again.run()
    assert all(torch.equal(one, other) for one, other in zip(everything(whole), everything(again), strict=True))
    assert whole.metrics == again.metrics


def test_a_model_learns_what_captions_say(tmp_path, make_windows):
    config = replace(CONFIG, steps=150, learning_rate=1e-2, warmup_steps=10, eval_every=50, batch_tokens=400)
    finished = training(tmp_path, (make_windows(200, 0), make_windows(40, 1)), config).run()
    assert finished is not None
    figures = finished.best_figures
    # The ring is certain but for its first code (ln 10 a motion) and its end: far below the unigram's ln 40 = 3.7 nats.
    assert figures["l_u_seen"] < -1.5
    assert figures["ce_seen"] < 1.6


def test_the_best_step_is_kept_not_the_last(tmp_path, make_windows):
    random = np.random.default_rng(0)
    noise = Windows.of([random.integers(0, 60, 8) for _ in range(6)], [[f"motion {n}"] for n in range(6)])
    config = replace(CONFIG, steps=80, learning_rate=2e-2, eval_every=4, pkeep=1.0, code_dropout=0.0)
    run = training(tmp_path, (noise, make_windows(10, 1)), config, restrict=False)
    finished = run.run()
    assert finished is not None
    losses = {row["step"]: row["ce"] for row in finished.metrics}
    assert finished.best_step == min(losses, key=losses.__getitem__) < 80  # six noisy motions are soon learnt by heart
    run.objective.load_state_dict(finished.best, strict=True)
    assert run.objective.measure(run.val, run.unigram).ce == pytest.approx(losses[finished.best_step])
    assert [path.name for path in tmp_path.glob("best-*")] == [f"best-{finished.best_step:08d}.safetensors"]


def test_every_measurement_is_one_line_with_its_identity(tmp_path, windows):
    training(tmp_path, windows).run()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [3, 6, 9, 12]
    for row in rows:
        assert row["l_u"] == pytest.approx(row["ce"] - row["h_cross"])
        assert row["l_u_seen"] == pytest.approx(row["ce_seen"] - row["h_cross_seen"])
        assert math.isfinite(row["train_loss"])
    assert rows[-1]["train_tokens"] > rows[0]["train_tokens"]


def test_a_measurement_changes_nothing(tmp_path, windows):
    run = training(tmp_path, windows)
    before = [each.clone() for each in everything(run)]
    first = run.objective.measure(run.val, run.unigram)
    second = run.objective.measure(run.val, run.unigram)
    assert first == second
    assert all(torch.equal(one, other) for one, other in zip(before, everything(run), strict=True))
    assert run.objective.training


def test_the_measured_loss_is_the_plain_cross_entropy_of_all_windows(tmp_path, windows):
    run = training(tmp_path, windows, restrict=False)
    objective, val = run.objective.eval(), windows[1]
    total, count = 0.0, 0
    for number in range(len(val)):
        caption = val.captions[number][number % len(val.captions[number])]
        text = objective.encoder.features([caption])[0][None]
        row = [*[MODEL.pad] * text.shape[1], *val[number].tolist(), MODEL.end]
        with torch.no_grad():
            logits = objective.model(torch.tensor([row]), text, torch.tensor([text.shape[1]]))[0]
        start = text.shape[1]
        loss = torch.nn.functional.cross_entropy(logits[start - 1 : -1], torch.tensor(row[start:]), reduction="sum")
        total, count = total + float(loss), count + len(row) - start
    found = objective.measure(val, run.unigram)
    assert found.tokens == count == val.tokens
    assert found.ce == pytest.approx(total / count, rel=1e-5)


def test_codes_that_training_lacks_keep_their_rows_with_a_full_head_too(tmp_path, windows):
    run = training(tmp_path, windows, restrict=False)
    unseen = [code for code in range(60) if code not in set(windows[0].codes.tolist())]
    table = run.objective.model.embedding.weight
    before = table.detach().clone()
    # pkeep draws random codes, unseen ones among them: without it only codes of the corpus have a gradient here.
    run.config = replace(CONFIG, pkeep=1.0)
    run.run()
    assert torch.equal(table[unseen], before[unseen])
    assert not torch.equal(table[:40], before[:40])


def test_weight_decay_leaves_tables_norms_and_biases_out(tmp_path, windows):
    run = training(tmp_path, windows)
    decayed = {id(parameter) for parameter in optimiser(run.objective, CONFIG).param_groups[0]["params"]}
    names = {name for name, parameter in run.objective.named_parameters() if id(parameter) in decayed}
    assert "model.llama_proj.weight" in names
    assert "model.transformer.h.0.attn.c_attn.weight" in names
    assert not any(part in name for name in names for part in ("wte", "lm_head", "scale", "bias", "words"))
    assert len(names) == 1 + 2 * 5


def test_rate_rises_in_a_line_and_falls_in_a_half_cosine():
    config = replace(CONFIG, steps=102, warmup_steps=2, learning_rate=1.0, final_rate=0.1)
    assert [learning_rate(config, step) for step in (0, 1, 2)] == [0.5, 1.0, 1.0]
    assert learning_rate(config, 101) == pytest.approx(0.1)
    rates = [learning_rate(config, step) for step in range(2, 102)]
    assert rates == sorted(rates, reverse=True)


def test_a_warm_up_longer_than_the_training_is_refused():
    with pytest.raises(ConfigError, match="warmup_steps: 12 does not end within 12 steps"):
        replace(CONFIG, warmup_steps=12)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path, windows):
    run = training(tmp_path, windows)
    with torch.no_grad():
        run.objective.model.lm_head.weight[0] = torch.nan
    with pytest.raises(MotionUnionError, match="step 1; train with a lower learning rate"):
        run.run()


def test_a_state_of_another_plan_is_refused(tmp_path, windows):
    training(tmp_path, windows).run(stop_after=3)
    other = training(tmp_path, windows)
    other.plan_hash = "q"
    with pytest.raises(MotionUnionError, match="another plan"):
        other.run()


class Second(Team):
    """The second of two processes, without the first: what it adds as zero, the first is said to add as 5."""

    def sum(self, value: float) -> float:
        return value or 5.0


def test_the_first_process_decides_which_step_is_best(tmp_path, windows):
    run = training(tmp_path, windows)
    run.team = Second(1, 1, torch.device("cpu"))
    run.run(stop_after=6)
    assert [row["ce"] for row in run.metrics] == [5.0, 5.0]
    assert (run.best_ce, run.best_step) == (5.0, 3)


def test_two_processes_do_not_train_in_one_folder_at_once(tmp_path, windows):
    with alone_in(tmp_path / "run"), pytest.raises(MissingInput, match="another process is at work in it"):
        training(tmp_path / "run", windows).run()
    assert not list((tmp_path / "run").iterdir())
