from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from motionunion.errors import MissingInput
from tokenizer.checkpoint import FILE, Tokenizer
from tokenizer.collapse import CollapseError
from tokenizer.evaluation.evaluate import ALL, evaluate_groups
from tokenizer.runs import TOKENIZERS, alone_in
from tokenizer.sweep import run
from tokenizer.sweep.run import CELLS, RESULT, SCORES, measured_windows, run_sweep
from tokenizer.training_state import STATE


class KilledError(Exception):
    """As if the process had ended here."""


def test_every_cell_is_trained_and_measured_as_it_would_be_alone(features, make_cells, tmp_path: Path) -> None:
    sweep = run_sweep(features, tmp_path, make_cells([256], ["fsq", "rvq"]))
    assert [(cell.variant, cell.codebook_size) for cell in sweep.cells] == [("fsq", 240), ("rvq", 256)]
    windows = measured_windows(features)
    assert {window.split for window in windows} == {"val", "test"}
    for cell in sweep.cells:
        tokenizer = Tokenizer.load(sweep.folder / CELLS / f"{cell.variant}-256")
        assert list(cell.groups) == evaluate_groups(tokenizer, features.values, windows)
        scores = cell.find("test", ALL)
        assert scores is not None
        assert len(scores.usage) == cell.codes_per_step
    assert json.loads((sweep.folder / RESULT).read_text()) == json.loads(json.dumps(sweep.as_plain()))
    assert not (tmp_path / TOKENIZERS).exists()  # `scamo tokenize` must not take what a sweep trained


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on_to_the_same_result(features, make_cells, tmp_path: Path, monkeypatch) -> None:
    cells = make_cells([256, 1024], ["fsq", "vq"])
    whole = run_sweep(features, tmp_path / "whole", cells)
    evaluate, calls = run.evaluate_groups, []

    def killed_once(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KilledError
        return evaluate(*args)

    monkeypatch.setattr(run, "evaluate_groups", killed_once)
    with pytest.raises(KilledError):
        run_sweep(features, tmp_path / "killed", cells)
    again = run_sweep(features, tmp_path / "killed", cells)
    assert len(calls) == 5  # four cells and the one that was killed
    assert again.cells == whole.cells
    one, other = (sweep.folder / CELLS / "vq-1024" / FILE for sweep in (whole, again))
    assert one.read_bytes() == other.read_bytes()
    run_sweep(features, tmp_path / "killed", cells)
    assert len(calls) == 5


def test_a_kill_within_training_resumes_there(features, make_cells, tmp_path: Path, monkeypatch) -> None:
    cells = make_cells([256], ["vq"])
    whole = run_sweep(features, tmp_path / "whole", cells)
    step, taken = run.Trainer._step, []

    def killed(self, state):
        taken.append(state.step)
        if len(taken) == 6:
            raise KilledError
        return step(self, state)

    monkeypatch.setattr(run.Trainer, "_step", killed)
    with pytest.raises(KilledError):
        run_sweep(features, tmp_path / "killed", cells)
    again = run_sweep(features, tmp_path / "killed", cells)
    assert taken == [0, 1, 2, 3, 4, 5, 4, 5]  # the state was saved after step 4
    assert again.cells == whole.cells


def test_a_tokenizer_that_cannot_be_trained_is_a_result_and_the_sweep_goes_on(
    features, make_cells, tmp_path: Path, monkeypatch
) -> None:
    train = run.Trainer.run

    def failing(self):
        if self.codebook == 256:
            (self.folder / STATE).write_bytes(b"of the attempt that comes no more")
            raise CollapseError(f"{self.folder}: at step 3 the loss is not finite")
        return train(self)

    monkeypatch.setattr(run.Trainer, "run", failing)
    sweep = run_sweep(features, tmp_path, make_cells([256, 512], ["fsq"]))
    assert [cell.failed for cell in sweep.cells] == ["at step 3 the loss is not finite", None]
    assert sweep.cells[0].find("test", ALL) is None
    assert not list(sweep.folder.rglob(STATE))
    assert sweep.cells[1].find("test", ALL) is not None


@pytest.mark.slow
def test_another_seed_is_another_sweep(features, make_cells, tmp_path: Path) -> None:
    plans = [run_sweep(features, tmp_path, make_cells([256], ["fsq"]), seed=seed).folder for seed in (0, 1)]
    assert plans[0] != plans[1]


def test_damaged_results_are_refused_with_what_to_do(features, make_cells, tmp_path: Path) -> None:
    sweep = run_sweep(features, tmp_path, make_cells([256], ["fsq"]))
    scores = sweep.folder / CELLS / "fsq-256" / SCORES
    scores.write_text(scores.read_text()[:40])
    with pytest.raises(MissingInput, match="measured again"):
        run_sweep(features, tmp_path, make_cells([256], ["fsq"]))
    scores.unlink()
    assert run_sweep(features, tmp_path, make_cells([256], ["fsq"])) == sweep


def test_a_store_without_val_and_test_is_refused(make_features, make_cells, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no val or test window"):
        run_sweep(make_features(tmp_path / "f", [(96, "train"), (64, "train")]), tmp_path, make_cells([256], ["fsq"]))


def test_the_result_is_plain_json(features, make_cells, tmp_path: Path) -> None:
    sweep = run_sweep(features, tmp_path, make_cells([256], ["fsq"]))
    plain = json.loads((sweep.folder / RESULT).read_text(), parse_constant=lambda name: pytest.fail(name))
    assert plain["cells"][0]["codebook_size"] == 240
    assert math.isclose(plain["cells"][0]["groups"][0]["exp_entropy"], sweep.cells[0].groups[0].scores.exp_entropy)


def test_two_processes_do_not_run_one_sweep_at_once(features, make_cells, tmp_path: Path) -> None:
    sweep = run_sweep(features, tmp_path, make_cells([256], ["fsq"]))
    with alone_in(sweep.folder), pytest.raises(MissingInput, match="another process is at work in it"):
        run_sweep(features, tmp_path, make_cells([256], ["fsq"]))
