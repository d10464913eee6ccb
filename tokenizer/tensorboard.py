"""Event files that TensorBoard reads, written without it.

A file is a row of records: length, checksum of the length, an `Event`, checksum of the event (TensorFlow's TFRecord). An
`Event` is a protocol buffer of wall time (1), step (2), file version (3) and a summary (5) of named numbers, or says that a
session starts (7), whereupon TensorBoard forgets the steps from there on. That is all of either format that curves need.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

POLYNOMIAL = 0x82F63B78
"""Of CRC-32C (Castagnoli), bits reversed."""
MASK_DELTA = 0xA282EAD8
VERSION = b"brain.Event:2"
SESSION_STARTS = b"\x08\x01"
NOT_CURVES = ("kind", "step", "attempt")


def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


TABLE = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes (RFC 3720, appendix B.4)."""
    state = 0xFFFFFFFF
    for byte in data:
        state = state >> 8 ^ TABLE[(state ^ byte) & 0xFF]
    return state ^ 0xFFFFFFFF


def record(event: bytes) -> bytes:
    """One record of an event file."""
    length = struct.pack("<Q", len(event))
    return length + _masked(length) + event + _masked(event)


def curves(entry: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Numbers of a log's entry by name, `kind/...`, those of nested tables and lists too."""
    yield from _numbers(str(entry["kind"]), {key: value for key, value in entry.items() if key not in NOT_CURVES})


class EventFiles:
    """Writes a log's entries into event files: a folder for each attempt, a file for each time that training goes on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[int, BinaryIO] = {}
        self._from = 0

    def heard(self, entry: Mapping[str, Any]) -> None:
        """Write an entry's numbers at its step."""
        attempt = int(entry["attempt"])
        if attempt not in self._files:
            self._files[attempt] = self._begin(attempt)
        values = b"".join(
            _field(1, _field(1, name.encode()) + struct.pack("<Bf", 2 << 3 | 5, value)) for name, value in curves(entry)
        )
        self._write(self._files[attempt], int(entry["step"]), _field(5, values))

    def went_back(self, step: int) -> None:
        """What is written next goes on after this step."""
        self._from = step + 1

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files = {}

    def _begin(self, attempt: int) -> BinaryIO:
        folder = self.folder / f"attempt-{attempt}"
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads the files of a folder in the order of their names.
        file = (folder / f"events.out.tfevents.{time.time_ns():020d}").open("xb")
        self._write(file, 0, _field(3, VERSION))
        if self._from > 1:
            self._write(file, self._from, _field(7, SESSION_STARTS))
        return file

    def _write(self, file: BinaryIO, step: int, content: bytes) -> None:
        stamp = struct.pack("<Bd", 1 << 3 | 1, time.time())
        file.write(record(stamp + bytes([2 << 3]) + _varint(step) + content))
        file.flush()


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(f"{name}/{key}", inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(
            value, start=2
        ):  # what is listed are the second code of a step and those after it
            yield from _numbers(f"{name}/{number}", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + MASK_DELTA) & 0xFFFFFFFF)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
