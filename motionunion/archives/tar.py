"""Members of a tar, in one pass, by a reader of our own: its memory does not grow with what headers claim.

Formats: POSIX.1-1988 (ustar), POSIX.1-2001 (pax: path and size), GNU (long names, base-256 numbers), and v7. Python's own
reader keeps every member in memory, and reads extended headers of whatever length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from motionunion.archives.decoding import Decoded
from motionunion.archives.limits import CHUNK, MAX_NAME_BYTES, MAX_PAX_BYTES, MAX_TAIL
from motionunion.archives.member import Broken, Member, Refusal, bounded_time
from motionunion.archives.names import text_of

_BLOCK = 512
_MAX_EXTENSIONS = 16
"""Headers about one member. Writers use up to four; those without content would otherwise be no member, and cost nothing."""
_FILES = b"0\x007"
_WITHOUT_CONTENT = {
    b"1": "hard link", b"2": "symbolic link", b"3": "character device", b"4": "block device", b"5": "folder", b"6": "named pipe",
    b"V": "folder",
}  # fmt: skip


@dataclass(slots=True)
class _Extended:
    """What extended headers say of the member that follows them."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False
    problem: Refusal | None = None


def tar_members(stream: Decoded) -> Iterator[Member]:
    """Members in the order of the archive. Raises `Broken` where a header cannot be followed, or the file ends."""
    extended = _Extended()
    extensions = 0
    first = True
    while (block := _header_block(stream, first)) is not None:
        first = False
        kind, size = block[156:157], _number(block[124:136], "size")
        if kind in (b"x", b"X", b"L", b"K", b"g"):
            extensions += 1
            if extensions > _MAX_EXTENSIONS:
                raise Broken("header_lies", f"has more than {_MAX_EXTENSIONS} headers for one member")
            _read_extension(stream, kind, size, extended)
            continue
        yield from _member(stream, block, kind, extended)
        extended, extensions = _Extended(), 0
    _read_tail(stream)


def _read_tail(stream: Decoded) -> None:
    """Read up to the checksum at the packing's end. Raises `Broken` where a tar does not end like this: a download that
    broke off, in a file that was given its length before, holds zeros where there should be members."""
    left = MAX_TAIL
    while left > 0 and (block := stream.read(_BLOCK)):
        left -= len(block)
        if len(block) == _BLOCK and block.strip(b"\0") and _has_checksum(block):
            raise Broken(
                "corrupt", "holds members behind a block of zeros, which is where a tar ends: copy or download it again"
            )
    if stream.read(1):
        raise Broken("corrupt", f"goes on for more than {MAX_TAIL:,} bytes behind its end: copy or download it again")


def _member(stream: Decoded, block: bytes, kind: bytes, extended: _Extended) -> Iterator[Member]:
    size = _number(block[124:136], "size") if extended.size is None else extended.size
    sparse = extended.sparse or kind == b"S"
    if kind == b"S":
        more = block[482]
        while more:
            more = _exactly(stream, _BLOCK, "a header")[504]
            stream.spend(_BLOCK)
    name, problem = _name(block, extended)
    what = _WITHOUT_CONTENT.get(kind, "file" if kind in _FILES or sparse else f"tar entry of type {kind!r}")
    if what == "file" and name.endswith("/"):
        what = "folder"  # as tar wrote folders before it had a type for them
    if kind in _WITHOUT_CONTENT:
        size = 0
    if sparse and problem is None:
        problem = Refusal("unsupported", "it is stored as a sparse file; pack it again without --sparse")
    content = _content(stream, size)
    mtime = bounded_time(_number(block[136:148], "time"))
    yield Member(name, what, size, mtime, content, problem)
    for _ in content:
        pass
    _exactly(stream, -size % _BLOCK, "the padding behind a member")


def _content(stream: Decoded, size: int) -> Iterator[bytes]:
    left = size
    while left:
        data = stream.read(min(left, CHUNK))
        if not data:
            raise Broken("truncated", f"ends {left:,} bytes before the end of a member: copy or download it again")
        stream.spend(len(data))
        left -= len(data)
        yield data


def _header_block(stream: Decoded, first: bool) -> bytes | None:
    """The next header; None at the end: a block of zeros, or, as some writers leave it, the end of the file."""
    block = stream.read(_BLOCK)
    if len(block) == _BLOCK and not block.strip(b"\0"):
        return None
    if not block and not first:
        return None
    if len(block) < _BLOCK:
        if first:
            raise Broken("not_tar", "is no tar archive")
        raise Broken("truncated", "ends inside a header: copy or download it again")
    if not _has_checksum(block):
        if first:
            raise Broken("not_tar", "is no tar archive: its first header does not have its checksum")
        raise Broken("corrupt", "a header does not have its checksum: copy or download it again")
    return block


def _has_checksum(block: bytes) -> bool:
    """Whether a block has the sum of its bytes (of signed ones, as old programs took it) where headers have it."""
    plain = block[:148] + b" " * 8 + block[156:]
    signed = sum(plain) - 256 * sum(byte > 127 for byte in plain)
    try:
        stated = int(block[148:156].strip(b" \0") or b"-1", 8)
    except ValueError:
        return False
    return stated in (sum(plain), signed)


def _number(field: bytes, what: str) -> int:
    """An octal number, or one in base 256. Raises `Broken` where it is neither, or a negative size."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=True) if field[0] == 0xFF else int.from_bytes(field[1:], "big")
    else:
        try:
            value = int(field.split(b"\0")[0].strip() or b"0", 8)
        except ValueError as error:
            raise Broken("header_lies", f"a header has a {what} that is no number ({field[:12]!r})") from error
    if what == "size" and not 0 <= value < 1 << 63:
        raise Broken("header_lies", f"a header has an impossible size ({value:,} bytes)")
    return value


def _name(block: bytes, extended: _Extended) -> tuple[str, Refusal | None]:
    name = extended.name
    if name is None:
        name = block[:100].split(b"\0")[0]
        prefix = block[345:500].split(b"\0")[0] if block[257:263] == b"ustar\0" else b""
        name = prefix + b"/" + name if prefix else name
    try:
        return text_of(name), extended.problem
    except Refusal as refusal:
        return name.decode("utf-8", "backslashreplace"), extended.problem or refusal


def _read_extension(stream: Decoded, kind: bytes, size: int, extended: _Extended) -> None:
    """Take in a header that speaks of the next member. One of absurd length is passed over, and the member refused."""
    most = MAX_PAX_BYTES if kind in b"xXg" else MAX_NAME_BYTES + 1
    if size > most:
        for _ in _content(stream, size):
            pass
        _exactly(stream, -size % _BLOCK, "the padding behind a header")
        if kind in b"xXL":
            extended.problem = Refusal(
                "header_lies", f"the header of a member has {size:,} bytes; {most:,} are the most we read"
            )
        return
    data = b"".join(_content(stream, size))
    _exactly(stream, -size % _BLOCK, "the padding behind a header")
    if kind == b"L":
        extended.name = data.split(b"\0")[0]
    elif kind in b"xX":
        _read_pax(data, extended)


def _read_pax(data: bytes, extended: _Extended) -> None:
    """Records `<length> <key>=<value>\\n`, the length counting itself."""
    at = 0
    while at < len(data):
        digits, space, _ = data[at : at + 20].partition(b" ")
        if not space or not digits.isdigit():
            raise Broken("header_lies", "an extended header is not made of records")
        record = data[at : at + int(digits)]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if int(digits) != len(record) or not equals or record[-1:] != b"\n":
            raise Broken("header_lies", "an extended header holds a record of the wrong length")
        at += len(record)
        if key == b"path":
            extended.name = value
        elif key == b"size":
            if not value.isdigit() or len(value) > 18:
                raise Broken("header_lies", f"an extended header has an impossible size ({value[:30]!r})")
            extended.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            extended.sparse = True


def _exactly(stream: Decoded, size: int, what: str) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise Broken("truncated", f"ends inside {what}: copy or download it again")
    return data
