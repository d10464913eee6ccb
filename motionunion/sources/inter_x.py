"""Inter-X (Xu et al. 2024, arXiv:2312.16051): 11,388 takes of 59 pairs of people in 40 kinds of interaction.

Licence: research after a form; not to be passed on. Captured by OptiTrack with inertial gloves, hands are real. A take
is called `GgggTtttAaaaRrrr`: pair, session, action, repetition. As downloaded, and all three are read:

    motions/G001T000A000R000/P1.npz, P2.npz      SMPL-X fits at 120 fps: root_orient, pose_body (T, 21, 3), pose_lhand and
                                                 pose_rhand (T, 15, 3), trans, betas, gender; +Y up, metres
    skeletons/G001T000A000R000/P1.npy, P2.npy    OptiTrack's 64 joints at 120 fps (T, 64, 3); +Y up, the unit is measured
    processed_data/motions/train.h5              for training: every 4th frame (30 fps), one array (T, 56, 6) per take: 55 SMPL-X
                                                 rotations and the translation of both people side by side, without shapes
    texts/, texts_processed/                     three sentences per take about both: said of both clips, wherever those lie
    splits/, annots/interaction_order.pkl        sides by take; which of the two acts

The fits are the motion of the skeletons, which are left out where both lie side by side. The arrays for training are another
reading of the same takes (same uid and group): each person was put on the floor, then both moved so that person 1 starts at
the origin, so heights are not above the floor any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from manifests import source_manifest
from motionunion.clip import SPLITS, Annotation, ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.hdf5 import SUFFIXES as HDF5
from motionunion.formats.hdf5 import hdf5_heads, is_hdf5, read_hdf5
from motionunion.formats.npy import npy_head, read_npy
from motionunion.formats.npz import list_members, member_heads, read_npz
from motionunion.formats.plain_pickle import read_object_array, read_plain_pickle
from motionunion.joint_maps import JOINT_MAPS
from motionunion.skeleton import Skeleton
from motionunion.sources.base import Claim, Folder, Reading, ReadOptions, Skip
from motionunion.sources.smpl_parameters import Body, one_shape, parted_pose, shaped, smpl_clip, text_of, whole_pose
from motionunion.sources.two_people import ONE_OF_TWO, official_side, pair_labels, shared_sentences

_TAKE = re.compile(r"G\d{3}T\d{3}A(?P<action>\d{3})R\d{3}")
_PERSON = re.compile(r"P[12]")
_MEMBERS = frozenset({"root_orient", "pose_body", "pose_lhand", "pose_rhand", "trans"})
_HANDS = {"left_hand": ("pose_lhand", 45), "right_hand": ("pose_rhand", 45)}
_SKELETON = "inter_x_optitrack"
_LISTS = ("splits", "datasets")
_ORDER = "interaction_order.pkl"


class InterX:
    """Reader of Inter-X: fits, skeletons, and the arrays for training."""

    name = "inter_x"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim a take's folder, HDF5 files of takes, sentences about takes, and at the top of the set its lists."""
        files: list[Path] = []
        skipped: tuple[Skip, ...] = ()
        if _TAKE.fullmatch(folder.path.name):
            files, skipped = _take_files(folder)
        files += [folder.path / name for name in folder.with_suffix(*HDF5) if _has_takes(folder, name)]
        files += [folder.path / name for name in folder.with_suffix(".txt") if _TAKE.fullmatch(Path(name).stem)]
        if {"motions", "skeletons"} & set(folder.folders):
            files += _beside(folder)
        return Claim(self.name, folder.top, tuple(sorted(files)), skipped) if files or skipped else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """Two clips per take, and one annotation per file of sentences, sorted by key."""
        refs = []
        for path in claim.files:
            suffix, size = path.suffix.lower(), path.stat().st_size
            if suffix == ".txt" and _TAKE.fullmatch(path.stem):
                refs.append(ClipRef(source=self.name, key=f"texts/{path.stem}", uid=f"{self.name}/{path.stem.lower()}",
                                    path=path, root=claim.root, size=size))  # fmt: skip
                continue
            if suffix in HDF5:
                takes = _takes(path)
                found = [(f"processed/{take}", take, person) for take in takes for person in (1, 2)]
                size //= max(len(found), 1)
            elif _PERSON.fullmatch(path.stem) and suffix in (".npz", ".npy"):
                take = path.resolve().parent.name
                found = [(take if suffix == ".npz" else f"skeletons/{take}", take, int(path.stem[1]))]
            else:
                continue
            refs += [
                ClipRef(source=self.name, key=f"{place}#P{person}", uid=f"{self.name}/{take.lower()}/p{person}",
                        path=path, root=claim.root, size=size)
                for place, take, person in found
            ]  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> Reading:
        """Read one person of one take, or what is said about both. Raises `SourceFormatError` or `ClipError`."""
        if ref.path.suffix.lower() == ".txt":
            return _sentences(ref)
        take, person = ref.key.rpartition("#")[0].rpartition("/")[2], int(ref.key[-1])
        reading = {".npz": _fitted, ".npy": _captured}.get(ref.path.suffix.lower(), _processed)
        raw = reading(ref, options)
        home = ref.path.parent.parent if reading is _processed else ref.path.parents[2]
        named = ref.path.stem if reading is _processed and ref.path.stem in SPLITS else None
        side, listed = (named, None) if named else official_side(take, (home / folder for folder in _LISTS))
        order = home / "annots" / _ORDER
        found = _TAKE.fullmatch(take)
        assert found is not None
        actions = source_manifest(self.name)["actions"]
        action = int(found["action"])
        return replace(
            raw,
            group=f"{self.name}/{take.lower()}",
            official_split=side,
            labels={
                **pair_labels(take, person, ref.key),
                **({"action": actions[action]} if action < len(actions) else {}),
                **_role(order, take, person),
            },
            flags=(ONE_OF_TWO,),
            inputs=(ref.path,) if listed is None else (ref.path, listed),
        )


def _sentences(ref: ClipRef) -> Annotation:
    said = [shared_sentences(ref.path, f"{ref.uid}/p{person}", InterX.name) for person in (1, 2)]
    for _, faults in said:
        for fault in faults:
            raise fault
    return Annotation(ref=ref, captions=tuple(caption for captions, _ in said for caption in captions))


def _fitted(ref: ClipRef, options: ReadOptions) -> RawClip:
    arrays = read_npz(ref.path, (*sorted(_MEMBERS),), ("betas",))
    pose = parted_pose(arrays, ref.path, "smplx", root="root_orient", body="pose_body", parts=_HANDS)
    trans = shaped(arrays, "trans", ref.path, len(pose.rotvecs_T22x3), 3)
    body = Body(gender=_gender(ref.path), betas=one_shape(arrays, ref.path))
    return smpl_clip(ref, pose, trans, body, Fraction(120), options, up="y")


def _captured(ref: ClipRef, options: ReadOptions) -> RawClip:
    names = JOINT_MAPS[_SKELETON].names[0]
    joints = read_npy(ref.path)
    if joints.ndim != 3 or joints.shape[1:] != (len(names), 3) or joints.dtype.kind not in "fiu":
        raise SourceFormatError(
            ref.path, f"has shape {joints.shape}; a skeleton has (T, {len(names)}, 3) numbers", reason="bad_shape"
        )
    parents = (-1, *([0] * (len(names) - 1)))
    return RawClip(
        ref=ref,
        fps=Fraction(120),
        up="y",
        unit_m=None,
        skeleton=Skeleton(names, parents, np.zeros((len(names), 3))),
        skeleton_id=_SKELETON,
        body="own",
        joints_TJ3=joints,
    )


def _processed(ref: ClipRef, options: ReadOptions) -> RawClip:
    take, person = ref.key.rpartition("#")[0].rpartition("/")[2], int(ref.key[-1])
    values = read_hdf5(ref.path, take)
    if values.ndim != 3 or values.shape[1:] != (56, 6) or values.dtype.kind not in "fiu":
        raise SourceFormatError(
            ref.path, f"array {take!r} has shape {values.shape}; takes have (T, 56, 6) numbers", reason="bad_shape"
        )
    own = values[..., :3] if person == 1 else values[..., 3:]
    return smpl_clip(ref, whole_pose(own[:, :55], ref.path), own[:, 55], Body(), Fraction(30), options, up="y")


def _gender(path: Path) -> str | None:
    """The word under `gender`, which some writers of npz pickle."""
    head = member_heads(path, ("gender",)).get("gender")
    if head is None:
        return None
    return text_of(read_object_array(path, "gender") if head.pickled else read_npz(path, ("gender",))["gender"])


def _role(order: Path, take: str, person: int) -> dict[str, str]:
    if not order.is_file():
        return {}
    actor = _actors(order, order.stat().st_mtime_ns).get(take)
    return {} if actor is None else {"role": "actor" if actor == person else "reactor"}


@lru_cache(maxsize=4)
def _actors(order: Path, _changed_ns: int) -> dict[str, int]:
    """Who acts in each take, 1 or 2: the file says 0 for the first of the two, and 1 for the second."""
    return {take: int(first) + 1 for take, first in read_plain_pickle(order).items() if first in (0, 1)}


def _take_files(folder: Folder) -> tuple[list[Path], tuple[Skip, ...]]:
    fits = [folder.path / name for name in folder.with_suffix(".npz") if _PERSON.fullmatch(Path(name).stem)]
    if any(_is_fit(path) for path in fits):
        return fits, ()
    joints = [folder.path / name for name in folder.with_suffix(".npy") if _PERSON.fullmatch(Path(name).stem)]
    if not any(_is_skeleton(path) for path in joints):
        return [], ()
    fitted = folder.path.resolve().parents[1] / "motions" / folder.path.name
    if all((fitted / f"{path.stem}.npz").is_file() for path in joints):
        return [], tuple(Skip(path, "the skeleton to which motions/ was fitted, which is read") for path in joints)
    return joints, ()


def _is_fit(path: Path) -> bool:
    try:
        return set(list_members(path)) >= _MEMBERS
    except SourceFormatError:
        return False


def _is_skeleton(path: Path) -> bool:
    try:
        return npy_head(path).shape[1:] == (len(JOINT_MAPS[_SKELETON].names[0]), 3)
    except SourceFormatError:
        return False


def _has_takes(folder: Folder, name: str) -> bool:
    return is_hdf5(folder.head(name, 16)) and bool(_takes(folder.path / name))


def _takes(path: Path) -> list[str]:
    try:
        heads = hdf5_heads(path)
    except SourceFormatError:
        return []
    return [name for name, head in heads.items() if _TAKE.fullmatch(name) and head.shape[1:] == (56, 6)]


def _beside(folder: Folder) -> list[Path]:
    """Lists of splits and the order of the people, of a folder that holds the takes in one of its own."""
    found = []
    for name in _LISTS:
        lists = folder.below(name)
        if lists is not None:
            heads = {text: lists.head(text, 16).decode("ascii", "replace") for text in lists.with_suffix(".txt")}
            found += [lists.path / text for text, head in heads.items() if _TAKE.match(head)]
    annotations = folder.below("annots")
    if annotations is not None and _ORDER in annotations.names:
        found.append(annotations.path / _ORDER)
    return found
