"""The HIERARCHY part of a BVH file: joints, parents, offsets and channels, with the line of whatever is wrong."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import numpy as np

from motionunion.errors import SourceFormatError
from motionunion.skeleton import Skeleton

_MOTION = re.compile(rb"^[ \t]*MOTION[ \t\r]*$", re.MULTILINE)
_CHANNELS = {f"{axis}{kind}".lower(): f"{axis}{kind}" for kind in ("position", "rotation") for axis in "XYZ"}
_END_SITE = -1
_LONE_BRACES = (["{"], ["}"])

Offset = tuple[float, float, float]


def find_motion(data: bytes) -> re.Match[bytes] | None:
    """The line that says MOTION, where the hierarchy ends."""
    place = data.find(b"MOTION")
    while place >= 0:
        found = _MOTION.match(data, data.rfind(b"\n", 0, place) + 1)
        if found is not None:
            return found
        end = data.find(b"\n", place)
        place = data.find(b"MOTION", end) if end >= 0 else -1
    return None


def parse_hierarchy(path: Path, text: str) -> tuple[Skeleton, tuple[tuple[str, ...], ...]]:
    """Joints and their channels from everything before MOTION.

    Braces may stand anywhere; open joints are kept on a stack, not in recursion, so that depth costs nothing. `End Site`s
    are checked and dropped.

    Raises:
        SourceFormatError: `bad_hierarchy`, with the line.
    """
    tree = _Tree(path)
    for line, row in enumerate(text.split("\n"), start=1):
        tree.line = line
        words = row.split()
        if ("{" in row or "}" in row) and words not in _LONE_BRACES:
            words = row.replace("{", " { ").replace("}", " } ").split()
        while words:
            words = tree.take(words[0], words[1:])
    return tree.finish()


class _Tree:
    """The joints read so far."""

    def __init__(self, path: Path) -> None:
        self.path, self.line = path, 0
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[Offset | None] = []
        self.channels: list[tuple[str, ...] | None] = []
        self.open: list[int] = []
        """Joints whose brace is open, outermost first; `_END_SITE` for an End Site."""
        self.named: int | None = None
        """What was named and waits for its brace."""

    def fail(self, problem: str) -> NoReturn:
        raise SourceFormatError(self.path, problem, line=self.line, reason="bad_hierarchy")

    def take(self, word: str, rest: list[str]) -> list[str]:
        """Understand one statement; gives back the words after it."""
        if word == "{":
            if self.named is None:
                self.fail("a `{` without a joint before it")
            self.open.append(self.named)
            self.named = None
            return rest
        if self.named is not None:
            self.fail(f"expected `{{` after the joint's name, found {word[:40]!r}")
        if word == "}":
            self._close()
            return rest
        if word in ("ROOT", "JOINT", "End"):
            words, rest = _upto("{", rest)
            self._name(word, " ".join(words))
            return rest
        if word in ("OFFSET", "CHANNELS") and self.open:
            words, rest = _upto("}", rest)
            (self._offset if word == "OFFSET" else self._channels)(words)
            return rest
        if word != "HIERARCHY" or self.names:
            self.fail(f"unexpected {word[:40]!r} in the hierarchy")
        return rest

    def finish(self) -> tuple[Skeleton, tuple[tuple[str, ...], ...]]:
        if self.open or self.named is not None or not self.names:
            self.fail("the hierarchy ends before it is complete")
        skeleton = Skeleton(tuple(self.names), tuple(self.parents), np.array(self.offsets, dtype=np.float64))
        return skeleton, tuple(own or () for own in self.channels)

    def _name(self, kind: str, name: str) -> None:
        if kind == "ROOT" and self.names:
            self.fail("a second ROOT: split the file into one per skeleton")
        if kind != "ROOT" and (not self.open or self.open[-1] == _END_SITE):
            self.fail(f"{kind} stands outside a joint")
        if not name:
            self.fail(f"{kind} has no name")
        if kind == "End":
            self.named = _END_SITE
            return
        self.named = len(self.names)
        self.parents.append(self.open[-1] if self.open else -1)
        self.names.append(name)
        self.offsets.append(None)
        self.channels.append(None)

    def _close(self) -> None:
        if not self.open:
            self.fail("a `}` without its `{`")
        joint = self.open.pop()
        if joint != _END_SITE and self.offsets[joint] is None:
            self.fail(f"joint {self.names[joint]!r} has no OFFSET")

    def _offset(self, words: list[str]) -> None:
        try:
            x, y, z = map(float, words)
        except ValueError:
            x = y = z = math.nan
        if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
            self.fail(f"OFFSET needs three finite numbers, found {' '.join(words)[:60]!r}")
        if self.open[-1] != _END_SITE:
            self.offsets[self.open[-1]] = (x, y, z)

    def _channels(self, words: list[str]) -> None:
        joint = self.open[-1]
        if joint == _END_SITE:
            self.fail("an End Site has no CHANNELS")
        if self.channels[joint] is not None:
            self.fail(f"joint {self.names[joint]!r} has CHANNELS twice")
        names = _channel_names(tuple(words))
        if names is None:
            self.fail(f"CHANNELS needs a count and as many different names, found {' '.join(words)[:90]!r}")
        self.channels[joint] = names


@lru_cache(maxsize=64)  # most joints of a file, and of a data set, have the same channels
def _channel_names(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """The channels after their count; None where the two disagree, or for names unknown or twice there."""
    names = tuple(_CHANNELS.get(word.lower(), "") for word in words[1:])
    return names if words[:1] == (str(len(names)),) and all(names) and len(set(names)) == len(names) else None


def _upto(brace: str, words: list[str]) -> tuple[list[str], list[str]]:
    cut = words.index(brace) if brace in words else len(words)
    return words[:cut], words[cut:]
