"""AIST++ (Li et al. 2021, arXiv:2101.08779): 1,408 street dances of ten genres, fitted with SMPL from nine cameras.

Annotations CC BY 4.0; the videos have AIST's own terms. As downloaded: `motions/<name>.pkl` with `smpl_poses (T, 72)`
axis-angle, `smpl_scaling (1)` and `smpl_trans (T, 3)`; `splits/crossmodal_{train,val,test}.txt`; `ignore_list.txt`, the
names of 46 bad fits (flag `known_bad`). 60 fps, +Y up.

The authors pose a male SMPL body of mean shape, scale it by `smpl_scaling` to centimetres and add `smpl_trans`. So the
file's length unit is SMPL's metre divided by the scaling, and `smpl_trans / smpl_scaling` is what SMPL calls `transl`. All
dancers come out in one size; the scaling, about 93, stays as a label: the dancer is 0.01 times it as tall as SMPL's mean.
Held against the 3D keypoints of the same fits (which are in real centimetres) the limbs agree within 2 to 6 cm.

A name says it all, `gBR_sBM_cAll_d04_mBR0_ch01`: genre, situation, cameras, dancer, music, choreography. Dancers repeat the
choreographies of a genre to several pieces of music, so clips of one choreography are one group. The official split used
is the one for music to dance, in which no choreography and no music is on two sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from manifests import source_manifest
from motionunion.captions import read_text
from motionunion.clip import SPLITS, Caption, ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.npy import Array
from motionunion.formats.plain_pickle import read_plain_pickle
from motionunion.sources.base import Claim, Folder, ReadOptions, Skip, refs_by_stem
from motionunion.sources.smpl_parameters import Body, smpl_clip, whole_pose

_NAME = re.compile(
    r"g(?P<genre>[A-Z]{2})_s(?P<situation>[A-Z]{2})_c(?:All|\d\d)_d(?P<dancer>\d\d)_m(?P<music>[A-Z]{2}\d)_ch(?P<choreography>\d\d)"
)
_LISTS = ("ignore_list.txt", *(f"splits/crossmodal_{split}.txt" for split in SPLITS))
_KEYPOINTS = "3D keypoints, to which the SMPL parameters in motions/ were fitted"


class AistPlusPlus:
    """Reader of AIST++'s SMPL fits."""

    name = "aistpp"
    version = 1
    suffixes: tuple[str, ...] = (".pkl",)

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim pickles that begin with `smpl_...` keys, and the lists of a folder that has such in `motions`."""
        files = _with_key(folder, b"smpl_poses")
        inner = folder.below("motions")
        if inner is not None and _with_key(inner, b"smpl_poses"):
            files += [folder.path / name for name in _LISTS if _has(folder, name)]
        skipped = tuple(Skip(path, _KEYPOINTS) for path in _with_key(folder, b"keypoints3d"))
        return Claim(self.name, folder.top, tuple(sorted(files)), skipped) if files or skipped else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per pickle, sorted by key, which is the file's name."""
        return refs_by_stem(self.name, claim, ".pkl")

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one pickle. Raises `SourceFormatError` or `ClipError`."""
        values = read_plain_pickle(ref.path)
        poses = _array(values, "smpl_poses", ref.path)
        if "smpl_scaling" not in values:
            raise SourceFormatError(
                ref.path,
                "has no smpl_scaling, by which AIST++ says its length unit: this file was made by others, and neither its "
                "unit nor its frame rate is known. Save it as npz with poses, trans (metres) and mocap_framerate",
                reason="unknown_unit",
            )
        scaling = _array(values, "smpl_scaling", ref.path).reshape(-1)
        if len(scaling) != 1 or not np.isfinite(scaling).all() or scaling[0] <= 0:
            raise SourceFormatError(ref.path, f"smpl_scaling is {scaling[:4]}, not one length", reason="unknown_unit")
        trans = _array(values, "smpl_trans", ref.path)
        if trans.shape != (len(poses), 3):
            raise SourceFormatError(
                ref.path, f"smpl_trans has shape {trans.shape}, not ({len(poses)}, 3)", reason="bad_shape"
            )
        manifest = source_manifest(self.name)
        pose = whole_pose(poses, ref.path, ("smpl",))
        metres = trans.astype(np.float64) / float(scaling[0])
        raw = smpl_clip(
            ref, pose, metres, Body(gender="male"), Fraction(manifest["fps"]), options, up=str(manifest["up"])
        )
        home = ref.path.parent.parent if ref.path.parent.name == "motions" else ref.path.parent
        ignored, splits, faults = _lists(home)
        found = _NAME.fullmatch(ref.path.stem)
        labels = {} if found is None else dict(found.groupdict())
        return replace(
            raw,
            group=choreography_of(ref.path.stem),
            official_split=splits.get(ref.path.stem),
            captions=() if found is None else _captions(ref.uid, labels, manifest["caption"]),
            labels={**labels, "smpl_scaling": f"{float(scaling[0]):.6g}"},
            flags=("known_bad",) if ref.path.stem in ignored else (),
            faults=faults,
        )


def _with_key(folder: Folder, key: bytes) -> list[Path]:
    """Pickles whose first key begins so; keys come before their values."""
    return [folder.path / name for name in folder.with_suffix(".pkl") if _begins_with(folder.head(name, 512), key)]


def _begins_with(head: bytes, key: bytes) -> bool:
    # AIST++'s own first key is smpl_loss, a number; smpl_poses follows within a few bytes.
    return head[:1] in (b"\x80", b"(", b"}") and key in head


def _has(folder: Folder, name: str) -> bool:
    *above, last = name.split("/")
    holder = folder.below(above[0]) if above else folder
    return holder is not None and last in holder.names


def _array(values: dict[str, Any], name: str, path: Path) -> Array:
    value = values.get(name)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim == 0:
        raise SourceFormatError(path, f"has no array of numbers {name!r}", reason="missing_array")
    return value


def choreography_of(name: str) -> str | None:
    """The group of a dance by its name, `aistpp/gbr_sbm_ch01`: all that dance one choreography. None for other names."""
    found = _NAME.match(name)
    return (
        None if found is None else f"aistpp/g{found['genre']}_s{found['situation']}_ch{found['choreography']}".lower()
    )


def _captions(uid: str, labels: dict[str, str], tables: dict[str, dict[str, str]]) -> tuple[Caption, ...]:
    genre = tables["genre"].get(labels["genre"])
    if genre is None:
        return ()
    manner = tables["situation"].get(labels["situation"], "")
    text = " ".join(f"a person dances {manner} {genre}".split())
    return (Caption(uid=uid, text=text, layer="labels", generator="template"),)


_Lists: TypeAlias = tuple[frozenset[str], dict[str, str], tuple[SourceFormatError, ...]]


def _lists(home: Path) -> _Lists:
    """Names of bad fits, names to sides of the split, and lists that cannot be read; empty where there are none."""
    states = tuple((path, path.stat().st_mtime_ns) for name in _LISTS if (path := home / name).is_file())
    return _read_lists(states)


@lru_cache(maxsize=4)
def _read_lists(states: tuple[tuple[Path, int], ...]) -> _Lists:
    ignored: frozenset[str] = frozenset()
    splits: dict[str, str] = {}
    faults: list[SourceFormatError] = []
    for path, _changed in states:
        try:
            names = read_text(path).split()
        except SourceFormatError as error:
            faults.append(error)
            continue
        if path.name == "ignore_list.txt":
            ignored = frozenset(names)
        else:
            splits.update(dict.fromkeys(names, path.stem.removeprefix("crossmodal_")))
    return ignored, splits, tuple(faults)
