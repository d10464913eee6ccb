"""Shape of a tokenizer's network. Values lie in `manifests/presets/tokenizer.toml`."""

from __future__ import annotations

from dataclasses import dataclass

from motionunion.errors import ConfigError
from tokenizer.layers import GROUPS, NORMS
from tokenizer.patcher import PATCHERS
from tokenizer.quantizers import QuantizerConfig
from tokenizer.quantizers.fsq import FSQConfig


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
        given = [name for name in ("levels", "quantizer") if getattr(self, name) is not None]
        if not given:
            raise ConfigError("model: missing key levels (of an FSQ quantiser) or quantizer (of any)")
        if len(given) > 1:
            raise ConfigError("model: levels and quantizer are two words for one thing; give one of them")
        if self.levels is not None:
            object.__setattr__(self, "quantizer", FSQConfig(levels=self.levels))
            object.__setattr__(self, "levels", None)
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
