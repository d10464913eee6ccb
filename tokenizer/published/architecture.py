"""What a published state dict says about its own network, and whether it is that network key by key.

Names are those of T2M-GPT's code, on which all four projects build (`tokenizer/model.py`). Everything but the
dilations shows in names and shapes; all four projects published dilations that are powers of three.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from motionunion.errors import MissingInput, UsageError
from tokenizer.layers import NORMS
from tokenizer.model import FSQVAE
from tokenizer.model_config import ModelConfig
from tokenizer.published.checkpoint_file import Weights
from tokenizer.quantizers import LEVELS, QuantizerConfig, levels_of

PREFIX = "vqvae."
TRAINING_ONLY = ("code_sum", "code_count", "steps")
"""What a quantiser with a codebook keeps for training on; no project has it in its state dict."""
FIXED = ("wavelets", "_arange")
"""Buffers whose numbers are laid down; a file with others is another network."""
MOST_HALVINGS, MOST_BLOCKS = 8, 16
"""Beyond what anybody has trained; a name with a large number in it must not build a large network."""
SHOWN = 4
"""Keys that an error names of each kind, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the person, the file's name and the statistics beside it say."""

    file: str
    """Name of the file, for messages and for the `65536` of `65536_FSQ.pth`."""
    features: int
    """Dimensions of a row, as the statistics have them."""
    codebook: int | None = None
    norm: str | None = None
    layers: int | None = None


def autoencoder_fields(weights: Weights, hints: Hints, *, norm: str | None = None) -> dict[str, Any]:
    """Fields of a `ModelConfig`, all but the quantiser, of a network with the prefix `vqvae.`.

    `norm` is the one that this project's files have where LN and GN cannot be told apart.

    Raises:
        MissingInput: If a layer that everything else hangs on is missing, or the statistics are of another width.
        UsageError: If the norm cannot be told.
    """
    patched = f"{PREFIX}encoder.model.0.wavelets" in weights
    causal = any(re.fullmatch(rf"{re.escape(PREFIX)}encoder\.model\.\d+\.conv\.\w+", name) for name in weights)
    first, weight = (1 if patched else 0), ("conv.weight" if causal else "weight")
    width, channels, _ = shape_of(weights, f"{PREFIX}encoder.model.{first}.{weight}", 3, hints)
    down = 1 + _highest(weights, r"encoder\.model\.(\d+)\.1\.model\.\d+\.") - (first + 2)
    depth = 1 + _highest(weights, r"encoder\.model\.\d+\.1\.model\.(\d+)\.")
    if not (1 <= down <= MOST_HALVINGS and 1 <= depth <= MOST_BLOCKS):
        raise MissingInput(
            f"{hints.file} has {down} halvings with {depth} residual blocks: no tokenizer of this family"
        )
    latent = shape_of(weights, f"{PREFIX}encoder.model.{first + 2 + down}.{weight}", 3, hints)[0]
    patch, rest = divmod(channels, hints.features)
    if rest or patch < 1 or patch & (patch - 1) or (patch > 1 and not patched):
        raise MissingInput(
            f"{hints.file} takes rows of {channels} features, and the statistics are for {hints.features}; give the "
            "mean.npy and std.npy that belong to these weights"
        )
    return {
        "features": hints.features,
        "width": width,
        "latent": None if latent == width else latent,
        "down": down,
        "depth": depth,
        "norm": _norm(weights, hints, norm),
        "causal": causal,
        "patcher": _patcher(weights) if patched else "none",
        "patch": patch,
    }


def fsq_levels(weights: Weights, hints: Hints) -> tuple[int, tuple[int, ...]]:
    """Nominal codebook size and levels of an FSQ checkpoint, which holds neither: from the size that is given, the number in
    the file's name, or the number of channels where only one published size has so many.

    Raises:
        MissingInput: If the size does not fit the channels.
        UsageError: If it cannot be told.
    """
    channels = shape_of(weights, f"{PREFIX}quantizer.project_in.weight", 2, hints)[0]
    back = shape_of(weights, f"{PREFIX}quantizer.project_out.weight", 2, hints)[1]
    if channels != back:
        raise MissingInput(f"{hints.file}: its quantiser takes {channels} channels and gives {back}")
    named = re.search(r"(?<!\d)(\d+)_FSQ", hints.file, re.IGNORECASE)
    fitting = [size for size, levels in LEVELS.items() if len(levels) == channels]
    codebook = hints.codebook or (int(named[1]) if named else None) or (fitting[0] if len(fitting) == 1 else None)
    if codebook is None:
        raise UsageError(
            f"{hints.file} quantises {channels} channels, which fits codebooks of {_listed(map(str, fitting))}; say which with "
            "--codebook"
        )
    levels = levels_of(codebook)
    if len(levels) != channels:
        raise MissingInput(
            f"{hints.file} quantises {channels} channels, and a codebook of {codebook} has {len(levels)} ({levels})"
        )
    return codebook, levels


def codebook_rows(weights: Weights, names: list[str], hints: Hints) -> int:
    """Size of codebooks, which must be equal. Published sizes are powers of two; a file with another may have lost rows, unless
    it is said to be so.

    Raises:
        MissingInput: If it is not the size that was given, or no power of two and none was given.
    """
    shapes = [shape_of(weights, name, 2, hints) for name in names]
    usual = max(shapes, key=shapes.count)
    size = usual[0]
    if odd := [f"{name} of shape {shape}" for name, shape in zip(names, shapes, strict=True) if shape != usual]:
        raise MissingInput(f"{hints.file}: {odd[0]} instead of {usual}")
    if hints.codebook not in (None, size):
        raise MissingInput(f"{hints.file} has a codebook of {size}, not of {hints.codebook}")
    if hints.codebook is None and size & (size - 1):
        raise MissingInput(
            f"{hints.file}: {names[0]} of shape {usual} has a size that nobody published; if it is right, say so with "
            f"--codebook {size}"
        )
    return size


def checked(weights: Weights, config: ModelConfig, hints: Hints) -> FSQVAE:
    """The network of a configuration with these weights, key by key and shape by shape; quantisers may train on from it.

    Raises:
        MissingInput: If a key is missing, one is too many, or a tensor has another shape or kind.
    """
    with torch.device("meta"):
        wanted = {name: tensor for name, tensor in FSQVAE(config).state_dict().items() if not _training_only(name)}
    problems = [
        *_problem("misses", (name for name in wanted if name not in weights)),
        *_problem("has, besides,", (name for name in weights if name not in wanted)),
        *_problem("has", (_differs(name, weights[name], wanted[name]) for name in wanted if name in weights)),
    ]
    if problems:
        raise MissingInput(
            f"{hints.file} is not a network of {_in_words(config)}: it {'; '.join(problems)}. Nothing was imported"
        )
    model = FSQVAE(config)
    for name, tensor in model.state_dict().items():
        if name.rpartition(".")[2] in FIXED and not torch.allclose(tensor, weights[name].to(tensor.dtype), atol=1e-6):
            raise MissingInput(f"{hints.file}: {name} is {weights[name].tolist()}, wanted {tensor.tolist()}")
    model.load_state_dict({**weights, **_training_state(model.state_dict(), weights, config.quantizer)}, strict=True)
    return model


def _training_only(name: str) -> bool:
    return name.startswith(f"{PREFIX}quantizer.") and name.rpartition(".")[2] in TRAINING_ONLY


def _training_state(state: Mapping[str, Tensor], weights: Weights, quantizer: QuantizerConfig) -> Weights:
    """Moving averages for a codebook that came without them: each vector is the mean of as many latents as a code has on average
    in one step of the published training (256 windows of 16 codes). With nothing, the first batch would take its place."""
    found: Weights = {}
    count = max(1.0, 256 * 16 / quantizer.codebook_size)
    for name, tensor in state.items():
        if _training_only(name):
            owner, _, what = name.rpartition(".")
            if what == "code_sum":
                found[name] = weights[f"{owner}.codebook"].float() * count
            else:
                found[name] = torch.full_like(tensor, count if what == "code_count" else 1)
    return found


def _norm(weights: Weights, hints: Hints, usual: str | None) -> str:
    names = {name.rpartition(".")[2] for name in weights if ".norm1." in name}
    if not names:
        return "none"
    norm = "BN" if "running_mean" in names else hints.norm or usual
    if norm is None:
        raise UsageError(f"{hints.file} has norms, and LN and GN look alike in a file; say which with --norm")
    if norm not in NORMS:
        raise UsageError(f"--norm {norm} is not one of {', '.join(NORMS)}")
    return norm


def _patcher(weights: Weights) -> str:
    """The kind of a patcher by its buffer: a Haar wavelet has square roots of a half, a rearrangement ones."""
    taps = weights[f"{PREFIX}encoder.model.0.wavelets"].flatten()
    return "rearrange" if len(taps) and bool((taps == 1).all()) else "haar"


def shape_of(weights: Weights, name: str, dimensions: int, hints: Hints) -> tuple[int, ...]:
    if name not in weights:
        raise MissingInput(f"{hints.file} misses {name}. Nothing was imported")
    shape = tuple(weights[name].shape)
    if len(shape) != dimensions or min(shape) < 1:
        raise MissingInput(f"{hints.file}: {name} has shape {shape}, wanted {dimensions} dimensions")
    return shape


def _highest(weights: Weights, pattern: str) -> int:
    numbers = (re.match(re.escape(PREFIX) + pattern, name) for name in weights)
    return max((int(found[1]) for found in numbers if found), default=-1)


def _differs(name: str, given: Tensor, wanted: Tensor) -> str:
    if given.shape != wanted.shape:
        return f"{name} of shape {tuple(given.shape)} instead of {tuple(wanted.shape)}"
    if given.is_floating_point() != wanted.is_floating_point():
        return f"{name} of {given.dtype} instead of {wanted.dtype}"
    return ""


def _problem(verb: str, found: Iterable[str]) -> list[str]:
    named = [text for text in found if text]
    return [f"{verb} {_listed(named)}"] if named else []


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(name if len(name) <= 300 else f"{name[:300]}..." for name in every[:SHOWN]) + more


def _in_words(config: ModelConfig) -> str:
    return f"{config.features} features, width {config.width}, {config.quantizer.in_words()}"
