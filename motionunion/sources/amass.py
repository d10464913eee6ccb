"""AMASS (Mahmood et al. 2019, arXiv:1904.03278): marker-based motion capture of some twenty archives, fitted with SMPL.

Licence: non-commercial research, no redistribution of data or derived poses. One npz per motion, Z up, metres. Two
releases, two readers:

- `amass_smplh`, the SMPL+H release: `<subset>/<subject>/<name>_poses.npz` with `poses (T, 156)` (root, 21 body joints, 30
  finger joints, axis-angle), `trans`, `betas (16)`, `dmpls`, `gender` (text or bytes), `mocap_framerate`. Fits of other
  people in the same layout with another model's poses are `motionunion.sources.smpl_fits`.
- `amass_smplx`, the SMPL-X release: `..._stageii.npz` with `root_orient`, `pose_body`, `pose_hand`, `pose_jaw`, `pose_eye`,
  `trans`, `betas`, `gender`, `mocap_frame_rate` (mind the underscore), and a pickled array that is left alone. Its frame
  rates are wrong for some 5,000 files (nghorbani/amass#49); they are kept as the file states them, and clips of subsets that
  are known for it are flagged `fps_disputed`, as are takes of CMU that its own list gives another rate.

`trans` is not the pelvis: a body model turns about its rest pelvis, so the pelvis is at `trans` plus that rest position.
Both releases of one file share a uid, whatever the subset was called (`motionunion.sources.amass_names`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from manifests import source_manifest
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.npy import Array
from motionunion.formats.npz import list_members, member_heads, read_npz
from motionunion.sources.amass_names import LEAD_IN_S, key_of, uid_of
from motionunion.sources.base import Claim, Folder, ReadOptions, Skip
from motionunion.sources.cmu_takes import take_of
from motionunion.sources.smpl_parameters import (
    RATE_KEYS,
    Pose,
    parted_pose,
    shaped,
    smpl_clip,
    stated_body,
    stated_rate,
    whole_pose,
    with_expression,
)

_LAYOUTS: dict[tuple[int, ...], str] = {
    (156,): "smplh", (165,): "smplx", (72,): "fits", (24, 3): "fits", (52, 3): "fits", (55, 3): "fits"
}  # fmt: skip
VIDEO_KEYS = ("source_video_fps", "cam_intrinsics")
"""What no file of AMASS holds, and fits of videos in its layout do."""
_SHAPE_ONLY = "body shape without motion (shape.npz, *_stagei.npz)"


class Amass:
    """Reader of one release of AMASS; `layout` is `smplh` or `smplx`."""

    version = 3
    suffixes: tuple[str, ...] = (".npz",)

    def __init__(self, layout: str) -> None:
        self.layout = layout
        self.name = f"amass_{layout}"

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim npz files that hold this release's arrays, and damaged ones that are named as this release names them."""
        files: list[Path] = []
        skipped: list[Skip] = []
        layouts = layouts_in(folder)
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
        smplx = self.layout == "smplx"
        pose = _smplx_pose(arrays, ref.path) if smplx else whole_pose(arrays["poses"], ref.path, ("smplh",))
        frames = len(pose.rotvecs_T22x3)
        trans = shaped(arrays, "trans", ref.path, frames, 3)
        if frames == 0:
            raise ClipError(f"{ref.path}: holds no frame", reason="empty")
        fps, labels = stated_rate(arrays, ref.path)
        raw = smpl_clip(ref, pose, trans, stated_body(arrays, ref.path), fps, options, up="z")
        valid, flags = _lead_in(ref.uid, fps, frames)
        dispute = self._dispute(ref.uid, fps)
        if dispute is not None:
            labels, flags = {**labels, "fps_dispute": dispute}, (*flags, "fps_disputed")
        return replace(raw, valid=valid, labels=labels, flags=flags)

    def _dispute(self, uid: str, fps: Fraction) -> str | None:
        """Who says that the stated rate is wrong; None where nobody does."""
        subset = uid.split("/")[1]
        take = take_of(uid.rpartition("/")[2]) if subset == "cmu" else None
        if take is not None and take.fps != fps:
            return f"{fps} in this file, {take.fps} by CMU's own list of takes (IDEA-Research/Motion-X#43)"
        known: dict[str, str] = source_manifest(self.name)["disputed_rates"]
        return known.get(subset)

    def _arrays(self, path: Path) -> dict[str, Array]:
        optional = ["betas", "gender", *RATE_KEYS]
        if self.layout == "smplh":
            return read_npz(path, ("poses", "trans"), optional)
        split = {"root_orient", "pose_body"} <= set(list_members(path))
        needed = ("root_orient", "pose_body", "trans") if split else ("poses", "trans")
        return read_npz(path, needed, [*optional, "pose_hand", "pose_jaw", "pose_eye", "expression"])


def layouts_in(folder: Folder) -> dict[str, str | None]:
    """The layout of every npz file in a folder, by name; found out once for all who ask."""
    return folder.once("npz layouts", lambda: {n: layout_of(folder.path / n) for n in folder.with_suffix(".npz")})


def layout_of(path: Path) -> str | None:
    """`smplh`, `smplx`, `fits` (not AMASS's), `shape` (no motion) or None, by array names and shapes.

    A file that cannot be opened is known by its name.
    """
    try:
        heads = member_heads(path, ("poses", "trans", "root_orient", "pose_body", "betas", *VIDEO_KEYS))
    except SourceFormatError as error:
        if error.reason == "git_lfs_pointer" or error.reason == "not_npz":
            return None
        return "smplx" if path.stem.endswith("_stageii") else "smplh"
    if path.stem.endswith("_stagei") or ("betas" in heads and not {"poses", "trans", "root_orient"} & set(heads)):
        return "shape"
    if set(VIDEO_KEYS) & set(heads) and "poses" in heads:
        return "fits"
    if {"root_orient", "pose_body", "trans"} <= set(heads):
        return "smplx"
    if not {"poses", "trans"} <= set(heads):
        return None
    width = heads["poses"].shape[1:] if not heads["poses"].pickled else (156,)
    return _LAYOUTS.get(width)


def _smplx_pose(arrays: Mapping[str, Array], path: Path) -> Pose:
    if "root_orient" in arrays:
        parts = {"hands": ("pose_hand", 90), "jaw": ("pose_jaw", 3), "eyes": ("pose_eye", 6)}
        pose = parted_pose(arrays, path, "smplx", root="root_orient", body="pose_body", parts=parts)
    else:
        pose = whole_pose(arrays["poses"], path, ("smplx",))
    return with_expression(pose, arrays, path)


def _lead_in(uid: str, fps: Fraction, frames: int) -> tuple[tuple[int, int] | None, tuple[str, ...]]:
    """Frames of real motion in subsets that begin with a T-pose; the cut stands for nothing where all would go."""
    start = math.ceil(LEAD_IN_S.get(uid.split("/")[1], Fraction(0)) * fps)
    if start == 0:
        return None, ()
    return ((start, frames), ()) if start < frames else (None, ("shorter_than_lead_in",))
