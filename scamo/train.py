"""The training loop: AdamW, warm-up and cosine, best validation step kept, stopped and resumed at any moment.

Everything random in step s (windows, captions, dropout) is drawn from (seed, s), so k + k steps equal 2k steps bit for bit on
a CPU. Under `torchrun` each process takes its share of every batch; the gradient is that of the whole batch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from motionunion.digest import write_atomic
from motionunion.errors import MotionUnionError
from motionunion.progress import SILENT, Progress
from scamo.checkpoint import STATE_FILE, load_state, load_tensors, save_state, save_tensors
from scamo.config import TrainConfig
from scamo.data import Schedule, Windows
from scamo.objective import Objective
from scamo.unigram import Unigram
from tokenizer.runs import alone_in
from tokenizer.team import ALONE, Team

METRICS_FILE = "metrics.jsonl"


@dataclass(frozen=True, slots=True)
class Trained:
    """What a finished loop leaves: the weights of the best step, and every measurement."""

    best: dict[str, Tensor]
    best_step: int
    metrics: list[dict[str, Any]]

    @property
    def best_figures(self) -> dict[str, Any]:
        """The measurement of the best step."""
        return next(row for row in self.metrics if row["step"] == self.best_step)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Rate of step 0, 1, ...: a linear warm-up, then a half cosine down to `final_rate` of the full rate."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - 1 - config.warmup_steps)
    return config.learning_rate * (config.final_rate + (1 - config.final_rate) * 0.5 * (1 + math.cos(math.pi * done)))


def optimiser(objective: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW; the weight decay leaves out tables, norms and biases.

    A table's row whose code never comes would otherwise shrink without ever having been trained.
    """
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in objective.named_parameters():
        is_matrix = parameter.ndim == 2 and not any(part in name for part in ("wte", "lm_head", "table"))
        (decayed if is_matrix else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)


class Training:
    """One run in one folder. `run` begins it, or goes on where it was."""

    def __init__(
        self,
        objective: Objective,
        train: Windows,
        val: Windows,
        unigram: Unigram,
        config: TrainConfig,
        folder: Path,
        *,
        plan_hash: str,
        team: Team = ALONE,
    ) -> None:
        self.objective = objective
        self.config = config
        self.folder = folder
        self.plan_hash = plan_hash
        self.team = team
        self.unigram = unigram
        self.val = val
        self.schedule = Schedule(train, config.batch_tokens, config.seed)
        self.step = 0
        self.tokens = 0
        self.metrics: list[dict[str, Any]] = []
        self.best_step = 0
        self.best_ce = math.inf
        self.optimiser = optimiser(objective, config)
        self._runner: nn.Module = objective
        if team.size > 1:
            self._runner = DistributedDataParallel(objective, device_ids=team.device_ids)

    def run(self, progress: Progress = SILENT, *, stop_after: int | None = None) -> Trained | None:
        """Train to the last step, or until `stop_after` (then None: call again to go on).

        Raises:
            MotionUnionError: If the loss is no longer a finite number, or the folder belongs to another plan or is worked in by another
                process, which would take away the best weights of this one.
        """
        with alone_in(self.folder) if self.team.rank == 0 else nullcontext():
            return self._run(progress, stop_after)

    def _run(self, progress: Progress, stop_after: int | None) -> Trained | None:
        self._resume(progress)
        last = min(self.config.steps, stop_after or self.config.steps)
        progress.start("training the transformer", self.config.steps, "steps")
        progress.advance(self.step)
        losses: list[float] = []
        while self.step < last:
            losses.append(self._train_step())
            progress.advance(1, loss=losses[-1])
            if self.step % self.config.eval_every == 0 or self.step == self.config.steps:
                figures = self._measure(losses)
                losses = []
                progress.advance(0, val_ce=figures["ce"], l_u_seen=figures["l_u_seen"])
        progress.finish()
        if self.step < self.config.steps:
            return None
        best, _ = load_tensors(self._best_path(self.best_step))
        self.team.wait()  # the file may be removed only when every process has read it
        return Trained(best, self.best_step, self.metrics)

    def _train_step(self) -> float:
        config, step = self.config, self.step
        # One stream for each step and process: dropout and hidden words do not depend on the steps before.
        torch.manual_seed(int(np.random.SeedSequence([config.seed, step, 4, self.team.rank]).generate_state(1)[0]))
        self.objective.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(config, step)
        rows = self.schedule.rows(step)
        captions = self.schedule.captions(step, rows)
        codes = [self.schedule.windows[row] for row in rows.tolist()]
        mine = slice(self.team.rank, None, self.team.size)
        share = (
            1.0 if codes[mine] else 0.0
        )  # fewer windows than processes: the rest compute one and let it count nothing
        with torch.autocast(self.objective.device.type, torch.bfloat16, enabled=self.objective.device.type == "cuda"):
            loss_sum, tokens = self._runner(codes[mine] or codes[:1], captions[mine] or captions[:1], config, step)
        loss_sum, total = loss_sum * share, self.team.sum(tokens * share)
        # DDP averages gradients over processes; times their number, over all tokens, is the mean over the batch.
        loss = loss_sum * self.team.size / total
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.objective.parameters(), config.clip_norm)
        mean = self.team.sum(float(loss_sum.detach())) / total
        if not math.isfinite(mean) or not math.isfinite(float(norm)):
            raise MotionUnionError(
                f"{self.folder}: the loss is {mean} and the gradient norm {float(norm)} at step {step + 1}; "
                "train with a lower learning rate"
            )
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += round(total)
        return mean

    def _measure(self, losses: list[float]) -> Mapping[str, Any]:
        """Measure the validation windows, write the log, keep the best weights, save the state."""
        figures = self.objective.measure(self.val, self.unigram).figures()
        # The first process decides which step is best: on GPUs the last bits differ from process to process.
        figures["ce"] = self.team.sum(figures["ce"] if self.team.rank == 0 else 0.0)
        row: dict[str, Any] = {
            "step": self.step,
            "epoch": self.step / self.schedule.batches_per_epoch,
            "train_tokens": self.tokens,
            "learning_rate": learning_rate(self.config, self.step - 1),
            "train_loss": sum(losses) / max(1, len(losses)),
            **figures,
        }
        self.metrics.append(row)
        if not math.isfinite(figures["ce"]):
            raise MotionUnionError(f"{self.folder}: the validation loss is {figures['ce']} at step {self.step}")
        if figures["ce"] < self.best_ce:
            self.best_ce, self.best_step = figures["ce"], self.step
            if self.team.rank == 0:
                save_tensors(self._best_path(self.step), self.objective.state_dict(), {"step": self.step})
        if self.team.rank == 0:
            self._save()
        self.team.wait()
        return row

    def _best_path(self, step: int) -> Path:
        return self.folder / f"best-{step:08d}.safetensors"

    def _save(self) -> None:
        # In this order: the log may run ahead of the state after a crash (it is cut back), and best weights that the
        # state does not name yet are written again.
        lines = "".join(json.dumps(row) + "\n" for row in self.metrics)
        write_atomic(self.folder / METRICS_FILE, lines.encode())
        save_state(
            self.folder / STATE_FILE,
            {
                "plan": self.plan_hash,
                "step": self.step,
                "tokens": self.tokens,
                "best_step": self.best_step,
                "best_ce": self.best_ce,
                "metrics": self.metrics,
                "weights": self.objective.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
        )
        for path in self.folder.glob("best-*.safetensors"):
            if path != self._best_path(self.best_step):
                path.unlink(missing_ok=True)

    def _resume(self, progress: Progress) -> None:
        state = load_state(self.folder / STATE_FILE)
        if state is None:
            return
        if state["plan"] != self.plan_hash:
            raise MotionUnionError(f"{self.folder}: its {STATE_FILE} belongs to another plan; remove the folder")
        self.step, self.tokens = state["step"], state["tokens"]
        self.best_step, self.best_ce, self.metrics = state["best_step"], state["best_ce"], state["metrics"]
        self.objective.load_state_dict(state["weights"], strict=True)
        self.optimiser.load_state_dict(state["optimiser"])
        progress.note(f"going on after step {self.step} of {self.config.steps}")
