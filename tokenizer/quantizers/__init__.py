"""Quantisers behind one interface; `docs/quantizers.md` says which is which."""

from tokenizer.quantizers.build import build_quantizer, quantizer_named, quantizer_plain, read_quantizer
from tokenizer.quantizers.levels import LEVELS, levels_of
from tokenizer.quantizers.protocol import Quantized, Quantizer, QuantizerConfig

__all__ = [
    "LEVELS",
    "Quantized",
    "Quantizer",
    "QuantizerConfig",
    "build_quantizer",
    "levels_of",
    "quantizer_named",
    "quantizer_plain",
    "read_quantizer",
]
