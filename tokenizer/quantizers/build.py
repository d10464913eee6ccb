"""From a configuration to a quantiser, and from JSON or a name to a configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from motionunion.errors import ConfigError
from tokenizer.config_types import check_types
from tokenizer.quantizers.bsq import BSQ, BSQConfig
from tokenizer.quantizers.fsq import FSQ, FSQConfig
from tokenizer.quantizers.grouped_fsq import GroupedFSQ, GroupedFSQConfig
from tokenizer.quantizers.levels import levels_of
from tokenizer.quantizers.lfq import LFQ, LFQConfig
from tokenizer.quantizers.protocol import Quantizer, QuantizerConfig
from tokenizer.quantizers.residual_fsq import ResidualFSQ, ResidualFSQConfig
from tokenizer.quantizers.rvq import RVQ, RVQConfig
from tokenizer.quantizers.vq import VQ, VQConfig

CONFIGS: dict[str, type[QuantizerConfig]] = {
    config.kind: config
    for config in (FSQConfig, VQConfig, RVQConfig, LFQConfig, BSQConfig, GroupedFSQConfig, ResidualFSQConfig)
}
"""Every kind, in the order in which lists and reports have them."""


def build_quantizer(config: QuantizerConfig, width: int) -> Quantizer:
    """The quantiser of a configuration, for latents of `width` channels."""
    match config:
        case FSQConfig():
            return FSQ(config, width)
        case RVQConfig():  # before VQ's, whose settings it inherits
            return RVQ(config, width)
        case VQConfig():
            return VQ(config, width)
        case BSQConfig():  # before LFQ's, likewise
            return BSQ(config, width)
        case LFQConfig():
            return LFQ(config, width)
        case GroupedFSQConfig():
            return GroupedFSQ(config, width)
        case ResidualFSQConfig():
            return ResidualFSQ(config, width)
    raise ConfigError(f"quantizer: {type(config).__name__} is a configuration that no quantiser is made from")


def quantizer_named(kind: str, codebook: int, **options: Any) -> QuantizerConfig:
    """The configuration of a kind for a nominal codebook size: levels where it has levels, else the size itself.

    Args:
        kind: As in `CONFIGS`.
        codebook: Nominal size of one code; the true one is `codebook_size` of the result.
        options: Other fields of the kind's configuration.

    Raises:
        ConfigError: For an unknown kind, a size without levels, or an option that the kind does not have.
    """
    config = _config_class(kind, "quantizer")
    names = {field.name for field in dataclasses.fields(config)}
    size: dict[str, Any] = {"levels": levels_of(codebook)} if "levels" in names else {"size": codebook}
    return read_quantizer({"kind": kind, **size, **options}, "quantizer")


def read_quantizer(values: Mapping[str, Any], where: str) -> QuantizerConfig:
    """Build a configuration from parsed TOML or JSON: `kind` and the fields of that kind; lists become tuples.

    Raises:
        ConfigError: For an unknown kind, an unknown or missing key, named with `where`, or a value that the checks refuse.
    """
    if "kind" not in values:
        raise ConfigError(f"{where}: missing key kind; one of {', '.join(CONFIGS)}")
    config = _config_class(values["kind"], where)
    fields = {field.name: field for field in dataclasses.fields(config)}
    given = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name != "kind"
    }
    if unknown := sorted(set(given) - set(fields)):
        raise ConfigError(f"{where}: {config.kind} has no {', '.join(unknown)}; it has {', '.join(fields)}")
    if missing := sorted(
        name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in given
    ):
        raise ConfigError(f"{where}: missing key {', '.join(missing)} of {config.kind}")
    check_types(config, given, where)
    return config(**given)


def quantizer_plain(config: QuantizerConfig) -> dict[str, Any]:
    """A configuration as JSON holds it, for `read_quantizer`: its kind, and every field."""
    fields = dataclasses.asdict(config)
    return {
        "kind": config.kind,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()},
    }


def _config_class(kind: Any, where: str) -> type[QuantizerConfig]:
    if kind not in CONFIGS:
        raise ConfigError(f"{where}: unknown kind of quantiser {kind!r}; choose one of {', '.join(CONFIGS)}")
    return CONFIGS[kind]
