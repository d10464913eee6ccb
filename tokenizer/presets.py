"""Presets of tokenizers, what may be changed of one, and the fixed table by which the bare command chooses among them.

`manifests/presets/tokenizer.toml` holds the values. A table, never a clock: the same data on the same kind of device always
trains the same tokenizer.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import manifests
from motionunion.errors import ConfigError
from tokenizer.config import read_config
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers import QuantizerConfig, quantizer_named
from tokenizer.training_config import TrainingConfig

DEFAULT_CODEBOOK = 65536
DEFAULT_REPRESENTATION = "hml263@20/compat"

Changes = Mapping[str, Mapping[str, Any]]


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
        if self.training.heading_weight and not self.representation.startswith("hml263@"):
            raise ConfigError(
                f"training.heading_weight: no column of {self.representation} holds turns in radians; set it to 0"
            )


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
    if twice := sorted({"levels", "quantizer"} & set(given.get("model", {}))):
        raise ConfigError(
            f"model.{twice[0]}: a quantiser is chosen by its kind (--quantizer) and changed by quantizer.KEY, as in "
            "quantizer.levels=[8, 6, 5]"
        )
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

    A size that stands among the options of the quantiser, where no codebook is given, is its own nominal size.

    Raises:
        ConfigError: For an unknown preset, kind, codebook size or option.
    """
    table = _table(name) if name else {}
    nominal = table.get("codebook", DEFAULT_CODEBOOK) if codebook is None else codebook
    own = table.get("quantizer", {"kind": "fsq"})
    kind = quantizer or own["kind"]
    settings = {key: value for key, value in own.items() if key != "kind"} if kind == own["kind"] else {}
    config = quantizer_named(kind, nominal, **{**settings, **(options or {})})
    if codebook is None and {"levels", "size"} & set(options or {}):
        nominal = config.codebook_size
    return Asked(
        nominal,
        config,
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
