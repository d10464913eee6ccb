"""NumPy archives whose bytes follow from their arrays alone: no clock, no compression setting of the day."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can state
_LEVEL = 4


def npz_bytes(arrays: Mapping[str, npt.ArrayLike], *, allow_pickle: bool = False) -> bytes:
    """A compressed `.npz` as bytes; the same arrays give the same bytes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, values in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, npy_bytes(np.asanyarray(values), allow_pickle=allow_pickle), compresslevel=_LEVEL)
    return buffer.getvalue()


def npy_bytes(values: npt.NDArray[Any], *, allow_pickle: bool = False) -> bytes:
    """An array in NumPy's own format, as bytes."""
    buffer = BytesIO()
    np.lib.format.write_array(buffer, values, allow_pickle=allow_pickle)
    return buffer.getvalue()


def coarsen(values: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Round to multiples of a power of two: float64 as in the real files, and bytes that compress."""
    rounded: npt.NDArray[np.float64] = np.round(values / step) * step
    return rounded + 0.0  # no negative zeros
