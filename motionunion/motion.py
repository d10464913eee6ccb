"""A motion at one rate, in the store's frame: what representations are made from, and what they decode to.

A `Clip` is what is stored; a `Motion` is a stretch of it at the rate that somebody needs, posed.

Shapes: T frames, 22 joints in SMPL-22 order. Metres, +Y up, right-handed. Quaternions wxyz, unit length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from motionunion.clip import Clip
from motionunion.errors import ClipError
from motionunion.kinematics import forward_kinematics
from motionunion.skeleton import SMPL22_PARENTS, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """World joints at one frame rate and, where the motion has them, the rotations that pose them.

    `quats_T22x4`, `root_T3` and `offsets_22x3` are set together or not at all. Then the joints are those that the rotations
    pose, up to what the file or the features that they come from disagree with themselves.
    """

    fps: Fraction
    joints_T22x3: FloatArray
    quats_T22x4: FloatArray | None = None
    """Local rotations relative to the rest pose of `offsets_22x3`; row 0 is the pelvis in the world."""
    root_T3: FloatArray | None = None
    """World position of the pelvis joint; a body model's `trans` is this less the rest pelvis, `offsets_22x3[0]`."""
    offsets_22x3: FloatArray | None = None
    """Rest offsets from parent to child in the SMPL rest pose. Row 0 is the rest position of the pelvis where the motion
    belongs to a body model or to the template, zero where its skeleton has no body origin apart from its pelvis."""
    model: str | None = None
    """Body model that rest pose and betas belong to (`smpl`, `smplh`, `smplx`); None for a skeleton of its own."""
    betas: FloatArray | None = None
    gender: str | None = None
    hands_T90: FloatArray | None = None
    """Axis-angle of the 30 finger joints of SMPL-H / SMPL-X."""
    face: Mapping[str, FloatArray] = field(default_factory=dict)
    """`jaw` (T, 3), `eyes` (T, 6), `expression` (T, n) where the motion has them."""

    def __post_init__(self) -> None:
        pose = (self.quats_T22x4, self.root_T3, self.offsets_22x3)
        if any(part is None for part in pose) != all(part is None for part in pose):
            raise ValueError("a motion has quaternions, root and offsets, or none of them")

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.joints_T22x3)

    @property
    def has_rotations(self) -> bool:
        """Whether the motion knows its rotations, not only where its joints are."""
        return self.quats_T22x4 is not None

    def pose(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Local rotations (T, 22, 4), root (T, 3) and offsets (22, 3).

        Raises:
            ClipError: `no_rotations`, if the motion is joints alone; none are made up.
        """
        if self.quats_T22x4 is None or self.root_T3 is None or self.offsets_22x3 is None:
            raise ClipError(
                "this motion is joints alone, and rotations are needed: take a source that has them, or a representation "
                "of joints",
                reason="no_rotations",
            )
        return self.quats_T22x4, self.root_T3, self.offsets_22x3


def posed(
    fps: Fraction,
    root_T3: FloatArray,
    quats_T22x4: FloatArray,
    offsets_22x3: FloatArray,
    *,
    model: str | None = None,
    betas: FloatArray | None = None,
    gender: str | None = None,
    hands_T90: FloatArray | None = None,
    face: Mapping[str, FloatArray] | None = None,
) -> Motion:
    """A motion whose joints are those that its rotations pose."""
    return Motion(
        fps=fps,
        joints_T22x3=forward_kinematics(root_T3, quats_T22x4, offsets_22x3, SMPL22_PARENTS),
        quats_T22x4=quats_T22x4,
        root_T3=root_T3,
        offsets_22x3=offsets_22x3,
        model=model,
        betas=betas,
        gender=gender,
        hands_T90=hands_T90,
        face=face or {},
    )


def model_of(clip: Clip) -> str | None:
    """The body model that a clip's rest pose and betas belong to, where it says one or holds what only one has."""
    if clip.kind == "joints" or clip.body not in ("model", "template"):
        return None
    if "model" in clip.labels:
        return clip.labels["model"]
    if "jaw" in clip.face:
        return "smplx"
    return "smplh" if clip.hands_T90 is not None else "smpl"
