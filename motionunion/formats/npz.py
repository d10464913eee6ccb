"""Reading `.npz` archives that strangers wrote: nothing is unpickled, nothing is allocated on a directory's word.

Python's own reader believes the sizes in a zip directory. Here they are first held against the bytes that are really there;
so are the headers of the arrays within (`motionunion.formats.npy`).
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from motionunion.errors import SourceFormatError
from motionunion.formats.npy import (
    MAX_ARRAY_BYTES,
    Array,
    ArrayHead,
    check_size,
    guarded,
    open_bytes,
    read_head,
    read_values,
    refuse_pointer,
)

MAX_RATIO = 200
FREE_OF_RATIO = 64 << 20
"""Arrays beyond this size are not read where they are more than `MAX_RATIO` times their packed bytes: still poses pack well,
but no motion of that length packs like a bomb."""

_MAX_DIRECTORY = 16 << 20
"""Bytes of an archive's directory, which is read at once: some hundred thousand arrays."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DEFLATE_LIMIT = 1032  # deflate cannot shrink more than about 1032 to 1


def member_heads(path: Path, names: Iterable[str] | None = None) -> dict[str, ArrayHead]:
    """Headers of the arrays in an `.npz`, by name; of those in `names` only, if given and present.

    Raises `SourceFormatError` for a file that is not a zip archive of readable `.npy` members.
    """
    heads: dict[str, ArrayHead] = {}
    with _open_archive(path) as archive:
        present = dict.fromkeys(member_names(archive))
        wanted = present if names is None else [name for name in names if name in present]
        for name in wanted:
            with guarded(path, name), _member(archive, name, path) as stream:
                heads[name] = read_head(stream, path, name)
    return heads


def list_members(path: Path) -> tuple[str, ...]:
    """Names of the arrays in an `.npz`, from the archive's directory alone."""
    with _open_archive(path) as archive:
        return tuple(member_names(archive))


def member_names(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays in an open archive, without `.npy`."""
    return [name[: -len(".npy")] for name in archive.namelist() if name.endswith(".npy")]


def read_npz(path: Path, needed: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Array]:
    """Read named arrays of an `.npz`; arrays that are not named are not looked at, pickled or not.

    Args:
        path: The archive.
        needed: Names that must be there.
        optional: Names that are read where they are there.

    Raises:
        SourceFormatError: with reason `unreadable`, `truncated`, `corrupt`, `header_lies`, `pickled`, `too_large`, `missing_array`,
            `bomb`, `unsupported`, `git_lfs_pointer` or `not_npz`.
    """
    needed = tuple(needed)
    with _open_archive(path) as archive:
        present = set(member_names(archive))
        missing = [name for name in needed if name not in present]
        if missing:
            raise SourceFormatError(
                path, f"has no {_listed(missing)}; it holds {_listed(sorted(present))}", reason="missing_array"
            )
        return {name: _read_member(archive, name, path) for name in (*needed, *(n for n in optional if n in present))}


@contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    with open_bytes(path) as stream:
        refuse_pointer(path, stream)
        magic = stream.read(4)
        stream.seek(0)
        if not magic:
            raise SourceFormatError(path, "is empty", reason="truncated")
        if magic[:2] != b"PK":
            raise SourceFormatError(path, "is not an npz archive (no zip signature at its start)", reason="not_npz")
        try:
            archive = _opened(stream, path)
        except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, struct.error) as error:
            raise SourceFormatError(
                path,
                f"the archive's directory at the end of the file is missing or damaged ({error}): the file was cut "
                "short, most likely while it was copied; copy or download it again",
                reason="truncated",
            ) from error
        with archive:
            yield archive


def _opened(stream: IO[bytes], path: Path) -> zipfile.ZipFile:
    """Python's archive, kept from reading a directory of any length at once."""
    cautious = _Cautious(stream, path)
    archive = zipfile.ZipFile(cast(IO[bytes], cautious))
    cautious.most = None
    return archive


class _Cautious:
    """A file of which at most so much is read in one go, while there is a limit."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream, self._path = stream, path
        self.most: int | None = _MAX_DIRECTORY

    def read(self, size: int = -1) -> bytes:
        if self.most is not None and size > self.most:
            raise SourceFormatError(
                self._path,
                f"its directory has {size:,} bytes; {self.most:,} are the most we read",
                reason="too_large",
            )
        return self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def object_member(path: Path, name: str) -> Iterator[tuple[ArrayHead, IO[bytes], int]]:
    """A member that holds pickled objects: its header, the pickle's bytes as a stream, and how many there are.

    Nothing is unpickled here (`motionunion.formats.plain_pickle.read_object_array` reads what is plain data).

    Raises `SourceFormatError` as `read_npz` does; `bad_dtype` where the member holds plain numbers.
    """
    with _open_archive(path) as archive:
        if name not in member_names(archive):
            raise SourceFormatError(
                path, f"has no {name!r}; it holds {_listed(sorted(member_names(archive)))}", reason="missing_array"
            )
        with guarded(path, name), _member(archive, name, path) as stream:
            info = archive.getinfo(name + ".npy")
            head = read_head(stream, path, name)
            _check_packing(info, path, name)
            size = info.file_size - head.start
            if not head.pickled or head.dtype != np.dtype(object):
                raise SourceFormatError(path, f"array {name!r} holds {head.dtype}, not objects", reason="bad_dtype")
            if size > MAX_ARRAY_BYTES:
                raise SourceFormatError(
                    path,
                    f"array {name!r} has {size:,} bytes; {MAX_ARRAY_BYTES:,} is the most we read",
                    reason="too_large",
                )
            yield head, stream, size


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> IO[bytes]:
    info = archive.getinfo(name + ".npy")
    if not 0 <= info.header_offset < path.stat().st_size:
        raise SourceFormatError(path, f"array {name!r} lies outside the file", reason="corrupt")
    if info.compress_type not in _METHODS:
        raise SourceFormatError(
            path,
            f"array {name!r} is packed by method {info.compress_type}, which NumPy never writes; save it again with np.savez",
            reason="unsupported",
        )
    return archive.open(info)


def _read_member(archive: zipfile.ZipFile, name: str, path: Path) -> Array:
    info = archive.getinfo(name + ".npy")
    with guarded(path, name), _member(archive, name, path) as stream:
        head = read_head(stream, path, name)
        _check_packing(info, path, name)
        check_size(head, info.file_size - head.start, path, name)
        return read_values(stream, head, path, name)


def _check_packing(info: zipfile.ZipInfo, path: Path, name: str) -> None:
    """Hold what the archive says of a member's sizes against the file's."""
    length = path.stat().st_size
    packed = length if info.compress_type != zipfile.ZIP_STORED else info.compress_size
    if info.compress_size > length or info.file_size > _DEFLATE_LIMIT * max(packed, 1) + 1024:
        raise SourceFormatError(
            path,
            f"array {name!r}: the archive promises {info.file_size:,} bytes, more than its "
            f"{min(info.compress_size, length):,} packed bytes can hold",
            reason="header_lies",
        )
    if info.file_size > FREE_OF_RATIO and info.file_size > MAX_RATIO * info.compress_size:
        raise SourceFormatError(
            path,
            f"array {name!r}: {info.compress_size:,} packed bytes would become {info.file_size:,}; no motion packs more than "
            f"{MAX_RATIO} to 1",
            reason="bomb",
        )


def _listed(names: Iterable[str], most: int = 8) -> str:
    quoted = [f"{name!r}" for name in names]
    return ", ".join(quoted[:most]) + (f" and {len(quoted) - most} more" if len(quoted) > most else "")
