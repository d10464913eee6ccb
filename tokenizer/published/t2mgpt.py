"""T2M-GPT's EMA-VQ tokenizers (Zhang et al. 2023, arXiv:2301.06052), and ScaMo's baseline, whose file is the same."""

from __future__ import annotations

from tokenizer.model_config import ModelConfig
from tokenizer.published.architecture import PREFIX, Hints, autoencoder_fields, codebook_rows
from tokenizer.published.checkpoint_file import Weights
from tokenizer.published.project import Project, Reading
from tokenizer.quantizers import read_quantizer

CODEBOOK = f"{PREFIX}quantizer.codebook"


def _recognises(weights: Weights) -> bool:
    return CODEBOOK in weights


def _read(weights: Weights, hints: Hints) -> Reading:
    size = codebook_rows(weights, [CODEBOOK], hints)
    quantizer = read_quantizer({"kind": "vq", "size": size}, hints.file)
    config = ModelConfig(quantizer=quantizer, **autoencoder_fields(weights, hints))
    return Reading(config=config, codebook=size, weights=weights)


T2MGPT = Project(
    name="t2mgpt",
    title="T2M-GPT, EMA-VQ",
    paper="arXiv:2301.06052",
    signature=CODEBOOK,
    recognises=_recognises,
    read=_read,
)
