"""A joint map: which joints of a skeleton stand for the 22 SMPL joints, and where its axes point in a T-pose.

Position and rotation come from different joints in places, since CMU files have joints of zero length that turn, and some
SMPL joints have no counterpart at all. A rigid tree of 22 joints cannot follow every file. Where it cannot, the joint is a
stand-in: it is fixed to its parent, `masked` says that its place is not the file's, and the bone below it is *aimed*: turned
by the least angle so that it points at the file's next joint, whose distance may still differ by the slight change of length
that is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from motionunion.digest import canonical_json, sha256_hex

END = ".end"
"""A name that ends so stands for the End Site of the joint that it begins with: `LeftFoot.end` is where the foot ends."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one SMPL joint is in a file's skeleton."""

    rotation: str
    """The joint whose world rotation it takes."""
    start: str
    end: str
    """Its position is `start`, moved by `fraction` of the way to `end`."""
    fraction: float = 0.0
    masked: bool = False
    aimed: bool = False
    """Whether the bone to its only child is turned to point at that child."""
    beyond: bool = False
    """Whether the file ends before this joint (a foot without toes): it lies beyond `start` as on the template body, in
    proportion to the bone above."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JointMap:
    """One known skeleton."""

    skeleton_id: str
    title: str
    names: tuple[tuple[str, ...], ...]
    """The file's joints, in file order, in every known spelling: what the skeleton is recognised by."""
    places: tuple[Place, ...]
    """In SMPL-22 order."""
    axes: Mapping[str, str] | None = None
    """Where local X and Y of a joint point in the T-pose that faces +Z, as `up front`; unnamed joints: `left up`. None:
    the skeleton is known for its positions alone, and rotations of it cannot be read."""
    dips: Mapping[str, float] = field(default_factory=dict)
    """How far a joint's frame dips below level in that pose, in degrees: a turn about the world's X, after `axes`."""
    turns: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    """Further turn of a joint's frame in that pose, as a rotation vector in the world, degrees: what axes and dip leave."""
    up: str | None = None
    """Which axis points up in files of this skeleton, where one can say so of all of them."""
    unit_m: float | None = None
    """Metres per length unit, where one can say so of all of them."""
    licence: str | None = None
    """Licence of the files that a person reads by a map of their own."""
    added_frames: int = 0
    """Frames that the exporter puts before every take (a T-pose): outside `valid` of the files that are read by this map."""

    @cached_property
    def joint_mask(self) -> npt.NDArray[np.bool_]:
        """(22,), False for stand-ins."""
        return np.array([not place.masked for place in self.places])

    @cached_property
    def digest(self) -> str:
        """64 hex digits over everything that decides what is recognised and read: all but the title."""
        places = [astuple(place) for place in self.places]
        rest = [None if self.axes is None else dict(self.axes), dict(self.dips), dict(self.turns)]
        stated = [self.up, self.unit_m, self.licence, self.added_frames]
        return sha256_hex(canonical_json([self.skeleton_id, self.names, places, rest, *stated]))

    def matches(self, names: Sequence[str]) -> bool:
        """Whether a file with these joints, in this order, has this skeleton."""
        plain = plain_names(names)
        return any(plain == tuple(name for name in spelling if not name.endswith(END)) for spelling in self.names)

    @property
    def ends(self) -> tuple[str, ...]:
        """Joints whose End Sites the map counts as joints."""
        return tuple(name.removesuffix(END) for name in self.names[0] if name.endswith(END))

    def rotation_joints(self, names: Sequence[str]) -> list[int]:
        """Index of the joint that gives each SMPL joint its rotation."""
        plain = plain_names(names)
        return [plain.index(place.rotation) for place in self.places]

    def position_weights(self, names: Sequence[str]) -> npt.NDArray[np.float64]:
        """(22, J) matrix that takes the positions of the file's joints to those of the SMPL joints.

        A joint beyond the end of a limb comes to lie on the end: where it is follows from rotations.
        """
        plain = plain_names(names)
        weights = np.zeros((22, len(plain)))
        for row, place in zip(weights, self.places, strict=True):
            row[plain.index(place.start)] += 1 - place.fraction
            row[plain.index(place.end)] += place.fraction
        return weights


def plain_names(names: Sequence[str]) -> tuple[str, ...]:
    """Joint names without the prefix up to a colon that all of them share."""
    prefix = names[0].rpartition(":")[0] + ":" if names else ":"
    if prefix == ":" or not all(name.startswith(prefix) for name in names):
        return tuple(names)
    return tuple(name.removeprefix(prefix) for name in names)
