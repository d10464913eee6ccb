"""Which tokenizer and which device a command takes."""

from __future__ import annotations

from pathlib import Path

import torch

from motionunion.errors import UsageError
from motionunion.features import FeatureSet
from motionunion.representations import registry
from tokenizer.checkpoint import FILE, Tokenizer, describe
from tokenizer.config import read_config
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers import QuantizerConfig, quantizer_named
from tokenizer.runs import TOKENIZERS, folders_with


def matching_tokenizer(
    runs: Path, features: FeatureSet, codebook: int, preset: str | None, quantizer: QuantizerConfig | None = None
) -> Path | None:
    """Folder of the finished tokenizer that `tokenize` would use, or None; its quantiser is FSQ where none is given."""
    parameter_hash = registry.get(features.representation).parameter_hash
    wanted = quantizer or quantizer_named("fsq", codebook)
    matches: list[tuple[bool, int, Path]] = []
    for folder in folders_with(runs / TOKENIZERS, FILE):
        about = describe(folder)
        provenance = about["provenance"]
        if (
            about["representation"] == features.representation
            and about["parameter_hash"] == parameter_hash
            and about["codebook"] == codebook
            and read_config(ModelConfig, about["model"], f"{folder / FILE} model").quantizer == wanted
            and (preset is None or provenance.get("preset") == preset)
        ):
            of_this_store = provenance.get("store", {}).get("uuid") == features.store_uuid
            matches.append((not of_this_store, len(matches), folder))
    return min(matches)[2] if matches else None


def drift(tokenizer: Tokenizer, features: FeatureSet) -> str:
    """What to know where a tokenizer was not trained on this state of the store; empty where it was."""
    trained_on = tokenizer.provenance.get("store", {})
    again = "; `scamo train-tokenizer` trains one on this state"
    if "imported_from" in tokenizer.provenance:
        origin, paper = tokenizer.provenance["imported_from"], tokenizer.provenance.get("paper", "published")
        return f", which was imported from {origin} ({paper}){again}"
    if trained_on.get("uuid") != features.store_uuid:
        return f", which was trained on another store{again}"
    if trained_on.get("fingerprint") != features.fingerprint:
        return f", which was trained on an earlier state of this store{again}"
    return ""


def choose_device(device: str | None) -> str:
    """The device asked for, or a GPU where there is one.

    Raises:
        UsageError: If a GPU is asked for that is not there, or the device is of another kind.
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"--device {device}: not a device; give cpu, cuda, cuda:1, ...") from error
    if kind.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {device}: training runs on cpu or cuda")
    if kind.type == "cuda" and (not torch.cuda.is_available() or (kind.index or 0) >= torch.cuda.device_count()):
        raise UsageError(f"--device {device}: PyTorch sees {torch.cuda.device_count()} GPUs here; leave --device out")
    return device
