"""What the BVH data sets share: recognition by skeleton, listing, and the way from a file to a `RawClip`.

A data set adds what is its own: unit, names, labels, captions, what counts as one recording.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from manifests import source_manifest
from motionunion.clip import Caption, ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.bvh import Bvh, joint_names, read_bvh
from motionunion.joint_maps import skeleton_id_of
from motionunion.kinematics import global_rotations, local_rotations
from motionunion.rotation import rotate
from motionunion.skeleton import Skeleton
from motionunion.sources.base import Claim, Folder, ReadOptions

_STILL_M = 1e-3  # a bone that moves by less than this is a constant written with rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a file's name, and the label files around it, say about a clip."""

    text: str | None = None
    generator: str = "template"
    """Where the text comes from, as in `Caption`."""
    labels: dict[str, str]
    group: str | None = None
    valid: tuple[int, int] | None = None
    inputs: tuple[Path, ...] = ()
    faults: tuple[SourceFormatError, ...] = ()
    """Label files that cannot be read."""


class BvhSource(ABC):
    """A data set of one BVH file per clip, known by its skeleton."""

    version = 1
    suffixes: tuple[str, ...] = (".bvh",)
    name: str
    skeleton_id: str
    pattern: re.Pattern[str]
    """File stems as this data set writes them. A damaged file, whose skeleton cannot be seen, is known by it."""

    @property
    def manifest(self) -> dict[str, Any]:
        """`manifests/sources/<name>.toml`."""
        return source_manifest(self.name)

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim the BVH files with this data set's skeleton, and unreadable ones that bear its names."""
        found = folder.once("bvh skeletons", lambda: _skeletons(folder))
        files: list[Path] = []
        for file, skeleton in found.items():
            damaged = skeleton is None and joint_names(folder.head(file)) is None
            if (damaged and self.pattern.match(Path(file).stem)) or (
                skeleton == self.skeleton_id and self.owns(folder, file)
            ):
                files += (folder.path / file, *self.companions(folder, file))
        return Claim(self.name, folder.top, tuple(sorted(set(files)))) if files else None

    def owns(self, folder: Folder, file: str) -> bool:
        """Whether a file with the right skeleton is this data set's."""
        return True

    def companions(self, folder: Folder, file: str) -> tuple[Path, ...]:
        """Label files that are read with a BVH file."""
        return ()

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per BVH file, sorted by key.

        The key is the file's stem, which the data sets keep unique, so that a clip keeps its id wherever it lies. Where two
        files below one root bear the same name, theirs are the paths from the root.
        """
        motions = [path for path in claim.files if path.suffix.lower() == ".bvh"]
        stems = Counter(path.stem for path in motions)
        refs = []
        for path in motions:
            unique = stems[path.stem] == 1
            key = path.stem if unique else path.relative_to(claim.root).with_suffix("").as_posix()
            refs.append(
                ClipRef(
                    source=self.name,
                    key=key,
                    uid=self.uid(path.stem) if unique else f"{self.name}/{key.lower()}",
                    path=path,
                    root=claim.root,
                    size=path.stat().st_size,
                )
            )
        yield from sorted(refs, key=lambda ref: ref.key)

    def uid(self, stem: str) -> str:
        """Address that captions of other layers name the file by."""
        return f"{self.name}/{stem.lower()}"

    @abstractmethod
    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """What is known about a clip besides its motion."""

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one file. Raises `SourceFormatError`, or `ClipError` where bones of a rigid skeleton change."""
        bvh = read_bvh(ref.path)
        found = skeleton_id_of(bvh.skeleton.names)
        if found != self.skeleton_id:
            raise SourceFormatError(
                ref.path,
                f"the joints are not {self.name}'s ({len(bvh.skeleton.names)} joints, first {bvh.skeleton.names[0]!r}; "
                f"{'an unknown skeleton' if found is None else f'the skeleton {found}'}): leave the file out, or name its "
                "own source",
                reason="unknown_skeleton",
            )
        unit_m = float(self.manifest["unit_m"])
        skeleton, quats, root = _from_travelling_joint(bvh, unit_m, ref.path)
        described = self.describe(ref, bvh)
        captions: tuple[Caption, ...] = ()
        if described.text is not None:
            captions = (Caption(uid=ref.uid, text=described.text, layer="labels", generator=described.generator),)
        return RawClip(
            ref=ref,
            fps=bvh.fps,
            up=self.manifest["up"],
            unit_m=unit_m,
            skeleton=skeleton,
            skeleton_id=self.skeleton_id,
            body="own",
            quats_TJ4=quats,
            root_T3=root,
            valid=described.valid,
            group=described.group,
            captions=captions,
            labels=described.labels,
            inputs=(ref.path, *described.inputs),
            faults=described.faults,
        )


def _skeletons(folder: Folder) -> dict[str, str | None]:
    names = {file: joint_names(folder.head(file)) for file in folder.with_suffix(".bvh")}
    return {file: None if joints is None else skeleton_id_of(joints) for file, joints in names.items()}


def _from_travelling_joint(
    bvh: Bvh, unit_m: float, path: Path
) -> tuple[Skeleton, np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Skeleton, local rotations and root path, beginning at the joint that carries the travel.

    Some exporters put a still joint above the hips (`joint_Root`); it is folded into them. Position channels of other
    joints become their offsets, if they keep still.
    """
    skeleton, quats, translations = bvh.skeleton, bvh.quats_TJ4(), bvh.translations_TJ3()
    world = global_rotations(quats, skeleton.parents)
    root = translations[:, 0]
    while skeleton.parents.count(0) == 1 and bvh.channels[1] and bvh.channels[1][0].endswith("position"):
        root = root + rotate(world[:, 0], translations[:, 1])
        skeleton = Skeleton(
            skeleton.names[1:], tuple(parent - 1 for parent in skeleton.parents[1:]), skeleton.offsets_J3[1:]
        )
        world, translations = world[:, 1:], translations[:, 1:]
        bvh = replace(bvh, skeleton=skeleton, channels=bvh.channels[1:])
    if len(skeleton.names) != len(quats[0]):
        quats = local_rotations(world, skeleton.parents)
    offsets = skeleton.offsets_J3.copy()
    if bvh.has_moving_offsets():
        offsets[1:] = np.median(translations[:, 1:], axis=0)
        moved = np.abs(translations[:, 1:] - offsets[1:]).max(axis=(0, 2)) * unit_m
        if moved.max() > _STILL_M:
            joint = skeleton.names[1 + int(moved.argmax())]
            raise ClipError(
                f"{path}: the bone to {joint!r} changes by {moved.max() * 100:.1f} cm over the clip, and a stored skeleton "
                "is rigid: export the file with constant bone lengths",
                reason="moving_bones",
            )
    return Skeleton(skeleton.names, skeleton.parents, offsets), quats, root
