"""Acclaim motions (`.amc`): frame after frame, a number and then one line per bone with the values of its `dof`.

A motion means nothing without its skeleton (`motionunion.formats.asf`). The format stores no frame rate; some exporters write
`:SAMPLES-PER-SECOND`, which is read.

Shapes: T frames, J joints of the skeleton, C values per frame.
"""

from __future__ import annotations

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
from motionunion.formats.asf import Asf
from motionunion.formats.frame_rate import FASTEST_HZ
from motionunion.formats.text_numbers import NotANumberError, Words
from motionunion.formats.workspace import Workspace

_BLOCK_BYTES = 128 << 10
_MOST_BYTES_A_WORD = 64
_WORKSPACE = Workspace()
_RATE = re.compile(rb"\d{1,6}(?:\.\d{0,9})?")
_KEYWORDS = {b":FULLY-SPECIFIED", b":DEGREES", b":RADIANS", b":SAMPLES-PER-SECOND"}


@dataclass(frozen=True, slots=True, eq=False)
class Amc:
    """A motion file as it stands: the unit and axes of its skeleton."""

    asf: Asf
    fps: Fraction | None
    """None where the file does not say."""
    degrees: bool
    values_TC: npt.NDArray[np.float64]
    """The joints' values, joint after joint in the skeleton's order (whatever the file's own is)."""

    def _values(self, joint: int, kind: str) -> tuple[str, npt.NDArray[np.float64]]:
        """Axes (`XYZ`) of one joint's turns (`r`) or shifts (`t`), and their columns."""
        start = sum(len(dofs) for dofs in self.asf.dofs[:joint])
        dofs = self.asf.dofs[joint]
        columns = [start + k for k, dof in enumerate(dofs) if dof[0] == kind]
        return "".join(dof[1].upper() for dof in dofs if dof[0] == kind), self.values_TC[:, columns]

    def quats_TJ4(self) -> npt.NDArray[np.float64]:
        """Local rotations, wxyz, unit length; identity for a fixed bone.

        The turns are about the fixed axes of the joint's own frame, the first one first: M = Rz Ry Rx for `rx ry rz`. With that
        frame C the joint turns by C M C^-1.
        """
        quats = np.zeros((len(self.values_TC), len(self.asf.dofs), 4))
        quats[..., 0] = 1.0
        for joint in range(len(self.asf.dofs)):
            axes, angles = self._values(joint, "r")
            if axes:
                radians = np.deg2rad(angles) if self.degrees else angles
                frame = self.asf.axes_J4[joint]
                turn = rotation.from_euler(radians[:, ::-1], axes[::-1])
                quats[:, joint] = rotation.multiply(rotation.multiply(frame, turn), rotation.conjugate(frame))
        return quats

    def root_T3(self) -> npt.NDArray[np.float64]:
        """Position of the root; a component that the skeleton does not move is 0."""
        root = np.zeros((len(self.values_TC), 3))
        axes, values = self._values(0, "t")
        root[:, ["XYZ".index(axis) for axis in axes]] = values
        return root


def read_amc(path: Path, asf: Asf) -> Amc:
    """Read one motion of a skeleton.

    Raises:
        SourceFormatError: With file and line. `reason` is one of `unreadable`, `not_amc`, `bad_frame_time`, `bad_value`,
            `non_finite`, `truncated`, `no_frames`, `wrong_skeleton`.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise SourceFormatError(path, f"cannot be read ({err.strerror or err})", reason="unreadable") from err
    return _Reader(path, data.removeprefix(b"\xef\xbb\xbf"), asf).read()


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things stand among the words of a frame; every frame of a file has its first one's layout."""

    words: int
    names: tuple[bytes, ...]
    columns: npt.NDArray[np.int64]
    """Columns of the names."""
    values: npt.NDArray[np.int64]
    """Columns of the values, joint after joint in the skeleton's order."""


class _Reader:
    """One pass over one file's bytes."""

    def __init__(self, path: Path, data: bytes, asf: Asf) -> None:
        self.path, self.data, self.asf = path, data, asf
        self.degrees = asf.degrees
        self.fps: Fraction | None = None

    def fail(self, problem: str, position: int, reason: str) -> NoReturn:
        line = self.data.count(b"\n", 0, position) + 1
        raise SourceFormatError(self.path, problem, line=line, reason=reason)

    def read(self) -> Amc:
        position = self._head()
        layout = self._first_frame(position)
        parts = list(self._frames(position, layout))
        return Amc(self.asf, self.fps, self.degrees, np.concatenate(parts))

    def _head(self) -> int:
        """Comments and keywords; gives back where the first frame begins."""
        position, words = 0, [b"#"]
        while not words or words[0].startswith((b"#", b":")):
            if position == len(self.data):
                self.fail("the file ends before its first frame: copy it again", position, "truncated")
            begin, position = position, self.data.find(b"\n", position) + 1 or len(self.data)
            words = self.data[begin:position].split()
            if words and words[0].startswith(b":"):
                self._keyword(words, begin)
        return begin

    def _keyword(self, words: list[bytes], position: int) -> None:
        keyword = words[0].upper()
        if keyword not in _KEYWORDS:
            self.fail(f"unknown keyword {_quoted(words[0])}: this is not an Acclaim motion", position, "not_amc")
        if keyword in (b":DEGREES", b":RADIANS"):
            self.degrees = keyword == b":DEGREES"
        elif keyword == b":SAMPLES-PER-SECOND":
            self.fps = self._rate(words[1:], position)

    def _rate(self, words: list[bytes], position: int) -> Fraction:
        # Digits alone: a fraction of 1e999999999 would be computed to its last digit.
        rate = Fraction(words[0].decode()) if len(words) == 1 and _RATE.fullmatch(words[0]) else Fraction(0)
        if not 0 < rate <= FASTEST_HZ:
            self.fail(f"no rate of frames: {_quoted(b' '.join(words))}", position, "bad_frame_time")
        return rate

    def _first_frame(self, position: int) -> _Layout:
        """Read the names of the first frame: they give the order of the bones."""
        dofs = dict(zip(self.asf.skeleton.names, self.asf.dofs, strict=True))
        waiting = {name.encode() for name, own in dofs.items() if own}
        most = 1 + sum(1 + len(own) for own in dofs.values())
        words = Words(self.data[position : position + _MOST_BYTES_A_WORD * most])
        first = words.text(0) if len(words) else self.data[position : position + 40]  # which is control characters
        if not first.isdigit():
            self.fail(f"expected a frame's number, found {_quoted(first)}", position, "not_amc")
        columns: dict[str, range] = {}
        names: dict[bytes, int] = {}
        column = 1
        while waiting:
            if column >= len(words):
                self.fail("the file ends within its first frame: copy it again", len(self.data), "truncated")
            word = words.text(column)
            if word not in waiting:
                missing = ", ".join(sorted(name.decode() for name in waiting)[:3])
                self.fail(
                    f"{_quoted(word)} where the skeleton has one of {missing}: this is another skeleton's motion, or a bone has "
                    "more or fewer values than its `dof`",
                    position + words.offset(column),
                    "wrong_skeleton",
                )
            waiting.remove(word)
            name = word.decode()
            names[word] = column
            columns[name] = range(column + 1, column + 1 + len(dofs[name]))
            column += 1 + len(dofs[name])
        if len(words) < column:
            self.fail("the file ends within its first frame: copy it again", len(self.data), "truncated")
        values = [k for name in self.asf.skeleton.names for k in columns.get(name, ())]
        return _Layout(column, tuple(names), np.array([*names.values()]), np.array(values))

    def _frames(self, position: int, layout: _Layout) -> Iterator[npt.NDArray[np.float64]]:
        """Values of some frames at a time, so that the memory for parsing does not grow with the file."""
        number: float | None = None
        size = _BLOCK_BYTES
        while position < len(self.data):
            last = position + size >= len(self.data)
            words = Words(memoryview(self.data)[position : position + size], _WORKSPACE)
            # Where the block was cut, its last word may be half of one.
            frames = (len(words) - (not last)) // layout.words
            if frames:
                values = self._values(words, frames, layout, position, number)
                number = values[-1, 0]
                yield values[:, 1:]
            left = frames * layout.words
            if last:
                if left < len(words):
                    self.fail(
                        "the last frame is shorter than the first: copy the file again", len(self.data), "truncated"
                    )
                return
            position += words.offset(left) if len(words) else size
            size = _BLOCK_BYTES if frames else 2 * size

    def _values(
        self, words: Words, frames: int, layout: _Layout, position: int, number: float | None
    ) -> npt.NDArray[np.float64]:
        firsts = np.arange(frames)[:, None] * layout.words
        same = words.equal(firsts + layout.columns, layout.names)
        frame, bone = divmod(int(np.argmin(same)), len(layout.names))
        wrong = len(words) if same.all() else int(firsts[frame, 0] + layout.columns[bone])
        wanted = np.concatenate([firsts, firsts + layout.values], axis=1)
        try:
            values = words.numbers(wanted.ravel()).reshape(frames, -1)
        except NotANumberError as err:
            word = int(wanted.ravel()[err.word])
            if word < wrong:
                self.fail(f"{_quoted(err.text)} is not a number", position + words.offset(word), "bad_value")
        if wrong < len(words):
            expected = _quoted(layout.names[bone])
            found = _quoted(words.text(wrong))
            self.fail(
                f"expected {expected}, as in the first frame, found {found}",
                position + words.offset(wrong),
                "bad_value",
            )
        start = values[0, 0] if number is None else number + 1
        if not (values[:, 0] == start + np.arange(frames)).all():
            frame = int(np.argmax(values[:, 0] != start + np.arange(frames)))
            self.fail(
                f"frame {values[frame, 0]:g} follows frame {start + frame - 1:g}: frames are missing or out of order",
                position + words.offset(int(firsts[frame, 0])),
                "bad_value",
            )
        if not np.isfinite(values).all():
            place = int(wanted.ravel()[np.argmin(np.isfinite(values))])
            self.fail(f"value {_quoted(words.text(place))} is not finite", position + words.offset(place), "non_finite")
        return values


def _quoted(word: bytes) -> str:
    return repr(word[:40].decode("utf-8", "replace"))
