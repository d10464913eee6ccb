"""Damage that files come by, and damage that somebody does to them: from bytes, other files of the kind and a random source.

Nothing here knows a format but `repacked`, which reaches what lies inside a zip archive: damage to its bytes alone would never
get past the checksums.
"""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Callable, Sequence

MOST_BYTES = 256 << 10
"""Inputs are kept below this size, so that many are tried."""

_TOKENS = (
    b"", b" ", b"\n", b"\r", b"\r\n", b"\t", b"\x00", b"\x1c", b"\xff", b"\xef\xbb\xbf", b"\xc3", b"{", b"}", b"#", b":",
    b"0", b"-0", b"-", b"+1", b".", b"1e400", b"-1e-400", b"nan", b"inf", b"1_0", b"1e5.", b"0x10", b"00", b"1.", b".5",
    b"999999999999999999999999", b"-1", b"2147483648", b"1" * 400, b"0." + b"0" * 300 + b"1", b"ROOT", b"JOINT", b"End Site",
    b"OFFSET", b"CHANNELS 3 Xrotation Yrotation Zrotation", b"CHANNELS 999999999", b"MOTION", b"Frames: 99999999999",
    b"Frame Time: 0", b"HIERARCHY", b":root", b":bonedata", b":hierarchy", b":units", b"begin", b"end", b"dof rx ry rz",
    b"axis 0 0 0 XYZ", b"root", b":FULLY-SPECIFIED", b":DEGREES", b":SAMPLES-PER-SECOND 1e9", b"#nan#inf", b",", b'"', b"null",
    b"[", b"]", b"true", b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY", b"'descr': '|O'", b"'shape': (9999999999,)",
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+\.?\d*(?:e[-+]?\d+)?")


def mutate(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """One to six damages in a row."""
    for _ in range(source.choice((1, 1, 1, 2, 3, 6))):
        data = source.choice(_DAMAGES)(data, others, source)[:MOST_BYTES]
    return data


def repacked(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """A zip archive with one member damaged, renamed, left out or doubled, and with right checksums again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # noqa: BLE001 - damaged before: whatever the reason, the bytes are all there is to damage
        return mutate(data, others, source)
    if not members:
        return mutate(data, others, source)
    which = source.randrange(len(members))
    name, content = members[which]
    kind = source.randrange(6)
    if kind <= 2:
        members[which] = (name, mutate(content, [content for _, content in members], source))
    elif kind == 3:
        members[which] = (source.choice((".npy", "../x.npy", "x" * 300 + ".npy", "a\x00b.npy", "poses")), content)
    elif kind == 4:
        members.append((name, content[: source.randrange(len(content) + 1)]))
    else:
        members[which] = (name, content + bytes(source.randrange(1 << 17)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", source.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, content in dict(members).items():
            archive.writestr(name, content)
    result = packed.getvalue()[:MOST_BYTES]
    return mutate(result, others, source) if source.random() < 0.2 else result


def _place(data: bytes, source: random.Random) -> tuple[int, int]:
    """A stretch, mostly short."""
    start = source.randrange(len(data) + 1)
    return start, min(len(data), start + int(source.expovariate(1 / source.choice((2, 30, 2000)))) + 1)


def _flip(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    if not data:
        return data
    at = source.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << source.randrange(8)]) + data[at + 1 :]


def _delete(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    start, stop = _place(data, source)
    return data[:start] + data[stop:]


def _cut(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    return data[: source.randrange(len(data) + 1)]


def _repeat(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    start, stop = _place(data, source)
    times = min(1 << source.randrange(1, 14), 1 + MOST_BYTES // (stop - start + 1))
    return data[:start] + data[start:stop] * times + data[stop:]


def _insert(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    start, stop = _place(data, source)
    token = source.choice(_TOKENS) * source.choice((1, 1, 1, 2, 5000))
    return data[:start] + token + data[source.choice((start, stop)) :]


def _number(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """Another number in the place of one."""
    start, stop = _place(data, source)
    found = _NUMBER.search(data, start, min(len(data), stop + 200))
    if found is None:
        return data
    digits = b"%d" % source.choice((0, -1, 1, 7, 255, 256, 65536, 2**31 - 1, 2**63, 10**30, source.getrandbits(20)))
    odd = source.choice((digits, digits + b".5", b"1e308", b"nan", b"9" * 400))
    return data[: found.start()] + odd + data[found.end() :]


def _lines(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """Lines that were moved, or line ends of another system."""
    kind = source.randrange(4)
    if kind == 0:
        return data.replace(b"\n", source.choice((b"\r\n", b"\r", b"\n\n", b" ")))
    lines = data.split(b"\n")
    one, other = source.randrange(len(lines)), source.randrange(len(lines))
    if kind == 1:
        lines[one], lines[other] = lines[other], lines[one]
    elif kind == 2:
        del lines[min(one, other) : max(one, other)]
    else:
        lines.insert(one, lines[other])
    return b"\n".join(lines)


def _splice(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """A stretch of another file."""
    other = source.choice(others) if others else data
    start, stop = _place(other, source)
    at, upto = _place(data, source)
    return data[:at] + other[start:stop] + data[source.choice((at, upto)) :]


_DAMAGES: tuple[Callable[[bytes, Sequence[bytes], random.Random], bytes], ...] = (
    _flip, _flip, _delete, _cut, _repeat, _insert, _insert, _number, _number, _lines, _splice,
)  # fmt: skip
