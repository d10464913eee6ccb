"""Text in blocks of whole lines, so that the memory for parsing does not grow with the file."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from motionunion.formats.workspace import Workspace

_USUAL_LINE = 4096


class LineTooLongError(ValueError):
    """A line is longer than it may be. `position` is within it, where that is known."""

    def __init__(self, position: int | None) -> None:
        super().__init__(position)
        self.position = position


def blocks_of_bytes(data: bytes, position: int, size: int, longest_line: int) -> Iterator[memoryview]:
    """What `data` has from a position on, in parts of about `size` bytes.

    Raises:
        LineTooLongError: Where a line reaches farther than `longest_line` beyond a part.
    """
    while position < len(data):
        end = position + size
        end = len(data) if end >= len(data) else data.find(b"\n", end) + 1 or len(data)
        if end - position > size + longest_line:
            raise LineTooLongError(position + size)
        yield memoryview(data)[position:end]
        position = end


def blocks_of_file(
    file: io.FileIO, begun: bytes, size: int, longest_line: int, room: Workspace
) -> Iterator[memoryview]:
    """What was read already (no longer than `longest_line`) and all that follows; a block holds until the next is asked for.

    Raises:
        LineTooLongError: For a line longer than `longest_line`, or than what one read gives.
    """
    text = room.array("text", longest_line + size, np.uint8).data
    filled = len(begun)
    text[:filled] = begun
    more = True
    while more:
        found = file.readinto(text[filled : filled + size])
        more = bool(found)
        filled += found or 0
        end = _behind_last_line_end(text, filled, longest_line) if more else filled
        yield text[:end]
        text[: filled - end] = bytes(text[end:filled])
        filled -= end


def _behind_last_line_end(text: memoryview, filled: int, longest_line: int) -> int:
    for reach in (min(_USUAL_LINE, longest_line), longest_line):
        begin = max(0, filled - reach)
        found = bytes(text[begin:filled]).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
    raise LineTooLongError(None)
