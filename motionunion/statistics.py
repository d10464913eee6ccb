"""Mean and standard deviation of features, with where they come from.

Shapes: N rows, D dims. Population statistics (ddof 0), as HumanML3D takes them, but over the training split only.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Required, TypedDict, Unpack
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from motionunion.digest import canonical_json, sha256_hex, write_atomic
from motionunion.errors import ClipError, MissingInput, UsageError
from motionunion.moments import Moments, MomentsCounter
from motionunion.skeleton import FloatArray

MIN_STD = 1e-5
"""A channel that varies less is constant; its standard deviation becomes 1, so that it is only shifted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Statistics:
    """Mean and standard deviation of one representation over one set of spans."""

    representation: str
    mean: npt.NDArray[np.float32]
    """(D,)"""
    std: npt.NDArray[np.float32]
    """(D,), never 0; block-averaged and divided by `feat_bias` where these say so."""
    block_average: bool
    """Standard deviations were replaced by their mean within each block of the representation."""
    feat_bias: float
    """What the standard deviations of the root and contact blocks were divided by: 5 makes them weigh five times as
    much in training (HumanML3D's training code does so in place; the two files circulate under one name)."""
    rows: int
    clips_hash: str
    """Hash of the ids and row counts of the spans that were counted."""
    split: str

    def normalise(self, features: FloatArray) -> npt.NDArray[np.float32]:
        """(features - mean) / std, over the last axis."""
        return ((features - self.mean) / self.std).astype(np.float32)

    def denormalise(self, features: FloatArray) -> npt.NDArray[np.float32]:
        """features * std + mean, over the last axis."""
        return (features * self.std + self.mean).astype(np.float32)

    @property
    def provenance(self) -> dict[str, Any]:
        """Everything but the arrays, as JSON types."""
        return {
            "representation": self.representation,
            "block_average": self.block_average,
            "feat_bias": self.feat_bias,
            "rows": self.rows,
            "clips_hash": self.clips_hash,
            "split": self.split,
        }

    @property
    def hash(self) -> str:
        """Hash of the arrays and of where they come from."""
        arrays = [array.astype("<f4").tobytes().hex() for array in (self.mean, self.std)]
        return sha256_hex(canonical_json([self.provenance, *arrays]))

    def save(self, path: Path) -> None:
        """Write one npz with `mean`, `std` and `provenance` (a JSON text)."""
        buffer = io.BytesIO()
        provenance = np.array(json.dumps(self.provenance, sort_keys=True))
        np.savez(buffer, mean=self.mean, std=self.std, provenance=provenance)
        write_atomic(path, buffer.getvalue())

    @staticmethod
    def load(path: Path) -> Statistics:
        """Read what `save` wrote.

        Raises:
            MissingInput: If the file is not there, or is not one of ours.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                known = json.loads(str(file["provenance"]))
                return Statistics(mean=file["mean"], std=file["std"], **known)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise MissingInput(
                f"{path}: not readable as statistics of features ({error}); build them again from the store"
            ) from error


class _How(TypedDict, total=False):
    """The keywords of `statistics_from`."""

    split: Required[str]
    clips_hash: Required[str]
    feat_bias: float
    block_average: bool


def statistics_of(chunks: Iterable[FloatArray], representation_id: str, **how: Unpack[_How]) -> Statistics:
    """Statistics of a stream of (N, D) chunks; see `statistics_from` for the keywords and for what is raised."""
    from motionunion.representations import registry

    counter = MomentsCounter(registry.get(representation_id).dims)
    for chunk in chunks:
        counter.add(chunk)
    return statistics_from(counter.moments, representation_id, **how)


def statistics_from(
    moments: Moments,
    representation_id: str,
    *,
    split: str,
    clips_hash: str,
    feat_bias: float = 1.0,
    block_average: bool = True,
) -> Statistics:
    """Statistics from the moments of a split's rows.

    Raises:
        UsageError: If `feat_bias` is not positive.
        MissingInput: If there is no row.
        ClipError: If a value is not finite.
    """
    from motionunion.representations import registry

    representation = registry.get(representation_id)
    if not feat_bias > 0.0:
        raise UsageError(f"feat_bias: must be positive, got {feat_bias}")
    if moments.rows == 0:
        raise MissingInput(f"no rows of {representation_id} in split {split!r}: ingest motion that falls into it")
    std = moments.std
    if not np.isfinite(std).all():
        raise ClipError(
            f"features of {representation_id}, split {split!r}: some value is not finite, so there is no mean; "
            "find the clip with `motionunion check`",
            reason="non_finite",
        )
    if block_average:
        for first, stop in representation.blocks:
            std[first:stop] = std[first:stop].mean()
    std[std < MIN_STD] = 1.0
    for first, stop in representation.root_blocks:
        std[first:stop] /= feat_bias
    return Statistics(
        representation=representation_id,
        mean=moments.mean.astype(np.float32),
        std=std.astype(np.float32),
        block_average=block_average,
        feat_bias=float(feat_bias),
        rows=moments.rows,
        clips_hash=clips_hash,
        split=split,
    )
