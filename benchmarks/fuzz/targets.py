"""The parsers that are tried, each as a function of a file that reads all that it can give."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from benchmarks.fuzz.mutation import mutate, repacked
from motionunion.caption_tables import read_caption_file
from motionunion.captions import read_humanml3d_text, sidecar_captions
from motionunion.clip import ClipRef
from motionunion.formats.amc import read_amc
from motionunion.formats.asf import read_asf
from motionunion.formats.bvh import joint_names, read_bvh
from motionunion.formats.npy import read_npy
from motionunion.formats.npz import list_members, member_heads, read_npz
from motionunion.joint_maps import read_joint_map
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.humanml3d_index import read_index

SEEDS = Path(__file__).with_name("seeds")


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of file."""

    name: str
    suffix: str
    read: Callable[[Path], int]
    """Reads the file and says how many bytes of content it gave."""
    damage: Callable[[bytes, Sequence[bytes], random.Random], bytes] = mutate

    def seeds(self) -> list[bytes]:
        """Small whole files, in the repository."""
        return [path.read_bytes() for path in sorted((SEEDS / self.name).iterdir())]


def _bvh(path: Path) -> int:
    with path.open("rb") as file:
        joint_names(file.read(16384))
    bvh = read_bvh(path)
    return bvh.quats_TJ4().nbytes + bvh.translations_TJ3().nbytes + bvh.values_TC.nbytes


def _asf(path: Path) -> int:
    asf = read_asf(path)
    return asf.axes_J4.nbytes + asf.skeleton.offsets_J3.nbytes


def _amc(path: Path) -> int:
    amc = read_amc(path, read_asf(SEEDS / "asf" / "small.asf"))
    return amc.quats_TJ4().nbytes + amc.root_T3().nbytes + amc.values_TC.nbytes


def _npz(path: Path) -> int:
    heads = member_heads(path)
    names = list_members(path)
    arrays = read_npz(path, (), [name for name in names if not heads[name].pickled])
    return sum(_content(array) for array in arrays.values())


def _npy(path: Path) -> int:
    return _content(read_npy(path))


def _content(array: npt.NDArray[Any]) -> int:
    """Bytes of an array, after looking at its texts."""
    if array.dtype.kind in "US":
        array.tolist()
    return array.nbytes


def _humanml3d_text(path: Path) -> int:
    return sum(len(line.text) for line in read_humanml3d_text(path, 9.8))


def _sidecar(path: Path) -> int:
    ref = ClipRef(source="bvh", key="x", uid="bvh/x", path=path.with_suffix(".bvh"), root=path.parent)
    return sum(len(caption.text) for caption in sidecar_captions(ref, 9.8))


def _table(path: Path) -> int:
    return sum(len(caption.text) for caption in read_caption_file(path))


def _index(path: Path) -> int:
    return len(read_index(path).rows)


def _source(name: str) -> Callable[[Path], int]:
    """The reader of one annotation file of a data set."""

    def read(path: Path) -> int:
        ref = ClipRef(source=name, key=path.stem, uid=f"{name}/{path.stem}", path=path, root=path.parent)
        return sum(len(caption.text) for caption in SOURCES[name].read(ref, ReadOptions()).captions)

    return read


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("bvh", ".bvh", _bvh),
        Target("asf", ".asf", _asf),
        Target("amc", ".amc", _amc),
        Target("npz", ".npz", _npz, repacked),
        Target("npy", ".npy", _npy),
        Target("humanml3d_text", ".txt", _humanml3d_text),
        Target("sidecar", ".txt", _sidecar),
        Target("caption_csv", ".csv", _table),
        Target("caption_jsonl", ".jsonl", _table),
        Target("humanml3d_index", ".csv", _index),
        Target("babel", ".json", _source("babel")),
        Target("skeleton_map", ".toml", lambda path: len(read_joint_map(path).places)),
        Target("amass_annotations", ".json", _source("amass_annotations")),
    )
}
