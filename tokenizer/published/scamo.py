"""ScaMo's FSQ tokenizers (Lu et al. 2024, arXiv:2412.14559): `65536_FSQ.pth`."""

from __future__ import annotations

from tokenizer.model_config import ModelConfig
from tokenizer.published.architecture import PREFIX, Hints, autoencoder_fields, fsq_levels
from tokenizer.published.checkpoint_file import Weights
from tokenizer.published.project import Project, Reading
from tokenizer.quantizers import read_quantizer


def _recognises(weights: Weights) -> bool:
    fsq = any(name.startswith(f"{PREFIX}quantizer.project_") for name in weights)
    return fsq and not any(name.endswith(".wavelets") for name in weights)


def _read(weights: Weights, hints: Hints) -> Reading:
    codebook, levels = fsq_levels(weights, hints)
    quantizer = read_quantizer({"kind": "fsq", "levels": levels}, hints.file)
    config = ModelConfig(quantizer=quantizer, **autoencoder_fields(weights, hints))
    return Reading(config=config, codebook=codebook, weights=weights)


SCAMO = Project(
    name="scamo",
    title="ScaMo, FSQ",
    paper="arXiv:2412.14559",
    signature="vqvae.quantizer.project_in, no wavelets",
    recognises=_recognises,
    read=_read,
)
