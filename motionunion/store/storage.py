"""The six operations by which a store keeps bytes, and those of a local folder.

Names are relative, with slashes (`shards/clips-....parquet`). What a writer promises depends on two of them alone:
`put_if_absent` decides a race between two writers, and whatever it or `put` has returned from survives a power cut.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from motionunion.digest import TEMPORARY_PREFIX, fsync_directory, write_aside
from motionunion.errors import StoreError

TEMPORARY_IS_OLD_S = 6 * 3600.0
"""No write of one file takes this long; a temporary file older than this belongs to nobody."""

FOLDERS = ("commits", "checkpoints", "shards", "index", "cache")
"""Folders of a store on a disk."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as a listing shows it."""

    name: str
    size: int
    modified: float
    """Seconds since 1970, by the clock of whoever keeps the file."""


class Storage(Protocol):
    """Where a store's files lie. Crosses process borders, hence picklable."""

    @property
    def url(self) -> str:
        """What a person calls the place: a path, or `s3://bucket/prefix`."""

    def get(self, name: str) -> bytes:
        """All bytes of a file. Raises `FileNotFoundError`."""

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """Some bytes of a file; fewer than `length` only where it ends. Raises `FileNotFoundError`."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole, over an older one of that name, which readers see whole until then."""

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Write a file whole, unless the name is taken; says whether it now holds this call's bytes by this call's doing."""

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Files whose names begin with a prefix and sort behind `after`, sorted by name; temporary files left out."""

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""


class LocalStorage:
    """A folder. A file appears under its name complete and on disk, or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        return str(self.root)

    def path(self, name: str) -> Path:
        """Where a name lies on disk."""
        return self.root / name

    def get(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def get_range(self, name: str, start: int, length: int) -> bytes:
        with self.path(name).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def put(self, name: str, data: bytes) -> None:
        path = self.path(name)
        temporary = write_aside(path, data)
        try:
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        fsync_directory(path.parent)

    def put_if_absent(self, name: str, data: bytes) -> bool:
        path = self.path(name)
        if path.exists():
            return False
        temporary = write_aside(path, data)
        try:
            _move_if_absent(temporary, path)
        except FileExistsError:
            if not path.samefile(temporary):  # NFS may have made the link, and lost the answer
                return False
        finally:
            temporary.unlink(missing_ok=True)
        fsync_directory(path.parent)
        return True

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        for name in sorted(self._names(prefix.rpartition("/")[0])):
            if name > after and name.startswith(prefix):
                with contextlib.suppress(FileNotFoundError):  # removed since the folder was listed
                    yield self._entry(name)

    def _entry(self, name: str) -> Entry:
        path = self.path(name)
        try:
            status = path.stat()
        except FileNotFoundError:
            raise
        except OSError:  # a link that leads in circles: it is there, and reading it tells
            status = path.lstat()
        return Entry(name, status.st_size, status.st_mtime)

    def _names(self, folder: str) -> Iterator[str]:
        """Files below a folder, in no order."""
        try:
            entries = os.scandir(self.path(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        with entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                try:
                    is_folder, is_file = entry.is_dir(), entry.is_file()
                except OSError:
                    is_folder, is_file = False, True
                if is_folder:
                    yield from self._names(name)
                elif is_file and not entry.name.startswith(TEMPORARY_PREFIX):
                    yield name

    def delete(self, name: str) -> None:
        path = self.path(name)
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            fsync_directory(path.parent)

    def clean_temporary(self, older_than_s: float = TEMPORARY_IS_OLD_S) -> int:
        """Remove temporary files that a killed writer left long ago; a younger one may belong to a writer at work."""
        limit = time.time() - older_than_s
        removed = 0
        for folder in ("", *FOLDERS):
            for path in self.path(folder).glob(f"{TEMPORARY_PREFIX}*"):
                with contextlib.suppress(FileNotFoundError):  # its writer, or another who cleans, was faster
                    if path.is_file() and path.stat().st_mtime < limit:
                        path.unlink()
                        removed += 1
        return removed


def _move_if_absent(temporary: Path, path: Path) -> None:
    """Give a complete file its name; `FileExistsError` where another writer was first."""
    if os.name == "nt":
        temporary.rename(path)  # Windows refuses to rename onto a file
        return
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise StoreError(
                f"{path.parent}: this file system has no hard links, by which a store is kept safe from two writers; "
                "put the store on another one (--store)"
            ) from error
        raise
