"""A trained tokenizer as a file and as an object: codes from features, features from codes.

`tokenizer.safetensors` holds the network under the reference's key names, mean and std, and one JSON text with the
configuration, the representation and where the weights come from. Shapes: T rows, D features, R rows to a code, N = T // R
steps, Q codes for a step.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
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
from tokenizer.config import as_plain, read_config
from tokenizer.encoding_batches import batches_of, pieces_of
from tokenizer.fast_encoder import is_served
from tokenizer.model import FSQVAE
from tokenizer.model_config import ModelConfig
from tokenizer.padded_encoding import ends_kept
from tokenizer.precision import exact_float32
from tokenizer.receptive_field import field_of
from tokenizer.settled_codes import SettledCodes

FILE = "tokenizer.safetensors"
FORMAT = "motionunion-tokenizer/1"

Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.float32]


class Tokenizer:
    """Motion features to codes and back.

    Every clip is encoded in float32 as if it were alone: its ends see zeros whatever lies beside it in a batch, and a long clip's
    pieces overlap by what a code can see. Sums may be added up in another order: on a processor, steps of FSQ that this could
    change are settled (`settled_codes`); elsewhere a channel within 1e-5 of the middle between two grid points may be rounded to
    either, and `tests/tokenizer/test_encoding.py` counts how many.
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
        self._settled: SettledCodes | None = None

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels of the quantiser; empty for one that has none."""
        return getattr(self.model.config.quantizer, "levels", ())

    @property
    def codebook_size(self) -> int:
        """True number of codes (`codebook` is the nominal one)."""
        return self.model.config.codebook_size

    @property
    def codes_per_step(self) -> int:
        """Q: codes for one step of time, 1 but for quantisers in layers or groups."""
        return self.model.config.codes_per_step

    @property
    def rows_per_code(self) -> int:
        """R: feature rows that one code, or the codes of one step, stand for."""
        return self.model.config.rows_per_code

    @property
    def hash(self) -> str:
        """SHA-256 over all that decides a code: weights, statistics, configuration and representation."""
        return self._digest(canonical_json(self._identity()))

    def to(self, device: str) -> Tokenizer:
        """Move the network to a device; returns the tokenizer itself."""
        self.model.to(device)
        return self

    def encode(self, features: Sequence[npt.NDArray[np.floating[Any]]]) -> list[Codes]:
        """Codes of unnormalised feature clips, each (T, D): one int32 array (N,), or (N, Q) of several codes a step, each;
        clips of any length, alone or in company.

        Raises:
            ConfigError: If a clip has another number of features, or fewer rows than one code stands for.
        """
        for number, clip in enumerate(features):
            if clip.ndim != 2 or clip.shape[1] != self.model.config.features or len(clip) < self.rows_per_code:
                raise ConfigError(
                    f"encode: clip {number} has shape {clip.shape}; wanted (T, {self.model.config.features}) with "
                    f"T at least {self.rows_per_code}"
                )
        R = self.rows_per_code
        field = field_of(self.model.vqvae.encoder)
        lengths = [len(clip) for clip in features]
        pieces = pieces_of(lengths, R, field)
        shape = () if self.codes_per_step == 1 else (self.codes_per_step,)
        codes: list[Codes] = [np.empty((length // R, *shape), np.int32) for length in lengths]
        for batch in batches_of([piece.rows for piece in pieces], padded=field is not None):
            rows = [pieces[index].rows for index in batch]
            # Rounded up only where ends are masked: without a mask, a row more would be seen.
            longest = rows[-1] if rows[0] == rows[-1] else -(-rows[-1] // R) * R
            padded = np.zeros((len(batch), longest, self.model.config.features), np.float32)
            for row, index in enumerate(batch):
                piece = pieces[index]
                clip = features[piece.clip][piece.start : piece.start + piece.rows]
                padded[row, : piece.rows] = (clip - self.mean_D) / self.std_D
            found = self.encode_normalised(torch.from_numpy(padded), rows).cpu().numpy()
            for row, index in enumerate(batch):
                piece = pieces[index]
                stop = piece.first_code + piece.codes
                codes[piece.clip][piece.first_code : stop] = found[row, piece.skip : piece.skip + piece.codes]
        return codes

    def decode(self, codes: Sequence[npt.NDArray[np.integer[Any]]]) -> list[Rows]:
        """Unnormalised features (R N, D) of code clips, each (N,), or (N, Q) of several codes a step.

        Raises:
            ConfigError: If a clip is empty, or a code is outside the codebook.
        """
        several = self.model.config.codes_per_step
        step = () if several == 1 else (several,)
        for number, clip in enumerate(codes):
            if clip.ndim == 0 or clip.shape[1:] != step or not len(clip):
                raise ConfigError(
                    f"decode: clip {number} has shape {clip.shape}; wanted {('N', *step)} with N at least 1, "
                    f"codes in 0 ... {self.codebook_size - 1}"
                )
            if clip.min() < 0 or clip.max() >= self.codebook_size:
                raise ConfigError(f"decode: clip {number} must have codes in 0 ... {self.codebook_size - 1}")
        rows: list[Rows] = [np.empty((0, 0), np.float32)] * len(codes)
        for batch in batches_of([len(clip) for clip in codes], padded=False, rows_each=self.rows_per_code):
            stacked = torch.from_numpy(np.stack([codes[index] for index in batch]).astype(np.int64))
            found = self.decode_normalised(stacked).cpu().numpy()
            for index, row in zip(batch, found, strict=True):
                rows[index] = row * self.std_D + self.mean_D
        return rows

    def encode_normalised(self, features: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """Codes (B, N), or (B, N, Q), of one batch of normalised clips (B, T, D); float32, no autocast.

        Args:
            features: Where `lengths` differ from T, a tensor that may be overwritten behind the ends.
            lengths: Rows of each clip; all T where None. T is a multiple of R then, and codes from `length // R` on mean nothing.
        """
        device = next(self.model.parameters()).device
        if is_served(self.model):
            if self._settled is None or not self._settled.is_of(self.model):
                self._settled = SettledCodes(self.model)
            with exact_float32(device):
                return self._settled.encode(features, lengths)
        with exact_float32(device), contextlib.ExitStack() as ends:
            if lengths is not None and any(length != features.shape[1] for length in lengths):
                on_device = torch.tensor(list(lengths), device=device)
                ends.enter_context(ends_kept(self.model.vqvae.encoder, on_device, features.shape[1]))
            return self.model.encode(features.to(device))

    def decode_normalised(self, codes: Tensor) -> Tensor:
        """Normalised features (B, R N, D) of one batch of code clips (B, N) or (B, N, Q) of equal length."""
        device = next(self.model.parameters()).device
        with exact_float32(device):
            return self.model.decode(codes.to(device))

    def save(self, folder: Path) -> Path:
        """Write `tokenizer.safetensors` whole or not at all; the same tokenizer always gives the same bytes."""
        about = {**self._identity(), "numbers": self._numbers(), "provenance": self.provenance}
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
            tokenizer = Tokenizer(
                model,
                mean_D=mean,
                std_D=std,
                representation=about["representation"],
                parameter_hash=about["parameter_hash"],
                codebook=about["codebook"],
                provenance=about["provenance"],
            )
            # A flipped bit of a weight is a weight like any other. Files of earlier versions say nothing of theirs.
            if "numbers" in about and about["numbers"] != tokenizer._numbers():
                raise ValueError("its numbers are not those that were written: the file is damaged")
            return tokenizer.to(device)
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
            raise MissingInput(
                f"{path} is not a tokenizer that can be read ({error}); move its folder away, and train or import it again"
            ) from error

    def _numbers(self) -> str:
        """SHA-256 over weights and statistics alone, for the file to be told from a damaged one."""
        return self._digest(b"")

    def _digest(self, head: bytes) -> str:
        digest = hashlib.sha256(head)
        for name, tensor in sorted(self._tensors().items()):
            update_with_array(digest, name, tensor.cpu().numpy())
        return digest.hexdigest()

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
            about = dict(json.loads((file.metadata() or {})["tokenizer"]))
        if absent := sorted({"representation", "parameter_hash", "codebook", "model", "provenance"} - set(about)):
            raise ValueError(f"it does not say its {', '.join(absent)}")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise MissingInput(f"{path} is not a tokenizer that can be read ({error}); move its folder away") from error
    return about
