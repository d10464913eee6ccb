"""BVH (Biovision hierarchy) files: a joint tree with rest offsets, then one row of channel values per frame.

The format has no standard; these rules were drawn from the files of some twenty exporters:

- Words are separated by any blanks (tabs, double spaces, CR LF). Joint names may hold spaces. `End Site` is no joint.
- Every joint has channels of its own, in its own order. Rotations are degrees about the moving axes in channel order
  (`Zrotation Xrotation Yrotation`: R = Rz Rx Ry), wherever the position channels stand among them.
- A position channel replaces that component of the joint's OFFSET (Bandai-Namco writes both; adding them would double
  the skeleton).
- Up axis and unit are not stored: whoever knows the exporter knows them.

What a header promises is never allocated: the rows that are there are read, and counted against it.

Shapes: T frames, J joints, C channels.
"""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.errors import SourceFormatError
from motionunion.formats.bvh_hierarchy import find_motion, parse_hierarchy
from motionunion.formats.frame_rate import rate_of_frame_time
from motionunion.formats.text_blocks import LineTooLongError, blocks_of_bytes, blocks_of_file
from motionunion.formats.text_numbers import NotANumberError, Words
from motionunion.formats.workspace import Workspace
from motionunion.skeleton import Skeleton

_FRAMES = re.compile(rb"\s*Frames[ \t]*:[ \t]*(\S*)[^\S\n]*(?:\n|$)", re.IGNORECASE)
_FRAME_TIME = re.compile(rb"\s*Frame[ \t]+Time[ \t]*:[ \t]*(\S*)[^\S\n]*(?:\n|$)", re.IGNORECASE)
_NAME = re.compile(rb"^[ \t]*+(?:ROOT|JOINT)[ \t]++([^\r\n{]*+)(?:\{[^\r\n]*+)?\r?$", re.MULTILINE)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 128 << 10
_BLOCK_BYTES = 256 << 10
_MOST_BYTES_A_VALUE = 64
_MOST_HIERARCHY_BYTES = 16 << 20
_WORKSPACE = Workspace()


@dataclass(frozen=True, slots=True, eq=False)
class Bvh:
    """A BVH file as it stands: the file's own unit, axes and channel values."""

    skeleton: Skeleton
    """Joints in file order with the OFFSETs; `End Site`s left out."""
    channels: tuple[tuple[str, ...], ...]
    """Channel names of each joint, in file order, spelled `Xposition` ... `Zrotation`."""
    fps: Fraction
    values_TC: npt.NDArray[np.float64]
    """Channel values, joint after joint; degrees for rotations."""

    def _columns(self, joint: int) -> dict[str, int]:
        start = sum(len(channels) for channels in self.channels[:joint])
        return {channel: start + k for k, channel in enumerate(self.channels[joint])}

    def quats_TJ4(self) -> npt.NDArray[np.float64]:
        """Local rotations, wxyz, unit length; identity for a joint without rotation channels."""
        quats = np.zeros((len(self.values_TC), len(self.channels), 4))
        quats[..., 0] = 1.0
        by_order: dict[str, list[tuple[int, list[int]]]] = {}
        for joint in range(len(self.channels)):
            turns = [(name[0], column) for name, column in self._columns(joint).items() if name.endswith("rotation")]
            if turns:
                order = "".join(axis for axis, _ in turns)
                by_order.setdefault(order, []).append((joint, [column for _, column in turns]))
        for order, joints in by_order.items():
            angles = self.values_TC[:, [columns for _, columns in joints]]
            quats[:, [joint for joint, _ in joints]] = rotation.from_euler(np.deg2rad(angles), order)
        return quats

    def translations_TJ3(self) -> npt.NDArray[np.float64]:
        """Position of each joint in its parent's frame: the OFFSET, its components replaced by position channels."""
        translations = np.repeat(self.skeleton.offsets_J3[None].astype(np.float64), len(self.values_TC), axis=0)
        for joint in range(len(self.channels)):
            for name, column in self._columns(joint).items():
                if name.endswith("position"):
                    translations[:, joint, "XYZ".index(name[0])] = self.values_TC[:, column]
        return translations

    def has_moving_offsets(self) -> bool:
        """Whether any joint but the first has position channels."""
        return any(name.endswith("position") for channels in self.channels[1:] for name in channels)


def joint_names(head: bytes) -> tuple[str, ...] | None:
    """Ordered joint names from the first bytes of a BVH file; None where no whole hierarchy is in them."""
    motion = find_motion(head)
    if motion is None or not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"HIERARCHY"):
        return None
    return tuple(name.rstrip(b" \t").decode("utf-8", "replace") for name in _NAME.findall(head, 0, motion.start()))


def read_bvh(path: Path) -> Bvh:
    """Read one file.

    Raises:
        SourceFormatError: With file and line, for anything that is not a whole, finite BVH. `reason` is one of
            `unreadable`, `not_bvh`, `not_utf8`, `bad_hierarchy`, `bad_frame_time`, `header_lies`, `truncated`,
            `bad_value`, `non_finite`, `no_frames`.
    """
    try:
        with path.open("rb", buffering=0) as file:
            head, size = file.read(_HEAD_BYTES), os.fstat(file.fileno()).st_size
            if size > len(head) and b"\n" in head and not head.startswith(_BYTE_ORDER_MARK):
                try:
                    return _Reader(path, head, file).read()
                except SourceFormatError:
                    # Whatever is wrong, or merely odd, is judged with all of the file in memory, and its line found there.
                    file.seek(len(head))
            data = head + file.read()
    except OSError as err:
        raise SourceFormatError(path, f"cannot be read ({err.strerror or err})", reason="unreadable") from err
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    return _Reader(path, data.removeprefix(_BYTE_ORDER_MARK)).read()


class _Reader:
    """One pass over one file: `data` is all of it, or its beginning, of which `rest` is read as far."""

    def __init__(self, path: Path, data: bytes, rest: io.FileIO | None = None) -> None:
        self.path, self.data, self.rest = path, data, rest
        self.size = len(data) if rest is None else os.fstat(rest.fileno()).st_size

    def fail(self, problem: str, line: int | None, reason: str) -> NoReturn:
        raise SourceFormatError(self.path, problem, line=line, reason=reason)

    def line_at(self, position: int) -> int:
        return self.data.count(b"\n", 0, position) + 1

    def read(self) -> Bvh:
        motion = find_motion(self.data)
        text = self._text(0, motion.start() if motion else min(len(self.data), 1 << 20))
        if text.split(None, 1)[:1] != ["HIERARCHY"]:
            self.fail("no HIERARCHY at the start: this is not a whole BVH file", 1, "not_bvh")
        if len(text) > _MOST_HIERARCHY_BYTES:
            self.fail(f"{len(text):,} characters before MOTION: no hierarchy is that long", 1, "bad_hierarchy")
        skeleton, channels = parse_hierarchy(self.path, text)
        if motion is None:
            self.fail("the file ends before its MOTION part: copy it again", self.line_at(len(self.data)), "truncated")
        width = sum(len(names) for names in channels)
        if width == 0:
            self.fail("no joint has channels, so there is no motion to read", self.line_at(motion.start()), "no_frames")
        frames, fps, position = self._motion_head(motion.end())
        values = self._rows(position, width, frames)
        return Bvh(skeleton, channels, fps, values)

    def _text(self, start: int, stop: int) -> str:
        try:
            return self.data[start:stop].decode("utf-8")
        except UnicodeDecodeError as err:
            self.fail("not UTF-8 text: save the file as UTF-8", self.line_at(start + err.start), "not_utf8")

    def _motion_head(self, position: int) -> tuple[int, Fraction, int]:
        frames = _FRAMES.match(self.data, position)
        if frames is None:
            self.fail("expected `Frames: <number>` after MOTION", self.line_at(position) + 1, "truncated")
        line = self.line_at(frames.start(1))
        if not frames[1].isdigit() or len(frames[1]) > 18:
            self.fail(f"Frames must be a whole number, found {_quoted(frames[1])}", line, "bad_value")
        frame_time = _FRAME_TIME.match(self.data, frames.end())
        if frame_time is None:
            self.fail("expected `Frame Time: <seconds>` after Frames", line + 1, "truncated")
        try:
            fps = rate_of_frame_time(frame_time[1].decode("ascii", "replace"))
        except ValueError as err:
            self.fail(str(err), self.line_at(frame_time.start(1)), "bad_frame_time")
        if self.rest is not None and frame_time.end() == len(self.data):
            self.fail("the line goes on behind what is in memory", line + 1, "truncated")
        return int(frames[1]), fps, frame_time.end()

    def _rows(self, position: int, width: int, declared: int) -> npt.NDArray[np.float64]:
        line = self.line_at(position)
        # What the header promises, or what the rest of the file has room for if that is less.
        room = min(declared, (self.size - position) // (2 * width) + 1)
        values, rows = np.empty((room, width)), 0
        for block in self._blocks(position, width):
            words = Words(block, _WORKSPACE)
            found = len(words) // width
            fits = rows + found <= room and found * width == len(words)
            # Numbers first: a stray word is a better explanation than the count it spoils.
            self._numbers(words, line, values[rows : rows + found].reshape(-1) if fits else None)
            if not words.in_rows_of(width):
                self._check_rows(words, width, line)
            rows += found
            line += words.line_ends()
        if rows != declared:
            self.fail(
                f"the header declares {declared} frames and {rows} rows follow: copy the file again, or correct "
                "`Frames:`",
                self.line_at(position) - 2,
                "header_lies",
            )
        if rows == 0:
            self.fail("no frames", self.line_at(position), "no_frames")
        return values

    def _blocks(self, position: int, width: int) -> Iterator[memoryview]:
        longest = _MOST_BYTES_A_VALUE * width
        try:
            if self.rest is None:
                yield from blocks_of_bytes(self.data, position, _BLOCK_BYTES, longest)
            else:
                longest = max(longest, _HEAD_BYTES)
                yield from blocks_of_file(self.rest, self.data[position:], _BLOCK_BYTES, longest, _WORKSPACE)
        except LineTooLongError as err:
            line = None if err.position is None else self.line_at(err.position)
            self.fail(f"a line far too long for {width} values: each frame must stand on one", line, "bad_value")

    def _check_rows(self, words: Words, width: int, first_line: int) -> None:
        counts = words.per_line()
        wrong = np.flatnonzero((counts != 0) & (counts != width))
        if not len(wrong):
            return
        line, found = first_line + int(wrong[0]), int(counts[wrong[0]])
        if found < width and line == self.line_at(len(self.data.rstrip())):
            self.fail(f"the file ends within a row ({found} of {width} values): copy it again", line, "truncated")
        self.fail(f"{found} values, expected {width} (one per channel of the hierarchy)", line, "bad_value")

    def _numbers(self, words: Words, first_line: int, out: npt.NDArray[np.float64] | None) -> None:
        def line_of(word: int) -> int:
            return first_line + int(np.searchsorted(np.cumsum(words.per_line()), word, side="right"))

        try:
            values = words.numbers(out=out)
        except NotANumberError as err:
            if not err.text.isascii():
                self._text(0, len(self.data))
            self.fail(f"{_quoted(err.text)} is not a number", line_of(err.word), "bad_value")
        if len(values) and not (math.isfinite(values.min()) and math.isfinite(values.max())):
            word = int(np.argmin(np.isfinite(values)))
            self.fail(f"value {values[word]} is not finite", line_of(word), "non_finite")


def _quoted(word: bytes) -> str:
    return repr(word[:40].decode("utf-8", "replace"))
