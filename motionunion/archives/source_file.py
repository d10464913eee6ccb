"""The archive's own file, with its disk's errors told apart from those of the disk that is unpacked to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from motionunion.archives.member import Broken


class ByteFile(Protocol):
    """What readers of archives need of a file."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, place: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


class _SourceFile:
    def __init__(self, file: IO[bytes], on_bytes: Callable[[int], None]) -> None:
        self._file, self._on_bytes = file, on_bytes

    def read(self, size: int, /) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise _unreadable(error) from error
        self._on_bytes(len(data))
        return data

    def seek(self, place: int, whence: int = 0, /) -> int:
        try:
            return self._file.seek(place, whence)
        except OSError as error:
            raise _unreadable(error) from error

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def open_source(path: Path, on_bytes: Callable[[int], None]) -> Iterator[ByteFile]:
    """Open an archive; `on_bytes` is told of every read. What its disk refuses, now or later, is `Broken`, for the reason
    `unreadable`."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(error) from error
    with file:
        yield _SourceFile(file, on_bytes)


def _unreadable(error: OSError) -> Broken:
    return Broken("unreadable", f"cannot be read ({error.strerror or error})")
