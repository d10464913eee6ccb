"""The form in which joint maps are kept: TOML in, checked to the last key.

title = "My rig"
up = "y"                              # optional, as unit_m: the data set's manifest or measurement may say them
unit_m = 0.01
licence = "CC-BY-4.0"                 # optional, as added_frames: of files that are read by a map of one's own
added_frames = 1                      # frames that the exporter puts before every take (a T-pose)

[joints]
names = ["Hips Spine ..."]            # every known spelling; a list of names where a name holds a blank;
                                      # `LeftFoot.end` is the foot's End Site, and stands after the joints
[map]                                 # each of the 22 SMPL joints: a joint of the file, or
pelvis = "Hips"
spine2 = { rotation = "Spine", start = "Spine", end = "Chest", fraction = 0.5, masked = true, aimed = false }
left_collar = { missing = true }      # between the nearest joints that are there, or as far beyond the last one as on
                                      # the template body; false in `joint_mask`
[rest]                                # left out where the skeleton is known for its positions alone
axes = { "up front" = "Hips Spine" }  # where local X and Y point in the T-pose that faces +Z; others: `left up`
dip_deg = { LeftFoot = 25.1 }         # how far a joint's frame dips below level then
turn_deg = { LeftArm = [0, 0, 12.5] } # what is left: a rotation vector in the world
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from motionunion.errors import ConfigError, MissingInput
from motionunion.formats.toml_text import parse_toml
from motionunion.joint_map import JointMap, Place
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS

UPS = ("x", "y", "z", "-x", "-y", "-z")
_OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up", "front": "back", "back": "front"}
_PLACE_KEYS = {"rotation", "start", "end", "fraction", "masked", "aimed"}
_COLLAR_FRACTION = 0.35
_MOST = 1e9  # no angle or unit is larger, and TOML can write integers that no float holds
"""How far from spine3 to the shoulder a collar lies that a file does not have."""


def read_joint_map(path: Path) -> JointMap:
    """Read a map of one's own; its id is the file's name without `.toml` or `.skeleton.toml`.

    Raises:
        MissingInput: The file cannot be read.
        ConfigError: It is no map: with the file, the key, and what belongs there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingInput(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text: save the map as UTF-8") from error
    try:
        form = parse_toml(text)
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error
    return parse_joint_map(form, path.name.removesuffix(".toml").removesuffix(".skeleton"), str(path))


def parse_joint_map(form: Mapping[str, Any], skeleton_id: str, where: str) -> JointMap:
    """A map from its form; `where` names it in errors. Raises `ConfigError`."""
    return _Form(form, where).joint_map(skeleton_id)


def fill_missing(places: Sequence[Place | None], *, turning: bool = True) -> tuple[Place, ...]:
    """Put missing joints between the nearest ones that are there, along the SMPL tree, or beyond the last one.

    Args:
        places: In SMPL-22 order, None where the file has no such joint.
        turning: Whether the skeleton has rotations. Only then can a limb go on beyond its last joint.

    Raises:
        ConfigError: A joint cannot be missing; the message begins with its key.
    """
    filled: list[Place] = []
    for joint, place in enumerate(places):
        filled.append(_between(joint, places, filled, turning) if place is None else place)
    return tuple(filled)


def _between(joint: int, places: Sequence[Place | None], above: list[Place], turning: bool) -> Place:
    name = SMPL22_NAMES[joint]
    if joint == 0:
        left, right = places[1], places[2]
        if left is None or right is None or turning:
            raise ConfigError("map.pelvis: can be missing only where both hips are there and nothing turns (no [rest])")
        return Place(left.start, left.start, right.start, 0.5, masked=True)
    parent = above[SMPL22_PARENTS[joint]]
    steps, below = 1, joint
    while (end := places[below]) is None:
        children = [child for child, over in enumerate(SMPL22_PARENTS) if over == below]
        if not children:
            if below != joint or parent.masked or not turning:
                raise ConfigError(
                    f"map.{name}: nothing lies beyond it; only a foot, a head or a hand can then be missing, and only where the "
                    "joint before it is there and turns ([rest])"
                )
            return Place(parent.rotation, parent.start, parent.start, masked=True, beyond=True)
        below, steps = children[0], steps + 1
    fraction = _COLLAR_FRACTION if name.endswith("collar") else 1 / steps
    if parent.fraction and parent.end == end.start:  # the parent lies on the way already
        fraction = parent.fraction + (1 - parent.fraction) * fraction
    return Place(parent.rotation, parent.start, end.start, fraction, masked=True)


class _Form:
    def __init__(self, form: Mapping[str, Any], where: str) -> None:
        self.form, self.where = form, where

    def fail(self, key: str, problem: str) -> NoReturn:
        raise ConfigError(f"{self.where}: {key}: {problem}")

    def joint_map(self, skeleton_id: str) -> JointMap:
        self.only(self.form, {"title", "up", "unit_m", "licence", "added_frames", "joints", "map", "rest"}, "")
        for key in ("title", "licence"):
            if not isinstance(self.form.get(key, ""), str):
                self.fail(key, f"a text, found {self.form[key]!r}")
        names = self.names()
        rest = self.table(self.form, "rest", "") if "rest" in self.form else None
        if rest is not None:
            self.only(rest, {"axes", "dip_deg", "turn_deg"}, "rest.")
        return JointMap(
            skeleton_id=skeleton_id,
            title=self.form.get("title", skeleton_id),
            names=names,
            places=self.places(names),
            axes=None if rest is None else self.axes(self.table(rest, "axes", "rest."), names),
            dips={} if rest is None else self.dips(self.table(rest, "dip_deg", "rest."), names),
            turns={} if rest is None else self.turns(self.table(rest, "turn_deg", "rest."), names),
            up=self.up(),
            unit_m=self.unit_m(),
            licence=self.form.get("licence"),
            added_frames=self.added_frames(),
        )

    def only(self, table: Mapping[str, Any], known: set[str], prefix: str) -> None:
        for key in table:
            if key not in known:
                self.fail(f"{prefix}{key}", f"no such key; there are {', '.join(sorted(known))}")

    def table(self, parent: Mapping[str, Any], key: str, prefix: str) -> Mapping[str, Any]:
        value = parent.get(key, {})
        if not isinstance(value, dict):
            self.fail(f"{prefix}{key}", f"a table, found {value!r}")
        return value

    def up(self) -> str | None:
        up = self.form.get("up")
        if up is not None and up not in UPS:
            self.fail("up", f"one of {', '.join(UPS)}, found {up!r}")
        return up

    def unit_m(self) -> float | None:
        if "unit_m" not in self.form:
            return None
        unit_m = self.number("unit_m", self.form["unit_m"])
        if unit_m <= 0:
            self.fail("unit_m", f"metres per unit of the file, more than 0, found {unit_m}")
        return unit_m

    def added_frames(self) -> int:
        count = self.form.get("added_frames", 0)
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 1000:
            self.fail("added_frames", f"a whole number from 0 to 1000, found {count!r}")
        return count

    def number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MOST:
            self.fail(key, f"a number, found {value!r}")
        return float(value)

    def names(self) -> tuple[tuple[str, ...], ...]:
        joints = self.table(self.form, "joints", "")
        self.only(joints, {"names"}, "joints.")
        spellings = joints.get("names")
        if not isinstance(spellings, list) or not spellings:
            self.fail("joints.names", "a list with every known spelling of the ordered joint names")
        names = []
        for spelling in spellings:
            words = spelling.split() if isinstance(spelling, str) else spelling
            if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
                self.fail("joints.names", f"a spelling is a text of names or a list of names, found {spelling!r}")
            twice = [name for name in dict.fromkeys(words) if words.count(name) > 1]
            if twice:
                self.fail("joints.names", f"{twice[0]!r} stands there twice, so that nothing could name it")
            names.append(tuple(words))
        return tuple(names)

    def joint(self, key: str, value: object, names: tuple[tuple[str, ...], ...]) -> str:
        if not isinstance(value, str):
            self.fail(key, f"the name of a joint, found {value!r}")
        if not all(value in spelling for spelling in names):
            which = "" if not any(value in spelling for spelling in names) else " in every spelling"
            self.fail(key, f"no joint is called {value!r}{which} of joints.names")
        return value

    def places(self, names: tuple[tuple[str, ...], ...]) -> tuple[Place, ...]:
        table = self.table(self.form, "map", "")
        self.only(table, set(SMPL22_NAMES), "map.")
        places: list[Place | None] = []
        for name in SMPL22_NAMES:
            if name not in table:
                self.fail(f"map.{name}", "is not there: name a joint, or write { missing = true }")
            places.append(self.place(f"map.{name}", table[name], names))
        try:
            return fill_missing(places, turning="rest" in self.form)
        except ConfigError as error:
            raise ConfigError(f"{self.where}: {error}") from None

    def place(self, key: str, value: object, names: tuple[tuple[str, ...], ...]) -> Place | None:
        if not isinstance(value, dict):
            joint = self.joint(key, value, names)
            return Place(joint, joint, joint)
        if "missing" in value:
            self.only(value, {"missing"}, f"{key}.")
            if value["missing"] is not True:
                self.fail(f"{key}.missing", "true, or the key left out")
            return None
        self.only(value, _PLACE_KEYS, f"{key}.")
        rotation = self.joint(f"{key}.rotation", value.get("rotation"), names)
        start = self.joint(f"{key}.start", value.get("start", rotation), names)
        end = self.joint(f"{key}.end", value.get("end", start), names)
        fraction = self.number(f"{key}.fraction", value.get("fraction", 0.0))
        if not 0 <= fraction <= 1:
            self.fail(f"{key}.fraction", f"from 0 to 1, found {fraction}")
        for flag in ("masked", "aimed"):
            if not isinstance(value.get(flag, False), bool):
                self.fail(f"{key}.{flag}", f"true or false, found {value[flag]!r}")
        return Place(rotation, start, end, fraction, value.get("masked", False), value.get("aimed", False))

    def axes(self, table: Mapping[str, Any], names: tuple[tuple[str, ...], ...]) -> dict[str, str]:
        axes: dict[str, str] = {}
        for words, joints in table.items():
            key = f'rest.axes."{words}"'
            x, _, y = words.partition(" ")
            if x not in _OPPOSITE or y not in _OPPOSITE or y in (x, _OPPOSITE[x]):
                self.fail(key, f"two directions across each other of {', '.join(_OPPOSITE)}, for local X and local Y")
            for joint in self.listed(key, joints):
                if joint in axes:
                    self.fail(key, f"{joint!r} has axes already: {axes[joint]}")
                axes[self.joint_of_any(key, joint, names)] = words
        return axes

    def listed(self, key: str, value: object) -> list[str]:
        words = value.split() if isinstance(value, str) else value
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            self.fail(key, f"a text of joint names or a list of them, found {value!r}")
        return words

    def joint_of_any(self, key: str, joint: str, names: tuple[tuple[str, ...], ...]) -> str:
        if not any(joint in spelling for spelling in names):
            self.fail(key, f"no joint is called {joint!r} in joints.names")
        return joint

    def dips(self, table: Mapping[str, Any], names: tuple[tuple[str, ...], ...]) -> dict[str, float]:
        return {
            self.joint_of_any("rest.dip_deg", joint, names): self.number(f"rest.dip_deg.{joint}", value)
            for joint, value in table.items()
        }

    def turns(
        self, table: Mapping[str, Any], names: tuple[tuple[str, ...], ...]
    ) -> dict[str, tuple[float, float, float]]:
        turns = {}
        for joint, vector in table.items():
            key = f"rest.turn_deg.{self.joint_of_any('rest.turn_deg', joint, names)}"
            if not isinstance(vector, list) or len(vector) != 3:
                self.fail(key, f"three numbers, found {vector!r}")
            x, y, z = (self.number(key, value) for value in vector)
            turns[joint] = (x, y, z)
        return turns
