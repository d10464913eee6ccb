"""Arrays that are used again for every block of every file: memory fresh from the system costs more than the sums done in it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_KEPT_BYTES = 2 << 20


class Workspace(threading.local):
    """Named arrays, made when first asked for and kept; each thread has its own."""

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    def array(self, name: str, size: int, dtype: type[np.generic]) -> npt.NDArray[Any]:
        """`size` entries under a name that belongs to one place and one dtype; they hold what was left in them."""
        kept = self._arrays.get(name)
        if kept is not None and len(kept) >= size:
            return kept[:size]
        fresh = np.empty(size + size // 8, dtype=dtype)
        if fresh.nbytes <= _MOST_KEPT_BYTES:
            self._arrays[name] = fresh
        return fresh[:size]
