"""What training carries from one step to the next, and `state.pt`, which holds it.

Everything else is a function of the plan and the step's number. A quantiser's own buffers (codebook, counts, steps) are in the
model's state dict like its weights, so that every kind goes on exactly where it was.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from inspect import signature
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from motionunion.digest import write_atomic
from motionunion.errors import MissingInput
from tokenizer.divergence import LossWatch
from tokenizer.model import FSQVAE, build_model
from tokenizer.presets import Preset
from tokenizer.quantizers import Quantized
from tokenizer.team import Team

STATE = "state.pt"
FORMAT = 3
"""Of `state.pt`: raised whenever an older one would be misread."""
DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError, EOFError, UnpicklingError, BadZipFile)
"""What reading a damaged file raises, by where it is damaged."""
BUFFERS_AT_EVERY_STEP = (
    "forward_sync_buffers"
    if "forward_sync_buffers" in signature(DistributedDataParallel).parameters
    else "broadcast_buffers"
)
"""What DDP calls the option to send the first process's buffers to the others before a step. PyTorch 2.13 renamed it and warns of
the old name, which is the only one that earlier versions know."""
Forward = Callable[[Tensor, Tensor], tuple[Tensor, Quantized]]


@dataclass(slots=True)
class Best:
    """The weights that scored best on the held-out windows so far."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    mpjpe_mm: float = math.inf
    step: int = 0


@dataclass(slots=True)
class TrainingState:
    """What training carries from one step to the next."""

    model: FSQVAE
    forward: Forward
    """The model's forward pass, compiled or shared with the team where that is wanted."""
    optimizer: torch.optim.AdamW
    average: dict[str, Tensor]
    """Moving average of the weights, and the other entries of the state dict as they are; empty where none is kept."""
    step: int = 0
    """Steps done in this attempt."""
    attempt: int = 0
    watch: LossWatch = field(default_factory=LossWatch)
    best: Best = field(default_factory=Best)

    @property
    def result(self) -> dict[str, Tensor]:
        """The state dict that a tokenizer made now would have."""
        return self.average or self.model.state_dict()

    def follow(self, decay: float) -> None:
        """Let the moving average take one step."""
        if not self.average:
            return
        # A young average follows quickly, or the random start would weigh in it for long.
        decay = min(decay, (1 + self.step) / (10 + self.step))
        weights = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                if name in weights:
                    self.average[name].lerp_(value, 1 - decay)
                else:  # a codebook is a moving average itself, and a counter has no mean
                    self.average[name].copy_(value)


def fresh_state(preset: Preset, seed: int, attempt: int, team: Team) -> TrainingState:
    """The state before the first step of an attempt, which every process of a team makes alike."""
    training = preset.training
    model = build_model(preset.model, seed + attempt).to(team.device)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=training.learning_rate,
        betas=training.betas,
        weight_decay=training.weight_decay,
        fused=True,
    )
    average = {}
    if training.ema_decay:
        average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    forward: Any = model
    if training.compile:
        forward = torch.compile(forward)
    if team.size > 1:
        # Codebooks are the same everywhere already, and may be large; running means of a batch norm are not.
        buffers: dict[str, Any] = {BUFFERS_AT_EVERY_STEP: preset.model.norm == "BN"}
        forward = DistributedDataParallel(forward, device_ids=team.device_ids, **buffers)
    return TrainingState(model, cast(Forward, forward), optimizer, average, attempt=attempt)


def save_state(
    folder: Path, state: TrainingState, failed_attempts: list[dict[str, Any]], logged: int, plan: str
) -> None:
    """Write `state.pt` whole or not at all; `logged` is how long the log of the run is at this step, `plan` the plan's hash."""
    content = {
        "format": FORMAT,
        "plan": plan,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "average": state.average,
        "step": state.step,
        "attempt": state.attempt,
        "watch": asdict(state.watch),
        "best": {"weights": state.best.weights, "mpjpe_mm": state.best.mpjpe_mm, "step": state.best.step},
        # What is logged after this save is written again by a run that goes on from it.
        "metrics_bytes": logged,
        "failed_attempts": json.dumps(failed_attempts),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomic(folder / STATE, buffer.getvalue())


def load_state(
    folder: Path, preset: Preset, seed: int, team: Team, plan: str
) -> tuple[TrainingState, list[dict[str, Any]], int] | None:
    """What `save_state` wrote, as (state, failed attempts, length of the log); None where nothing is there.

    Raises:
        MissingInput: If the file is damaged, of another version or of another plan.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        with ZipFile(path) as archive:
            # PyTorch writes check sums and does not look at them: a flipped bit would be trained on.
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"{damaged} in it is damaged")
        content = torch.load(path, map_location=team.device, weights_only=True)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r} is not {FORMAT}")
        if content["plan"] != plan:
            raise ValueError("it belongs to another plan")
        state = fresh_state(preset, seed, content["attempt"], team)
        state.model.load_state_dict(content["model"], strict=True)
        state.optimizer.load_state_dict(content["optimizer"])
        state.average, state.step = content["average"], content["step"]
        state.watch, state.best = LossWatch(**content["watch"]), Best(**content["best"])
        return state, json.loads(content["failed_attempts"]), content["metrics_bytes"]
    except DAMAGE as error:
        raise MissingInput(
            f"{path} cannot be gone on from ({error}); remove it, and the same command begins this run again"
        ) from error
