"""Members of a zip whose directory is missing, most often since its download broke off: read header by header.

Each member has a header of its own, and sizes and checksum in it or, from writers that stream, behind its content (APPNOTE.TXT
4.3.9). What a header does not say (a link, a device) is then not known, and every member counts as a file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from motionunion.archives.limits import CHUNK, FREE_OF_RATIO, MAX_RATIO
from motionunion.archives.member import Broken, Member
from motionunion.archives.source_file import ByteFile
from motionunion.archives.zip_directory import LOCAL, Entry, wide_sizes
from motionunion.archives.zip_member import content_at, kind_of, name_of, problem_of, time_of

_DEFLATE = 8
_SIZES_FOLLOW = 1 << 3


def recovered_members(file: ByteFile, length: int) -> Iterator[Member]:
    """Members from the file's beginning up to the first that is damaged or cut. Raises `Broken` there, for `truncated`."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(LOCAL.size)
        if len(head) < LOCAL.size or not head.startswith(b"PK\3\4"):
            return
        _, _, flags, method, clock, day, crc, packed, size, name_length, extra_length = LOCAL.unpack(head)
        name_bytes, extra = file.read(name_length), file.read(extra_length)
        start = at + LOCAL.size + name_length + extra_length
        streamed = bool(flags & _SIZES_FOLLOW) and not packed
        if start > length or (streamed and method != _DEFLATE):
            return
        if not streamed:
            packed, size, _ = wide_sizes(extra, packed, size, 0)
            if start + packed > length:
                return
        entry = Entry(name_bytes, 0, flags, method, day << 16 | clock, crc, packed, size, 0, at)
        name, problem = name_of(entry)
        kind = kind_of(entry, name)
        problem = problem or problem_of(entry, kind, overlap=False)
        end = [start + packed]
        content = _streamed(file, start, end) if streamed else content_at(file, entry, start)
        yield Member(name, kind, size, time_of(entry.dos_time), content, problem)
        for _ in content if streamed else ():
            pass  # where it ends is only known at its end
        at = end[0]


def _streamed(file: ByteFile, start: int, end: list[int]) -> Iterator[bytes]:
    """Content whose packed length is not known; `end` is told where the next header lies."""
    decoder = zlib.decompressobj(wbits=-15)
    at, crc, given = start, 0, 0
    while not decoder.eof:
        file.seek(at)
        packed = file.read(CHUNK)
        if not packed:
            raise Broken("truncated", "ends inside a member: copy or download it again")
        at += len(packed)
        chunk = _inflated(decoder, packed)
        while chunk:
            given += len(chunk)
            crc = zlib.crc32(chunk, crc)
            if given > FREE_OF_RATIO and given > MAX_RATIO * (at - start):
                raise Broken(
                    "bomb",
                    f"{at - start:,} packed bytes of a member have already become {given:,}; no motion data packs more than "
                    f"{MAX_RATIO} to 1: what follows is left unread",
                )
            yield chunk
            chunk = b"" if decoder.eof else _inflated(decoder, decoder.unconsumed_tail)
    at -= len(decoder.unused_data)
    file.seek(at)
    behind = file.read(24)
    signed = 4 if behind.startswith(b"PK\7\x08") else 0
    for form in ("<3L", "<LQQ"):
        if len(behind) >= signed + struct.calcsize(form):
            stated, packed_size, size = struct.unpack_from(form, behind, signed)
            if (stated, packed_size, size) == (crc, at - start, given):
                end[0] = at + signed + struct.calcsize(form)
                return
    raise Broken(
        "truncated", "ends before a member's checksum, or the checksum is not the member's: copy or download it again"
    )


def _inflated(decoder: zlib._Decompress, packed: bytes) -> bytes:
    try:
        return decoder.decompress(packed, CHUNK)
    except zlib.error as error:
        raise Broken("corrupt", f"a member cannot be unpacked ({error}): copy or download it again") from error
