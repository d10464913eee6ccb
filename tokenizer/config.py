"""Configurations of the tokenizer and the fixed tables by which the bare command chooses among them.

`manifests/presets/tokenizer.toml` holds the values; the checks are here. A table, never a clock: the same data on the
same kind of device always trains the same tokenizer.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import manifests
from motionunion.errors import ConfigError
from tokenizer.layers import GROUPS, NORMS
from tokenizer.patcher import PATCHERS
from tokenizer.quantizers import QuantizerConfig, quantizer_named, quantizer_plain, read_quantizer
from tokenizer.quantizers.fsq import FSQConfig
from tokenizer.training_config import TrainingConfig

DEFAULT_CODEBOOK = 65536
DEFAULT_REPRESENTATION = "hml263@20/compat"


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
            raise ConfigError(
                "model.norm: GN averages over all rows, later ones too; a causal network takes LN or none"
            )
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
class Preset:
    """A named pair of configurations, and what they are for."""

    name: str
    codebook: int
    """Nominal size of one code."""
    representation: str
    model: ModelConfig
    training: TrainingConfig

    def __post_init__(self) -> None:
        if self.training.crop_rows % self.model.rows_per_code:
            raise ConfigError(
                f"training.crop_rows: {self.training.crop_rows} is no multiple of the {self.model.rows_per_code} rows that "
                "one code stands for"
            )
        if max(self.training.position_dims[1], self.training.heading_dim + 1) > self.model.features:
            raise ConfigError(
                f"training.position_dims, heading_dim: beyond the {self.model.features} features of a row"
            )


Config = TypeVar("Config", ModelConfig, TrainingConfig)
Changes = Mapping[str, Mapping[str, Any]]


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


def preset_named(
    name: str,
    codebook: int | None = None,
    *,
    quantizer: str | None = None,
    representation: str | None = None,
    steps: int | None = None,
    changes: Changes | None = None,
) -> Preset:
    """A preset for a kind of quantiser, a nominal codebook size and a representation: its own where these are None.

    Args:
        name: As in `preset_names`.
        codebook: Nominal size of one code.
        quantizer: Kind of quantiser. The preset's settings of one go with its own kind alone.
        representation: Id; of another family than the preset's, columns and features are that family's.
        steps: In place of the preset's number of training steps.
        changes: Values that replace the preset's, by `model`, `quantizer` and `training`, each from field to value.

    Raises:
        ConfigError: For an unknown preset, kind, codebook size, family or key, or a value that the checks refuse.
    """
    given = changes or {}
    if unknown := sorted(set(given) - {"model", "quantizer", "training"}):
        raise ConfigError(f"{', '.join(unknown)}: is none of model, quantizer and training, which a preset consists of")
    asked = asked_for(name, codebook, quantizer, representation, given.get("quantizer", {}))
    table, families = _table(name), manifests.presets("tokenizer")["families"]
    where = f"presets/tokenizer.toml [{name}]"
    family = asked.representation.partition("@")[0]
    fitting: Mapping[str, Any] = {"model": {}, "training": {}}
    if family != table.get("representation", DEFAULT_REPRESENTATION).partition("@")[0]:
        if family not in families:
            raise ConfigError(f"no tokenizer columns are laid down for {family}; there are {', '.join(families)}")
        fitting = families[family]
    model = {**table["model"], **fitting["model"], **given.get("model", {}), "quantizer": asked.quantizer}
    training = {**table["training"], **fitting["training"], **given.get("training", {})}
    if steps is not None:
        training["steps"] = steps
    return Preset(
        name=name,
        codebook=asked.codebook,
        representation=asked.representation,
        model=read_config(ModelConfig, model, f"{where}.model"),
        training=read_config(TrainingConfig, training, f"{where}.training"),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What codes a tokenizer shall make, and of what."""

    codebook: int
    """Nominal size of one code."""
    quantizer: QuantizerConfig
    representation: str


def asked_for(
    name: str | None,
    codebook: int | None = None,
    quantizer: str | None = None,
    representation: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Asked:
    """Codes and representation of a preset, or of those that the table chooses from (None), where none are given.

    Raises:
        ConfigError: For an unknown preset, kind, codebook size or option.
    """
    table = _table(name) if name else {}
    codebook = codebook or table.get("codebook", DEFAULT_CODEBOOK)
    own = table.get("quantizer", {"kind": "fsq"})
    kind = quantizer or own["kind"]
    settings = {key: value for key, value in own.items() if key != "kind"} if kind == own["kind"] else {}
    return Asked(
        codebook,
        quantizer_named(kind, codebook, **{**settings, **(options or {})}),
        representation or table.get("representation", DEFAULT_REPRESENTATION),
    )


def _table(name: str) -> Mapping[str, Any]:
    presets: Mapping[str, Mapping[str, Any]] = manifests.presets("tokenizer")["presets"]
    if name not in presets:
        raise ConfigError(f"tokenizer preset {name!r} is unknown; choose one of {', '.join(presets)}")
    return presets[name]


def with_changes(
    words: Sequence[str], *, precision: str | None = None, compiled: bool = False
) -> dict[str, dict[str, Any]]:
    """Changes of a preset as a person gives them: `training.batch=32`, `model.width=256`, `quantizer.reset=false`.

    `precision` and `compiled` are two that have options of their own.

    Raises:
        ConfigError: For a word of another form; values are TOML.
    """
    changes: dict[str, dict[str, Any]] = {}
    for word in words:
        place, equals, value = word.partition("=")
        part, dot, key = place.strip().partition(".")
        if not (equals and dot and part and key.isidentifier()):
            raise ConfigError(f"{word!r} changes nothing: give PART.KEY=VALUE, as in training.batch=32")
        try:
            changes.setdefault(part, {})[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{word!r}: {value!r} is no TOML value ({error}); text needs quotes") from error
    if precision is not None:
        changes.setdefault("training", {})["precision"] = precision
    if compiled:
        changes.setdefault("training", {})["compile"] = True
    return changes


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
