"""Published ScaMo tokenizers: their checkpoints, read strictly and without executing anything."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from motionunion.digest import sha256_file
from motionunion.errors import MissingInput
from motionunion.representations import registry
from tokenizer.checkpoint import Rows, Tokenizer
from tokenizer.config import ModelConfig
from tokenizer.model import FSQVAE

# What torch raises for a damaged or hostile checkpoint; it has no common base of its own.
_UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, AttributeError, KeyError, TypeError, ValueError, ImportError
)  # fmt: skip


def import_reference(
    path: Path, *, config: ModelConfig, codebook: int, mean_D: Rows, std_D: Rows, representation: str
) -> Tokenizer:
    """Read a published ScaMo FSQ checkpoint (`65536_FSQ.pth`, `{'net': state_dict}`) with the statistics beside it.

    Keys may carry `module.` once or twice, as distributed training leaves them. Nothing in the file is executed: it is
    read as weights only. Layer names and shapes must match `config` exactly.

    Raises:
        MissingInput: If the file is not there, is no such checkpoint, or has a missing, extra or mis-shaped weight.
    """
    if not path.is_file():
        raise MissingInput(f"{path} is not there")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        weights = {_without_module(name): tensor for name, tensor in content["net"].items()}
        model = FSQVAE(config)
        model.load_state_dict(weights, strict=True)
    except _UNREADABLE as error:
        raise MissingInput(
            f"{path} is not a ScaMo FSQ checkpoint of width {config.width} and quantiser {config.quantizer}: {error}"
        ) from error
    return Tokenizer(
        model,
        mean_D=mean_D,
        std_D=std_D,
        representation=representation,
        parameter_hash=registry.get(representation).parameter_hash,
        codebook=codebook,
        provenance={"imported_from": path.name, "sha256": sha256_file(path)},
    )


def _without_module(name: str) -> str:
    while name.startswith("module."):
        name = name.removeprefix("module.")
    return name
