"""One member of a zip: its name, what it is, and its content, believed only where headers and real bytes agree."""

from __future__ import annotations

import bz2
import calendar
import stat
import zlib
from collections.abc import Iterator
from typing import Protocol

from motionunion.archives.limits import CHUNK, FREE_OF_RATIO, MAX_RATIO
from motionunion.archives.member import Refusal, bounded_time
from motionunion.archives.names import text_of
from motionunion.archives.source_file import ByteFile
from motionunion.archives.zip_directory import LOCAL, Entry

_STORED, _DEFLATE, _BZIP2 = 0, 8, 12
_ENCRYPTED = 1 | 1 << 6 | 1 << 13
_UTF8 = 1 << 11
_UNIX = 3
_KINDS = {
    stat.S_IFLNK: "symbolic link", stat.S_IFCHR: "character device", stat.S_IFBLK: "block device", stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
}  # fmt: skip


def name_of(entry: Entry) -> tuple[str, Refusal | None]:
    """UTF-8, as the flag says or as many writers do without it; else the old code page of the format."""
    try:
        return text_of(entry.name), None
    except Refusal as refusal:
        if entry.flags & _UTF8:
            return entry.name.decode("utf-8", "backslashreplace"), refusal
        return entry.name.decode("cp437"), None


def kind_of(entry: Entry, name: str) -> str:
    """`file`, `folder`, or what else its attributes say, where Unix wrote them."""
    mode = stat.S_IFMT(entry.attributes >> 16) if entry.system == _UNIX else 0
    if mode in _KINDS:
        return _KINDS[mode]
    return "folder" if name.endswith("/") or mode == stat.S_IFDIR else "file"


def problem_of(entry: Entry, kind: str, *, overlap: bool) -> Refusal | None:
    """Why a member cannot be read, where its header says so."""
    if kind != "file":
        return None
    if overlap:
        return Refusal(
            "header_lies", "its bytes are also another member's, or outside the archive: no packer does that"
        )
    if entry.flags & _ENCRYPTED:
        return Refusal("encrypted", "it is locked with a password; unpack the archive yourself")
    if entry.method not in (_STORED, _DEFLATE, _BZIP2):
        return Refusal("unsupported", f"it is packed by method {entry.method}; unpack the archive yourself")
    return None


def content_of(file: ByteFile, entry: Entry) -> Iterator[bytes]:
    """The member's bytes, checked against both headers and the checksum while they stream."""
    file.seek(entry.start)
    head = file.read(LOCAL.size)
    if len(head) < LOCAL.size or not head.startswith(b"PK\3\4"):
        raise Refusal("corrupt", "there is no member where the archive's directory says")
    _, _, flags, method, _, _, _, _, _, name_length, extra_length = LOCAL.unpack(head)
    if file.read(name_length) != entry.name or method != entry.method or flags & _ENCRYPTED:
        raise Refusal("header_lies", "the archive's directory and the member itself say different things")
    yield from content_at(file, entry, file.tell() + extra_length)


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def content_at(file: ByteFile, entry: Entry, at: int) -> Iterator[bytes]:
    """The content whose packed bytes begin at `at`, until its size, checksum and packing are all as stated."""
    crc, given, taken = 0, 0, 0
    for chunk, taken in _inflated(file, entry, at):
        given += len(chunk)
        crc = zlib.crc32(chunk, crc)
        if given > entry.size:
            raise Refusal("header_lies", f"it holds more than the {entry.size:,} bytes that the archive says")
        if given > FREE_OF_RATIO and given > MAX_RATIO * taken:
            raise Refusal(
                "bomb",
                f"{taken:,} packed bytes have already become {given:,}; no motion data packs more than {MAX_RATIO} to 1",
            )
        yield chunk
    if given != entry.size:
        raise Refusal("header_lies", f"it holds {given:,} bytes, the archive says {entry.size:,}")
    if crc != entry.crc:
        raise Refusal("corrupt", "its bytes do not have their checksum: copy or download the archive again")


def _inflated(file: ByteFile, entry: Entry, at: int) -> Iterator[tuple[bytes, int]]:
    """Chunks of content, and how many packed bytes they took so far."""
    taken = 0
    decoder = _decoder(entry.method)
    while taken < entry.packed:
        file.seek(at + taken)
        packed = file.read(min(CHUNK, entry.packed - taken))
        if not packed:
            raise Refusal("truncated", "the archive ends inside it: copy or download it again")
        taken += len(packed)
        if decoder is None:
            yield packed, taken
            continue
        if decoder.eof:
            break
        try:
            chunk = decoder.decompress(packed, CHUNK)
            while chunk:
                yield chunk, taken
                chunk = b"" if decoder.eof else decoder.decompress(_rest(decoder), CHUNK)
        except (zlib.error, OSError, EOFError, ValueError) as error:
            raise Refusal("corrupt", f"it cannot be unpacked ({error}): copy or download the archive again") from error
    if decoder is not None and (not decoder.eof or decoder.unused_data or taken < entry.packed):
        raise Refusal("corrupt", "its packing does not end where the archive says")


def _decoder(method: int) -> _Decoder | None:
    if method == _STORED:
        return None
    return bz2.BZ2Decompressor() if method == _BZIP2 else zlib.decompressobj(wbits=-15)


def _rest(decoder: _Decoder) -> bytes:
    """What zlib has not looked at yet; bz2 keeps it to itself."""
    rest: bytes = getattr(decoder, "unconsumed_tail", b"")
    return rest


def time_of(dos: int) -> int:
    """A zip's local time, taken as UTC, so that it is the same on every machine; 0 where it is no time."""
    day, clock = dos >> 16, dos & 0xFFFF
    year, month, date = 1980 + (day >> 9), day >> 5 & 15, day & 31
    hour, minute, second = clock >> 11, clock >> 5 & 63, 2 * (clock & 31)
    if not (1 <= month <= 12 and 1 <= date <= 31 and hour < 24 and minute < 60 and second < 60):
        return 0
    return bounded_time(calendar.timegm((year, month, date, hour, minute, second)))
