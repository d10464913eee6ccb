"""Configurations of the tokenizer and the fixed tables by which the bare command chooses among them.

`manifests/presets/tokenizer.toml` holds the values; the checks are here. A table, never a clock: the same data on the
same kind of device always trains the same tokenizer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import manifests
from motionunion.errors import ConfigError
from tokenizer.layers import GROUPS, NORMS
from tokenizer.patcher import PATCHERS
from tokenizer.quantizers import QuantizerConfig, quantizer_named, quantizer_plain, read_quantizer
from tokenizer.quantizers.fsq import FSQConfig

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Shape of the convolutional autoencoder (ScaMo, arXiv:2412.14559; code lineage of T2M-GPT), and its quantiser."""

    quantizer: QuantizerConfig = None  # type: ignore[assignment]  # `levels` stands for one; never None afterwards
    """Which quantiser, and its settings."""
    levels: tuple[int, ...] | None = None
    """Short for an FSQ quantiser of these levels, in place of `quantizer`; None once the configuration is made."""
    features: int = 263
    """Dimensions of one row of the representation."""
    width: int = 512
    """Channels of every hidden convolution."""
    down: int = 2
    """Halvings of the time axis: 2 makes one code of four rows."""
    depth: int = 3
    """Residual blocks at each resolution."""
    dilation_growth: int = 3
    """Dilations of a stack of blocks are powers of this."""
    norm: str = "none"
    """Before each activation of a residual block: none, LN, GN or BN."""
    causal: bool = False
    """Whether convolutions see no later row, so that codes can be made, and rows decoded, while a motion goes on."""
    latent: int | None = None
    """Channels of the latent before and after the quantiser; the width where it is None."""
    patcher: str = "none"
    """How `patch` rows become one before the first convolution: none, haar (a wavelet) or rearrange."""
    patch: int = 1
    """Rows of a patch, a power of two."""

    def __post_init__(self) -> None:
        if self.levels is not None:
            object.__setattr__(self, "quantizer", FSQConfig(levels=self.levels))
            object.__setattr__(self, "levels", None)
        if self.quantizer is None:
            raise ConfigError("model: missing key levels (of an FSQ quantiser) or quantizer (of any)")
        for name in ("features", "width", "down", "depth", "dilation_growth"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name}: must be at least 1, got {getattr(self, name)}")
        self._check_layers()

    def _check_layers(self) -> None:
        if self.norm not in NORMS:
            raise ConfigError(f"model.norm: {self.norm!r} is not one of {', '.join(NORMS)}")
        if self.norm == "GN" and self.width % GROUPS:
            raise ConfigError(f"model.norm: GN needs a width that is a multiple of {GROUPS}, got {self.width}")
        if self.norm == "GN" and self.causal:
            raise ConfigError("model.norm: GN averages over all rows, later ones too; a causal network takes LN or none")
        if self.latent is not None and self.latent < 1:
            raise ConfigError(f"model.latent: must be at least 1, got {self.latent}")
        if self.patcher not in PATCHERS:
            raise ConfigError(f"model.patcher: {self.patcher!r} is not one of {', '.join(PATCHERS)}")
        if self.patch < 1 or self.patch & (self.patch - 1):
            raise ConfigError(f"model.patch: must be a power of two, got {self.patch}")
        if self.patcher == "none" and self.patch != 1:
            raise ConfigError(f"model.patch: {self.patch} rows need a patcher (haar or rearrange)")

    @property
    def latent_width(self) -> int:
        """Channels of the latent, before and after the quantiser."""
        return self.width if self.latent is None else self.latent

    @property
    def codebook_size(self) -> int:
        """True number of values of one code."""
        return self.quantizer.codebook_size

    @property
    def codes_per_step(self) -> int:
        """Codes for one step of time: 1, but for quantisers in layers or groups."""
        return self.quantizer.codes_per_step

    @property
    def rows_per_code(self) -> int:
        """Feature rows that one code stands for."""
        return self.patch << self.down


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a tokenizer is trained. Steps are fixed here at the start."""

    steps: int
    batch: int
    """Crops in one step."""
    crop_rows: int
    """Rows of one crop; a shorter window is padded, and the padding is left out of the loss."""
    learning_rate: float
    warmup_steps: int
    """Steps of linear warm-up; cosine decay to zero follows."""
    clip_norm: float
    """Largest gradient norm. Without clipping, a short warm-up collapses the codes unnoticed."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
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
    feat_bias: float = 5.0
    """Divides the std of root motion and contacts, so that they weigh this much more in the loss."""
    ema_decay: float = 0.0
    """Decay of the moving average of the weights that is kept as the result; 0 keeps the last weights."""
    precision: str = "fp32"
    """`bf16` runs the convolutions under autocast on a GPU; the quantiser is float32 always."""
    guard_steps: tuple[int, ...] = (300,)
    """Steps after which the codes of a fixed batch are looked at for collapse."""
    guard_share: float = 0.1
    """Collapsed: the exponential entropy is below this share of min(tokens, codebook size)."""
    guard_crops: int = 64
    """Crops in the guard's fixed batch."""
    restarts: int = 2
    """How often a collapsed run starts again, each time at half the learning rate."""
    save_every: int = 250
    log_every: int = 50
    evaluate_every: int = 1000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "crop_rows", "save_every", "log_every", "evaluate_every", "guard_crops"):
            if getattr(self, name) < 1:
                raise ConfigError(f"training.{name}: must be at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "clip_norm", "feat_bias"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"training.{name}: must be positive, got {getattr(self, name)}")
        if self.warmup_steps < 0 or self.warmup_steps > self.steps:
            raise ConfigError(
                f"training.warmup_steps: {self.warmup_steps} does not fit into {self.steps} steps; "
                "train longer or warm up for less"
            )
        if self.precision not in PRECISIONS:
            raise ConfigError(f"training.precision: {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if not 0 <= self.ema_decay < 1:
            raise ConfigError(f"training.ema_decay: must be in [0, 1), got {self.ema_decay}")
        if not 0 <= self.mirror <= 1:
            raise ConfigError(f"training.mirror: must be in [0, 1], got {self.mirror}")
        if self.heading_weight < 0 or self.position_weight < 0:
            raise ConfigError("training: the weight of a loss term must not be negative")
        if not 0 <= self.guard_share < 1:
            raise ConfigError(f"training.guard_share: must be in [0, 1), got {self.guard_share}")
        if not 0 <= self.position_dims[0] < self.position_dims[1]:
            raise ConfigError(f"training.position_dims: an empty range {self.position_dims}")
        if self.restarts < 0:
            raise ConfigError(f"training.restarts: must not be negative, got {self.restarts}")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of step 0 ... steps - 1: linear warm-up, then a half cosine to zero."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named pair of configurations."""

    name: str
    model: ModelConfig
    training: TrainingConfig


Config = TypeVar("Config", ModelConfig, TrainingConfig)


def read_config(kind: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Build a configuration from parsed TOML or JSON; lists become tuples.

    Raises:
        ConfigError: For an unknown or missing key, named with `where`, or a value that the checks refuse.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ConfigError(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(fields)}")
    missing = sorted(
        name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in values
    )
    if missing:
        raise ConfigError(f"{where}: missing key {', '.join(missing)}")
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    if isinstance(plain.get("quantizer"), Mapping):
        plain["quantizer"] = read_quantizer(plain["quantizer"], f"{where}.quantizer")
    return kind(**plain)


def preset_names() -> tuple[str, ...]:
    """Names of all presets, in the order of the file."""
    return tuple(manifests.presets("tokenizer")["presets"])


def preset_named(name: str, codebook: int, *, quantizer: str = "fsq", steps: int | None = None) -> Preset:
    """A preset for a kind of quantiser and a nominal codebook size; `steps` replaces the preset's number of training steps.

    Raises:
        ConfigError: For an unknown preset, kind or codebook size, or steps that the preset's warm-up does not fit into.
    """
    table = manifests.presets("tokenizer")["presets"]
    if name not in table:
        raise ConfigError(f"tokenizer preset {name!r} is unknown; choose one of {', '.join(table)}")
    where = f"presets/tokenizer.toml [{name}]"
    kind = quantizer_named(quantizer, codebook)
    model = read_config(ModelConfig, {**table[name]["model"], "quantizer": kind}, f"{where}.model")
    overrides = {} if steps is None else {"steps": steps}
    training = read_config(TrainingConfig, {**table[name]["training"], **overrides}, f"{where}.training")
    return Preset(name=name, model=model, training=training)


def choose_preset(device: str, rows: int) -> tuple[str, str]:
    """Name of the preset for a kind of device (`cpu`, `cuda`) and a number of training rows, and the reason in words.

    Raises:
        ConfigError: If the table has no line for the device.
    """
    kind = device.split(":")[0]
    for line in manifests.presets("tokenizer")["choice"]:
        limit = line.get("rows_below")
        if line["device"] == kind and (limit is None or rows < limit):
            return line["preset"], f"{rows:,} training rows on {kind}: {line['why']}"
    raise ConfigError(
        f"no tokenizer preset is laid down for device {device!r}; give one of {', '.join(preset_names())}"
    )


def as_plain(config: ModelConfig | TrainingConfig) -> dict[str, Any]:
    """A configuration as JSON holds it: tuples become lists, and a quantiser says its kind."""
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, QuantizerConfig):
            plain[field.name] = quantizer_plain(value)
        elif field.name != "levels":  # a short form of the quantiser, which is there
            plain[field.name] = list(value) if isinstance(value, tuple) else value
    return plain
