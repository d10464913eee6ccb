"""AMASS (Mahmood et al. 2019, arXiv:1904.03278): marker-based motion capture of some twenty archives, fitted with SMPL.

Licence: non-commercial research, no redistribution of data or derived poses. One npz per motion, Z up, metres. Two
releases, two readers:

- `amass_smplh`, the SMPL+H release: `<subset>/<subject>/<name>_poses.npz` with `poses (T, 156)` (root, 21 body joints, 30
  finger joints, axis-angle), `trans`, `betas (16)`, `dmpls`, `gender` (text or bytes), `mocap_framerate`. Video fits in
  the same layout with SMPL's 72 numbers per frame are read too (flag `smpl72`).
- `amass_smplx`, the SMPL-X release: `..._stageii.npz` with `root_orient`, `pose_body`, `pose_hand`, `pose_jaw`, `pose_eye`,
  `trans`, `betas`, `gender`, `mocap_frame_rate` (mind the underscore), and a pickled array that is left alone. Its frame
  rates are wrong for some 5,000 files (nghorbani/amass#49); they are kept as the file states them.

`trans` is not the pelvis: a body model turns about its rest pelvis, so the pelvis is at `trans` plus that rest position.
Both releases of one file share a uid, whatever the subset was called (`motionunion.sources.amass_names`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.body import body_of
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.npy import Array
from motionunion.formats.npz import list_members, member_heads, read_npz
from motionunion.sources.amass_names import LEAD_IN_S, key_of, uid_of
from motionunion.sources.base import Claim, Folder, ReadOptions, Skip

_RATE_KEYS = ("mocap_framerate", "mocap_frame_rate")
_NTSC = {float(round(nominal / 1.001, 2)): Fraction(nominal * 1000, 1001) for nominal in (24, 30, 48, 60, 120, 240)}
_SHAPE_ONLY = "body shape without motion (shape.npz, *_stagei.npz)"


def exact_rate(value: float) -> Fraction:
    """Frames per second as an exact fraction.

    The stated rate is rounded to two decimals first, for files say 120.00004577636719 and 59.9999886; a whole number is
    taken as that, the rates of NTSC video (29.97, 59.94, 119.88, ...) as their multiple of 1000/1001, and anything else
    as the rounded decimal.

    Raises:
        ClipError: `no_frame_rate` for a rate that is not a positive number.
    """
    if not math.isfinite(value) or round(value, 2) <= 0:
        raise ClipError(f"the frame rate is {value}, which is no rate", reason="no_frame_rate")
    rounded = round(value, 2)
    return _NTSC.get(rounded, Fraction(str(rounded)))


@dataclass(frozen=True, slots=True)
class Pose:
    """What both releases say of a motion: axis-angle (T, 22, 3) and what a body has besides."""

    rotvecs_T22x3: Array
    family: str
    """Body model that the numbers belong to: `smplh`, `smplx` or `smpl`."""
    hands_T90: Array | None = None
    face: Mapping[str, Array] | None = None
    flags: tuple[str, ...] = ()


class Amass:
    """Reader of one release of AMASS; `layout` is `smplh` or `smplx`."""

    version = 1
    suffixes: tuple[str, ...] = (".npz",)

    def __init__(self, layout: str) -> None:
        self.layout = layout
        self.name = f"amass_{layout}"

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim npz files that hold this release's arrays, and damaged ones that are named as this release names them."""
        files: list[Path] = []
        skipped: list[Skip] = []
        layouts = folder.once(
            "npz layouts", lambda: {n: layout_of(folder.path / n) for n in folder.with_suffix(".npz")}
        )
        for name, layout in layouts.items():
            path = folder.path / name
            if layout == self.layout:
                files.append(path)
            elif layout == "shape" and self.layout == "smplh":
                skipped.append(Skip(path, _SHAPE_ONLY))
        if not files and not skipped:
            return None
        return Claim(self.name, folder.top, tuple(sorted(files)), tuple(skipped))

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per npz, sorted by key."""
        refs = []
        for path in claim.files:
            key = key_of(path, claim.root)
            refs.append(ClipRef(source=self.name, key=key, uid=uid_of(key), path=path, root=claim.root,
                                size=path.stat().st_size))  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one npz: local rotations, pelvis path, body. Raises `SourceFormatError` or `ClipError`."""
        arrays = self._arrays(ref.path)
        pose = _smplh_pose(arrays, ref.path) if self.layout == "smplh" else _smplx_pose(arrays, ref.path)
        frames = len(pose.rotvecs_T22x3)
        trans = _shaped(arrays, "trans", ref.path, frames, 3)
        if frames == 0:
            raise ClipError(f"{ref.path}: holds no frame", reason="empty")
        _refuse_non_finite(ref.path, poses=pose.rotvecs_T22x3, trans=trans)
        stated, fps = _rate(arrays, ref.path)
        gender = _text(arrays.get("gender"))
        betas = _betas(arrays, ref.path)
        body = body_of(options.body_models, pose.family, gender, betas)
        valid, flags = _lead_in(ref.uid, fps, frames)
        labels = {} if float(fps) == stated else {"stated_fps": repr(stated)}
        return RawClip(
            ref=ref,
            fps=fps,
            up="z",
            unit_m=1.0,
            skeleton=body.skeleton(),
            skeleton_id="smpl22",
            body=body.kind,
            quats_TJ4=rotation.from_rotvec(pose.rotvecs_T22x3),
            root_T3=trans.astype(np.float64) + body.pelvis_3,
            valid=valid,
            gender=gender,
            betas=betas,
            hands_T90=pose.hands_T90,
            face=dict(pose.face or {}),
            labels=labels,
            flags=(*pose.flags, *flags),
            inputs=(ref.path,),
        )

    def _arrays(self, path: Path) -> dict[str, Array]:
        optional = ["betas", "gender", *_RATE_KEYS]
        if self.layout == "smplh":
            return read_npz(path, ("poses", "trans"), optional)
        split = {"root_orient", "pose_body"} <= set(list_members(path))
        needed = ("root_orient", "pose_body", "trans") if split else ("poses", "trans")
        return read_npz(path, needed, [*optional, "pose_hand", "pose_jaw", "pose_eye", "expression"])


def layout_of(path: Path) -> str | None:
    """`smplh`, `smplx`, `shape` (no motion) or None, by array names and shapes; by file name where it cannot be opened."""
    try:
        heads = member_heads(path, ("poses", "trans", "root_orient", "pose_body", "betas", "global_ori"))
    except SourceFormatError as error:
        if error.reason == "git_lfs_pointer" or error.reason == "not_npz":
            return None
        return "smplx" if path.stem.endswith("_stageii") else "smplh"
    if path.stem.endswith("_stagei") or ("betas" in heads and not {"poses", "trans", "root_orient"} & set(heads)):
        return "shape"
    if {"root_orient", "pose_body", "trans"} <= set(heads):
        return "smplx"
    if not {"poses", "trans"} <= set(heads):
        return None
    width = heads["poses"].shape[1:] if not heads["poses"].pickled else (156,)
    widths: dict[tuple[int, ...], str] = {(156,): "smplh", (72,): "smplh", (165,): "smplx"}
    return widths.get(width)


def _smplh_pose(arrays: Mapping[str, Array], path: Path) -> Pose:
    poses = arrays["poses"]
    if poses.ndim != 2 or poses.shape[1] not in (156, 72):
        raise SourceFormatError(
            path, f"poses has shape {poses.shape}; SMPL+H has (T, 156), SMPL (T, 72)", reason="bad_shape"
        )
    body = poses[:, :66].reshape(len(poses), 22, 3)
    if poses.shape[1] == 72:
        return Pose(body, "smpl", flags=("smpl72",))
    return Pose(body, "smplh", hands_T90=poses[:, 66:156])


def _smplx_pose(arrays: Mapping[str, Array], path: Path) -> Pose:
    if "root_orient" in arrays:
        frames = len(arrays["root_orient"])
        root = _shaped(arrays, "root_orient", path, frames, 3)
        body = _shaped(arrays, "pose_body", path, frames, 63)
        parts = {"hand": ("pose_hand", 90), "jaw": ("pose_jaw", 3), "eyes": ("pose_eye", 6)}
        more = {k: _shaped(arrays, name, path, frames, n) for k, (name, n) in parts.items() if name in arrays}
    else:
        poses = arrays["poses"]
        if poses.ndim != 2 or poses.shape[1] != 165:
            raise SourceFormatError(path, f"poses has shape {poses.shape}; SMPL-X has (T, 165)", reason="bad_shape")
        frames, root, body = len(poses), poses[:, :3], poses[:, 3:66]
        more = {"jaw": poses[:, 66:69], "eyes": poses[:, 69:75], "hand": poses[:, 75:165]}
    if "expression" in arrays:
        more["expression"] = _shaped(arrays, "expression", path, frames, None)
    hands = more.pop("hand", None)
    return Pose(np.concatenate([root, body], axis=1).reshape(frames, 22, 3), "smplx", hands, more)


def _shaped(arrays: Mapping[str, Array], name: str, path: Path, frames: int, width: int | None) -> Array:
    array = arrays[name]
    if array.ndim != 2 or len(array) != frames or (width is not None and array.shape[1] != width):
        wanted = f"({frames}, {width if width is not None else 'n'})"
        raise SourceFormatError(path, f"{name} has shape {array.shape}, not {wanted}", reason="bad_shape")
    return array


def _refuse_non_finite(path: Path, **arrays: Array) -> None:
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


def _rate(arrays: Mapping[str, Array], path: Path) -> tuple[float, Fraction]:
    for name in _RATE_KEYS:
        if name in arrays:
            try:
                stated = float(arrays[name].reshape(-1)[0])
            except (ValueError, IndexError) as error:
                raise SourceFormatError(path, f"{name} is {arrays[name]!r}", reason="no_frame_rate") from error
            return stated, exact_rate(stated)
    raise SourceFormatError(
        path,
        "states no frame rate (neither mocap_framerate nor mocap_frame_rate), and one is never guessed; add the array "
        "if you know it",
        reason="no_frame_rate",
    )


def _text(value: Array | None) -> str | None:
    if value is None or value.size == 0:
        return None
    first: Any = value.reshape(-1)[0]
    return (first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)).strip().lower()


def _betas(arrays: Mapping[str, Array], path: Path) -> npt.NDArray[np.float64] | None:
    if "betas" not in arrays:
        return None
    betas = arrays["betas"]
    if betas.ndim == 2 and len(betas) and (betas == betas[0]).all():
        betas = betas[0]
    if betas.ndim != 1 or not len(betas):
        raise SourceFormatError(
            path, f"betas has shape {betas.shape}; one body keeps one shape over a clip", reason="bad_shape"
        )
    _refuse_non_finite(path, betas=betas)
    return betas.astype(np.float64)


def _lead_in(uid: str, fps: Fraction, frames: int) -> tuple[tuple[int, int] | None, tuple[str, ...]]:
    """Frames of real motion in subsets that begin with a T-pose; the cut stands for nothing where all would go."""
    start = math.ceil(LEAD_IN_S.get(uid.split("/")[1], Fraction(0)) * fps)
    if start == 0:
        return None, ()
    return ((start, frames), ()) if start < frames else (None, ("shorter_than_lead_in",))
