"""What the readers of SMPL-family parameters share: from poses, path and shape as a file states them to a `RawClip`.

SMPL (24 joints), SMPL+H (52) and SMPL-X (55) agree in their first 22 joints, and that is what a clip keeps; fingers, jaw
and eyes go along where a model has them. Order of the axis-angle numbers of one frame:

    SMPL     72   root, 21 body joints, 2 hands (which no clip keeps)
    SMPL+H  156   root, 21 body joints, 15 + 15 finger joints
    SMPL-X  165   root, 21 body joints, jaw, 2 eyes, 15 + 15 finger joints

The translation that files state (`trans`, `transl`) is not the pelvis: a body model turns about its rest pelvis, so the
pelvis is at the translation plus that rest position, whatever the axes of the file.

Shapes: T frames. Rotations are axis-angle, radians; translations metres, unless a reader says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.body import body_of
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.frame_rate import exact_rate
from motionunion.formats.npy import Array
from motionunion.sources.base import ReadOptions

RATE_KEYS = ("mocap_framerate", "mocap_frame_rate")
"""How AMASS, and who writes like it, calls the frames per second."""

_FAMILIES = {24: "smpl", 52: "smplh", 55: "smplx"}
_MODELS = {"smpl": "SMPL", "smplh": "SMPL+H", "smplx": "SMPL-X"}


@dataclass(frozen=True, slots=True)
class Pose:
    """The rotations of a motion, and whose they are."""

    rotvecs_T22x3: Array
    family: str
    """Body model that the numbers belong to: `smpl`, `smplh` or `smplx`."""
    hands_T90: Array | None = None
    face: Mapping[str, Array] = field(default_factory=dict)
    """`jaw` (T, 3), `eyes` (T, 6), `expression` (T, n) where there are any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Whose body is moved: what of a file chooses the rest joints."""

    gender: str | None = None
    betas: npt.NDArray[np.float64] | None = None


def whole_pose(poses: Array, path: Path, families: Iterable[str] = ("smpl", "smplh", "smplx")) -> Pose:
    """Take one array of all rotations apart, (T, 3 J) or (T, J, 3); the number of joints tells the model.

    Raises `SourceFormatError` (`bad_shape`) for any other shape, and for models that are not in `families`.
    """
    wanted = [joints for joints, family in _FAMILIES.items() if family in families]
    flat = poses.reshape(len(poses), -1) if poses.ndim == 3 and poses.shape[2] == 3 else poses
    if flat.ndim != 2 or flat.shape[1] not in [3 * joints for joints in wanted]:
        known = ", ".join(f"{_MODELS[_FAMILIES[joints]]} has (T, {3 * joints})" for joints in wanted)
        raise SourceFormatError(path, f"poses has shape {poses.shape}; {known}", reason="bad_shape")
    body = flat[:, :66].reshape(len(flat), 22, 3)
    family = _FAMILIES[flat.shape[1] // 3]
    if family == "smpl":
        return Pose(body, family)
    if family == "smplh":
        return Pose(body, family, hands_T90=flat[:, 66:156])
    return Pose(body, family, hands_T90=flat[:, 75:165], face={"jaw": flat[:, 66:69], "eyes": flat[:, 69:75]})


def with_expression(pose: Pose, arrays: Mapping[str, Array], path: Path) -> Pose:
    """A pose with the file's expression of the face, where there is one, (T, n). Raises `SourceFormatError` (`bad_shape`)."""
    if "expression" not in arrays:
        return pose
    expression = shaped(arrays, "expression", path, len(pose.rotvecs_T22x3), None)
    return replace(pose, face={**pose.face, "expression": expression})


def parted_pose(
    arrays: Mapping[str, Array], path: Path, family: str, *, root: str, body: str, parts: Mapping[str, tuple[str, int]]
) -> Pose:
    """Put a pose together that a file keeps in several arrays.

    Args:
        arrays: By the file's names; trailing axes are flattened, so that (T, 21, 3) is (T, 63).
        path: Where they come from, for errors.
        family: `smpl` (23 joints besides the root, of which two hands are left out), `smplh` or `smplx` (21).
        root: Name of the root's rotations.
        body: Name of the body's.
        parts: What else there may be, `{"hands" | "left_hand" | "right_hand" | "jaw" | "eyes": (name, width)}`.

    Raises `SourceFormatError` (`bad_shape`).
    """
    frames = len(arrays[root])
    width = 69 if family == "smpl" else 63
    turns = [shaped(arrays, root, path, frames, 3), shaped(arrays, body, path, frames, width)[:, :63]]
    more = {part: shaped(arrays, name, path, frames, n) for part, (name, n) in parts.items() if name in arrays}
    hands = more.pop("hands", None)
    left, right = more.pop("left_hand", None), more.pop("right_hand", None)
    if hands is None and left is not None and right is not None:
        hands = np.concatenate([left, right], axis=1)
    return Pose(np.concatenate(turns, axis=1).reshape(frames, 22, 3), family, hands, more)


def smpl_clip(
    ref: ClipRef, pose: Pose, trans_T3: Array, body: Body, fps: Fraction, options: ReadOptions, *, up: str
) -> RawClip:
    """The clip that these parameters describe: local rotations, path of the pelvis, rest joints of the body.

    What is a data set's own (labels, captions, group, split) is for the reader to add with `dataclasses.replace`.

    Raises:
        ClipError: `empty`, `non_finite`, or what `motionunion.body.body_of` finds missing.
        SourceFormatError: `bad_dtype` for what are no numbers, or a damaged body model.
    """
    if len(pose.rotvecs_T22x3) == 0:
        raise ClipError(f"{ref.path}: holds no frame", reason="empty")
    refuse_non_finite(ref.path, poses=pose.rotvecs_T22x3, trans=trans_T3)
    rest = body_of(options.body_models, pose.family, body.gender, body.betas)
    return RawClip(
        ref=ref,
        fps=fps,
        up=up,
        unit_m=1.0,
        skeleton=rest.skeleton(),
        skeleton_id="smpl22",
        body=rest.kind,
        quats_TJ4=rotation.from_rotvec(pose.rotvecs_T22x3),
        root_T3=trans_T3.astype(np.float64) + rest.pelvis_3,
        gender=body.gender,
        betas=body.betas,
        hands_T90=pose.hands_T90,
        face=dict(pose.face),
        inputs=(ref.path,),
    )


def shaped(arrays: Mapping[str, Array], name: str, path: Path, frames: int, width: int | None) -> Array:
    """One array as (frames, width), trailing axes flattened; `width` None takes any. Raises `SourceFormatError`."""
    array = arrays[name]
    flat = array.reshape(len(array), -1) if array.ndim > 2 and len(array) else array
    if flat.ndim != 2 or len(flat) != frames or (width is not None and flat.shape[1] != width):
        wanted = f"({frames}, {width if width is not None else 'n'})"
        raise SourceFormatError(path, f"{name} has shape {array.shape}, not {wanted}", reason="bad_shape")
    return flat


def refuse_non_finite(path: Path, **arrays: Array) -> None:
    """Raise for arrays that are no numbers (`bad_dtype`) or hold some that are not finite (`non_finite`)."""
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise SourceFormatError(path, f"{name} has elements of type {array.dtype}, not numbers", reason="bad_dtype")
        bad = np.atleast_1d(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        if bad.any():
            first = int(np.argmax(bad))
            raise ClipError(
                f"{path}: {name} is not a number in {int(bad.sum())} of {len(bad)} frames, first in frame {first}",
                reason="non_finite",
            )


def stated_rate(
    arrays: Mapping[str, Array], path: Path, names: Iterable[str] = RATE_KEYS
) -> tuple[Fraction, dict[str, str]]:
    """Frames per second under the first of these names, and the label that keeps the stated number where it was rounded.

    Raises:
        SourceFormatError: `no_frame_rate` where there is none, or no number.
        ClipError: `no_frame_rate` for what is no rate.
    """
    for name in names:
        if name in arrays:
            try:
                stated = float(arrays[name].reshape(-1)[0])
            except (ValueError, IndexError) as error:
                raise SourceFormatError(path, f"{name} is {arrays[name]!r}", reason="no_frame_rate") from error
            fps = exact_rate(stated)
            return fps, {} if float(fps) == stated else {"stated_fps": repr(stated)}
    raise SourceFormatError(
        path,
        f"states no frame rate (neither {' nor '.join(names)}), and one is never guessed; add the array if you know it",
        reason="no_frame_rate",
    )


def text_of(value: Array | None) -> str | None:
    """A word that a file keeps as an array, as text or as bytes; lower case. None where there is none."""
    if value is None or value.size == 0:
        return None
    first: Any = value.reshape(-1)[0]
    return (first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)).strip().lower()


def one_shape(arrays: Mapping[str, Array], path: Path, name: str = "betas") -> npt.NDArray[np.float64] | None:
    """The shape numbers of a motion, (n,); repeated for every frame they count once. None where there are none.

    Raises `SourceFormatError` (`bad_shape`) for shapes that change, `ClipError` (`non_finite`).
    """
    if name not in arrays:
        return None
    betas = arrays[name]
    if betas.ndim == 2 and len(betas) and (betas == betas[0]).all():
        betas = betas[0]
    if betas.ndim != 1 or not len(betas):
        raise SourceFormatError(
            path, f"{name} has shape {betas.shape}; one body keeps one shape over a clip", reason="bad_shape"
        )
    refuse_non_finite(path, **{name: betas})
    return betas.astype(np.float64)


def stated_body(arrays: Mapping[str, Array], path: Path) -> Body:
    """The body that a file states as `gender` and `betas`. Raises as `one_shape`."""
    return Body(gender=text_of(arrays.get("gender")), betas=one_shape(arrays, path))


def fitted_shape(
    arrays: Mapping[str, Array], path: Path, name: str = "betas"
) -> tuple[npt.NDArray[np.float64] | None, tuple[str, ...]]:
    """The one shape of a motion that was fitted frame by frame, and the clip's flags.

    Where frames differ it is their median, (n,), and the flag `shape_varies`; else as `one_shape`, whose errors it raises.
    """
    betas = arrays.get(name)
    if betas is None or betas.ndim != 2 or len(betas) < 2 or betas.dtype.kind not in "fiu" or (betas == betas[0]).all():
        return one_shape(arrays, path, name), ()
    refuse_non_finite(path, **{name: betas})
    return np.median(betas.astype(np.float64), axis=0), ("shape_varies",)
