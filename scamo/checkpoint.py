"""Files of a model folder: `model.safetensors` (the result), `state.pt` (to go on from), both whole or not there at all.

`model.safetensors` holds the weights under the reference's own key names, in the official shapes, and beside them
`words.table.weight` (the vectors of `words`) and `corpus.unigram_counts` (K + 1, END last). Its header carries the
configuration as JSON under `scamo`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from motionunion.digest import fsync_directory
from motionunion.errors import MissingInput, SourceFormatError

MODELS = "models"
MODEL_FILE = "model.safetensors"
STATE_FILE = "state.pt"
FORMAT = 1


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in place, flushed to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    fsync_directory(path.parent)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors with a JSON header."""
    # Tied tables share memory, which the format refuses: every tensor gets its own.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    metadata = {"scamo": json.dumps({"format": FORMAT, **header}, sort_keys=True)}
    write_whole(path, lambda temporary: save_file(own, temporary, metadata))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and JSON header of a file that `save_tensors` wrote.

    Raises:
        MissingInput: If the file is not there.
        SourceFormatError: If it is damaged, or not one of ours.
    """
    if not path.is_file():
        raise MissingInput(f"{path} does not exist; `scamo train-ar` makes a model")
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get("scamo", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, ValueError) as error:
        raise SourceFormatError(path, f"is damaged ({error}); train or copy it again", reason="truncated") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise SourceFormatError(path, f"has no `scamo` header of format {FORMAT}; was it written by `scamo train-ar`?")
    return tensors, header


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write everything that training needs to go on."""
    write_whole(path, lambda temporary: torch.save(dict(state), temporary))


def load_state(path: Path) -> dict[str, Any] | None:
    """What `save_state` wrote, on the CPU; None where there is none yet.

    Raises:
        MissingInput: If the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with ZipFile(path) as archive:
            # PyTorch writes check sums and does not look at them: a flipped bit would be trained on.
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"{damaged} in it is damaged")
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise TypeError("it holds no state")
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, UnpicklingError, BadZipFile) as error:
        raise MissingInput(
            f"{path} cannot be gone on from ({error}); remove it, and the same command begins again"
        ) from error
    return state
