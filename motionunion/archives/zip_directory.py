"""The directory at the end of a zip, read entry by entry: its memory does not grow with the number of entries.

Layout: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to 4.3.16 (its end, zip64)
and 4.5.3 (zip64 extra field).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion.archives.limits import MAX_MEMBERS
from motionunion.archives.member import Broken
from motionunion.archives.source_file import ByteFile

LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64_PLACE = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_AGAIN = "copy or download it again"
_LONGEST_COMMENT = (1 << 16) - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as the directory describes it."""

    name: bytes
    system: int
    """Who made it: 3 = Unix."""
    flags: int
    method: int
    dos_time: int
    """Date in the upper, time in the lower 16 bits."""
    crc: int
    packed: int
    size: int
    attributes: int
    start: int
    """Where its local header lies."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the directory lies, and how many entries it claims."""

    start: int
    end: int
    entries: int
    """What is above 16 bits may be left out."""


def find_directory(file: ByteFile, length: int) -> Directory:
    """Find the directory of a zip of `length` bytes. Raises `Broken` where there is none, or it lies outside the file."""
    window = min(length, _LONGEST_COMMENT + _END.size)
    file.seek(length - window)
    tail = file.read(window)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise Broken("truncated", f"the directory at its end is missing: it was cut short; {_AGAIN}")
    _, _, _, _, entries, size, start, _ = _END.unpack_from(tail, at)
    end = length - window + at
    if end >= _END64_PLACE.size and tail[max(0, at - _END64_PLACE.size) : at].startswith(b"PK\6\7"):
        _, _, place, _ = _END64_PLACE.unpack_from(tail, at - _END64_PLACE.size)
        if not 0 <= place <= end - _END64_PLACE.size - _END64.size:
            raise Broken("header_lies", "its zip64 directory is said to lie outside the file")
        file.seek(place)
        record = file.read(_END64.size)
        signature, _, _, _, _, _, _, entries, size, start = _END64.unpack(record)
        if signature != b"PK\6\6":
            raise Broken("header_lies", "its zip64 directory is not where it is said to be")
        end = place
    # Programs that unpack themselves carry bytes before the zip, by which all places are off.
    if start + size != end:
        raise Broken(
            "header_lies", f"its directory is said to lie at {start:,}, {size:,} bytes long, but ends at {end:,}"
        )
    if entries > MAX_MEMBERS:
        raise Broken("too_large", f"it claims {entries:,} members; {MAX_MEMBERS:,} are the most we read")
    return Directory(start, end, entries)


def read_directory(file: ByteFile, directory: Directory) -> Iterator[Entry]:
    """The entries, in the directory's order, up to its end. Raises `Broken` where one is no entry, where there are too many,
    and behind the last where they are not as many as it claims. Others may move `file` in between."""
    at = directory.start
    count = 0
    while at < directory.end:
        file.seek(at)
        head = file.read(min(_ENTRY.size, directory.end - at))
        if len(head) < _ENTRY.size or not head.startswith(b"PK\1\2"):
            raise Broken("corrupt", f"its directory is damaged at byte {at:,}; {_AGAIN}")
        (_, _, system, _, _, flags, method, clock, day, crc, packed, size, name_length, extra_length, comment_length, _, _,
         attributes, start) = _ENTRY.unpack(head)  # fmt: skip
        at += _ENTRY.size + name_length + extra_length + comment_length
        if at > directory.end:
            raise Broken("corrupt", f"its directory is longer than it is said to be; {_AGAIN}")
        count += 1
        if count > MAX_MEMBERS:
            raise Broken("too_large", f"holds more than {MAX_MEMBERS:,} members, the most we read")
        name = file.read(name_length)
        packed, size, start = wide_sizes(file.read(extra_length), packed, size, start)
        yield Entry(name, system, flags, method, day << 16 | clock, crc, packed, size, attributes, start)
    # Without zip64 the number has 16 bits, and macOS packs more than 65,535 files without it.
    if (count - directory.entries) % (1 << 16):
        raise Broken("header_lies", f"its directory holds {count:,} members and claims {directory.entries:,}")


def overlapping(file: ByteFile, directory: Directory) -> npt.NDArray[np.bool_]:
    """For each entry, whether its bytes are also another's, or outside the file: how a small zip holds petabytes.

    Keeps 17 bytes an entry.
    """
    starts, ends = array("q"), array("q")
    for entry in read_directory(file, directory):
        starts.append(min(entry.start, 1 << 62))
        ends.append(min(entry.start + LOCAL.size + len(entry.name) + entry.packed, 1 << 62))
    start, end = np.array(starts, np.int64), np.array(ends, np.int64)
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    bad = end > directory.start
    if len(start) > 1:
        bad[1:] |= np.maximum.accumulate(end)[:-1] > start[1:]
        bad[:-1] |= end[:-1] > start[1:]
    found = np.empty(len(bad), np.bool_)
    found[order] = bad
    return found


def wide_sizes(extra: bytes, packed: int, size: int, start: int) -> tuple[int, int, int]:
    """Sizes and place with those of the zip64 field put in, where the short ones say so."""
    short = 0xFFFFFFFF
    if short not in (packed, size, start):
        return packed, size, start
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            wide = list(struct.unpack(f"<{len(field) // 8}Q", field[: len(field) // 8 * 8]))
            if len(wide) < (size == short) + (packed == short) + (start == short):
                break
            size = wide.pop(0) if size == short else size
            packed = wide.pop(0) if packed == short else packed
            start = wide.pop(0) if start == short else start
            return packed, size, start
        at += 4 + length
    raise Broken("header_lies", "an entry of its directory says that its sizes are in a zip64 field, and has none")
