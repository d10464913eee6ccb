"""Reading `.npy` arrays that strangers wrote: nothing is unpickled, nothing is allocated on a header's word.

NumPy's own reader believes the shape in a header. Here it is first held against the bytes that are really there, so that a
file of a few kilobytes cannot ask for gigabytes. Members of an `.npz` are such arrays (`motionunion.formats.npz`).
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from motionunion.errors import SourceFormatError

Array = npt.NDArray[Any]

MAX_ARRAY_BYTES = 1 << 29
"""Largest array read: half a gibibyte, an hour of SMPL-H at 120 fps in float64."""
_LFS_POINTER = b"version https://git-lfs"
_KINDS = "fiubSU"


@dataclass(frozen=True, slots=True)
class ArrayHead:
    """What a `.npy` header says: shape, element type, order, and where the values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    start: int

    @property
    def pickled(self) -> bool:
        """The values are Python objects, and only unpickling could read them."""
        return bool(self.dtype.hasobject)

    @property
    def nbytes(self) -> int:
        """Bytes of values that the header promises."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy(path: Path) -> Array:
    """Read one `.npy` file.

    Raises:
        SourceFormatError: with reason `unreadable`, `truncated`, `corrupt`, `not_npy`, `header_lies`, `pickled`, `bad_dtype`,
            `too_large` or `git_lfs_pointer`.
    """
    with open_bytes(path) as stream:
        refuse_pointer(path, stream)
        with guarded(path, None):
            head = read_head(stream, path, None)
            check_size(head, path.stat().st_size - head.start, path, None)
            return read_values(stream, head, path, None)


def npy_head(path: Path) -> ArrayHead:
    """Header of one `.npy` file. Raises `SourceFormatError` as `read_npy` does."""
    with open_bytes(path) as stream:
        refuse_pointer(path, stream)
        with guarded(path, None):
            return read_head(stream, path, None)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file. Raises `SourceFormatError`, `unreadable`."""
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceFormatError(path, f"cannot be read ({error.strerror or error})", reason="unreadable") from error


@contextmanager
def guarded(path: Path, name: str | None) -> Iterator[None]:
    """Turn what zip, zlib and NumPy say about damaged bytes into our error."""
    where = f"array {name!r}" if name else "the array"
    try:
        yield
    except (SourceFormatError, MemoryError):
        raise
    except (EOFError, struct.error) as error:
        raise SourceFormatError(path, f"{where} ends too early ({error})", reason="truncated") from error
    except OSError as error:
        raise SourceFormatError(path, f"{where} cannot be read ({error})", reason="unreadable") from error
    except Exception as error:  # each way of packing has errors of its own, names that are no text have others
        raise SourceFormatError(path, f"{where} cannot be unpacked ({error})", reason="corrupt") from error


def read_head(stream: IO[bytes], path: Path, name: str | None) -> ArrayHead:
    """The header that a stream stands at; `name` is the array's in an archive. Raises `SourceFormatError`."""
    where = f"array {name!r}" if name else "the file"
    prefix = stream.read(10)
    if prefix[:6] != npy_format.MAGIC_PREFIX or len(prefix) < 10:
        reason = "truncated" if len(prefix) < 10 else "not_npy"
        raise SourceFormatError(path, f"{where} does not begin as a .npy does", reason=reason)
    version = (prefix[6], prefix[7])
    if version == (1, 0):
        length, fixed = int.from_bytes(prefix[8:10], "little"), 10
    else:
        length, fixed = int.from_bytes(prefix[8:10] + stream.read(2), "little"), 12
    if version not in {(1, 0), (2, 0), (3, 0)} or length > 1 << 16:
        raise SourceFormatError(path, f"{where} has a header that no .npy has", reason="header_lies")
    text = stream.read(length)
    if len(text) < length:
        raise SourceFormatError(path, f"{where} ends inside its header", reason="truncated")
    size = length.to_bytes(2 if version == (1, 0) else 4, "little")
    reader = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    try:
        shape, fortran, dtype = reader(io.BytesIO(size + text))
    except Exception as error:  # NumPy parses it as Python text, which fails in a dozen ways
        raise SourceFormatError(path, f"{where} has an unreadable header ({error})", reason="header_lies") from error
    if not all(isinstance(extent, int) and extent >= 0 for extent in shape):
        raise SourceFormatError(path, f"{where} has an impossible shape {shape}", reason="header_lies")
    return ArrayHead(tuple(shape), dtype, fortran, fixed + length)


def check_size(head: ArrayHead, available: int, path: Path, name: str | None) -> None:
    """Hold a header against the bytes that follow it, and against what we read. Raises `SourceFormatError`."""
    where = f"array {name!r}" if name else "the array"
    if head.pickled:
        raise SourceFormatError(
            path,
            f"{where} holds pickled Python objects, which can run code when they are read; save it again as plain "
            "numbers (np.savez with a numeric dtype)",
            reason="pickled",
        )
    if head.dtype.kind not in _KINDS:
        raise SourceFormatError(path, f"{where} has elements of type {head.dtype}", reason="bad_dtype")
    if head.nbytes != available:
        short = head.nbytes > available and name is None
        raise SourceFormatError(
            path,
            f"{where}: the header says shape {head.shape} of {head.dtype} ({head.nbytes:,} bytes), "
            f"but {available:,} bytes follow",
            reason="truncated" if short else "header_lies",
        )
    if head.nbytes > MAX_ARRAY_BYTES:
        raise SourceFormatError(
            path, f"{where} has {head.nbytes:,} bytes; {MAX_ARRAY_BYTES:,} is the most we read", reason="too_large"
        )


def read_values(stream: IO[bytes], head: ArrayHead, path: Path, name: str | None) -> Array:
    """The array whose values come next, of a head that `check_size` let pass. Raises `SourceFormatError`, `truncated`."""
    data = stream.read(head.nbytes)
    if len(data) != head.nbytes:
        where = f"array {name!r}" if name else "the array"
        raise SourceFormatError(path, f"{where} ends after {len(data):,} of {head.nbytes:,} bytes", reason="truncated")
    if head.dtype.itemsize == 0:
        return np.zeros(head.shape, dtype=head.dtype)
    array: Array = np.frombuffer(data, dtype=head.dtype)
    if head.dtype.kind == "U" and _is_no_text(array):
        raise SourceFormatError(path, f"{f'array {name!r}' if name else 'the array'} holds no text", reason="corrupt")
    return array.reshape(head.shape[::-1]).T if head.fortran else array.reshape(head.shape)


def _is_no_text(array: Array) -> bool:
    """Whether text has code points that no character has: Python dies of those beyond Unicode, UTF-8 has no half ones."""
    codes = array.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    return bool(((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any())


def refuse_pointer(path: Path, stream: IO[bytes]) -> None:
    """Raise `SourceFormatError` for what Git LFS leaves in a file's place; else the stream stands at its beginning."""
    start = stream.read(len(_LFS_POINTER))
    stream.seek(0)
    if start == _LFS_POINTER:
        raise SourceFormatError(
            path,
            "is a Git LFS pointer, not the data; fetch the data with `git lfs pull` in the repository it came from",
            reason="git_lfs_pointer",
        )
