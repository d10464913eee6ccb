"""A file of a storage for readers that want one to seek in, such as pyarrow's, with few requests.

Through a network a request costs what a megabyte costs. A small read therefore takes its surroundings along, and what
was taken is kept for the reads that follow; a large one goes through as it is.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from motionunion.store.storage import Storage

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

AHEAD_BYTES = 256 << 10
_KEPT = 2
"""Blocks kept: the newest, and the one before it (a Parquet reader goes back and forth between footer and data)."""


class RangeFile(io.RawIOBase):
    """A read-only file over `Storage.get_range`. `size` is known beforehand: a commit says it for every shard."""

    def __init__(self, storage: Storage, name: str, size: int) -> None:
        self._storage, self._name, self._size = storage, name, size
        self._at = 0
        self._blocks: list[tuple[int, bytes]] = []

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence] + offset
        if at < 0:
            raise ValueError(f"seek to {at}: before the beginning")
        self._at = at
        return at

    def read(self, size: int | None = -1) -> bytes:
        """Bytes from here on; fewer than `size` only where the file ends. Raises what `Storage.get_range` raises."""
        left = max(0, self._size - self._at)
        data = self._bytes(self._at, left if size is None or size < 0 else min(size, left))
        self._at += len(data)
        return data

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _bytes(self, start: int, length: int) -> bytes:
        if not length:
            return b""
        for first, block in self._blocks:
            if first <= start and start + length <= first + len(block):
                return block[start - first : start - first + length]
        if length >= AHEAD_BYTES:
            return self._storage.get_range(self._name, start, length)
        # Ahead, but not beyond the end: a read of the last bytes takes those before them along.
        first = max(0, min(start, self._size - AHEAD_BYTES))
        block = self._storage.get_range(self._name, first, min(AHEAD_BYTES, self._size - first))
        self._blocks = [(first, block), *self._blocks][:_KEPT]
        return block[start - first : start - first + length]
