"""MotionMillion's FSQ tokenizers (Fan et al. 2025, arXiv:2507.07095), with a patcher before and behind the convolutions."""

from __future__ import annotations

from tokenizer.model_config import ModelConfig
from tokenizer.published.architecture import PREFIX, Hints, autoencoder_fields, fsq_levels
from tokenizer.published.checkpoint_file import Weights
from tokenizer.published.project import Project, Reading
from tokenizer.quantizers import read_quantizer


def _recognises(weights: Weights) -> bool:
    fsq = any(name.startswith(f"{PREFIX}quantizer.project_") for name in weights)
    return fsq and any(name.endswith(".wavelets") for name in weights)


def _read(weights: Weights, hints: Hints) -> Reading:
    codebook, levels = fsq_levels(weights, hints)
    quantizer = read_quantizer({"kind": "fsq", "levels": levels}, hints.file)
    config = ModelConfig(quantizer=quantizer, **autoencoder_fields(weights, hints, norm="LN"))
    return Reading(config=config, codebook=codebook, weights=weights)


MOTIONMILLION = Project(
    name="motionmillion",
    title="MotionMillion, FSQ",
    paper="arXiv:2507.07095",
    signature="vqvae.quantizer.project_in and vqvae.encoder.model.0.wavelets",
    recognises=_recognises,
    read=_read,
)
