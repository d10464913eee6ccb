"""The small TOML file that says what arrays of joint positions mean: joints, frame rate, unit, axes.

    [arrays]
    name = "my_lab"                      # part of every key; letters, digits, - and _
    files = ["*.npy", "more/*.npz"]      # below this file; all .npy, .npz, .h5 and .hdf5 there if left out
    array = "positions"                  # which array, in npz, HDF5 (`group/array`) and JSON; `*` = every one there is
    order = "frames joints xyz"          # what the array's axes are; also `people`, and `joints_xyz` for both in one
    fps = 30                             # or "30000/1001", { array = "rate" }, { seconds_per_frame = "take1@dt" }
    up = "z"                             # x y z -x -y -z, or "measured"
    unit_m = 0.01                        # metres per unit, or "measured"
    hand = "right"                       # "left" for left-handed axes
    skeleton = "smpl22"                  # or a known skeleton; else [joints] and [map] below, as in docs/skeletons.md
    group = "(session\\d+)"              # optional: what a key's match says was recorded together
    licence = "CC-BY-4.0"                # optional

Nothing is guessed: what is missing is an error that names the key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

from motionunion.errors import ConfigError, SourceFormatError
from motionunion.formats.frame_rate import exact_rate
from motionunion.formats.toml_text import parse_toml
from motionunion.joint_map import JointMap
from motionunion.joint_map_form import parse_joint_map
from motionunion.joint_maps import JOINT_MAPS
from motionunion.measure import AXES
from motionunion.skeleton import SMPL22_NAMES
from motionunion.world_frame import MEASURED

MAX_BYTES = 1 << 20
SUFFIXES = (".npy", ".npz", ".h5", ".hdf5", ".json")

_KEYS = frozenset(
    ("name", "files", "array", "order", "fps", "up", "unit_m", "hand", "skeleton", "group", "licence")
)  # fmt: skip
_MOST = 1e9
_AXES = ("frames", "people", "joints", "xyz", "joints_xyz")
_RATIO = re.compile(r"\s*[0-9]{1,9}(?:\.[0-9]{1,9}|/[0-9]{1,9})?\s*")


@dataclass(frozen=True, slots=True)
class Rate:
    """Frames per second: said outright, or where in each file it stands."""

    fps: Fraction | None = None
    place: str | None = None
    """An array, or `group@attribute`."""
    inverse: bool = False
    """It holds seconds per frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayDescription:
    """What one description says."""

    name: str
    files: tuple[str, ...]
    array: str | None
    order: tuple[str, ...]
    rate: Rate
    up: str
    unit_m: float | None
    left_handed: bool
    joint_map: JointMap | None
    """None: the 22 SMPL joints, first in every array."""
    group: re.Pattern[str] | None
    licence: str | None

    @property
    def skeleton_id(self) -> str:
        """As in `motionunion.clip.RawClip`."""
        return "smpl22" if self.joint_map is None else self.joint_map.skeleton_id

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the joints, in the order of the arrays."""
        return SMPL22_NAMES if self.joint_map is None else self.joint_map.names[0]


def is_description(head: bytes) -> bool:
    """Whether a TOML file begins as a description: it has the table `[arrays]`."""
    return re.search(rb"^[ \t]*\[arrays\][ \t]*(#.*)?\r?$", head, re.MULTILINE) is not None


def read_description(path: Path) -> ArrayDescription:
    """Read a description.

    Raises:
        SourceFormatError: `bad_description`, naming the key and what belongs there; `unknown_frame_rate`, `unknown_axis` or
            `unknown_unit` for what it must say and does not.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SourceFormatError(path, f"has more than {MAX_BYTES:,} bytes", reason="too_large")
        form = parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceFormatError(path, f"cannot be read ({error.strerror or error})", reason="unreadable") from error
    except UnicodeDecodeError as error:
        raise SourceFormatError(path, "is not UTF-8 text; save it as UTF-8", reason="not_utf8") from error
    except ValueError as error:
        raise SourceFormatError(path, f"is no TOML ({error})", reason="bad_description") from error
    return _Form(form, path).description()


def _is_amount(value: Any) -> TypeGuard[float]:
    """Whether a value is a number above 0, within reason: TOML's integers have no bound."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MOST


class _Form:
    def __init__(self, form: Mapping[str, Any], path: Path) -> None:
        self.path = path
        arrays = form.get("arrays")
        if not isinstance(arrays, dict):
            self.fail("arrays", "must be a table")
        self.map_form = {key: value for key, value in form.items() if key != "arrays"}
        self.arrays: Mapping[str, Any] = arrays
        unknown = sorted(self.arrays.keys() - _KEYS)
        if unknown:
            self.fail(unknown[0], f"is no key of a description; there are {', '.join(sorted(_KEYS))}")

    def fail(self, key: str, problem: str, reason: str = "bad_description") -> NoReturn:
        raise SourceFormatError(self.path, f"arrays.{key} {problem}", reason=reason)

    def description(self) -> ArrayDescription:
        name = self.text("name")
        if name is None or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            self.fail("name", f"is {name!r}; a name of letters, digits, - and _ is needed, for it is part of every key")
        hand = self.text("hand")
        if hand not in (None, "left", "right"):
            self.fail("hand", f'is {hand!r}, neither "right" nor "left"')
        return ArrayDescription(
            name=name,
            files=self.files(),
            array=self.text("array"),
            order=self.order(),
            rate=self.rate(),
            up=self.up(),
            unit_m=self.unit_m(),
            left_handed=hand == "left",
            joint_map=self.joint_map(),
            group=self.group(),
            licence=self.text("licence"),
        )

    def text(self, key: str) -> str | None:
        value = self.arrays.get(key)
        if value is not None and not isinstance(value, str):
            self.fail(key, f"is {value!r}, not a text")
        return value

    def files(self) -> tuple[str, ...]:
        # JSON holds labels more often than motion: it is read where it is named.
        patterns = self.arrays.get("files", [f"**/*{suffix}" for suffix in SUFFIXES if suffix != ".json"])
        patterns = [patterns] if isinstance(patterns, str) else patterns
        if not isinstance(patterns, list) or not patterns or not all(isinstance(p, str) and p for p in patterns):
            self.fail("files", "must be a pattern of file names, or a list of them")
        for pattern in patterns:
            if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
                self.fail("files", f"names {pattern!r}; files lie below the description")
        return tuple(patterns)

    def order(self) -> tuple[str, ...]:
        words = tuple((self.text("order") or "frames joints xyz").split())
        both = "joints_xyz" in words
        needed = {"frames", "joints_xyz"} if both else {"frames", "joints", "xyz"}
        if len(set(words)) < len(words) or not needed <= set(words) <= needed | {"people"}:
            self.fail("order", f"is {' '.join(words)!r}; it names each axis once, of {', '.join(_AXES)}")
        return words

    def rate(self) -> Rate:
        value = self.arrays.get("fps")
        if value is None:
            self.fail("fps", "is missing, and a frame rate is never guessed: say it, or where the files say it",
                      "unknown_frame_rate")  # fmt: skip
        if isinstance(value, dict) and len(value) == 1:
            key, place = next(iter(value.items()))
            if key in ("array", "seconds_per_frame") and isinstance(place, str) and place:
                return Rate(place=place, inverse=key == "seconds_per_frame")
        try:
            if isinstance(value, str):
                # 1e999999999 is a fraction too, and would be computed to its last digit.
                fps = Fraction(value) if _RATIO.fullmatch(value) else Fraction(0)
            elif _is_amount(value):
                fps = exact_rate(float(value))
            else:
                fps = Fraction(0)
        except (ValueError, ZeroDivisionError):
            fps = Fraction(0)
        if fps <= 0:
            self.fail(
                "fps", f'is {value!r}; frames per second, or {{ array = "..." }}, or {{ seconds_per_frame = "..." }}'
            )
        return Rate(fps=fps)

    def up(self) -> str:
        value = self.arrays.get("up")
        if value is None:
            self.fail("up", f'is missing: which axis points up, of {", ".join(AXES)}; or "measured", to have the motion tell',
                      "unknown_axis")  # fmt: skip
        if value not in (*AXES, MEASURED):
            self.fail("up", f"is {value!r}, not one of {', '.join((*AXES, MEASURED))}")
        return str(value)

    def unit_m(self) -> float | None:
        value = self.arrays.get("unit_m")
        if value is None:
            self.fail("unit_m", 'is missing: metres per unit (0.01 for centimetres); or "measured", to have the motion tell',
                      "unknown_unit")  # fmt: skip
        if value == MEASURED:
            return None
        if not _is_amount(value):
            self.fail("unit_m", f"is {value!r}, not a number of metres above 0")
        return float(value)

    def joint_map(self) -> JointMap | None:
        known = self.text("skeleton")
        if (known is None) == (not self.map_form):
            self.fail("skeleton", "or the tables [joints] and [map] must be there, and not both")
        if known == "smpl22":
            return None
        if known is not None:
            if known not in JOINT_MAPS:
                self.fail("skeleton", f"is {known!r}; known are smpl22, {', '.join(sorted(JOINT_MAPS))}")
            return JOINT_MAPS[known]
        try:
            return parse_joint_map(self.map_form, self.path.stem, self.path.name)
        except ConfigError as error:
            raise SourceFormatError(self.path, str(error), reason="bad_description") from error

    def group(self) -> re.Pattern[str] | None:
        text = self.text("group")
        try:
            return None if text is None else re.compile(text)
        except re.error as error:
            self.fail("group", f"is no regular expression ({error})")
