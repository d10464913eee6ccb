"""Mean and spread of a stream of rows, in one pass that keeps its digits.

Shapes: N rows, D dims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion.skeleton import FloatArray

BLOCK_ROWS = 1024
"""Rows that are counted together; small enough to stay in a processor's cache, and part of what the bits depend on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """How many rows were counted, their mean, and their squared deviations from it, in float64."""

    rows: int
    mean: npt.NDArray[np.float64]
    """(D,)"""
    squares: npt.NDArray[np.float64]
    """(D,) sums of squared deviations from the mean."""

    @property
    def std(self) -> npt.NDArray[np.float64]:
        """(D,) population standard deviation."""
        return np.sqrt(self.squares / max(self.rows, 1))

    def joined(self, other: Moments) -> Moments:
        """Moments of the rows of both (Chan, Golub and LeVeque 1979, eq. 2.1)."""
        rows = self.rows + other.rows
        if rows == 0:
            return self
        shift = other.mean - self.mean
        return Moments(
            rows=rows,
            mean=self.mean + shift * (other.rows / rows),
            squares=self.squares + other.squares + np.square(shift) * (self.rows * other.rows / rows),
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON types, to the last bit."""
        return {"rows": self.rows, "mean": self.mean.tolist(), "squares": self.squares.tolist()}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Moments:
        """Read what `to_json` gave."""
        mean, squares = (np.array(value[name], dtype=np.float64) for name in ("mean", "squares"))
        return Moments(rows=int(value["rows"]), mean=mean, squares=squares)


class MomentsCounter:
    """Counts (N, D) chunks into `Moments` in one pass, holding one block of rows.

    Blocks are of `BLOCK_ROWS` rows, counted from the first one on, however the rows arrive: the same rows in the same
    order give the same bits. Everything is counted as its distance from the first row, so that a large common offset, of
    which a mean in float64 could keep only so many digits, does not come near the squares.
    """

    def __init__(self, dims: int) -> None:
        self._whole = Moments(rows=0, mean=np.zeros(dims), squares=np.zeros(dims))
        self._block = np.empty((BLOCK_ROWS, dims))
        self._filled = 0
        self._origin: npt.NDArray[np.float64] | None = None

    def add(self, chunk_ND: FloatArray) -> None:
        """Count the rows of a chunk."""
        if len(chunk_ND) == 0:
            return
        if self._origin is None:
            self._origin = chunk_ND[0].astype(np.float64)
        taken = 0
        while taken < len(chunk_ND):
            some = chunk_ND[taken : taken + BLOCK_ROWS - self._filled]
            np.subtract(some, self._origin, out=self._block[self._filled : self._filled + len(some)])
            self._filled += len(some)
            taken += len(some)
            if self._filled == BLOCK_ROWS:
                self._whole = self._whole.joined(_moments_of(self._block))
                self._filled = 0

    @property
    def moments(self) -> Moments:
        """Of everything so far."""
        moments = self._whole.joined(_moments_of(self._block[: self._filled]))
        return moments if self._origin is None else replace(moments, mean=moments.mean + self._origin)


def _moments_of(block: npt.NDArray[np.float64]) -> Moments:
    """Two passes over one block, corrected for the rounding of the first (the same paper, eq. 1.7)."""
    rows, dims = block.shape
    if rows == 0:
        return Moments(rows=0, mean=np.zeros(dims), squares=np.zeros(dims))
    mean = block.mean(axis=0)
    apart = block - mean
    rest = apart.sum(axis=0)
    squares = np.einsum("nd,nd->d", apart, apart) - np.square(rest) / rows
    return Moments(rows=rows, mean=mean + rest / rows, squares=np.maximum(squares, 0.0))
