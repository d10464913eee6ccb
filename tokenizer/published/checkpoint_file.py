"""Checkpoints as PyTorch writes them, read without executing anything, and never for more than they hold."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeGuard

import torch
from torch import Tensor

from motionunion.errors import MissingInput

Weights = dict[str, Tensor]

NETWORKS = ("net", "vq_model")
"""Where a checkpoint keeps its network: `net` in T2M-GPT and what descends from it, either in MoMask."""


USUAL = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8, torch.int8, torch.int16,
    torch.int32, torch.int64,
)  # fmt: skip
"""Kinds of numbers that a network may have been saved in; each key's own is checked where the network is known."""
LONGEST_SHOWN = 200
"""Characters of a key in an error message."""


def read_checkpoint(path: Path) -> Weights:
    """The network's tensors of a `.pth` or `.tar` file, by name.

    Names may carry `module.` once or twice, as distributed training leaves them; it is taken off. The file is read as weights
    only (nothing in it is executed), and a file that would unpack to more than its own size is refused.

    Raises:
        MissingInput: If the file is not there, cannot be read so, or holds no network of plain, finite tensors.
    """
    if path.is_dir():
        raise MissingInput(f"{path} is a folder: give the checkpoint file in it (.pth or .tar)")
    if not path.is_file():
        raise MissingInput(f"{path} is not there: give the checkpoint file that the project published")
    try:
        _check_archive(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch has no error of its own for a damaged file: it raises whatever it stumbles on
        raise MissingInput(
            f"{path} is not a checkpoint that can be read without executing what is in it ({_why(error)}); "
            "download it again from where the project published it"
        ) from error
    return _plain_tensors(path, _network_of(path, content))


def _check_archive(path: Path) -> None:
    """Refuse what is damaged, and what is compressed: that may be a thousand times as large, and PyTorch stores tensors as
    they are. (Files older than its zip format have neither sums nor compression.)"""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                    raise ValueError("its parts are compressed, which PyTorch never does")
            # PyTorch writes check sums and does not look at them.
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"{damaged} in it is damaged")


def _network_of(path: Path, content: Any) -> Mapping[Any, Any]:
    for name in NETWORKS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            return dict(content[name])
    raise MissingInput(f"{path} holds no network: wanted a checkpoint with one under {' or '.join(NETWORKS)}")


def _plain_tensors(path: Path, network: Mapping[Any, Any]) -> Weights:
    weights: Weights = {}
    for key, tensor in network.items():
        name = str(key)
        while name.startswith("module."):
            name = name.removeprefix("module.")
        if not _is_plain(tensor):
            raise MissingInput(f"{path}: {_shortened(name)} is not a tensor of numbers of a usual kind")
        # A view that repeats one number has any size it likes; a network of that size would have to be made.
        if not tensor.is_contiguous():
            raise MissingInput(f"{path}: {name} of shape {tuple(tensor.shape)} is a view of fewer numbers")
        if name in weights:
            raise MissingInput(f"{path}: {name} is there twice, with and without `module.`")
        # As the network will have it: a float64 may be finite and too large for that.
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            raise MissingInput(f"{path}: {name} holds numbers that are not finite; the training had diverged")
        weights[name] = tensor.detach()
    if sum(tensor.nbytes for tensor in weights.values()) > 2 * path.stat().st_size:
        raise MissingInput(f"{path}: its tensors share their numbers; written out they are more than twice the file")
    return weights


def _is_plain(tensor: Any) -> TypeGuard[Tensor]:
    return (
        isinstance(tensor, Tensor)
        and tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_nested
        and tensor.dtype in USUAL
    )


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}..."


def _why(error: BaseException) -> str:
    if isinstance(error, UnpicklingError):  # PyTorch's own words advise to execute it
        return "it asks for more than tensors"
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
