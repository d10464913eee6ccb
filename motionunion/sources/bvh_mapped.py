"""BVH files of any skeleton, by a joint map that a person brought."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.bvh import joint_names, read_bvh
from motionunion.joint_map import END, JointMap, plain_names
from motionunion.joint_maps import JOINT_MAPS, read_joint_map
from motionunion.skeleton import Skeleton
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.bvh_heads import end_sites_of
from motionunion.sources.bvh_source import from_travelling_joint

FloatArray = npt.NDArray[np.float64]

_MAPS = "*.skeleton.toml"
_HEAD, _LONG_HEAD = 1 << 14, 1 << 20
"""Bytes in which a hierarchy usually ends, and in which one with all fingers and a face does."""


class BvhMapped:
    """Any BVH whose ordered joint names a map has.

    Maps come with `--skeleton`, or lie beside the files or in a folder above them as `<name>.skeleton.toml`. Unit and up axis
    are the map's own; a map that does not say them is refused, nothing is guessed. Known skeletons belong to their own
    sources, unless `--source bvh` is given. A clip's key begins with the map's name, since two collections may both hold a
    `walk.bvh`.
    """

    name = "bvh"
    version = 1
    suffixes: tuple[str, ...] = (".bvh",)

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim the BVH files whose skeleton a map describes, and the maps that lie in this folder."""
        files = {folder.path / name for name in folder.names if name.endswith(_MAPS.removeprefix("*"))}
        motions = folder.with_suffix(".bvh")
        beside = _maps_beside(folder.path, folder.top) if motions or files else {}
        wanted = (*folder.skeletons, *beside.values())
        used: dict[JointMap, None] = {}
        for file in motions if wanted else ():
            names = joint_names(folder.head(file, _HEAD)) or joint_names(folder.head(file, _LONG_HEAD))
            joint_map = None if names is None else _of(names, wanted)
            if joint_map is not None:
                used[joint_map] = None
                files.add(folder.path / file)
        return Claim(self.name, folder.top, tuple(sorted(files)), skeletons=tuple(used)) if files else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per BVH file, sorted by key: `<map>/<stem>`, or the path from the root where stems are not unique."""
        motions = [path for path in claim.files if path.suffix.lower() == ".bvh"]
        stems = Counter(path.stem for path in motions)
        refs = []
        for path in motions:
            own = path.stem if stems[path.stem] == 1 else path.relative_to(claim.root).with_suffix("").as_posix()
            key = f"{_skeleton_id(path, claim)}/{own}"
            uid = f"{self.name}/{key.lower()}"
            refs.append(
                ClipRef(source=self.name, key=key, uid=uid, path=path, root=claim.root, size=path.stat().st_size)
            )
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one file.

        Raises:
            SourceFormatError: No whole BVH, or a skeleton without a map (`unknown_skeleton`).
            ClipError: The map does not say unit or axis (`unknown_unit`, `unknown_axis`), or bones change their lengths.
        """
        bvh = read_bvh(ref.path)
        beside = _maps_beside(ref.path.parent, ref.root)
        joint_map = _of(bvh.skeleton.names, (*options.skeletons, *beside.values(), *JOINT_MAPS.values()))
        if joint_map is None:
            raise SourceFormatError(
                ref.path,
                f"no map has this skeleton ({len(bvh.skeleton.names)} joints, first {bvh.skeleton.names[0]!r}): "
                "`motionunion skeleton inspect FILE --save map.toml` makes one for --skeleton",
                reason="unknown_skeleton",
            )
        up, unit_m = joint_map.up, joint_map.unit_m
        if up is None or unit_m is None:
            what, key, reason = ("up axis", "up", "unknown_axis") if up is None else ("unit", "unit_m", "unknown_unit")
            raise ClipError(
                f"{ref.path}: a BVH does not say its {what}, and the map {joint_map.skeleton_id} does not either: add "
                f"`{key} = ...` to it (`motionunion skeleton inspect` measures it)",
                reason=reason,
            )
        skeleton, quats, root = from_travelling_joint(bvh, unit_m, ref.path)
        skeleton, quats = _with_ends(skeleton, quats, joint_map, ref.path)
        return RawClip(
            ref=ref,
            fps=bvh.fps,
            up=up,
            unit_m=unit_m,
            skeleton=skeleton,
            skeleton_id=joint_map.skeleton_id,
            joint_map=joint_map,
            body="own",
            licence=joint_map.licence or "unknown",
            valid=(joint_map.added_frames, len(quats)) if joint_map.added_frames else None,
            quats_TJ4=quats,
            root_T3=root,
            inputs=(ref.path, *(path for path, one in beside.items() if one is joint_map)),
        )


def _of(names: tuple[str, ...], maps: Iterable[JointMap]) -> JointMap | None:
    return next((joint_map for joint_map in maps if joint_map.matches(names)), None)


def _skeleton_id(path: Path, claim: Claim) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD)
        names = joint_names(head) or joint_names(head + file.read(_LONG_HEAD - _HEAD))
    files = {_read_map(one, one.stat().st_mtime_ns).digest for one in claim.files if one.suffix == ".toml"}
    given = [joint_map for joint_map in claim.skeletons if joint_map.digest not in files]
    beside = _maps_beside(path.parent, claim.root).values()
    joint_map = None if names is None else _of(names, (*given, *beside, *JOINT_MAPS.values()))
    return "unknown" if joint_map is None else joint_map.skeleton_id


def _maps_beside(folder: Path, top: Path) -> dict[Path, JointMap]:
    """Maps in a folder and in those above it, up to the one that was given: the nearest first."""
    above = [place for place in folder.parents if place.is_relative_to(top)]
    paths = [path for place in (folder, *above) for path in _maps_in(place, place.stat().st_mtime_ns)]
    return {path: _read_map(path, path.stat().st_mtime_ns) for path in paths}


@lru_cache(maxsize=4096)
def _maps_in(folder: Path, _changed_ns: int) -> tuple[Path, ...]:
    """Kept, since a folder of a million files is not listed for each of them."""
    return tuple(sorted(path for path in folder.glob(_MAPS) if path.is_file()))


@lru_cache(maxsize=64)
def _read_map(path: Path, _changed_ns: int) -> JointMap:
    return read_joint_map(path)


def _with_ends(
    skeleton: Skeleton, quats_TJ4: FloatArray, joint_map: JointMap, path: Path
) -> tuple[Skeleton, FloatArray]:
    """The skeleton with those End Sites as joints that the map names."""
    if not joint_map.ends:
        return skeleton, quats_TJ4
    plain = plain_names(skeleton.names)
    own = dict(zip(skeleton.names, plain, strict=True))
    sites = {own[name]: site for name, site in end_sites_of(path).items() if name in own}
    lacking = [name for name in joint_map.ends if name not in sites]
    if lacking:
        raise SourceFormatError(
            path,
            f"the map {joint_map.skeleton_id} names the End Site of {lacking[0]!r}, and there is none",
            reason="unknown_skeleton",
        )
    names = (*plain, *(f"{name}{END}" for name in joint_map.ends))
    parents = (*skeleton.parents, *(plain.index(name) for name in joint_map.ends))
    offsets = np.concatenate([skeleton.offsets_J3, [sites[name] for name in joint_map.ends]])
    still = np.zeros((len(quats_TJ4), len(joint_map.ends), 4))
    still[..., 0] = 1.0
    return Skeleton(names, parents, offsets), np.concatenate([quats_TJ4, still], axis=1)
