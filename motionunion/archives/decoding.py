"""gzip, bzip2 and xz as streams of bounded pieces: no input makes one call give, or take, more than a few MiB."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Protocol

from motionunion.archives.limits import CHUNK, FREE_OF_RATIO, MAX_DECODER_MEMORY, MAX_RATIO
from motionunion.archives.member import Broken
from motionunion.archives.source_file import ByteFile

_MAGIC = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00"}
_MOST_AT_ONCE = 1 << 20
_FEED = {"gzip": 1 << 16, "bzip2": 1 << 12, "xz": 1 << 16}
"""Packed bytes given at once. bzip2's are few, so that most calls end between blocks, where what came is verified."""


START = 262
"""Bytes from the beginning of a file by which its kind is told."""


def is_plain_tar(start: bytes) -> bool:
    """Whether a file begins as a tar (since 1988) does. It begins with a name, and `PKU-MMD/` or `BZhao/` is no signature."""
    return start[257:START] == b"ustar"


class _Decoder(Protocol):
    """What bz2 and lzma share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's decoder behind the same face; the trailing checksum is verified."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class Decoded:
    """The content of a packed file, read once from its beginning.

    Streams that follow one another (as parallel packers write them) are one content. Bytes behind the last stream that
    begin no other are left alone.
    """

    def __init__(self, file: ByteFile) -> None:
        start = file.read(START)
        file.seek(0)
        packing = next((kind for kind, magic in _MAGIC.items() if start.startswith(magic)), None)
        self.packing = None if is_plain_tar(start) else packing
        """`gzip`, `bzip2`, `xz`, or None for a file that is not packed."""
        self.taken = 0
        """Packed bytes read."""
        self.given = 0
        """Bytes handed out or held ready."""
        self._file = file
        self._decoder: _Decoder | None = None
        self._raw = b""
        self._held = b""
        self._at = 0
        self._verified = 0
        self._content = 0

    @property
    def position(self) -> int:
        """Bytes handed out."""
        return self.given - (len(self._held) - self._at)

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end. Raises `Broken`."""
        parts = []
        while size:
            if self._at == len(self._held):
                self._held, self._at = self._more(), 0
                self.given += len(self._held)
                if not self._held:
                    break
            part = self._held[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def spend(self, size: int) -> None:
        """Count content, as against headers and padding. Raises `Broken` where there is too much of it for its packing."""
        self._content += size
        if self.packing and self._content > FREE_OF_RATIO and self._content > MAX_RATIO * self.taken:
            raise Broken(
                "bomb",
                f"{self.taken:,} packed bytes have already become {self._content:,}; no motion data packs more than "
                f"{MAX_RATIO} to 1: what follows is left unread",
            )

    def _more(self) -> bytes:
        if self.packing is None:
            data = self._file.read(CHUNK)
            self.taken += len(data)
            return data
        while True:
            if self._decoder is None and not self._next_stream():
                return b""
            assert self._decoder is not None
            fed = b""
            if self._decoder.needs_input:
                fed = self._raw or self._packed()
                self._raw = b""
            out = self._decoded(fed)
            if not out and not fed and not self._decoder.eof and self._decoder.needs_input:
                raise Broken("truncated", f"ends inside its {self.packing} packing: copy or download it again")
            if self._decoder.eof:
                self._raw = self._decoder.unused_data
                self._decoder = None
                self._verified = self.given + len(out)
            elif not out and self.packing == "bzip2":
                self._verified = self.given
            if out:
                return out

    def _next_stream(self) -> bool:
        """Begin the next stream, if there is one."""
        assert self.packing is not None
        magic = _MAGIC[self.packing]
        raw = self._raw or self._packed()
        while raw and not raw.strip(b"\0"):  # padding between streams
            raw = self._packed()
        raw = raw.lstrip(b"\0")
        if len(raw) < len(magic):
            raw += self._packed()
        self._raw = raw
        if not raw.startswith(magic):
            return False
        if self.packing == "gzip":
            self._decoder = _Gzip()
        elif self.packing == "bzip2":
            self._decoder = bz2.BZ2Decompressor()
        else:
            self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DECODER_MEMORY)
        return True

    def _packed(self) -> bytes:
        data = self._file.read(_FEED[self.packing or "gzip"])
        self.taken += len(data)
        return data

    def _decoded(self, fed: bytes) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decompress(fed, _MOST_AT_ONCE)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
            if "emory" in str(error):
                raise Broken("too_large", f"its {self.packing} packing asks for more than {MAX_DECODER_MEMORY:,} bytes of memory "
                             "to be undone; pack it again with a smaller dictionary") from error  # fmt: skip
            raise Broken(
                "corrupt",
                f"its {self.packing} packing is damaged ({error}): copy or download it again",
                verified=self._verified,
            ) from error
