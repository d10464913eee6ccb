from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path

import pytest
import torch

from motionunion.errors import MissingInput
from tokenizer import gradient_step
from tokenizer.checkpoint import FILE, Tokenizer
from tokenizer.collapse import REMEDIES, CollapseError, advice, collapse_reason, first_collapse
from tokenizer.crops import CropSampler, TrainingData, training_data
from tokenizer.evaluation.evaluate import evaluate_windows
from tokenizer.loss import SATURATED
from tokenizer.model import build_model
from tokenizer.presets import Preset, preset_named
from tokenizer.quantizers.build import CONFIGS
from tokenizer.runs import alone_in, read_plan, write_plan
from tokenizer.train import BEST, Trainer
from tokenizer.training_log import METRICS, read_metrics
from tokenizer.training_state import STATE
from tokenizer.usage import CodeUsage

SPANS = [(96, "train"), (40, "train"), (120, "train"), (24, "train"), (64, "val")]


class KilledError(Exception):
    """Stands for a signal that arrives between two steps."""


class KillAfter:
    """A listener that interrupts training at a given step of the whole run."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.notes: list[str] = []

    def start(self, label: str, total: float | None, unit: str) -> None:
        pass

    def advance(self, amount: float, **figures: float) -> None:
        self.left -= int(amount)
        if amount and self.left <= 0:
            raise KilledError

    def finish(self) -> None:
        pass

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def data(make_features: Callable[..., object], tmp_path: Path) -> TrainingData:
    return training_data(make_features(tmp_path, SPANS), 5.0)


def small_preset(quantizer: str = "fsq", norm: str = "none", **changes: object) -> Preset:
    preset = preset_named("tiny", 256, quantizer=quantizer)
    fitted = {
        "batch": 4, "guard_crops": 8, "steps": 24, "warmup_steps": 4, "save_every": 5, "log_every": 4, "evaluate_every": 12, "guard_steps": (8,),
        "guard_share": 0.0, "ema_decay": 0.9, "mirror": 0.5, "heading_weight": 0.5,
    }  # fmt: skip
    training = dataclasses.replace(preset.training, **{**fitted, **changes})
    return dataclasses.replace(preset, model=dataclasses.replace(preset.model, width=16, norm=norm), training=training)


def trainer(folder: Path, data: TrainingData, preset: Preset, progress: object = None, seed: int = 0) -> Trainer:
    extra = {} if progress is None else {"progress": progress}
    return Trainer(
        folder, data, preset, codebook=256, seed=seed, device="cpu", provenance={"preset": "tiny"}, plan={}, **extra
    )


@pytest.mark.parametrize("kills", [(12,), (3,), (7, 12, 18)])
def test_a_run_that_is_interrupted_ends_in_the_same_bytes(data: TrainingData, tmp_path: Path, kills) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trainer(whole, data, small_preset()).run()
    for steps in kills:
        with pytest.raises(KilledError):
            trainer(parts, data, small_preset(), KillAfter(steps)).run()
        assert not (parts / FILE).exists()
    resumed = KillAfter(10**6)
    trainer(parts, data, small_preset(), resumed).run()
    assert any("going on after step" in note for note in resumed.notes) == (max(kills) >= 5)
    assert (parts / FILE).read_bytes() == (whole / FILE).read_bytes()
    assert (parts / METRICS).read_bytes() == (whole / METRICS).read_bytes()
    assert not (parts / STATE).exists()


@pytest.mark.parametrize(
    ("kind", "precision"),
    [*((kind, "fp32") for kind in CONFIGS), *(pytest.param(kind, "bf16", marks=pytest.mark.slow) for kind in CONFIGS)],
)
def test_every_quantiser_goes_on_bitwise(data: TrainingData, tmp_path: Path, kind: str, precision: str) -> None:
    preset = small_preset(
        kind, steps=8, evaluate_every=4, save_every=3, batch=3, guard_crops=2, guard_steps=(5,), precision=precision,
        norm="BN" if kind == "vq" else "none",
    )  # fmt: skip
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trainer(whole, data, preset).run()
    with pytest.raises(KilledError):  # after a save, and two steps that are done again
        trainer(parts, data, preset, KillAfter(5)).run()
    trainer(parts, data, preset).run()
    for name in (FILE, METRICS, f"{BEST}/{FILE}"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    saved = [entry for entry in read_metrics(whole) if entry["kind"] == "held_out"]
    several = Tokenizer.load(whole).model.config.codes_per_step
    assert len(saved[-1]["further_usage"]) == several - 1


def test_half_the_steps_twice_carry_the_same_optimiser_state(data: TrainingData, tmp_path: Path) -> None:
    folders = tmp_path / "once", tmp_path / "twice"
    for folder, kills in zip(folders, ((21,), (11, 21)), strict=True):
        for steps in kills:
            with pytest.raises(KilledError):
                trainer(folder, data, small_preset(), KillAfter(steps)).run()
    once, twice = (torch.load(folder / STATE, weights_only=True) for folder in folders)
    assert once["step"] == twice["step"] == 20
    for name in ("model", "average"):
        assert all(torch.equal(once[name][key], twice[name][key]) for key in once[name])
    for index, state in once["optimizer"]["state"].items():
        assert all(torch.equal(value, twice["optimizer"]["state"][index][key]) for key, value in state.items())


def test_training_brings_the_loss_down_and_records_held_out_scores(data: TrainingData, tmp_path: Path) -> None:
    preset = small_preset(steps=60, warmup_steps=10, ema_decay=0.0, mirror=0.0, evaluate_every=30, log_every=10)
    tokenizer = trainer(tmp_path / "run", data, preset).run()
    entries = list(read_metrics(tmp_path / "run"))
    losses = [entry["loss"] for entry in entries if entry["kind"] == "train"]
    assert losses[-1] < 0.8 * losses[0]
    held_out = [entry for entry in entries if entry["kind"] == "held_out"]
    assert [entry["step"] for entry in held_out] == [30, 60]
    assert held_out[-1]["on"] == "val"

    assert {"l1", "mpjpe_mm", "mean_predictor_mpjpe_mm", "usage"} <= set(held_out[1])
    assert tokenizer.hash == Tokenizer.load(tmp_path / "run").hash


def test_seeds_give_different_tokenizers(data: TrainingData, tmp_path: Path) -> None:
    hashes = {trainer(tmp_path / str(seed), data, small_preset(), seed=seed).run().hash for seed in (0, 1)}
    assert len(hashes) == 2


def test_a_collapse_restarts_at_half_the_rate_and_then_stops_with_advice(data: TrainingData, tmp_path: Path) -> None:
    # No crop of this size can reach the equivalent of 99 % of its tokens, so every attempt counts as collapsed.
    preset = small_preset(guard_share=0.99, restarts=2)
    folder = tmp_path / "run"
    write_plan(folder, {}, [])
    listener = KillAfter(10**6)
    with pytest.raises(CollapseError, match=r"3 attempts failed.*smaller --codebook"):
        trainer(folder, data, preset, listener).run()
    restarts = [entry for entry in read_metrics(folder) if entry["kind"] == "restart"]
    assert [entry["learning_rate"] for entry in restarts] == [2e-3, 1e-3, 5e-4]
    assert [entry["step"] for entry in restarts] == [8, 8, 8]
    assert len(read_plan(folder)["failed_attempts"]) == 3
    assert sum("starting again with learning rate" in note for note in listener.notes) == 2
    assert not (folder / FILE).exists()
    with pytest.raises(CollapseError, match="3 attempts failed"):  # at once: the outcome is known
        trainer(folder, data, preset, KillAfter(1)).run()


def test_a_collapse_after_the_guard_s_last_step_is_said(data: TrainingData, tmp_path: Path, monkeypatch) -> None:
    healthy, collapsed = KillAfter(10**6), KillAfter(10**6)
    trainer(tmp_path / "healthy", data, small_preset(guard_steps=()), healthy).run()
    assert healthy.notes == []
    real = collapse_reason
    monkeypatch.setattr(
        "tokenizer.collapse.collapse_reason", lambda _, tokens, size, share, of_rest: real(1.0, tokens, size, 0.1)
    )
    trainer(tmp_path / "collapsed", data, small_preset(guard_steps=()), collapsed).run()
    assert [note.partition(": ")[0] for note in collapsed.notes] == ["at step 12, on val", "at step 24, on val"]
    assert all("the codes collapsed: 16 tokens use the equivalent of 1.0 codes" in note for note in collapsed.notes)


def test_a_run_killed_while_it_begins_again_still_names_the_failed_attempt(
    data: TrainingData, tmp_path: Path, monkeypatch
) -> None:
    folder = tmp_path / "run"
    write_plan(folder, {}, [])

    def killed(self: Trainer, state: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_save", killed)
        with pytest.raises(KilledError):
            trainer(folder, data, small_preset(guard_share=0.99, save_every=100, restarts=0)).run()
    assert len(read_plan(folder)["failed_attempts"]) == 1
    with pytest.raises(CollapseError, match="the only attempt failed"):
        trainer(folder, data, small_preset(guard_share=0.99, save_every=100, restarts=0)).run()
    assert len(read_plan(folder)["failed_attempts"]) == 1


def test_a_loss_that_is_lost_counts_as_a_failed_attempt(data: TrainingData, tmp_path: Path) -> None:
    preset = small_preset(learning_rate=1e18, clip_norm=1e18, restarts=1)
    folder = tmp_path / "run"
    write_plan(folder, {}, [])
    with pytest.raises(CollapseError, match="not finite"):
        trainer(folder, data, preset).run()
    assert all("not finite" in attempt["reason"] for attempt in read_plan(folder)["failed_attempts"])


@pytest.mark.parametrize("kind", ["fsq", "rvq"])
def test_weights_that_one_step_ruins_are_a_failed_attempt_at_the_next_look(
    data: TrainingData, tmp_path: Path, kind: str
) -> None:
    # The first step's loss is finite; what its weights rebuild is not, at a step where no loss would be looked at.
    preset = small_preset(
        kind,
        learning_rate=1e18,
        clip_norm=0,
        warmup_steps=0,
        restarts=0,
        evaluate_every=1,
        guard_steps=(),
        log_every=50,
    )
    folder = tmp_path / "run"
    write_plan(folder, {}, [])
    with pytest.raises(CollapseError, match="at step 1 the reconstruction of val is not finite"):
        trainer(folder, data, preset).run()


def test_listeners_hear_of_the_end_whatever_it_is(data: TrainingData, tmp_path: Path) -> None:
    class Listening:
        ends = 0

        def heard(self, entry: object) -> None:
            pass

        def went_back(self, step: int) -> None:
            pass

        def close(self) -> None:
            self.ends += 1

    listener, preset = Listening(), small_preset(guard_share=0.99, restarts=0)
    write_plan(tmp_path, {}, [])
    for ends in (1, 2):  # while it fails, and when it is known to have failed
        run = trainer(tmp_path, data, preset)
        run.log.listeners = (listener,)
        with pytest.raises(CollapseError):
            run.run()
        assert listener.ends == ends


def test_the_restarted_attempt_uses_half_the_rate(data: TrainingData, tmp_path: Path, monkeypatch) -> None:
    reasons = chain([3.0], repeat(1e9))  # entropy of the first look, then of the second attempt's
    real = collapse_reason
    monkeypatch.setattr(
        "tokenizer.collapse.collapse_reason",
        lambda _, tokens, size, share, of_rest: real(next(reasons), tokens, size, share),
    )
    preset = small_preset(guard_share=0.5)
    folder = tmp_path / "run"
    write_plan(folder, {}, [])
    tokenizer = trainer(folder, data, preset).run()
    rates = {
        (entry["attempt"], entry["step"]): entry["learning_rate"]
        for entry in read_metrics(folder)
        if entry["kind"] == "train"
    }
    assert rates[1, 4] == rates[0, 4] / 2
    (failed,) = tokenizer.provenance["failed_attempts"]
    assert "codes collapsed" in failed["reason"]
    json.dumps(tokenizer.provenance)


def test_a_loss_that_runs_away_counts_as_a_failed_attempt(data: TrainingData, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "run"
    write_plan(folder, {}, [])
    real, calls = gradient_step.reconstruction_loss, iter(range(10**6))

    def rising(*given: object):
        loss, l1 = real(*given)
        return loss * (1 if next(calls) < 60 else 100), l1

    monkeypatch.setattr(gradient_step, "reconstruction_loss", rising)
    preset = small_preset(steps=90, evaluate_every=90, save_every=90, batch=1, restarts=0, guard_steps=(), log_every=50)
    with pytest.raises(CollapseError, match=r"the loss diverged.*times its lowest") as error:
        trainer(folder, data, preset).run()
    assert "at step 70" in str(error.value)


def test_the_best_weights_are_those_of_the_lowest_held_out_error(data: TrainingData, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    last = trainer(folder, data, small_preset(steps=12, evaluate_every=2, batch=2, guard_steps=())).run()
    looks = [entry for entry in read_metrics(folder) if entry["kind"] == "held_out"]
    best = min(looks, key=lambda entry: entry["mpjpe_mm"])
    kept = Tokenizer.load(folder / BEST)
    assert kept.provenance["step"] == best["step"]
    assert evaluate_windows(kept, data.values, data.held_out).mpjpe_mm == best["mpjpe_mm"]
    assert last.provenance["step"] == 12


def test_every_code_of_a_step_is_looked_at(data: TrainingData) -> None:
    healthy, dead = CodeUsage(100, 90, 256, 80.0), CodeUsage(100, 2, 256, 1.5)
    for residual in (False, True):
        assert first_collapse([healthy, healthy], 0.1, residual=residual) is None
        assert str(first_collapse([healthy, dead], 0.1, residual=residual)).endswith("in code 2 of 2 of a step")
    assert "quantizer.reset=true" in advice(3, "vq")
    assert set(REMEDIES) == set(CONFIGS)


def test_a_code_that_says_what_others_left_is_asked_for_half_the_bits() -> None:
    first, uneven, few = (
        CodeUsage(988, used, 1024, entropy) for used, entropy in ((299, 143.0), (124, 41.0), (12, 9.0))
    )
    assert first_collapse([first, uneven], 0.1, residual=True) is None  # sqrt(98.8) = 9.94
    assert "in code 2 of 2" in str(first_collapse([first, uneven], 0.1, residual=False))
    assert "in code 1 of 2" in str(first_collapse([uneven, first], 0.1, residual=True))
    reason = str(first_collapse([first, few], 0.1, residual=True))
    assert "equivalent of 9.0 codes, under the 9.9 that half the bits of 10% of the 988 possible are" in reason
    residual = {kind for kind in CONFIGS if preset_named("tiny", 256, quantizer=kind).model.quantizer.residual}
    assert residual == {"rvq", "residual_fsq"}


def test_a_layer_that_lost_its_codes_is_found_behind_healthy_ones(data: TrainingData, tmp_path: Path) -> None:
    run = trainer(tmp_path, data, small_preset("rvq", guard_share=0.1, guard_steps=()))
    state = run._begin()
    for _ in range(3):
        assert run._step(state) is None
    assert run._guard(state) is None
    # What a codebook without resets comes to: one vector near the latents, all others where nothing is.
    codebook = state.model.vqvae.quantizer.layers[3].codebook
    codebook.fill_(1e3)[0] = 0
    assert str(run._guard(state)).endswith("in code 4 of 6 of a step")


def test_a_state_of_another_version_is_named(data: TrainingData, tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / STATE)
    with pytest.raises(MissingInput, match=r"state\.pt cannot be gone on from"):
        trainer(tmp_path, data, small_preset()).run()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_flipped_bit_of_a_state_is_found(data: TrainingData, tmp_path: Path, share: float) -> None:
    state = half_trained(data, tmp_path)
    content = bytearray(state.read_bytes())
    content[int(len(content) * share)] ^= 0x10
    state.write_bytes(content)
    with pytest.raises(MissingInput, match=r"state\.pt cannot be gone on from"):
        trainer(tmp_path, data, small_preset()).run()


def test_a_state_of_another_plan_is_refused(data: TrainingData, tmp_path: Path) -> None:
    half_trained(data, tmp_path)
    other = trainer(tmp_path, data, small_preset())
    other.plan = {"seed": 1}
    with pytest.raises(MissingInput, match="it belongs to another plan"):
        other.run()


def test_two_processes_do_not_train_in_one_folder_at_once(data: TrainingData, tmp_path: Path) -> None:
    with alone_in(tmp_path / "run"), pytest.raises(MissingInput, match="another process is at work in it"):
        trainer(tmp_path / "run", data, small_preset()).run()
    assert not list((tmp_path / "run").iterdir())


def half_trained(data: TrainingData, folder: Path) -> Path:
    with pytest.raises(KilledError):
        trainer(folder, data, small_preset(), KillAfter(7)).run()
    return folder / STATE


def test_collapse_is_judged_against_what_tokens_and_codebook_allow() -> None:
    assert collapse_reason(25, 1000, 240, 0.1) is None  # 10 % of 240 codes
    assert "under 10% of the 240" in str(collapse_reason(23, 1000, 240, 0.1))
    assert "under 10% of the 1,000" in str(collapse_reason(99, 1000, 64000, 0.1))


def test_the_saturation_term_holds_channels_where_they_can_move(data: TrainingData, tmp_path: Path) -> None:
    beyond = []
    for weight in (0.0, 1.0):
        preset = small_preset(steps=40, save_every=39, learning_rate=2e-2, saturation_weight=weight, guard_steps=())
        run = trainer(tmp_path / str(weight), data, preset, KillAfter(40))
        with pytest.raises(KilledError):
            run.run()
        model = build_model(preset.model, 0)
        model.load_state_dict(torch.load(tmp_path / str(weight) / STATE, weights_only=True)["model"])
        target, _ = CropSampler(data, 32).draw(32, seed=0, attempt=0, step=0)
        with torch.inference_mode():
            beyond.append((model(torch.from_numpy(target))[1].channels.abs() - SATURATED).clamp(min=0).mean().item())
    assert beyond[1] < 0.5 * beyond[0]


@pytest.mark.parametrize("line", [b'{"a": [}', b"\xff", b"[1]", b"{}"])
def test_a_damaged_line_of_metrics_is_named(tmp_path, line):
    (tmp_path / METRICS).write_bytes(b'{"kind": "train"}\n' + line + b"\n")
    with pytest.raises(MissingInput, match=f"{METRICS}:2: is damaged"):
        list(read_metrics(tmp_path))
