"""Configuration of the text-prefix transformer and of its training: frozen, checked, and the same from TOML and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from manifests import presets
from motionunion.errors import ConfigError

INITS = ("scaled", "reference")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Shape of the transformer (ScaMo, arXiv 2412.14559; keys and layers of its public `LLaMAHF`)."""

    layers: int
    heads: int
    width: int
    """Channels of the residual stream (d)."""
    codebook_size: int
    """True number of codes K. Token K is END, K + 1 is PAD."""
    text_width: int
    """Channels of the text features: 2048 for Flan-T5-XL, the word table's width for `words`."""
    dropout: float = 0.0
    """On embeddings and on both residual branches; the published model has none."""
    tie_weights: bool = False
    """Use the (K+2)-row embedding as head; PAD then has a logit that is never sampled."""
    mlp_hidden: int | None = None
    """None = floor(8 d / 3) rounded up to a multiple of 256."""
    init: str = "scaled"
    """`scaled`: normal with std 0.02, residual outputs 0.02 / sqrt(2 layers). `reference`: PyTorch's defaults, N(0, 1)
    embeddings, which is what the published code really starts from (its own rule is written down but never called)."""

    def __post_init__(self) -> None:
        for name in ("layers", "heads", "width", "codebook_size", "text_width"):
            _require(getattr(self, name) >= 1, f"model.{name}: must be at least 1, got {getattr(self, name)}")
        _require(self.width % self.heads == 0, f"model.heads: {self.heads} do not divide width {self.width}")
        _require(
            self.head_width % 2 == 0, f"model.heads: rotary positions need an even head width, got {self.head_width}"
        )
        _require(0.0 <= self.dropout < 1.0, f"model.dropout: must lie in [0, 1), got {self.dropout}")
        _require(self.init in INITS, f"model.init: {self.init!r} is not one of {', '.join(INITS)}")
        _require(self.mlp_hidden is None or self.mlp_hidden >= 1, f"model.mlp_hidden: got {self.mlp_hidden}")

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def hidden(self) -> int:
        """Width of the SwiGLU layer."""
        return self.mlp_hidden or -(-(8 * self.width // 3) // 256) * 256

    @property
    def end(self) -> int:
        """Token that ends a motion."""
        return self.codebook_size

    @property
    def pad(self) -> int:
        """Token that fills a batch, and the text's places in it."""
        return self.codebook_size + 1

    @property
    def outputs(self) -> int:
        """Rows of the head."""
        return self.codebook_size + (2 if self.tie_weights else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training run. Everything that decides its numbers is here, in the model's configuration and in the corpus."""

    steps: int
    batch_tokens: int
    """Text and motion positions of one step, padding left out."""
    learning_rate: float
    warmup_steps: int
    weight_decay: float = 0.0
    """On the matrices of the blocks and the text projection. Never on embeddings and head: a code that a corpus lacks
    must keep its row untouched."""
    beta1: float = 0.9
    beta2: float = 0.99
    final_rate: float = 0.05
    """The cosine ends at this share of `learning_rate`."""
    clip_norm: float = 1.0
    pkeep: float = 1.0
    """Each motion token of the input stays with this probability and becomes a random code otherwise (T2M-GPT)."""
    code_dropout: float = 0.0
    """A motion token of the input reads as an unknown code (PAD) with this probability, so that held-out codes, which a
    model over seen codes has no row for, are nothing new to it."""
    drop_edge: float = 0.0
    """Probability that a motion loses one token, at its head or its tail with equal chance (the public code: 1/3)."""
    word_dropout: float = 0.0
    """`words` only: a word reads as unknown with this probability, so that the unknown word is trained too."""
    restrict_head: bool = False
    """Train and sample over the codes of the training corpus only; all other rows stay as initialised."""
    eval_every: int = 50
    val_windows: int = 256
    """At most so many windows of the validation split are measured in training, evenly spread over it."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_tokens", "eval_every", "val_windows"):
            _require(getattr(self, name) >= 1, f"training.{name}: must be at least 1, got {getattr(self, name)}")
        _require(self.learning_rate > 0, f"training.learning_rate: must be positive, got {self.learning_rate}")
        _require(
            0 <= self.warmup_steps < self.steps,
            f"training.warmup_steps: {self.warmup_steps} does not end within {self.steps} steps; lower it or train longer",
        )
        _require(self.clip_norm > 0, f"training.clip_norm: must be positive, got {self.clip_norm}")
        _require(0 < self.pkeep <= 1, f"training.pkeep: must lie in (0, 1], got {self.pkeep}")
        for name in ("code_dropout", "drop_edge", "word_dropout", "beta1", "beta2", "final_rate"):
            _require(0 <= getattr(self, name) <= 1, f"training.{name}: must lie in [0, 1], got {getattr(self, name)}")
        _require(self.seed >= 0, f"--seed must not be negative, got {self.seed}")
        _require(self.weight_decay >= 0, f"training.weight_decay: must not be negative, got {self.weight_decay}")


C = TypeVar("C", ModelConfig, TrainConfig)


def from_mapping(kind: type[C], values: Mapping[str, Any], where: str) -> C:
    """Build a configuration from TOML or JSON values; an unknown or missing key is an error that names it."""
    known = {field.name for field in fields(kind)}
    for key in values:
        _require(key in known, f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}")
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def to_mapping(config: ModelConfig | TrainConfig) -> dict[str, Any]:
    """The plain values of a configuration; `from_mapping` gives the same object back."""
    return asdict(config)


def preset_names() -> tuple[str, ...]:
    """Names of the model sizes, small to large."""
    return tuple(presets("transformer")["models"])


def preset(name: str) -> dict[str, Any]:
    """The `models` entry of one size.

    Raises:
        ConfigError: If no size has that name.
    """
    models: dict[str, dict[str, Any]] = presets("transformer")["models"]
    _require(name in models, f"--model {name}: no such size; there are {', '.join(models)}")
    return models[name]


def model_config(name: str, *, codebook_size: int, text_width: int, **changes: Any) -> ModelConfig:
    """A size of the table, for one codebook and one text encoder."""
    values = {key: value for key, value in preset(name).items() if key != "word_width"}
    return from_mapping(
        ModelConfig, {**values, "codebook_size": codebook_size, "text_width": text_width, **changes}, f"model {name}"
    )
