"""Training a tokenizer so that it can be killed at any moment and goes on to the same weights, whatever its quantiser.

Everything that a step does is a function of the plan and the step's number: initial weights, crops, learning rate.
`state.pt` holds the rest. On a CPU, k + k steps equal 2k steps bitwise (same machine, threads and versions). Under `torchrun`
each process takes its share of every batch, and the gradient of the reconstruction is that of the whole batch; what a quantiser
wants minimised is averaged over the processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionunion.errors import ConfigError
from motionunion.progress import SILENT, Progress
from tokenizer.checkpoint import Tokenizer
from tokenizer.collapse import CollapseError, advice, first_collapse
from tokenizer.crop_batches import CropBatches
from tokenizer.crops import GUARD, TRAINING, TrainingData
from tokenizer.evaluation.evaluate import evaluate_windows
from tokenizer.evaluation.scores import Scores
from tokenizer.gradient_step import Scales, gradient_step
from tokenizer.model import FSQVAE
from tokenizer.presets import Preset
from tokenizer.runs import alone_in, plan_hash, write_plan
from tokenizer.team import Team
from tokenizer.training_log import Listener, TrainingLog
from tokenizer.training_state import STATE, Best, TrainingState, fresh_state, load_state, save_state
from tokenizer.usage import CodeUsage, code_usage, count_codes, in_short

BEST = "best"
"""Folder, in that of a run, of the tokenizer that scored best on the held-out windows."""
LOSS_EVERY = 10  # steps between looks at the loss: each look waits for the device


class Trainer:
    """One training run in its folder.

    Args:
        folder: Of the run.
        data: Windows to learn from and to look at.
        preset: Model and training.
        codebook: Nominal size.
        seed: Of weights and crops.
        device: What this process computes on; of a team, see `team`.
        provenance: What the tokenizer's file says of its making.
        plan: What `plan.json` holds; failed attempts are added to it.
        progress: Told of every step.
        listeners: Told of every entry of the log.
        team: The processes that train together.
    """

    def __init__(
        self, folder: Path, data: TrainingData, preset: Preset, *, codebook: int, seed: int, device: str,
        provenance: Mapping[str, Any], plan: Mapping[str, Any], progress: Progress = SILENT,
        listeners: tuple[Listener, ...] = (), team: Team | None = None,
    ) -> None:  # fmt: skip
        self.team = team or Team(0, 1, torch.device(device))
        self.device = self.team.device
        self.folder, self.data, self.preset, self.config = folder, data, preset, preset.training
        self.codebook, self.seed = codebook, seed
        self.provenance, self.plan = provenance, plan
        self.progress = progress if self.first else SILENT
        if self.config.batch < self.team.size:
            raise ConfigError(f"training.batch: {self.config.batch} crops are too few for {self.team.size} processes")
        self.batches = CropBatches(
            data, self.config.crop_rows, self.config.mirror, self.device,
            dtype=torch.bfloat16 if self.config.rows == "bf16" else torch.float32,
        )  # fmt: skip
        self.log = TrainingLog(folder, listeners)
        self.scales = Scales.of(data, self.config)
        self.attempts: list[dict[str, Any]] = []
        """Failed attempts so far: attempt, step, learning rate and reason."""
        self._shown: dict[str, float] = {}
        self._since = (0, 0.0)

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks for the team."""
        return self.team.rank == 0

    def run(self) -> Tokenizer:
        """Train to the end, from `state.pt` where there is one; write `best/tokenizer.safetensors`, and last of all
        `tokenizer.safetensors`, which holds the last step's weights.

        Raises:
            CollapseError: If the codes collapsed, or the loss was lost, in every attempt.
            MissingInput: If another process is at work in the folder, or the state in it is damaged.
        """
        with alone_in(self.folder) if self.first else nullcontext():
            try:
                return self._run()
            finally:
                if self.first:
                    self.log.close()

    def _run(self) -> Tokenizer:
        state = self._begin()
        if len(self.attempts) > self.config.restarts:
            raise CollapseError(f"{self.folder}: {self.attempts[-1]['reason']}; {self._advice()}")
        if state.step:
            self.progress.note(f"going on after step {state.step:,} of {self.config.steps:,}")
        self.progress.start("training the tokenizer", self.config.steps, "steps")
        self.progress.advance(state.step)
        self._since = state.step, time.perf_counter()
        try:
            while state.step < self.config.steps:
                reason = self._step(state)
                if reason is not None:
                    state = self._begin_again(state, reason)
                elif state.step % self.config.save_every == 0 and state.step < self.config.steps:
                    self._save(state)
        finally:
            self.progress.finish()
        tokenizer = self._tokenizer(state.result, state.step)
        if self.first:
            if state.best.weights:
                self._tokenizer(state.best.weights, state.best.step).save(self.folder / BEST)
            tokenizer.save(self.folder)
            (self.folder / STATE).unlink(missing_ok=True)
        self.team.wait()
        return tokenizer

    def _begin(self) -> TrainingState:
        found = load_state(self.folder, self.preset, self.seed, self.team, plan_hash(self.plan))
        self.team.wait()  # nobody writes a state before all have read
        if found is None:
            if self.first:
                self.log.go_back(0, 0)
            return fresh_state(self.preset, self.seed, 0, self.team)
        state, self.attempts, logged = found
        if self.first:
            self.log.go_back(logged, state.step)
        return state

    def _step(self, state: TrainingState) -> str | None:
        """One step of training with all that falls due after it; the reason where the attempt has failed."""
        config, step = self.config, state.step
        rate = config.learning_rate_at(step) * 0.5**state.attempt
        share = slice(self.team.rank, None, self.team.size)
        target, mask = self.batches.draw(config.batch, self.seed, state.attempt, step, TRAINING, share)
        count = self.team.mean(mask.sum())
        done = gradient_step(state, target, mask, config, self.scales, rate=rate, count=count)

        reason = None
        logs = state.step % config.log_every == 0 or state.step == config.steps
        if self._looks_due(state.step):
            loss, reconstruction, l1, quantizer = self.team.mean(done.figures).tolist()
            norm = done.norm.item()
            reason = self._look(state, loss, reconstruction, l1, quantizer, norm=norm, rate=rate)
            if logs and reason is None:
                usages = self._usages(done.indices, mask)
                self._write(state, "train", {
                    "loss": loss, "l1": l1, "quantizer_loss": quantizer, "learning_rate": rate, "gradient_norm": norm,
                    **in_short(usages),
                })  # fmt: skip
                self._shown["exp_entropy"] = usages[0].exp_entropy
        if reason is None and state.step in config.guard_steps:
            reason = self._guard(state)
        if reason is None and self._evaluation_due(state.step):
            reason = self._evaluate(state)
        self.progress.advance(1, **self._shown)
        return self.team.of_first(reason) if self._looks_due(state.step) else None

    def _looks_due(self, step: int) -> bool:
        """Whether something at this step may have failed the attempt; the team agrees on it at no other step. Nothing is said of
        codes or of held-out windows before the loss is known to be finite."""
        config = self.config
        regular = step % LOSS_EVERY == 0 or step % config.log_every == 0
        return regular or step in config.guard_steps or self._evaluation_due(step)

    def _evaluation_due(self, step: int) -> bool:
        return step % self.config.evaluate_every == 0 or step == self.config.steps

    def _look(
        self, state: TrainingState, loss: float, reconstruction: float, l1: float, quantizer: float, *, norm: float,
        rate: float,
    ) -> str | None:  # fmt: skip
        step, now = state.step, time.perf_counter()
        done, since = self._since
        self._shown |= {"loss": loss, "l1": l1}
        if now > since and step > done:
            self._shown["rows_per_s"] = round((step - done) * self.config.batch * self.config.crop_rows / (now - since))
        self._since = step, now
        if not math.isfinite(loss) or not math.isfinite(norm):
            what = "quantiser's loss" if not math.isfinite(quantizer) else "loss or its gradient"
            return f"the {what} is not finite (learning rate {rate:g})"
        if step <= self.config.warmup_steps:
            return None
        return state.watch.reason(reconstruction, self.config.divergence)

    def _usages(self, indices: Tensor, mask: Tensor) -> list[CodeUsage]:
        real = mask[:, :: self.preset.model.rows_per_code]
        counts = count_codes(indices, self.preset.model.codebook_size, real)
        return [code_usage(row, self.preset.model.codebook_size) for row in counts]

    def _guard(self, state: TrainingState) -> str | None:
        target, mask = self.batches.draw(self.config.guard_crops, self.seed, 0, 0, GUARD)
        state.model.eval()
        with torch.inference_mode():
            usages = self._usages(state.model.encode(target), mask)
        self._write(state, "guard", {"used_codes": usages[0].used, **in_short(usages)})
        return self._collapse(usages)

    def _evaluate(self, state: TrainingState) -> str | None:
        """Look at the held-out windows, keep the weights if they are the best, and say a collapse; the reason where this step has
        left weights that rebuild nothing."""
        if not self.first:
            return None
        scores = evaluate_windows(self._tokenizer(state.result, state.step), self.data.values, self.data.held_out)
        if not math.isfinite(scores.mpjpe_mm + scores.l1):
            return f"the reconstruction of {self.data.held_out_name} is not finite"
        self._shown["mpjpe_mm"] = scores.mpjpe_mm
        self._write(state, "held_out", {"on": self.data.held_out_name, **scores.in_brief()})
        if scores.mpjpe_mm < state.best.mpjpe_mm:
            weights = {name: value.detach().clone() for name, value in state.result.items()}
            state.best = Best(weights, scores.mpjpe_mm, state.step)
        self._say_collapse(state.step, scores)
        return None

    def _say_collapse(self, step: int, scores: Scores) -> None:
        # After the guard's last step nothing begins again, but a collapse is never passed over in silence.
        late = self._collapse(scores.usage)
        if late:
            self.progress.note(f"at step {step:,}, on {self.data.held_out_name}: {late}")

    def _collapse(self, usages: Sequence[CodeUsage]) -> str | None:
        return first_collapse(usages, self.config.guard_share, residual=self.preset.model.quantizer.residual)

    def _advice(self) -> str:
        return advice(len(self.attempts), self.preset.model.quantizer.kind)

    def _begin_again(self, state: TrainingState, reason: str) -> TrainingState:
        rate = self.config.learning_rate * 0.5**state.attempt
        failed = {"attempt": state.attempt, "step": state.step, "learning_rate": rate, "reason": reason}
        self.attempts.append(failed)
        fresh = fresh_state(self.preset, self.seed, state.attempt + 1, self.team)
        if self.first:
            self.log.write({"kind": "restart", **failed})
            # In this order: a run killed in between fails the same way again, while a state saved first would forget to say so.
            write_plan(self.folder, self.plan, self.attempts)
            self._save(fresh)
        if len(self.attempts) > self.config.restarts:
            raise CollapseError(f"{self.folder}: at step {state.step:,} {reason}; {self._advice()}")
        self.progress.note(f"at step {state.step:,} {reason}; starting again with learning rate {rate / 2:g}")
        self.progress.finish()
        self.progress.start("training the tokenizer", self.config.steps, "steps")
        self._shown, self._since = {}, (0, time.perf_counter())
        return fresh

    def _tokenizer(self, weights: Mapping[str, Tensor], step: int) -> Tokenizer:
        copy = FSQVAE(self.preset.model).to(self.device)
        copy.load_state_dict(weights, strict=True)
        return Tokenizer(
            copy,
            mean_D=self.data.statistics.mean,
            std_D=self.data.statistics.std,
            representation=self.data.statistics.representation,
            parameter_hash=self.data.parameter_hash,
            codebook=self.codebook,
            provenance={**self.provenance, "step": step, "failed_attempts": list(self.attempts)},
        )

    def _write(self, state: TrainingState, kind: str, figures: Mapping[str, Any]) -> None:
        if self.first:
            self.log.write({"kind": kind, "step": state.step, "attempt": state.attempt, **figures})

    def _save(self, state: TrainingState) -> None:
        if self.first:
            save_state(self.folder, state, self.attempts, self.log.length, plan_hash(self.plan))
