"""MoMask's RVQ tokenizers (Guo et al. 2024, arXiv:2312.00063). Their names have no `vqvae.` in front."""

from __future__ import annotations

import re

import torch

from motionunion.errors import MissingInput
from tokenizer.model_config import ModelConfig
from tokenizer.published.architecture import PREFIX, Hints, autoencoder_fields, codebook_rows
from tokenizer.published.checkpoint_file import Weights
from tokenizer.published.project import Project, Reading
from tokenizer.quantizers import read_quantizer

PUBLISHED_LAYERS = 6
"""A file says nowhere how many layers it should have, and one that lost its last would pass for a smaller network."""
_LAYER = re.compile(r"quantizer\.layers\.(0|[1-9]\d{0,2})\.codebook")


def _recognises(weights: Weights) -> bool:
    return any(_LAYER.fullmatch(name) for name in weights)


def _read(weights: Weights, hints: Hints) -> Reading:
    numbers = sorted(int(found[1]) for name in weights if (found := _LAYER.fullmatch(name)))
    names = [f"quantizer.layers.{number}.codebook" for number in range(numbers[-1] + 1)]
    if absent := [name for name in names if name not in weights]:
        raise MissingInput(f"{hints.file} misses {absent[0]}. Nothing was imported")
    size = codebook_rows(weights, names, hints)
    codebooks = [weights[name] for name in names]
    # A codebook that all layers share is written once for each of them.
    shared = len(codebooks) > 1 and all(torch.equal(codebooks[0], other) for other in codebooks[1:])
    if hints.layers not in (None, len(names)):
        raise MissingInput(f"{hints.file} has {len(names)} layers, not {hints.layers}")
    if hints.layers is None and not shared and len(names) != PUBLISHED_LAYERS:
        absent_or_extra = (
            f"misses quantizer.layers.{len(names)}.codebook" if len(names) < PUBLISHED_LAYERS else "has more"
        )
        raise MissingInput(
            f"{hints.file} has {len(names)} layers and the published networks {PUBLISHED_LAYERS}: it {absent_or_extra}; if "
            f"the number is right, say so with --layers {len(names)}"
        )
    kept = {name: tensor for name, tensor in weights.items() if not shared or name not in names[1:]}
    ours = {PREFIX + name: tensor for name, tensor in kept.items()}
    options = {"kind": "rvq", "size": size, "layers": len(codebooks), "shared": shared}
    config = ModelConfig(quantizer=read_quantizer(options, hints.file), **autoencoder_fields(ours, hints))
    return Reading(config=config, codebook=size, weights=ours)


MOMASK = Project(
    name="momask",
    title="MoMask, RVQ",
    paper="arXiv:2312.00063",
    signature="quantizer.layers.0.codebook",
    recognises=_recognises,
    read=_read,
)
