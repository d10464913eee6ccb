"""One step of training a tokenizer: a plain PyTorch loop over `.npy` files, and our trainer. Run by `benchmarks.tokenizer`.

All begin with the same weights and see the same crops, so that their losses can be compared. The recipe is T2M-GPT's: smooth-L1,
half of it again on the local positions, AdamW. The plain loop has neither the public one's dense perplexity nor anything of ours.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.padding_exact import DIMS
from benchmarks.tokenizer_train import FinishedError, random_features
from benchmarks.turns import Turns, Way, operations_of
from motionunion.features import FeatureSet
from tokenizer.crops import CropSampler, TrainingData, training_data
from tokenizer.model import build_model
from tokenizer.presets import Preset, preset_named
from tokenizer.train import Trainer

PLAIN, OURS, BFLOAT16 = "plain loop", "ours, float32", "ours, bfloat16"
SPANS, SPAN_ROWS, CROP_ROWS = 128, 196, 64
STEPS = 10_000
"""Of the plan; far fewer are done, so that nothing falls due but the step."""


def recipe(batch: int, width: int, precision: str) -> Preset:
    """Of both sides; whatever else ours can do is off."""
    paper = preset_named("paper", 65536)
    training = dataclasses.replace(
        paper.training, steps=STEPS, batch=batch, crop_rows=CROP_ROWS, precision=precision, warmup_steps=0, schedule="constant",
        clip_norm=0.0, saturation_weight=0.0, heading_weight=0.0, mirror=0.0, guard_steps=(), log_every=1,
        save_every=STEPS, evaluate_every=STEPS,
    )  # fmt: skip
    return dataclasses.replace(paper, model=dataclasses.replace(paper.model, width=width), training=training)


class FileCrops(Dataset[Tensor]):
    """Crops of clips that lie in one `.npy` file each, read and normalised one by one."""

    def __init__(self, folder: Path, crops: list[tuple[int, int]], data: TrainingData) -> None:
        self.folder, self.crops = folder, crops
        self.mean, self.std = data.statistics.mean, data.statistics.std

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> Tensor:
        clip, first = self.crops[index]
        rows = np.load(self.folder / f"{clip:06d}.npy", allow_pickle=False)[first : first + CROP_ROWS]
        return torch.from_numpy((rows - self.mean) / self.std)


class PlainLoop:
    """A model, a loader, an optimiser."""

    def __init__(self, folder: Path, features: FeatureSet, data: TrainingData, preset: Preset, steps: int) -> None:
        folder.mkdir()
        for clip in range(SPANS):
            np.save(folder / f"{clip:06d}.npy", np.asarray(features.rows_of(clip)))
        self.config, sampler = preset.training, CropSampler(data, CROP_ROWS)
        first = np.concatenate([sampler.choose(self.config.batch, 0, 0, step).first for step in range(steps)])
        crops = FileCrops(folder, [(int(row) // SPAN_ROWS, int(row) % SPAN_ROWS) for row in first], data)
        self.batches: Iterator[Tensor] = iter(DataLoader(crops, batch_size=self.config.batch, shuffle=False))
        self.model = build_model(preset.model, 0).train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self.config.learning_rate, betas=self.config.betas, weight_decay=0.0
        )

    def step(self) -> float:
        """One step; gives its loss."""
        target = next(self.batches)
        rows, _ = self.model(target)
        first, stop = self.config.position_dims
        loss = functional.smooth_l1_loss(rows, target)
        loss = loss + self.config.position_weight * functional.smooth_l1_loss(
            rows[..., first:stop], target[..., first:stop]
        )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.item()


class OurTraining:
    """The trainer itself, in a thread of its own that goes on by one step when it is told to: its progress and its log."""

    def __init__(self, folder: Path, data: TrainingData, preset: Preset) -> None:
        self.losses: list[float] = []
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._ends = self._ended = False
        self._trainer = Trainer(
            folder, data, preset, codebook=65536, seed=0, device="cpu", provenance={}, plan={}, progress=self,
            listeners=(self,),
        )  # fmt: skip
        self._run = ThreadPoolExecutor(1).submit(self._trained)
        self._wait()  # until the weights are there

    def step(self) -> float:
        """One step; gives its loss."""
        self._go.release()
        self._wait()
        return self.losses[-1]

    def end(self) -> None:
        """No more steps."""
        self._ends = True
        self._go.release()
        with contextlib.suppress(FinishedError):
            self._run.result()

    def _trained(self) -> None:
        try:
            self._trainer.run()
        finally:
            self._ended = True
            self._done.release()

    def _wait(self) -> None:
        self._done.acquire()
        if self._ended:
            self._run.result()  # raises what ended it

    def start(self, label: str, total: float | None, unit: str) -> None:
        pass

    def advance(self, amount: float, **figures: float) -> None:
        self._done.release()
        self._go.acquire()
        if self._ends:
            raise FinishedError

    def finish(self) -> None:
        pass

    def note(self, message: str) -> None:
        pass

    def heard(self, entry: Mapping[str, Any]) -> None:
        self.losses.append(float(entry["loss"]))

    def went_back(self, step: int) -> None:
        pass

    def close(self) -> None:
        pass


class Step:
    """The ways to take a step. Each is made when it is asked for, and goes on from step to step."""

    def __init__(self, folder: Path, *, batch: int, width: int, steps: int) -> None:
        self.folder, self.batch, self.width, self.steps = folder, batch, width, steps
        self.features = random_features(SPANS, SPAN_ROWS)
        self.data = training_data(self.features, recipe(batch, width, "fp32").training.feat_bias)
        self._ours: list[OurTraining] = []

    def way(self, name: str) -> Way:
        """Gives the loss of the step."""
        if name == PLAIN:
            preset = recipe(self.batch, self.width, "fp32")
            return PlainLoop(self.folder / "npy", self.features, self.data, preset, self.steps + 1).step
        precision = "bf16" if name == BFLOAT16 else "fp32"
        ours = OurTraining(self.folder / precision, self.data, recipe(self.batch, self.width, precision))
        self._ours.append(ours)
        return ours.step

    def end(self) -> None:
        """Stop all that was begun."""
        for ours in self._ours:
            ours.end()

    def measure(self, clock: str) -> dict[str, dict[str, Any]]:
        """Figures of every way, with the losses of all steps and how far the mean of these is from the plain loop's."""
        took = Turns({name: self.way(name) for name in (PLAIN, OURS, BFLOAT16)}, self.steps, clock)
        model, crops = build_model(recipe(4, self.width, "fp32").model, 0), torch.zeros(4, CROP_ROWS, DIMS)
        operations = operations_of(lambda: model(crops)[0].sum().backward()) * self.batch / len(crops)
        results = {}
        plain = float(np.mean(took.given[PLAIN]))
        for name in (PLAIN, OURS, BFLOAT16):
            limit = "bfloat16" if name == BFLOAT16 else "float32"
            figures = {
                **took.figures(name, PLAIN, self.batch * CROP_ROWS), **took.arithmetic(name, operations, limit)
            }  # fmt: skip
            losses = took.given[name]
            results[name] = {**figures, "losses": losses, "loss_off_by": abs(float(np.mean(losses)) / plain - 1)}
        return results
