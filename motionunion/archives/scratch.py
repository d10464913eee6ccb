"""The folder an archive is unpacked into: whose it is, and how those that belong to nobody are cleared away.

Beside each folder lies a file that its process holds locked. The system drops the lock with the process, however it
ends, so that a folder whose lock is free belongs to nobody.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNPACKED = "unpacked"
"""Folder in a store's cache where the scratch folders of its ingests lie."""
_LOCK = ".lock"


@contextmanager
def scratch_folder(below: Path, label: str) -> Iterator[Path]:
    """A new empty folder below another, ours until the block ends, and then gone."""
    lock, file = _own(below, label)
    folder = lock.with_suffix("")
    try:
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(file)
        with contextlib.suppress(OSError):  # where another's folder lies in it
            below.rmdir()


def clear_abandoned(below: Path) -> int:
    """Remove the folders of processes that have ended; says how many."""
    removed = 0
    for lock in sorted(below.glob(f"*{_LOCK}")):
        try:
            file = os.open(lock, os.O_RDWR)
        except (FileNotFoundError, PermissionError):
            continue  # its process has just ended, and removed it; or it is another person's
        try:
            if _take(file):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
                removed += 1
        finally:
            os.close(file)
    return removed


def _own(below: Path, label: str) -> tuple[Path, int]:
    while True:
        below.mkdir(parents=True, exist_ok=True)  # whoever leaves last takes it away
        lock = below / f"{label}-{secrets.token_hex(4)}{_LOCK}"
        try:
            file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileNotFoundError:
            continue
        if _take(file) and lock.exists():
            return lock, file
        os.close(file)  # somebody who clears away was faster, and removes it


if os.name == "nt":  # pragma: no cover

    def _take(file: int) -> bool:
        import msvcrt

        with contextlib.suppress(OSError):
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            return True
        return False

else:

    def _take(file: int) -> bool:
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False
