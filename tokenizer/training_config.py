"""How a tokenizer is trained: losses, schedule, precision, guards. Values lie in `manifests/presets/tokenizer.toml`."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from motionunion.errors import ConfigError

PRECISIONS = ("fp32", "bf16")
RECONSTRUCTIONS = ("smooth_l1", "l1", "l2")
SCHEDULES = ("cosine", "milestones", "constant")
WEIGHTINGS = {"plain": 1.0, "humanml3d": 5.0, "evaluator": 25.0}
"""How much more root motion and contacts weigh in the loss than their own standard deviations say: what these are divided by.

HumanML3D's training code divides once, by 5. The statistics that came with its evaluator were divided twice, and T2M-GPT and
MoMask train their tokenizers in that space: 25. L1 in one space says nothing about L1 in another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a tokenizer is trained. Steps are fixed here at the start."""

    steps: int
    batch: int
    """Crops in one step, over all processes."""
    crop_rows: int
    """Rows of one crop; a shorter window is padded, and the padding is left out of the loss."""
    learning_rate: float
    warmup_steps: int
    """Steps of linear warm-up; the schedule follows."""
    clip_norm: float
    """Largest gradient norm; 0 clips nothing. Without clipping, a short warm-up collapses FSQ's codes unnoticed."""
    schedule: str = "cosine"
    """After the warm-up: `cosine` (half a cosine to zero), `milestones` (times `decay` at each) or `constant`."""
    milestones: tuple[int, ...] = ()
    """Steps after the warm-up at which the learning rate falls, where the schedule has milestones."""
    decay: float = 0.05
    """What the learning rate is multiplied by at a milestone."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    reconstruction: str = "smooth_l1"
    """Distance of the first two loss terms: smooth_l1 (beta 1), l1 or l2."""
    weighting: str = "humanml3d"
    """How root motion and contacts weigh, by a name of `WEIGHTINGS`."""
    position_weight: float = 0.5
    """Weight of the second loss term, the same loss on `position_dims` alone."""
    position_dims: tuple[int, int] = (4, 67)
    """Half-open range of the local joint positions in a row of the representation."""
    heading_weight: float = 0.0
    """Weight of a third term, on the heading that the decoder will integrate from `heading_dim`; see `loss.py`."""
    heading_dim: int = 0
    """Column that holds half the turn since the row before, in radians."""
    saturation_weight: float = 0.0
    """Weight of the penalty on latent channels that leave the range in which FSQ's tanh still has a gradient."""
    mirror: float = 0.0
    """Share of crops that are mirrored, left to right."""
    ema_decay: float = 0.0
    """Decay of the moving average of the weights that is kept as the result; 0 keeps the weights themselves."""
    precision: str = "fp32"
    """`bf16` runs the convolutions under autocast, on a CPU as on a GPU; the quantiser is float32 always."""
    rows: str = "fp32"
    """`bf16` rounds the normalised rows, so that twice as many fit into a GPU's memory; rounded wherever they lie."""
    compile: bool = False
    """Whether torch.compile is used for a step. Other kernels round otherwise: it is part of the plan."""
    guard_steps: tuple[int, ...] = (300,)
    """Steps after which the codes of a fixed batch are looked at for collapse; none: a collapse is said, and not acted on."""
    guard_share: float = 0.1
    """Collapsed: the exponential entropy is below this share of min(tokens, codebook size); of a code that says what others left,
    below the square root of that."""
    guard_crops: int = 64
    """Crops in the guard's fixed batch."""
    divergence: float = 4.0
    """Diverged: the reconstruction loss, averaged over a hundred steps, is so many times its lowest so far; 0 never."""
    restarts: int = 2
    """How often a failed run starts again, each time at half the learning rate."""
    save_every: int = 250
    log_every: int = 50
    evaluate_every: int = 1000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "crop_rows", "save_every", "log_every", "evaluate_every", "guard_crops"):
            if getattr(self, name) < 1:
                raise ConfigError(f"training.{name}: must be at least 1, got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ConfigError(f"training.learning_rate: must be positive, got {self.learning_rate}")
        for name in ("clip_norm", "restarts", "position_weight", "heading_weight", "saturation_weight", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"training.{name}: must not be negative, got {getattr(self, name)}")
        for name in ("ema_decay", "guard_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"training.{name}: must be in [0, 1), got {getattr(self, name)}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"training.betas: each must be in [0, 1), got {self.betas}")
        if any(step < 1 for step in self.guard_steps):
            raise ConfigError(f"training.guard_steps: must be steps from 1 on, got {self.guard_steps}")
        if not 0 <= self.mirror <= 1:
            raise ConfigError(f"training.mirror: must be in [0, 1], got {self.mirror}")
        if self.divergence and not self.divergence > 1:
            raise ConfigError(f"training.divergence: must be above 1, or 0 for never, got {self.divergence}")
        if not 0 <= self.position_dims[0] < self.position_dims[1]:
            raise ConfigError(f"training.position_dims: an empty range {self.position_dims}")
        if self.heading_dim < 0:
            raise ConfigError(f"training.heading_dim: must not be negative, got {self.heading_dim}")
        self._check_names()
        self._check_schedule()

    def _check_names(self) -> None:
        known = {
            "precision": PRECISIONS, "rows": PRECISIONS, "reconstruction": RECONSTRUCTIONS, "schedule": SCHEDULES,
            "weighting": tuple(WEIGHTINGS),
        }  # fmt: skip
        for name, names in known.items():
            if getattr(self, name) not in names:
                raise ConfigError(f"training.{name}: {getattr(self, name)!r} is not one of {', '.join(names)}")

    def _check_schedule(self) -> None:
        if self.warmup_steps < 0 or self.warmup_steps > self.steps:
            raise ConfigError(
                f"training.warmup_steps: {self.warmup_steps} does not fit into {self.steps} steps; "
                "train longer or warm up for less"
            )
        if bool(self.milestones) != (self.schedule == "milestones"):
            raise ConfigError(
                f"training.milestones: {self.milestones} do not go with the schedule {self.schedule!r}; a schedule of "
                "milestones has some, and no other has any"
            )
        if list(self.milestones) != sorted(set(self.milestones)) or any(step < 1 for step in self.milestones):
            raise ConfigError(f"training.milestones: must be rising steps from 1 on, got {self.milestones}")
        if not 0 < self.decay < 1:
            raise ConfigError(f"training.decay: must be between 0 and 1, got {self.decay}")

    @property
    def feat_bias(self) -> float:
        """What the standard deviations of root motion and contacts are divided by."""
        return WEIGHTINGS[self.weighting]

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of step 0 ... steps - 1: linear warm-up, then the schedule, which counts from its end."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        after = step - self.warmup_steps
        if self.schedule == "milestones":
            return self.learning_rate * self.decay ** bisect_right(self.milestones, after)
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * after / max(1, self.steps - self.warmup_steps)))
