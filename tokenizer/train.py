"""Training an FSQ-VAE so that it can be killed at any moment and goes on to the same weights.

Everything that a step does is a function of the plan and the step's number: initial weights, crops, learning rate.
`state.pt` holds the rest. On a CPU, k + k steps equal 2k steps bitwise (same machine, threads and versions).
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionunion.digest import canonical_json, write_atomic
from motionunion.errors import MissingInput
from motionunion.progress import SILENT, Progress
from tokenizer.checkpoint import Tokenizer
from tokenizer.collapse import CollapseError, advice, collapse_reason
from tokenizer.config import Preset
from tokenizer.crop_batches import CropBatches
from tokenizer.crops import GUARD, TRAINING, TrainingData
from tokenizer.loss import reconstruction_loss, saturation
from tokenizer.metrics import evaluate_windows
from tokenizer.model import FSQVAE, build_model
from tokenizer.quantizers import Quantized
from tokenizer.runs import write_plan
from tokenizer.usage import code_usage

STATE = "state.pt"
METRICS = "metrics.jsonl"
LOSS_EVERY = 10  # steps between looks at the loss: each look waits for the device


@dataclass(slots=True)
class _State:
    """What training carries from one step to the next."""

    model: FSQVAE
    optimizer: torch.optim.AdamW
    average: dict[str, Tensor]
    """Moving average of the weights; empty where none is kept."""
    step: int = 0
    """Steps done in this attempt."""
    attempt: int = 0


class Trainer:
    """One training run in its folder."""

    def __init__(
        self, folder: Path, data: TrainingData, preset: Preset, *, codebook: int, seed: int, device: str,
        provenance: Mapping[str, Any], plan: Mapping[str, Any], progress: Progress = SILENT,
    ) -> None:  # fmt: skip
        self.folder, self.data, self.preset, self.config = folder, data, preset, preset.training
        self.codebook, self.seed, self.device = codebook, seed, torch.device(device)
        self.provenance, self.plan, self.progress = provenance, plan, progress
        self.batches = CropBatches(data, self.config.crop_rows, self.config.mirror, self.device)
        self.heading_std = float(data.statistics.std[self.config.heading_dim])
        self.position_std = float(data.statistics.std[slice(*self.config.position_dims)].mean())
        self.attempts: list[dict[str, Any]] = []
        """Failed attempts so far: attempt, step, learning rate and reason."""

    def run(self) -> Tokenizer:
        """Train to the end, from `state.pt` where there is one, and write `tokenizer.safetensors` last.

        Raises:
            CollapseError: If the codes collapsed, or the loss was lost, in every attempt.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        state = self._load() or self._fresh(0)
        if len(self.attempts) > self.config.restarts:
            raise CollapseError(f"{self.folder}: {self.attempts[-1]['reason']}; {advice(len(self.attempts))}")
        if state.step:
            self.progress.note(f"going on after step {state.step:,} of {self.config.steps:,}")
        self.progress.start("training the tokenizer", self.config.steps, "steps")
        self.progress.advance(state.step)
        try:
            while state.step < self.config.steps:
                reason = self._step(state)
                if reason is not None:
                    state = self._begin_again(state, reason)
                elif state.step % self.config.save_every == 0 and state.step < self.config.steps:
                    self._save(state)
        finally:
            self.progress.finish()
        tokenizer = self._tokenizer(state)
        tokenizer.save(self.folder)
        (self.folder / STATE).unlink(missing_ok=True)
        return tokenizer

    def _fresh(self, attempt: int) -> _State:
        model = build_model(self.preset.model, self.seed + attempt).to(self.device)
        optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=self.config.learning_rate,
            betas=self.config.betas,
            weight_decay=self.config.weight_decay,
            fused=True,
        )
        average = {}
        if self.config.ema_decay:
            average = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
        return _State(model, optimizer, average, attempt=attempt)

    def _step(self, state: _State) -> str | None:
        """One step of training with all that falls due after it; the reason where the attempt has failed."""
        config, step = self.config, state.step
        rate = config.learning_rate_at(step) * 0.5**state.attempt
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        target, mask = self._batch(config.batch, state.attempt, step)
        state.model.train()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._autocast):
            rows: Tensor
            quantised: Quantized
            rows, quantised = state.model(target, mask)
        loss, l1 = reconstruction_loss(rows.float(), target, mask, config, self.heading_std, self.position_std)
        loss = loss + quantised.loss
        if config.saturation_weight and quantised.channels is not None:
            loss = loss + config.saturation_weight * saturation(quantised.channels)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), config.clip_norm)
        state.optimizer.step()
        self._average(state)
        state.step = step + 1

        figures: dict[str, float] = {}
        logs = state.step % config.log_every == 0 or state.step == config.steps
        if logs or state.step % LOSS_EVERY == 0:
            figures = {"loss": loss.item()}
            if not math.isfinite(figures["loss"]) or not math.isfinite(norm.item()):
                return "the loss or its gradient is not finite"
        if logs:
            real = quantised.indices[mask[:, :: self.preset.model.rows_per_code].bool()]
            usage = code_usage(np.bincount(real.cpu().numpy()), self.preset.model.codebook_size)
            self._write({
                "kind": "train", "step": state.step, "attempt": state.attempt, "loss": figures["loss"],
                "l1": l1.item(), "learning_rate": rate, "gradient_norm": norm.item(), "tokens": usage.tokens,
                "exp_entropy": usage.exp_entropy,
            })  # fmt: skip
        reason = None
        if state.step in config.guard_steps:
            reason = self._guard(state)
        if reason is None and (state.step % config.evaluate_every == 0 or state.step == config.steps):
            scores = evaluate_windows(self._tokenizer(state), self.data.values, self.data.held_out)
            figures["mpjpe_mm"] = scores.mpjpe_mm
            # After the guard's last step nothing begins again, but a collapse is never passed over in silence.
            usage = scores.usage
            if late := collapse_reason(usage.exp_entropy, usage.tokens, usage.codebook_size, config.guard_share):
                self.progress.note(f"at step {state.step:,}, on {self.data.held_out_name}: {late}")
            self._write({
                "kind": "held_out", "step": state.step, "attempt": state.attempt, "on": self.data.held_out_name,
                **scores.as_plain(),
            })  # fmt: skip
        self.progress.advance(1, **figures)
        return reason

    @property
    def _autocast(self) -> bool:
        return self.config.precision == "bf16" and self.device.type == "cuda"

    def _batch(self, crops: int, attempt: int, step: int, *, purpose: int = TRAINING) -> tuple[Tensor, Tensor]:
        return self.batches.draw(crops, self.seed, attempt, step, purpose)

    def _average(self, state: _State) -> None:
        if not state.average:
            return
        # A young average follows quickly, or the random start would weigh in it for long.
        decay = min(self.config.ema_decay, (1 + state.step) / (10 + state.step))
        with torch.no_grad():
            for name, weight in state.model.state_dict().items():
                state.average[name].lerp_(weight, 1 - decay)

    def _guard(self, state: _State) -> str | None:
        config = self.config
        target, mask = self._batch(config.guard_crops, 0, 0, purpose=GUARD)
        with torch.inference_mode():
            codes = state.model.encode(target)
        real = codes[mask[:, :: self.preset.model.rows_per_code].bool()]
        usage = code_usage(np.bincount(real.cpu().numpy()), self.preset.model.codebook_size)
        self._write({
            "kind": "guard", "step": state.step, "attempt": state.attempt, "tokens": usage.tokens,
            "used_codes": usage.used, "exp_entropy": usage.exp_entropy,
        })  # fmt: skip
        return collapse_reason(usage.exp_entropy, usage.tokens, usage.codebook_size, config.guard_share)

    def _begin_again(self, state: _State, reason: str) -> _State:
        failed = {
            "attempt": state.attempt,
            "step": state.step,
            "learning_rate": self.config.learning_rate * 0.5**state.attempt,
            "reason": reason,
        }
        self.attempts.append(failed)
        self._write({"kind": "restart", **failed})
        fresh = self._fresh(state.attempt + 1)
        # In this order: a run killed in between fails the same way again, while a state saved first would forget to say so.
        write_plan(self.folder, self.plan, self.attempts)
        self._save(fresh)
        if len(self.attempts) > self.config.restarts:
            raise CollapseError(f"{self.folder}: at step {state.step:,} {reason}; {advice(len(self.attempts))}")
        rate = self.config.learning_rate * 0.5**fresh.attempt
        self.progress.note(f"at step {state.step:,} {reason}; starting again with learning rate {rate:g}")
        self.progress.finish()
        self.progress.start("training the tokenizer", self.config.steps, "steps")
        return fresh

    def _tokenizer(self, state: _State) -> Tokenizer:
        copy = FSQVAE(self.preset.model).to(self.device)
        copy.load_state_dict(state.average or state.model.state_dict(), strict=True)
        return Tokenizer(
            copy,
            mean_D=self.data.statistics.mean,
            std_D=self.data.statistics.std,
            representation=self.data.statistics.representation,
            parameter_hash=self.data.parameter_hash,
            codebook=self.codebook,
            provenance={**self.provenance, "failed_attempts": list(self.attempts)},
        )

    def _write(self, entry: dict[str, Any]) -> None:
        with (self.folder / METRICS).open("ab") as file:
            file.write(canonical_json(entry) + b"\n")

    def _save(self, state: _State) -> None:
        path = self.folder / METRICS
        content = {
            "model": state.model.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "average": state.average,
            "step": state.step,
            "attempt": state.attempt,
            # What is logged after this save is written again by a run that goes on from it.
            "metrics_bytes": path.stat().st_size if path.exists() else 0,
            "failed_attempts": json.dumps(self.attempts),
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomic(self.folder / STATE, buffer.getvalue())

    def _load(self) -> _State | None:
        path = self.folder / STATE
        if not path.is_file():
            (self.folder / METRICS).unlink(missing_ok=True)
            return None
        content = torch.load(path, map_location=self.device, weights_only=True)
        self.attempts = json.loads(content["failed_attempts"])
        state = self._fresh(content["attempt"])
        state.model.load_state_dict(content["model"], strict=True)
        state.optimizer.load_state_dict(content["optimizer"])
        state.average, state.step = content["average"], content["step"]
        metrics = self.folder / METRICS
        if metrics.exists():
            os.truncate(metrics, min(content["metrics_bytes"], metrics.stat().st_size))
        return state


def read_metrics(folder: Path) -> Iterator[dict[str, Any]]:
    """Lines of a run's `metrics.jsonl`, in the order of training. Raises `MissingInput` for a line that is none."""
    path = folder / METRICS
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise MissingInput(
                f"{path}:{number}: is damaged ({error}); remove the file, only its figures are lost"
            ) from error
        if not isinstance(entry, dict) or "kind" not in entry:
            raise MissingInput(
                f"{path}:{number}: is damaged (no entry of a log); remove the file, only its figures are lost"
            )
        yield entry
