"""The values of an array file: which arrays it holds, the numbers of one, and a person's joints among these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.errors import SourceFormatError
from motionunion.formats.hdf5 import SUFFIXES as HDF5
from motionunion.formats.hdf5 import hdf5_heads, read_hdf5, read_hdf5_attribute
from motionunion.formats.npy import Array, npy_head, read_npy
from motionunion.formats.npz import member_heads, read_npz
from motionunion.sources.array_description import ArrayDescription

MAX_JSON_BYTES = 64 << 20

_SMPL_FAMILY = (22, 24, 52, 55)  # SMPL, SMPL-H and SMPL-X joints begin with the same 22


def array_shapes(file: Path, array: str | None) -> dict[str | None, tuple[int, ...]]:
    """Shape of every array of a file that `array` (a name or pattern) means, by its name; None for a file that is one.

    Raises:
        SourceFormatError: the file cannot be opened, or (`missing_array`) holds none of them.
    """
    return _shapes(file, file.stat().st_mtime_ns, array)


@lru_cache(maxsize=4096)
def _shapes(file: Path, _changed_ns: int, array: str | None) -> dict[str | None, tuple[int, ...]]:
    suffix = file.suffix.lower()
    if suffix == ".npy":
        return {None: npy_head(file).shape}
    if array is None and suffix == ".npz":
        heads = member_heads(file)
        if len(heads) != 1:
            raise _unnamed(file, heads)
        return {name: head.shape for name, head in heads.items()}
    if array is None:
        raise _unnamed(file, {})
    if suffix == ".json":
        return {array: _json_array(file, array).shape}
    heads = hdf5_heads(file) if suffix in HDF5 else member_heads(file)
    found: dict[str | None, tuple[int, ...]]
    found = {name: head.shape for name, head in heads.items() if fnmatchcase(name, array)}
    if not found:
        raise SourceFormatError(file, f"has no array {array!r}; it holds {', '.join(list(heads)[:5])}",
                                reason="missing_array")  # fmt: skip
    return found


def _unnamed(file: Path, heads: Mapping[str, Any]) -> SourceFormatError:
    there = f" (of {', '.join(list(heads)[:5])})" if heads else ""
    return SourceFormatError(
        file,
        f"the description does not say which array{there} holds the positions: array = ...",
        reason="missing_array",
    )


def array_values(file: Path, array: str | None) -> Array:
    """One array of a file. Raises `SourceFormatError`."""
    suffix = file.suffix.lower()
    if suffix == ".npy":
        return read_npy(file)
    if array is None:
        (array,) = array_shapes(file, None)
        assert array is not None
    if suffix == ".json":
        return _json_array(file, array)
    return read_hdf5(file, array) if suffix in HDF5 else read_npz(file, (array,))[array]


def person_joints(values: Array, description: ArrayDescription, file: Path, person: int | None) -> Array:
    """One person's joints (T, J, 3) from an array as it stands; `person` is None where its order names no people.

    Raises:
        SourceFormatError: `bad_shape`, where the array is not what the description says.
    """
    order = description.order
    if values.ndim != len(order) or values.dtype.kind not in "fiu":
        raise SourceFormatError(
            file, f"has shape {values.shape} of {values.dtype}; the description says axes {' '.join(order)}",
            reason="bad_shape",
        )  # fmt: skip
    values = values.transpose(
        [order.index(axis) for axis in ("frames", "people", "joints", "joints_xyz", "xyz") if axis in order]
    )
    if "people" in order:
        if person is None or not 0 <= person < values.shape[1]:
            raise SourceFormatError(
                file, f"holds {values.shape[1]:,} people, not the one asked for", reason="bad_shape"
            )
        values = values[:, person]
    if "joints_xyz" in order:
        if values.shape[1] % 3:
            raise SourceFormatError(
                file, f"has {values.shape[1]} numbers a frame, no multiple of 3", reason="bad_shape"
            )
        values = values.reshape(len(values), -1, 3)
    wanted = _SMPL_FAMILY if description.joint_map is None else (len(description.joints),)
    if values.shape[1] not in wanted or values.shape[2] != 3:
        raise SourceFormatError(
            file, f"has {values.shape[1]} joints of {values.shape[2]} numbers; {description.skeleton_id} has "
            f"{' or '.join(map(str, wanted))} of 3", reason="bad_shape",
        )  # fmt: skip
    return values[:, : len(description.joints)]


def number_at(file: Path, where: str) -> float:
    """A number in a file: the first of an array, or an attribute (`group@name`). Raises `SourceFormatError`."""
    owner, at, attribute = where.partition("@")
    if at and file.suffix.lower() not in HDF5:
        raise SourceFormatError(file, f"has no attributes ({where!r}), HDF5 files have", reason="missing_array")
    try:
        value = np.asarray(read_hdf5_attribute(file, owner, attribute) if at else array_values(file, where))
        return float(value.reshape(-1)[0])
    except (IndexError, TypeError, ValueError) as error:
        raise SourceFormatError(file, f"{where!r} is no number", reason="no_frame_rate") from error


def _json_array(file: Path, place: str) -> Array:
    """Numbers in a JSON file, by keys joined with `/`."""
    size = file.stat().st_size
    if size > MAX_JSON_BYTES:
        raise SourceFormatError(
            file, f"has {size:,} bytes; {MAX_JSON_BYTES:,} are the most we read", reason="too_large"
        )
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceFormatError(file, f"cannot be read ({error.strerror or error})", reason="unreadable") from error
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(file, f"is no JSON ({error})", reason="bad_json") from error
    for key in place.split("/"):
        if not isinstance(found, dict) or key not in found:
            raise SourceFormatError(file, f"has no {place!r}", reason="missing_array")
        found = found[key]
    try:
        return np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:  # the last: integers that no float holds
        raise SourceFormatError(file, f"{place!r} is no array of numbers ({error})", reason="bad_dtype") from error
