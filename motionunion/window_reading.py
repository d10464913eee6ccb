"""Reading many short stretches of one flat array at once: what a training step asks for.

Shapes: N rows of the array, D dims, B windows, T rows of a window.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.errors import UsageError

FloatRows = npt.NDArray[np.float32]

FEW_SHORT = 0.25
"""Up to this share of short windows, copying all at full length and the short ones twice is faster than row by row."""


class WindowReader:
    """Copies windows of T rows out of (N, D) float32 rows, in memory or memory-mapped, by the row where each begins.

        features = store.features("hml263@20/compat").features
        reader = WindowReader(features.normalised(features.statistics()), rows=64)
        batch = reader.batch(np.array([0, 1000, 2000]))      # (3, 64, 263)

    A batch is one call into numpy and moves every byte once, at about the speed of memory.
    """

    def __init__(self, values: FloatRows, rows: int) -> None:
        """
        Args:
            values: (N, D) float32, C-contiguous.
            rows: T.

        Raises:
            UsageError: If the array is of another kind, or `rows` is not positive.
        """
        if values.ndim != 2 or values.dtype != np.float32 or not values.flags.c_contiguous:
            raise UsageError(f"windows are read from contiguous float32 rows, not from {values.dtype} {values.shape}")
        if rows < 1:
            raise UsageError(f"rows: a window has at least one, got {rows}")
        self.rows = rows
        # A plain array: the memory map's own class costs a little at every slice.
        self._values = values.view(np.ndarray)
        places = max(len(values) - rows + 1, 0)
        strides = (self._values.strides[0], *self._values.strides)
        self._windows = np.lib.stride_tricks.as_strided(
            self._values, (places, rows, values.shape[1]), strides, writeable=False
        )

    def batch(
        self,
        first: npt.NDArray[np.integer],
        lengths: npt.NDArray[np.integer] | None = None,
        out: FloatRows | None = None,
    ) -> FloatRows:
        """Windows (B, T, D) that begin at rows `first` (B,).

        Args:
            first: Rows of the array, in any order.
            lengths: (B,) rows of each window that are wanted, 1 to T; what is behind them repeats the last one. All T where
                None.
            out: Where to write, (B, T, D) float32, contiguous (pinned memory, say). A new array where None, which is as fast.

        Raises:
            UsageError: If a window goes beyond the array, or `out` has another shape.
        """
        start: npt.NDArray[np.int64] = np.asarray(first, dtype=np.int64)
        most: npt.NDArray[np.int64] = np.full(len(start), self.rows) if lengths is None else np.asarray(lengths)
        if len(start) and not (
            start.min() >= 0
            and most.min() >= 1
            and most.max() <= self.rows
            and (start <= len(self._values) - most).all()
        ):
            raise UsageError(f"a window lies outside the {len(self._values)} rows, or has not 1 to {self.rows} of them")
        shape = (len(start), self.rows, self._values.shape[1])
        short = np.flatnonzero(most < self.rows)
        if out is None and len(self._windows) and len(short) <= FEW_SHORT * len(start):
            return self._whole_windows(start, most, short)
        if out is None:
            out = np.empty(shape, dtype=np.float32)
        elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise UsageError(f"out: must be contiguous float32 {shape}, got {out.dtype} {out.shape}")
        rows = start[:, None] + np.minimum(np.arange(self.rows), most[:, None] - 1)
        # `clip` lets take write to its place at once; nothing is clipped, for the rows were looked at above.
        np.take(self._values, rows.ravel(), axis=0, out=out.reshape(-1, shape[2]), mode="clip")
        return out

    def _whole_windows(
        self, first: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], short: npt.NDArray[np.intp]
    ) -> FloatRows:
        """All windows at full length, the fastest way there is, and then the short ones once more."""
        windows: FloatRows = self._windows[np.minimum(first, len(self._windows) - 1)]
        for place in short.tolist():
            start, length = int(first[place]), int(lengths[place])
            windows[place, :length] = self._values[start : start + length]
            windows[place, length:] = self._values[start + length - 1]
        return windows
