"""What the readers of BVH share: recognition by skeleton, listing, and the way from a file to a `RawClip`.

A data set adds what is its own: unit, names, labels, captions, what counts as one recording. An exporter's reader
(`BvhExporter`) takes every file with one of its skeletons.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manifests import source_manifest
from motionunion.clip import Caption, ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.bvh import Bvh, read_bvh
from motionunion.formats.end_sites import Offset
from motionunion.joint_map import END
from motionunion.kinematics import global_rotations, local_rotations
from motionunion.rotation import rotate
from motionunion.skeleton import Skeleton
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.bvh_body import Body, body_of
from motionunion.sources.bvh_heads import end_sites_of, hierarchy_of, known_skeletons
from motionunion.world_frame import MEASURED

FloatArray = npt.NDArray[np.float64]

_STILL_M = 1e-3  # a bone that moves by less than this is a constant written with rounding
_LONGEST_BONE_M = 0.45  # about a thigh: scale enough to say what a moving bone is in a file without a unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a file's name, and the label files around it, say about a clip."""

    text: str | None = None
    generator: str = "template"
    """Where the text comes from, as in `Caption`."""
    labels: dict[str, str]
    fps: Fraction | None = None
    """The rate that is known from elsewhere, where the file's own is known to be wrong."""
    flags: tuple[str, ...] = ()
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
    skeleton_ids: tuple[str, ...]
    pattern: re.Pattern[str]
    """File stems as this data set writes them. A damaged file, whose skeleton cannot be seen, is known by it."""
    flags: tuple[str, ...] = ()
    """What is said of every clip."""

    @property
    def manifest(self) -> dict[str, Any]:
        """`manifests/sources/<name>.toml`."""
        return source_manifest(self.name)

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim the BVH files with this data set's skeleton, and unreadable ones that bear its names."""
        found = known_skeletons(folder)
        files: list[Path] = []
        for file, skeleton_id in found.items():
            damaged = skeleton_id is None and self.pattern.match(Path(file).stem) and hierarchy_of(folder, file) is None
            if damaged or (skeleton_id in self.skeleton_ids and self.owns(folder, file)):
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

    def unit_m(self) -> float | None:
        """Metres per length unit, as the manifest states it; None where the motion is to tell."""
        unit_m = self.manifest["unit_m"]
        return None if isinstance(unit_m, str) and MEASURED in unit_m else float(unit_m)

    def rebased(
        self, skeleton: Skeleton, quats_TJ4: FloatArray, root_T3: FloatArray, ref: ClipRef
    ) -> tuple[Skeleton, FloatArray, FloatArray]:
        """The same motion said relative to another zero pose, for files whose own is not one that a map can describe."""
        return skeleton, quats_TJ4, root_T3

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one file. Raises `SourceFormatError`, or `ClipError` where bones of a rigid skeleton change."""
        bvh = read_bvh(ref.path)
        sites = end_sites_of(ref.path)
        body = body_of(bvh.skeleton, sites)
        if body is None or body.joint_map.skeleton_id not in self.skeleton_ids:
            raise SourceFormatError(
                ref.path,
                f"the joints are not {self.name}'s ({len(bvh.skeleton.names)} joints, first {bvh.skeleton.names[0]!r}; "
                f"{'an unknown skeleton' if body is None else f'the skeleton {body.joint_map.skeleton_id}'}): leave the "
                "file out, or name its own source",
                reason="unknown_skeleton",
            )
        unit_m = self.unit_m()
        longest = float(np.linalg.norm(bvh.skeleton.offsets_J3[1:], axis=1).max())
        names = {bvh.skeleton.names[joint] for joint in body.kept}
        whole = from_travelling_joint(bvh, unit_m or _LONGEST_BONE_M / longest, ref.path, names)
        skeleton, quats, root = self.rebased(*_body_only(*whole, body, sites), ref)
        described = self.describe(ref, bvh)
        captions: tuple[Caption, ...] = ()
        if described.text is not None:
            captions = (Caption(uid=ref.uid, text=described.text, layer="labels", generator=described.generator),)
        return RawClip(
            ref=ref,
            fps=described.fps or bvh.fps,
            up=body.joint_map.up or self.manifest["up"],
            unit_m=unit_m,
            skeleton=skeleton,
            skeleton_id=body.joint_map.skeleton_id,
            body="own",
            quats_TJ4=quats,
            root_T3=root,
            valid=described.valid,
            group=described.group,
            captions=captions,
            labels=described.labels,
            flags=(*self.flags, *described.flags),
            inputs=(ref.path, *described.inputs),
            faults=described.faults,
        )


class BvhExporter(BvhSource):
    """Files of one program that writes BVH, of whatever motion: known by skeleton alone, named as anyone likes."""

    pattern = re.compile(r"(?!)")

    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """Names say nothing that holds for all files."""
        return Description(labels={})


def _body_only(
    skeleton: Skeleton, quats_TJ4: FloatArray, root_T3: FloatArray, body: Body, sites: Mapping[str, Offset]
) -> tuple[Skeleton, FloatArray, FloatArray]:
    """The joints of the body alone, by the map's names, with the End Sites that the map counts as joints."""
    folded = body.joints - len(skeleton.names)
    kept = [(joint - folded, name) for joint, name in zip(body.kept, body.names, strict=True) if joint >= folded]
    place = {joint: index for index, (joint, _) in enumerate(kept)}
    parents = [place.get(skeleton.parents[joint], -1) for joint, _ in kept]
    offsets = [skeleton.offsets_J3[joint] for joint, _ in kept]
    names = [name for _, name in kept]
    files_own = {name: skeleton.names[joint] for joint, name in kept}
    for end in body.ends:
        parents.append(names.index(end))
        offsets.append(np.array(sites[files_own[end]]))
    quats = np.zeros((len(quats_TJ4), len(parents), 4))
    quats[..., 0] = 1.0
    quats[:, : len(kept)] = quats_TJ4[:, [joint for joint, _ in kept]]
    all_names = (*names, *(end + END for end in body.ends))
    return Skeleton(all_names, tuple(parents), np.array(offsets)), quats, root_T3


def from_travelling_joint(
    bvh: Bvh, unit_m: float, path: Path, body: Collection[str] | None = None
) -> tuple[Skeleton, FloatArray, FloatArray]:
    """Skeleton, local rotations and root path, beginning at the joint that carries the travel.

    Some exporters put a still joint above the hips (`joint_Root`); it is folded into them. Position channels of other
    joints become their offsets, if they keep still, which is asked of the joints in `body` (all where it is None): how a face
    or a finger is stretched is nothing to the body.
    """
    skeleton, quats, translations = bvh.skeleton, bvh.quats_TJ4(), bvh.translations_TJ3()
    world = global_rotations(quats, skeleton.parents)
    root = translations[:, 0]
    while skeleton.parents.count(0) == 1 and any(name.endswith("position") for name in bvh.channels[1]):
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
        asked = [body is None or name in body for name in skeleton.names[1:]]
        moved = np.abs(translations[:, 1:] - offsets[1:]).max(axis=(0, 2)) * unit_m * asked
        if moved.max() > _STILL_M:
            joint = skeleton.names[1 + int(moved.argmax())]
            raise ClipError(
                f"{path}: the bone to {joint!r} changes by {moved.max() * 100:.1f} cm over the clip, and a stored skeleton "
                "is rigid: export the file with constant bone lengths",
                reason="moving_bones",
            )
    return Skeleton(skeleton.names, skeleton.parents, offsets), quats, root
