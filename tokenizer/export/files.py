"""Files of an export: written as a stream beside their place, hashed on the way, and put in place when they are whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import IO

from motionunion.digest import TEMPORARY_PREFIX


class NewFile:
    """A file that appears whole or not at all. Only `write` and `tell` are there: what is written is not read back.

    Used as a context manager; an exception on the way leaves nothing behind.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        self._temporary = self.path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{self.path.name}")
        self._digest = hashlib.sha256()
        self._file: IO[bytes] | None = None
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what was written so far."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Append bytes."""
        if self._file is None:
            raise ValueError(f"{self.path.name} is not open")
        self._digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    def __enter__(self) -> NewFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None  # __enter__ opened it
        try:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()
        if kind is None:
            self._temporary.replace(self.path)
        else:
            self._temporary.unlink(missing_ok=True)
