"""Reading arrays of HDF5 files that strangers wrote: nothing is allocated on a header's word, and no other file is opened.

An HDF5 file may point to data in other files, compute it by a plug-in, or claim an array of any size whose chunks were never
written. Such data sets are refused; the rest is read whole, one array at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motionunion.errors import SourceFormatError
from motionunion.formats.npy import MAX_ARRAY_BYTES, Array, ArrayHead
from motionunion.formats.npz import FREE_OF_RATIO, MAX_RATIO

if TYPE_CHECKING:
    import h5py

SUFFIXES = (".h5", ".hdf5")
MAX_ENTRIES = 1_000_000
"""Most groups and arrays of one file that are listed."""

_MAGIC = b"\x89HDF\r\n\x1a\n"


def is_hdf5(head: bytes) -> bool:
    """Whether a file begins as HDF5 does (without a user block before it)."""
    return head.startswith(_MAGIC)


def hdf5_heads(path: Path) -> dict[str, ArrayHead]:
    """Shape and type of every array in a file, by its path inside (`group/array`), sorted. Links to other files are left out.

    Raises:
        SourceFormatError: with reason `unreadable`, `not_hdf5`, `truncated` or `too_large`.
    """
    import h5py

    heads: dict[str, ArrayHead] = {}
    with _opened(path) as file:
        waiting: list[tuple[str, h5py.Group]] = [("", file)]
        seen, entries = {file.id}, 0
        while waiting:
            prefix, group = waiting.pop()
            for name in group:
                entries += 1
                if entries > MAX_ENTRIES:
                    raise SourceFormatError(
                        path, f"holds more than {MAX_ENTRIES:,} groups and arrays", reason="too_large"
                    )
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    continue
                found = group[name]
                if isinstance(found, h5py.Dataset):
                    heads[prefix + name] = ArrayHead(tuple(found.shape or ()), found.dtype, False, 0)
                elif isinstance(found, h5py.Group) and found.id not in seen:  # hard links may lead in circles
                    seen.add(found.id)
                    waiting.append((f"{prefix}{name}/", found))
    return dict(sorted(heads.items()))


def read_hdf5(path: Path, name: str) -> Array:
    """One array of a file, by its path inside.

    Raises:
        SourceFormatError: with reason `unreadable`, `not_hdf5`, `truncated`, `missing_array`, `bad_dtype`, `too_large`, `bomb`,
            `outside_data` (it lies in another file) or `corrupt`.
    """
    import h5py

    with _opened(path) as file:
        # A path through a soft or external link would leave the file, or go in circles: only hard ones are followed.
        found: Any = file
        for part in name.split("/"):
            link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
            if link is not None and not isinstance(link, h5py.HardLink):
                raise SourceFormatError(
                    path, f"{name!r} lies behind a link, which is not followed: copy the data into the file",
                    reason="outside_data",
                )  # fmt: skip
            found = None if link is None else found[part]
        if not isinstance(found, h5py.Dataset):
            raise SourceFormatError(path, f"has no array {name!r}", reason="missing_array")
        _check(found, name, path)
        try:
            return np.asarray(found[()])
        except (OSError, ValueError, RuntimeError) as error:
            raise SourceFormatError(path, f"array {name!r} cannot be read ({error})", reason="corrupt") from error


def read_hdf5_attribute(path: Path, owner: str, name: str) -> Any:
    """An attribute of a group or an array (`""` = the file itself). Raises `SourceFormatError`, `missing_array` too."""
    with _opened(path) as file:
        found = file.get(owner) if owner else file
        if found is None or name not in found.attrs:
            raise SourceFormatError(path, f"has no attribute {name!r} at {owner or '/'!r}", reason="missing_array")
        return found.attrs[name]


def _check(data: h5py.Dataset, name: str, path: Path) -> None:
    if data.is_virtual or data.external:
        raise SourceFormatError(path, f"the values of {name!r} lie in other files", reason="outside_data")
    if data.dtype.kind not in "fiubS":
        raise SourceFormatError(path, f"array {name!r} has elements of type {data.dtype}", reason="bad_dtype")
    if data.nbytes > MAX_ARRAY_BYTES:
        raise SourceFormatError(
            path,
            f"array {name!r} has {data.nbytes:,} bytes; {MAX_ARRAY_BYTES:,} is the most we read",
            reason="too_large",
        )
    stored = min(data.id.get_storage_size(), path.stat().st_size)
    if data.nbytes > FREE_OF_RATIO and data.nbytes > MAX_RATIO * stored:
        raise SourceFormatError(
            path, f"array {name!r} claims {data.nbytes:,} bytes, and {stored:,} are stored", reason="bomb"
        )


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    import h5py

    try:
        with path.open("rb") as stream:
            head = stream.read(len(_MAGIC))
    except OSError as error:
        raise SourceFormatError(path, f"cannot be read ({error.strerror or error})", reason="unreadable") from error
    if not is_hdf5(head):
        raise SourceFormatError(path, "does not begin as an HDF5 file does", reason="not_hdf5")
    try:
        file = h5py.File(path, "r", locking=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceFormatError(
            path,
            f"cannot be opened as HDF5 ({error}): most likely it was cut short while it was copied",
            reason="truncated",
        ) from error
    try:
        with file:
            yield file
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:  # h5py has all of these for damaged bytes
        raise SourceFormatError(path, f"cannot be read as HDF5 ({error})", reason="corrupt") from error
