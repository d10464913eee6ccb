"""A trained tokenizer as a file and as an object: codes from features, features from codes.

`tokenizer.safetensors` holds the network under the reference's key names, mean and std, and one JSON text with the
configuration, the representation and where the weights come from. Shapes: T rows, D features, N = T / 4 codes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from motionunion.digest import canonical_json, update_with_array, write_atomic
from motionunion.errors import ConfigError, MissingInput
from tokenizer.config import ModelConfig, as_plain, read_config
from tokenizer.model import FSQVAE
from tokenizer.precision import exact_float32

FILE = "tokenizer.safetensors"
FORMAT = "motionunion-tokenizer/1"
BATCH_ROWS = 8192
"""Feature rows in one batch of encoding or decoding, at most."""

Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.float32]


class Tokenizer:
    """Motion features to codes and back.

    Every clip is encoded at its true length in float32, its ends seeing zeros as a clip of its own does; clips of equal
    length share a batch. Nothing is ever padded, so no neighbour can touch a clip's codes.
    """

    def __init__(
        self,
        model: FSQVAE,
        *,
        mean_D: Rows,
        std_D: Rows,
        representation: str,
        parameter_hash: str,
        codebook: int,
        provenance: Mapping[str, Any],
    ) -> None:
        if mean_D.shape != (model.config.features,) or std_D.shape != mean_D.shape:
            raise ConfigError(
                f"tokenizer: mean {mean_D.shape} and std {std_D.shape} do not fit {model.config.features} features"
            )
        self.model = model.eval().requires_grad_(False)
        self.mean_D, self.std_D = mean_D.astype(np.float32), std_D.astype(np.float32)
        self.representation, self.parameter_hash = representation, parameter_hash
        self.codebook = codebook
        self.provenance = dict(provenance)

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels of the quantiser; empty for one that has none."""
        return getattr(self.model.config.quantizer, "levels", ())

    @property
    def codebook_size(self) -> int:
        """True number of codes (`codebook` is the nominal one)."""
        return self.model.config.codebook_size

    @property
    def rows_per_code(self) -> int:
        """Feature rows that one code stands for."""
        return self.model.config.rows_per_code

    @property
    def hash(self) -> str:
        """SHA-256 over all that decides a code: weights, statistics, configuration and representation."""
        digest = hashlib.sha256(canonical_json(self._identity()))
        for name, tensor in sorted(self._tensors().items()):
            update_with_array(digest, name, tensor.cpu().numpy())
        return digest.hexdigest()

    def to(self, device: str) -> Tokenizer:
        """Move the network to a device; returns the tokenizer itself."""
        self.model.to(device)
        return self

    def encode(self, features: Sequence[npt.NDArray[np.floating[Any]]]) -> list[Codes]:
        """Codes of unnormalised feature clips, each (T, D): one int32 array of T // 4 codes each.

        Raises:
            ConfigError: If a clip has another number of features, or fewer rows than one code stands for.
        """
        for number, clip in enumerate(features):
            if clip.ndim != 2 or clip.shape[1] != self.model.config.features or len(clip) < self.rows_per_code:
                raise ConfigError(
                    f"encode: clip {number} has shape {clip.shape}; wanted (T, {self.model.config.features}) with "
                    f"T at least {self.rows_per_code}"
                )
        codes: list[Codes] = [np.empty(0, np.int32)] * len(features)
        for batch in _batches_of_equal_length([len(clip) for clip in features], 1):
            stacked = np.stack([(features[index] - self.mean_D) / self.std_D for index in batch])
            found = self.encode_normalised(torch.from_numpy(stacked.astype(np.float32, copy=False)))
            for index, row in zip(batch, found.cpu().numpy().astype(np.int32), strict=True):
                codes[index] = row
        return codes

    def decode(self, codes: Sequence[npt.NDArray[np.integer[Any]]]) -> list[Rows]:
        """Unnormalised features (4 N, D) of code clips, each (N,).

        Raises:
            ConfigError: If a clip is empty, or a code is outside the codebook.
        """
        for number, clip in enumerate(codes):
            if clip.ndim != 1 or len(clip) == 0 or clip.min() < 0 or clip.max() >= self.codebook_size:
                raise ConfigError(
                    f"decode: clip {number} must be a non-empty row of codes in 0 ... {self.codebook_size - 1}"
                )
        rows: list[Rows] = [np.empty((0, 0), np.float32)] * len(codes)
        for batch in _batches_of_equal_length([len(clip) for clip in codes], self.rows_per_code):
            stacked = torch.from_numpy(np.stack([codes[index] for index in batch]).astype(np.int64))
            found = self.decode_normalised(stacked).cpu().numpy()
            for index, row in zip(batch, found, strict=True):
                rows[index] = row * self.std_D + self.mean_D
        return rows

    def encode_normalised(self, features: Tensor) -> Tensor:
        """Codes (B, N) of one batch of normalised clips (B, T, D) of equal length; float32, no autocast."""
        device = next(self.model.parameters()).device
        with exact_float32(device):
            return self.model.encode(features.to(device))

    def decode_normalised(self, codes: Tensor) -> Tensor:
        """Normalised features (B, 4 N, D) of one batch of code clips (B, N) of equal length."""
        device = next(self.model.parameters()).device
        with exact_float32(device):
            return self.model.decode(codes.to(device))

    def save(self, folder: Path) -> Path:
        """Write `tokenizer.safetensors` whole or not at all; the same tokenizer always gives the same bytes."""
        about = {**self._identity(), "provenance": self.provenance}
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self._tensors().items()}
        # One metadata entry: safetensors writes several in an order that changes from run to run.
        data = save(tensors, metadata={"tokenizer": canonical_json(about).decode()})
        write_atomic(folder / FILE, data)
        return folder / FILE

    @staticmethod
    def load(folder: Path, device: str = "cpu") -> Tokenizer:
        """Read a tokenizer from its folder, strictly: every key and shape must be there, and no other.

        Raises:
            MissingInput: If the file is not there, is damaged or is not a tokenizer of ours.
        """
        path = Path(folder) / FILE
        if not path.is_file():
            raise MissingInput(
                f"{path} is not there: train a tokenizer with `scamo tokenize` or `scamo train-tokenizer`"
            )
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})["tokenizer"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']!r} is not {FORMAT!r}")
            mean, std = tensors.pop("statistics.mean").numpy(), tensors.pop("statistics.std").numpy()
            model = FSQVAE(read_config(ModelConfig, about["model"], f"{path} model"))
            model.load_state_dict(tensors, strict=True)
            return Tokenizer(
                model,
                mean_D=mean,
                std_D=std,
                representation=about["representation"],
                parameter_hash=about["parameter_hash"],
                codebook=about["codebook"],
                provenance=about["provenance"],
            ).to(device)
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
            raise MissingInput(f"{path} is not a tokenizer that can be read ({error}); train it again") from error

    def _identity(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "model": as_plain(self.model.config),
            "codebook": self.codebook,
            "codebook_size": self.codebook_size,
            "representation": self.representation,
            "parameter_hash": self.parameter_hash,
        }

    def _tensors(self) -> dict[str, Tensor]:
        return {
            **self.model.state_dict(),
            "statistics.mean": torch.from_numpy(self.mean_D),
            "statistics.std": torch.from_numpy(self.std_D),
        }


def describe(folder: Path) -> dict[str, Any]:
    """What a tokenizer's file says of it (model, codebook, representation, provenance), without reading the weights.

    Raises:
        MissingInput: If the file is not there or is not a tokenizer of ours.
    """
    path = Path(folder) / FILE
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["tokenizer"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise MissingInput(f"{path} is not a tokenizer that can be read ({error}); move its folder away") from error
    return dict(about)


def _batches_of_equal_length(lengths: Sequence[int], rows_each: int) -> Iterator[list[int]]:
    """Positions of clips, parted into batches of one length and at most `BATCH_ROWS` rows, in a fixed order."""
    groups: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        groups.setdefault(length, []).append(index)
    for length in sorted(groups):
        size = max(1, BATCH_ROWS // (length * rows_each))
        for first in range(0, len(groups[length]), size):
            yield groups[length][first : first + size]
