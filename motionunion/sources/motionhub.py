"""MotionHub (Ling et al. 2026): twenty sets brought to SMPL+H at 30 fps, +Y up, with captions at three levels.

Licences are those of the sets within. As published, one folder per set:

    GRAB/smplh_52/s1/airplane_fly_1.npz              poses (T, 156) and the same in parts, transl, betas, gender, mocap_framerate
    GRAB/hierarchical_caption/s1/airplane_fly_1.json  action, macro, meso, micro: phrases and sentences by language models
    GRAB/train.json, GRAB/test.json                   which motion is on which side

An earlier release has `smplx_55` folders of SMPL-X instead; where both are there, SMPL+H is read. Almost every set is in
this project by another way too, so groups are those of the originals wherever a name tells which (GRAB, EgoBody, AIST++,
HumanML3D, Inter-X, the videos of Motion-X). Each body was put on the floor and moved to the origin by itself: people of one scene are no pair here.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from manifests import source_manifest
from motionunion.clip import Caption, ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.json_text import read_json
from motionunion.formats.npy import Array
from motionunion.formats.npz import list_members, read_npz
from motionunion.sources.amass_names import normalise_part, uid_of
from motionunion.sources.base import Claim, Folder, ReadOptions, Skip
from motionunion.sources.motion_x_names import group_in as motion_x_group
from motionunion.sources.smpl_parameters import (
    RATE_KEYS,
    Pose,
    parted_pose,
    shaped,
    smpl_clip,
    stated_body,
    stated_rate,
    whole_pose,
)

LEVELS = ("action", "macro", "meso", "micro")

_FOLDERS = {"smplh_52": "smplh", "smplx_55": "smplx"}
_LISTS = ("train.json", "test.json")
_MEMBERS = frozenset({"global_orient", "body_pose", "mocap_framerate"})
_PARTS = {"left_hand": ("left_hand_pose", 45), "right_hand": ("right_hand_pose", 45), "jaw": ("jaw_pose", 3)}
_MOTION_PATHS = re.compile(rb'"(?:smplh|smplx|motion)_path"\s*:\s*("[^"]*"|\[[^\]]*\])')
_INTER_X = re.compile(r"G\d{3}T\d{3}A\d{3}R\d{3}", re.IGNORECASE)


class MotionHub:
    """Reader of MotionHub's folders."""

    name = "motionhub"
    version = 2
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim a set's motions, captions and lists from its folder; or motions alone, given a folder within."""
        homes = [name for name in _FOLDERS if name in folder.folders]
        if not homes:
            return self._within(folder)
        motions = [_below(folder, name, ".npz") for name in homes]
        if not any(files and _is_ours(files[0]) for files in motions):
            return None
        skipped: tuple[Skip, ...] = ()
        if len(motions) == 2:  # the older release beside the newer one
            skipped = tuple(Skip(path, "the same motion as in smplh_52") for path in motions[1])
        lists = [folder.path / name for name in _LISTS if name in folder.names]
        captions = _below(folder, "hierarchical_caption", ".json")
        return Claim(self.name, folder.top, tuple(sorted([*motions[0], *captions, *lists])), skipped)

    def _within(self, folder: Folder) -> Claim | None:
        if not set(folder.path.parts) & set(_FOLDERS):
            return None
        files = [folder.path / name for name in folder.with_suffix(".npz")]
        return Claim(self.name, folder.top, tuple(files)) if files and _is_ours(files[0]) else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per npz, sorted by key: the set's name, and the path within it."""
        refs = []
        for path in claim.files:
            if path.suffix.lower() == ".npz":
                home, within = _place(path)
                key = f"{home.name}/{within}"
                uid = "/".join([self.name, *(normalise_part(part) for part in PurePosixPath(key).parts)])
                refs.append(ClipRef(source=self.name, key=key, uid=uid, path=path, root=claim.root,
                                    size=path.stat().st_size))  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one npz and its captions. Raises `SourceFormatError` or `ClipError`."""
        path = ref.path
        home, within = _place(path)
        optional = ("poses", "global_orient", "body_pose", *(name for name, _ in _PARTS.values()))
        arrays = read_npz(path, (), (*optional, "trans", "transl", "betas", "gender", *RATE_KEYS))
        pose = _pose(arrays, path)
        frames = len(pose.rotvecs_T22x3)
        moved = next((name for name in ("transl", "trans") if name in arrays), None)
        if moved is None:
            raise SourceFormatError(path, "has neither transl nor trans", reason="missing_array")
        fps, labels = stated_rate(arrays, path)
        body, up = stated_body(arrays, path), str(source_manifest(self.name)["up"])
        raw = smpl_clip(ref, pose, shaped(arrays, moved, path, frames, 3), body, fps, options, up=up)
        said = home / "hierarchical_caption" / f"{within}.json"
        captions, more, faults = _captions(said, ref.uid)
        mirrored = home.name.startswith("HumanML3D") and PurePosixPath(within).name.startswith("M")
        return replace(
            raw,
            group=group_of(home.name, within),
            official_split=_sides(_states(home)).get(within),
            captions=captions,
            labels={**labels, "subset": home.name, **more},
            flags=("mirrored",) if mirrored else (),
            inputs=(path, said) if said.is_file() else (path,),
            faults=faults,
        )


def group_of(subset: str, within: str) -> str | None:
    """The group of the original that a motion was made from, where the names tell it; None = the motion's own.

    Args:
        subset: The set's folder, `GRAB`.
        within: The motion's path below `smplh_52`, without suffix.
    """
    parts = PurePosixPath(within).parts
    inter_x = _INTER_X.search(within)
    if subset == "GRAB" and len(parts) >= 2:
        return uid_of(f"GRAB/{parts[-2]}/{parts[-1]}")
    if subset == "EgoBody":
        return f"egobody/{parts[0].lower()}"
    if subset.startswith("HumanML3D"):
        return f"humanml3d/{parts[-1].removeprefix('M')}"
    if inter_x:
        return f"inter_x/{inter_x[0].lower()}"
    return motion_x_group((subset, *parts))


def _below(folder: Folder, name: str, suffix: str) -> list[Path]:
    """Files with a suffix anywhere below a folder in this one, sorted."""
    start = folder.below(name)
    waiting, files = [start] if start is not None else [], []
    while waiting:
        inner = waiting.pop()
        files += [inner.path / file for file in inner.with_suffix(suffix)]
        waiting += [deeper for part in inner.folders if (deeper := inner.below(part)) is not None]
    return sorted(files)


def _is_ours(path: Path) -> bool:
    try:
        return frozenset(list_members(path)) >= _MEMBERS
    except SourceFormatError:
        return True  # damaged, where this set's folders say what it should be


def _place(path: Path) -> tuple[Path, str]:
    """The set's folder, and the motion's path below `smplh_52` without suffix."""
    whole = path.resolve()
    for above in whole.parents:
        if above.name in _FOLDERS:
            return above.parent, whole.relative_to(above).with_suffix("").as_posix()
    return whole.parent, whole.stem


def _pose(arrays: dict[str, Array], path: Path) -> Pose:
    if "poses" in arrays:
        return whole_pose(arrays["poses"], path, ("smplh", "smplx"))
    missing = [name for name in ("global_orient", "body_pose") if name not in arrays]
    if missing:
        raise SourceFormatError(path, f"has neither poses nor {missing[0]}", reason="missing_array")
    family = next((family for name, family in _FOLDERS.items() if name in path.parts), "smplh")
    return parted_pose(arrays, path, family, root="global_orient", body="body_pose", parts=_PARTS)


def _captions(path: Path, uid: str) -> tuple[tuple[Caption, ...], dict[str, str], tuple[SourceFormatError, ...]]:
    """Captions level by level, the category as a label, and what is wrong with the file."""
    if not path.is_file():
        return (), {}, ()
    try:
        said = read_json(path, "bad_caption")
    except SourceFormatError as error:
        return (), {}, (error,)
    if not isinstance(said, dict):
        return (
            (),
            {},
            (SourceFormatError(path, "expected an object with action, macro, meso, micro", reason="bad_caption"),),
        )
    captions = [
        Caption(uid=uid, text=text, layer=f"motionhub_{level}", generator="llm")
        for level in LEVELS
        for text in _texts(said.get(level))
    ]
    category = said.get("category")
    return tuple(captions), {"category": category} if isinstance(category, str) and category else {}, ()


def _texts(value: object) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    return [" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()]


def _states(home: Path) -> tuple[tuple[Path, int], ...]:
    return tuple((path, path.stat().st_mtime_ns) for name in _LISTS if (path := home / name).is_file())


@lru_cache(maxsize=2)
def _sides(states: tuple[tuple[Path, int], ...]) -> dict[str, str]:
    """The side of each motion by its path below `smplh_52`.

    The lists have up to 300 MB, of which the paths alone matter: they are found in the mapped file, not in a parsed one.
    """
    sides: dict[str, str] = {}
    for path, _changed in states:
        if path.stat().st_size == 0:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            for found in _MOTION_PATHS.finditer(text):
                for name in re.findall(rb'"([^"]*)"', found[1]):
                    sides[_within_set(name.decode("utf-8", "replace"))] = path.stem
    return sides


def _within_set(name: str) -> str:
    parts = PurePosixPath(name).with_suffix("").parts
    start = max((at + 1 for at, part in enumerate(parts) if part in _FOLDERS), default=0)
    return "/".join(parts[start:])
