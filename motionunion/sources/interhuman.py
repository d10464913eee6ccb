"""InterHuman (Liang et al. 2024, IJCV, arXiv:2304.05684, the data set of InterGen): 7,779 scenes of two people, from 76 cameras.

Licence CC BY-NC-SA 4.0; not to be passed on. As downloaded:

    motions/1.pkl                            SMPL+H: `mocap_framerate`, `frames`, and for `person1` and `person2` each `trans`,
                                             `root_orient`, `pose_body (T, 63)`, `betas`, `gender`; +Z up, metres
    motions_processed/person1/1.npy, ...     the same at 30 fps: (T, 492) = 62 joints, then 51 rotations; +Z up, metres
    annots/1.txt                             three sentences about both
    split/{train,val,test}.txt               sides by scene
    ignore_list.txt, split/ignore_list.txt   scenes that the authors leave out (flag `known_bad`)

The processed files hold no root rotation, so from them only joints are taken; they are left out where the pickle is there.
Shape numbers belong to SMPL+H (tr3e/InterGen#41, #50): other models give people who walk through one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.captions import read_text
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.npy import Array, npy_head, read_npy
from motionunion.formats.plain_pickle import read_plain_pickle
from motionunion.sources.base import Claim, Folder, ReadOptions, Skip
from motionunion.sources.smpl_joints import joints_clip
from motionunion.sources.smpl_parameters import parted_pose, shaped, smpl_clip, stated_body, stated_rate
from motionunion.sources.two_people import ONE_OF_TWO, official_side, pair_labels, shared_sentences

_WIDTH = 62 * 3 + 51 * 6
_PROCESSED_FPS = Fraction(30)
_PEOPLE = ("person1", "person2")
_NEEDED = ("trans", "root_orient", "pose_body")
_IGNORED = ("ignore_list.txt", "split/ignore_list.txt")
_KNOWN_BAD = "known_bad"


class InterHuman:
    """Reader of InterHuman: its SMPL+H parameters, or its processed joints."""

    name = "interhuman"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim pickles of two people, processed arrays of either, and at the top of the set its sentences and lists."""
        files = [folder.path / name for name in folder.with_suffix(".pkl") if _is_pair(folder.head(name))]
        skipped: tuple[Skip, ...] = ()
        if folder.path.name in _PEOPLE:
            arrays = [folder.path / name for name in folder.with_suffix(".npy") if _is_processed(folder.path / name)]
            raw = folder.path.resolve().parents[1] / "motions"
            skipped = tuple(
                Skip(path, "joints of motions/, which is read")
                for path in arrays
                if (raw / f"{path.stem}.pkl").is_file()
            )
            files += [path for path in arrays if path not in {skip.path for skip in skipped}]
        if {"motions", "motions_processed"} & set(folder.folders):
            files += _beside(folder)
        return Claim(self.name, folder.top, tuple(sorted(files)), skipped) if files or skipped else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """Two clips per scene, sorted by key."""
        refs = []
        for path in claim.files:
            if path.suffix.lower() == ".pkl":
                people, place = [1, 2], path.stem
            elif path.suffix.lower() == ".npy":
                people, place = [int(path.resolve().parent.name[-1])], f"processed/{path.stem}"
            else:
                continue
            refs += [
                ClipRef(source=self.name, key=f"{place}#P{person}", uid=f"{self.name}/{path.stem.lower()}/p{person}",
                        path=path, root=claim.root, size=path.stat().st_size // len(people))
                for person in people
            ]  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one person of one scene. Raises `SourceFormatError` or `ClipError`."""
        pickled = ref.path.suffix.lower() == ".pkl"
        raw = _parameters(ref, options) if pickled else _joints(ref)
        scene, home = ref.path.stem, ref.path.parents[1 if pickled else 2]
        said = home / "annots" / f"{scene}.txt"
        captions, faults = shared_sentences(said, ref.uid, self.name)
        side, listed = official_side(scene, (home / "split", home))
        ignored = [home / name for name in _IGNORED if (home / name).is_file()]
        bad = any(scene in read_text(path).split() for path in ignored)
        inputs = (said if said.is_file() else None, listed, *ignored)
        return replace(
            raw,
            group=f"{self.name}/{scene.lower()}",
            official_split=side,
            captions=captions,
            labels={**raw.labels, **pair_labels(scene, int(ref.key[-1]), ref.key)},
            flags=(ONE_OF_TWO, _KNOWN_BAD) if bad else (ONE_OF_TWO,),
            inputs=(ref.path, *(path for path in inputs if path is not None)),
            faults=faults,
        )


def _parameters(ref: ClipRef, options: ReadOptions) -> RawClip:
    values = read_plain_pickle(ref.path)
    who = f"person{ref.key[-1]}"
    person = values.get(who)
    if not isinstance(person, dict):
        raise SourceFormatError(ref.path, f"holds no {who}", reason="missing_array")
    arrays = _arrays(person)
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        raise SourceFormatError(ref.path, f"its {who} has no {', '.join(missing)}", reason="missing_array")
    fps, labels = stated_rate(_arrays(values), ref.path, ("mocap_framerate",))
    parts = {"hands": ("pose_hand", 90)}
    pose = parted_pose(arrays, ref.path, "smplh", root="root_orient", body="pose_body", parts=parts)
    trans = shaped(arrays, "trans", ref.path, len(pose.rotvecs_T22x3), 3)
    body = stated_body(arrays, ref.path)
    return replace(smpl_clip(ref, pose, trans, body, fps, options, up="z"), labels=labels)


def _joints(ref: ClipRef) -> RawClip:
    values = read_npy(ref.path)
    if values.ndim != 2 or values.shape[1] != _WIDTH or values.dtype.kind not in "fiu":
        raise SourceFormatError(
            ref.path, f"has shape {values.shape}; a processed scene has (T, {_WIDTH}) numbers", reason="bad_shape"
        )
    return joints_clip(ref, values[:, :66].reshape(-1, 22, 3), _PROCESSED_FPS, up="z", body="own")


def _arrays(values: dict[Any, Any]) -> dict[str, Array]:
    """Numbers and words of a pickled dictionary as arrays, by name; anything else in it is left out."""
    plain = (np.ndarray, np.generic, int, float, str, bytes)
    return {str(name): np.asarray(value) for name, value in values.items() if isinstance(value, plain)}


def _is_pair(head: bytes) -> bool:
    # Keys come before their values, and what comes before the first person is two numbers.
    return head[:1] in (b"\x80", b"(", b"}") and _PEOPLE[0].encode() in head[:4096]


def _is_processed(path: Path) -> bool:
    try:
        return npy_head(path).shape[1:] == (_WIDTH,)
    except SourceFormatError:
        return False


def _beside(folder: Folder) -> list[Path]:
    """Sentences and lists of a folder that holds the scenes in one of its own, if they are."""
    below = folder.below("motions")
    people = [
        inner for name in _PEOPLE if (inner := folder.below("motions_processed")) and (inner := inner.below(name))
    ]
    known = below is not None and any(_is_pair(below.head(name)) for name in below.with_suffix(".pkl")[:1])
    if not known and not any(_is_processed(one.path / name) for one in people for name in one.with_suffix(".npy")[:1]):
        return []
    found = [folder.path / name for name in _IGNORED if _has(folder, name)]
    for part in ("annots", "split"):
        inner = folder.below(part)
        if inner is not None:
            found += [inner.path / name for name in inner.with_suffix(".txt")]
    lists = [folder.path / f"{side}.txt" for side in ("train", "val", "test") if f"{side}.txt" in folder.names]
    return list(dict.fromkeys([*found, *lists]))


def _has(folder: Folder, name: str) -> bool:
    *above, last = name.split("/")
    holder = folder.below(above[0]) if above else folder
    return holder is not None and last in holder.names
