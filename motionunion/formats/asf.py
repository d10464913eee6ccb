"""Acclaim skeletons (`.asf`): a tree of bones with directions, lengths and the axes in which their motion is given.

Motions of the skeleton are separate files (`motionunion.formats.amc`). Bones become joints as in BVH: a joint named after a
bone lies where that bone begins, at the end of its parent's, and turns it. So the end of an outermost bone is no joint.
At rest every joint's axes are the file's own, and bones point along their `direction`.

The reading follows Acclaim's "ASF/AMC file format" notes as the CMU database uses them: `axis a b c XYZ` are turns about
the fixed axes, X first; `dof` lists the motion's values of a bone in file order, which is the order of the turns too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.errors import SourceFormatError
from motionunion.skeleton import Skeleton

_SECTIONS = ("version", "name", "units", "documentation", "root", "bonedata", "hierarchy", "skin")
_TURNS = ("rx", "ry", "rz")
_SHIFTS = ("tx", "ty", "tz")
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Asf:
    """A skeleton file as it stands: the file's own unit and axes."""

    skeleton: Skeleton
    """`root` and the bones, every parent before its children; offsets in the file's unit."""
    axes_J4: npt.NDArray[np.float64]
    """Rotation (wxyz) of the axes in which each joint's motion is given."""
    dofs: tuple[tuple[str, ...], ...]
    """What a motion gives per joint, in file order: `rx` ... `rz`, for the root `tx` ... `tz` too; () for a fixed bone."""
    degrees: bool
    length: float
    """The `length` of the units section (1 where there is none). In the CMU database 1 / `length` inches are one unit."""


def read_asf(path: Path) -> Asf:
    """Read one skeleton.

    Raises:
        SourceFormatError: With file and line. `reason` is one of `unreadable`, `not_asf`, `not_utf8`, `too_large`, `truncated`,
            `bad_skeleton`.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise SourceFormatError(path, f"{size:,} bytes: no skeleton is that large", reason="too_large")
        data = path.read_bytes()
    except OSError as err:
        raise SourceFormatError(path, f"cannot be read ({err.strerror or err})", reason="unreadable") from err
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise SourceFormatError(path, "not UTF-8 text: save the file as UTF-8", line=line, reason="not_utf8") from err
    return _Parser(path, text).finish()


@dataclass(slots=True)
class _Bone:
    name: str = ""
    direction: tuple[float, ...] = (0.0, 0.0, 0.0)
    length: float = 0.0
    axis: tuple[float, ...] = (0.0, 0.0, 0.0)
    axis_order: str = "XYZ"
    dofs: tuple[str, ...] = ()
    seen: set[str] = field(default_factory=set)


class _Parser:
    """One pass over the lines; each section has its own method, which is given one line's words."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.line = path, 0
        self.degrees, self.length = True, 1.0
        self.bones: dict[str, _Bone] = {"root": _Bone("root")}
        self.children: dict[str, list[str]] = {}
        self.open: _Bone | None = None
        self.sections: set[str] = set()
        self.text = text

    def fail(self, problem: str, reason: str = "bad_skeleton") -> NoReturn:
        raise SourceFormatError(self.path, problem, line=self.line, reason=reason)

    def finish(self) -> Asf:
        take: Callable[[list[str]], None] | None = None
        takers = {
            "units": self._units, "root": self._root, "bonedata": self._bone_line, "hierarchy": self._hierarchy,
        }  # fmt: skip
        for line, row in enumerate(self.text.splitlines(), start=1):
            self.line = line
            words = row.split("#", 1)[0].split()
            if not words:
                continue
            if words[0].startswith(":"):
                section = words[0][1:].lower()
                if section not in _SECTIONS:
                    self.fail(f"unknown section {words[0][:40]!r}: this is not an Acclaim skeleton", "not_asf")
                if section in self.sections:
                    self.fail(f"section {words[0]} stands twice")
                self.sections.add(section)
                take = takers.get(section)
            elif not self.sections:
                self.fail("no `:version` or other section at the start: this is not an Acclaim skeleton", "not_asf")
            elif take is not None:
                take(words)
        missing = [f":{name}" for name in ("root", "bonedata", "hierarchy") if name not in self.sections]
        if missing:
            self.fail(f"the file ends without {', '.join(missing)}: copy it again", "truncated")
        if self.open is not None:
            self.fail("the file ends within a bone: copy it again", "truncated")
        return self._tree()

    def _numbers(self, words: list[str], count: int, what: str) -> tuple[float, ...]:
        try:
            values = tuple(float(word) for word in words[:count])
        except ValueError:
            values = ()
        if len(values) != count or not all(map(math.isfinite, values)):
            self.fail(f"{what} needs {count} finite numbers, found {' '.join(words)[:60]!r}")
        return values

    def _units(self, words: list[str]) -> None:
        if words[0] == "length":
            (self.length,) = self._numbers(words[1:], 1, "length")
            if self.length <= 0:
                self.fail("the unit of length must be above 0")
        elif words[0] == "angle":
            if words[1:] not in (["deg"], ["rad"]):
                self.fail(f"angle must be deg or rad, found {' '.join(words[1:])[:40]!r}")
            self.degrees = words[1] == "deg"

    def _root(self, words: list[str]) -> None:
        root, keyword = self.bones["root"], words[0].lower()
        if keyword == "order":
            root.dofs = self._dofs(words[1:], (*_SHIFTS, *_TURNS))
        elif keyword == "axis":
            root.axis_order = self._order(words[1:])
        elif keyword in ("position", "orientation") and any(self._numbers(words[1:], 3, keyword)):
            self.fail(f"a root with a {keyword} of its own is not read: export the skeleton with {keyword} 0 0 0")

    def _bone_line(self, words: list[str]) -> None:
        keyword, bone = words[0].lower(), self.open
        if keyword == "begin":
            if bone is not None:
                self.fail("a bone begins within a bone")
            self.open = _Bone()
        elif bone is None:
            self.fail(f"expected `begin` before {words[0][:40]!r}")
        elif keyword == "end":
            if not bone.name or not {"direction", "length"} <= bone.seen:
                self.fail("a bone needs a name, a direction and a length")
            self.bones[bone.name] = bone
            self.open = None
        else:
            self._bone_entry(bone, keyword, words[1:])
            bone.seen.add(keyword)

    def _bone_entry(self, bone: _Bone, keyword: str, words: list[str]) -> None:
        if keyword == "name":
            if len(words) != 1 or words[0] in self.bones:
                self.fail(f"a bone needs one name of its own, found {' '.join(words)[:60]!r}")
            bone.name = words[0]
        elif keyword == "direction":
            bone.direction = self._numbers(words, 3, "direction")
            if abs(math.hypot(*bone.direction) - 1) > 0.01:
                self.fail(f"direction must have length 1, found {' '.join(words)[:60]!r}")
        elif keyword == "length":
            (bone.length,) = self._numbers(words, 1, "length")
            if bone.length < 0:
                self.fail("a bone's length cannot be negative")
        elif keyword == "axis":
            bone.axis, bone.axis_order = self._numbers(words, 3, "axis"), self._order(words[3:])
        elif keyword == "dof":
            bone.dofs = self._dofs(words, _TURNS)

    def _order(self, words: list[str]) -> str:
        if len(words) != 1 or sorted(words[0].upper()) != ["X", "Y", "Z"]:
            self.fail(f"the order of axes must be XYZ or another order of the three, found {' '.join(words)[:40]!r}")
        return words[0].upper()

    def _dofs(self, words: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
        dofs = tuple(word.lower() for word in words)
        if not set(dofs) <= set(known) or len(set(dofs)) != len(dofs):
            self.fail(f"expected some of {' '.join(known)}, each once, found {' '.join(words)[:60]!r}")
        return dofs

    def _hierarchy(self, words: list[str]) -> None:
        if words[0] in ("begin", "end"):
            return
        for name in words:
            if name not in self.bones:
                self.fail(f"bone {name[:40]!r} is not in :bonedata")
        self.children.setdefault(words[0], []).extend(words[1:])

    def _tree(self) -> Asf:
        parents: dict[str, int] = {}
        waiting = [(-1, "root")]
        while waiting:
            parent, name = waiting.pop()
            if name in parents:
                self.fail(f"bone {name[:40]!r} stands twice in :hierarchy")
            waiting += [(len(parents), child) for child in reversed(self.children.get(name, []))]
            parents[name] = parent
        lost = [name for name in self.bones if name not in parents]
        if lost:
            self.fail(f"bone {lost[0][:40]!r} is not joined to the root in :hierarchy")
        bones = [self.bones[name] for name in parents]
        if not any(bone.dofs for bone in bones):
            self.fail("no bone has a `dof`, and the root no `order`: nothing of this skeleton moves")
        ends = np.array([np.multiply(bone.direction, bone.length) for bone in bones])
        offsets = ends[[max(parent, 0) for parent in parents.values()]]
        axes = np.array([self._turned(bone) for bone in bones])
        skeleton = Skeleton(tuple(parents), tuple(parents.values()), offsets)
        return Asf(skeleton, axes, tuple(bone.dofs for bone in bones), self.degrees, self.length)

    def _turned(self, bone: _Bone) -> npt.NDArray[np.float64]:
        angles = np.deg2rad(bone.axis) if self.degrees else np.array(bone.axis)
        return rotation.from_euler(angles[::-1], bone.axis_order[::-1])
