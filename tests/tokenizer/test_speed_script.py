"""`benchmarks/tokenizer.py` compares like with like: the same codes, the same crops, the same losses. Nothing here measures time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import tokenizer_encoding, tokenizer_step, turns
from benchmarks.tokenizer_encoding import Encoding
from benchmarks.tokenizer_step import Step
from benchmarks.turns import Turns, operations_of
from tokenizer.fast_encoder import FastEncoder


def test_the_public_loop_and_ours_give_the_same_codes() -> None:
    ways = Encoding(clips=3, rows=40, width=16).ways()
    theirs, ours = (np.stack(ways[name]()) for name in (tokenizer_encoding.PUBLIC, tokenizer_encoding.OURS))
    assert theirs.shape == (3, 10)
    assert np.array_equal(theirs, ours)


def test_the_plain_loop_and_the_trainer_take_the_same_steps(tmp_path: Path) -> None:
    step = Step(tmp_path, batch=3, width=16, steps=4)
    try:
        plain, ours, bfloat16 = (
            step.way(name) for name in (tokenizer_step.PLAIN, tokenizer_step.OURS, tokenizer_step.BFLOAT16)
        )
        losses = [[way() for way in (plain, ours, bfloat16)] for _ in range(4)]
    finally:
        step.end()
    for theirs, own, rounded in losses:
        assert own == pytest.approx(theirs, rel=1e-5)
        assert rounded == pytest.approx(theirs, rel=1e-2)
    assert len({theirs for theirs, _, _ in losses}) == 4


def test_a_trainer_that_fails_is_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Step(tmp_path, batch=3, width=16, steps=4)
    monkeypatch.setattr("tokenizer.train.Trainer._step", lambda self, state: [][0])
    way = step.way(tokenizer_step.OURS)
    with pytest.raises(IndexError):
        way()


def test_both_quantisers_give_the_same_codes_in_every_task() -> None:
    pytest.importorskip("vector_quantize_pytorch")
    from benchmarks.tokenizer_alone import TASKS, Alone

    results = Alone(tokens=50, width=16).measure(1, "wall")  # raises where codes differ
    assert tuple(results) == TASKS


def test_operations_of_the_fast_encoder_are_counted_like_those_of_the_layers() -> None:
    model = Encoding(clips=1, rows=16, width=64).tokenizer.model
    features, fast = torch.zeros(4, 144, 263), FastEncoder(model)
    with torch.no_grad():
        layers = operations_of(lambda: model.encode(features))
        fewer = operations_of(lambda: fast.channels(features))
    assert 0.65 < fewer / layers < 0.8
    assert operations_of(lambda: torch.zeros(2, 5).addmm_(torch.zeros(2, 3), torch.zeros(3, 5))) == 2 * 2 * 3 * 5


def test_every_way_has_its_turn_and_the_middle_ratio_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0, 9, 9, 9, 0, 2, 2, 3, 0, 4, 4, 5, 0, 9, 9, 10])  # the first turn is not counted
    monkeypatch.setitem(turns.CLOCKS, "wall", lambda: float(next(times)))
    took = Turns({"theirs": lambda: 1, "ours": lambda: 2}, 3, "wall", limits=False)
    assert took.seconds == {"theirs": [2, 4, 9], "ours": [1, 1, 1]}
    assert took.given == {"theirs": [1] * 4, "ours": [2] * 4}
    assert took.ratio("ours", "theirs") == 4
