"""Configurations of models and of training as JSON and TOML hold them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from motionunion.errors import ConfigError
from tokenizer.config_types import check_types
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers import QuantizerConfig, quantizer_plain, read_quantizer
from tokenizer.training_config import TrainingConfig

Config = TypeVar("Config", ModelConfig, TrainingConfig)


def read_config(kind: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Build a configuration from parsed TOML or JSON; lists become tuples.

    Raises:
        ConfigError: For an unknown or missing key, named with `where`, a value of another type, or one that the checks refuse.
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
    check_types(kind, plain, where)
    return kind(**plain)


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
