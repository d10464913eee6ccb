"""The nouns of the data flow: what a file says (`RawClip`), what the store keeps (`Clip`), and what is said about it.

Shapes: T frames, J joints of the source, 22 the SMPL-22 joints. Quaternions are wxyz and unit length. Times are seconds
in the clip's own source file, whatever was trimmed or cut. `uid` is the address of a source file (`amass/cmu/01/01_01`),
normalised so that renames of the same file meet; captions, segments and clips are joined on it, in any order of arrival.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionunion.errors import SourceFormatError
from motionunion.joint_map import JointMap
from motionunion.skeleton import FloatArray, Skeleton

SPLITS: tuple[str, ...] = ("train", "val", "test")
SYNTHETIC = "synthetic"
"""Flag of clips, and generator of captions, that no person performed or wrote."""
SYNTHETIC_MARKER = "SYNTHETIC.txt"
"""File that says so of everything in its folder and below."""
SYNTHETIC_LICENCE = "CC0-1.0"
"""Licence of what `motionunion sample` makes: free for any use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRef:
    """One thing to read, found by a source's `discover`."""

    source: str
    """Name of the source, as in its manifest: `amass`, `humanml3d`, `bandai_namco_1`, ..."""
    key: str
    """Address inside the source; the same wherever the source's folder lies. Part of the clip id."""
    uid: str
    """`<source>/<normalised key>`: what captions and segments of other layers name this file by."""
    path: Path
    """The file to read (the main one, where a source spreads a clip over several)."""
    root: Path
    """The folder that was recognised as this source; annotation files are looked up from here."""
    size: int = 0
    """Bytes of input, for the cutting of tasks."""
    more: tuple[Path, ...] = ()
    """Further files of this clip alone, where a source keeps one in many (a file per frame)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """One sentence about a stretch of one source file."""

    uid: str
    text: str
    tokens: str | None = None
    """HumanML3D's `word/POS word/POS ...`, kept as shipped; None where the layer has no tags."""
    start_s: float | None = None
    """Seconds in the source file; None for both = the whole segment, or the whole clip where `segment` is None."""
    end_s: float | None = None
    layer: str
    """Who says so: `humanml3d`, `labels` (from names and label files), `sidecar`, or the name given at import."""
    segment: str | None = None
    """Name of the segment this caption belongs to (`004822`), or None."""
    generator: str = "human"
    """`human`, `template` (built from a label by a documented rule), or the name of a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A named stretch of a source file, as an annotation layer cut it (HumanML3D's `index.csv`).

    From 0 to 0 it cuts nothing, and only says the layer's split of the whole file (BABEL, KIT-ML).
    """

    uid: str
    name: str
    layer: str
    start_s: float
    end_s: float
    split: str | None = None
    """The layer's official split of this segment, or None."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shipped:
    """Features that a source ships ready-made, kept bit for bit beside the clip."""

    representation: str
    """Id of the representation they are in, e.g. `hml263@20/compat`."""
    features_TD: FloatArray
    """In the dtype of the file (float32 or float64)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawClip:
    """What one file says, in its own axes, unit and rest pose. Exactly one of `quats_TJ4` and `joints_TJ3` is set."""

    ref: ClipRef
    fps: Fraction
    up: str
    """Which axis of the file points up: `x`, `y`, `z`, `-x`, `-y` or `-z`; `measured` = the motion is to tell, which only a
    source may say whose manifest says so."""
    unit_m: float | None
    """Metres per length unit of the file; None = the motion is to tell, under the same condition."""
    skeleton: Skeleton
    """The file's own joints; `offsets_J3` in the file's unit and axes (zeros for joints-only sources)."""
    skeleton_id: str
    """Which joint map applies: `smpl22`, or one of `motionunion.joint_maps.JOINT_MAPS`, or the id of `joint_map`."""
    body: str
    """Whose rest offsets these are: `own` (the file's), `model` (a body model with betas), `template`, `target`
    (HumanML3D's uniform skeleton)."""
    joint_map: JointMap | None = None
    """A map that a person brought, instead of a known one."""
    reflected: bool = False
    """The file's axes are left-handed: X is negated before anything else, and no joint changes sides."""
    quats_TJ4: FloatArray | None = None
    """Local rotations, wxyz."""
    root_T3: FloatArray | None = None
    """World position of joint 0, with `quats_TJ4`."""
    joints_TJ3: FloatArray | None = None
    """World positions of all joints, for sources without rotations."""
    valid: tuple[int, int] | None = None
    """Half-open frame interval of real motion (an added T-pose frame lies outside); None = all frames."""
    group: str | None = None
    """What must share a side of every split (one recording, mirror twins); None = the ref's uid."""
    official_split: str | None = None
    gender: str | None = None
    betas: FloatArray | None = None
    hands_T90: FloatArray | None = None
    """Axis-angle of the 30 finger joints of SMPL-H / SMPL-X."""
    face: dict[str, FloatArray] = field(default_factory=dict)
    """`jaw` (T,3), `eyes` (T,6), `expression` (T,n) where a source has them."""
    shipped: Shipped | None = None
    captions: tuple[Caption, ...] = ()
    segments: tuple[Segment, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    """What names and label files say (`content`, `style`, `actor`, ...)."""
    flags: tuple[str, ...] = ()
    """Short stable words (`synthetic`, `mirrored`, `known_bad`, ...)."""
    licence: str | None = None
    """Licence of this file, where the source's manifest cannot say (arrays of a person's own)."""
    inputs: tuple[Path, ...] = ()
    """Every file that was read, for provenance; the ref's path where empty."""
    faults: tuple[SourceFormatError, ...] = ()
    """Caption and label files that cannot be read: each becomes a reject and costs what it would have said, not the clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What a source says about files of another source (a HumanML3D checkout without features)."""

    ref: ClipRef
    captions: tuple[Caption, ...] = ()
    segments: tuple[Segment, ...] = ()
    faults: tuple[SourceFormatError, ...] = ()
    """Caption files that cannot be read, as in `RawClip`: the segment and its split stand without them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """What is stored: SMPL-22 order, metres, +Y up, right-handed, the source's own rational frame rate.

    Either `rotvecs_T22x3`, `root_T3` and `offsets_22x3` are set (kind `rotations`), or `joints_T22x3` (kind `joints`).
    """

    clip_id: str
    source: str
    key: str
    uid: str
    group: str
    fps: Fraction
    frames: int
    body: str
    rotvecs_T22x3: npt.NDArray[np.float32] | None = None
    """Local axis-angle rotations relative to the rest pose of `offsets_22x3`, (T, 22, 3), float32 radians."""
    root_T3: npt.NDArray[np.float32] | None = None
    """World position of the pelvis joint, metres."""
    offsets_22x3: npt.NDArray[np.float32] | None = None
    """Rest offsets from parent to child, metres, in the SMPL rest pose (T-pose, facing +Z)."""
    joints_T22x3: npt.NDArray[np.float32] | None = None
    joint_mask: npt.NDArray[np.bool_] = field(default_factory=lambda: np.ones(22, dtype=np.bool_))
    """False where a joint was interpolated because the source has none there."""
    valid: tuple[int, int] = (0, 0)
    """Half-open frame interval of real motion."""
    official_split: str | None = None
    gender: str | None = None
    betas: npt.NDArray[np.float32] | None = None
    hands_T90: npt.NDArray[np.float32] | None = None
    face: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    shipped: Shipped | None = None
    fk_error_m: float | None = None
    """Largest distance between the stored pose and the file's own joints, over mapped joints and frames."""
    labels: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    provenance: dict[str, str] = field(default_factory=dict)
    """`file` (source-relative), `sha256`, `reader`, `licence`, `up`, `unit_m`, `skeleton_id`; `reflected` for a file in
    left-handed axes, `measured_up` and `measured_unit_m` with the reasons where the motion itself told them."""

    @property
    def kind(self) -> str:
        """`rotations` or `joints`."""
        return "joints" if self.rotvecs_T22x3 is None else "rotations"

    @property
    def seconds(self) -> float:
        """Length in seconds: frames over the frame rate."""
        return float(self.frames / self.fps)
