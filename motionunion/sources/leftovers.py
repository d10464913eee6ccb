"""Why a file is not read: one short reason per kind of file that no source has claimed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from motionunion.errors import SourceFormatError
from motionunion.formats.npy import npy_head
from motionunion.formats.npz import member_heads
from motionunion.sources import SOURCES
from motionunion.sources.base import Folder
from motionunion.sources.bvh_heads import known_skeletons

_PLAIN: tuple[tuple[str, str], ...] = (
    (r"(licen[cs]e|copying|notice|citation|authors)(\..*)?|.*licen[cs]e\.(txt|md|pdf)", "licence or credits"),
    (r"synthetic\.txt", "marks the files beside and below it as synthetic"),
    (r"readme.*|changelog.*|.*\.(md|rst|pdf|html?)", "documentation"),
    (r".*\.(png|jpe?g|gif|mp4|avi|webm|mov|svg)", "picture or film"),
    (
        r".*\.(gz|bz2|xz|zst|lz4|z|7z|rar)",
        "packed in a way that is not opened (.tar, .tar.gz, .tar.bz2, .tar.xz, .zip are): unpack it",
    ),
    (r".*\.(py|ipynb|sh|toml|ya?ml|cfg|ini|opt)", "program or settings"),
    (r".*\.(fbx|glb|gltf|blend|obj|ply|c3d)", "motion or mesh format that is not read yet"),
    (
        r".*\.amc",
        "Acclaim motion that bears no take's name of the CMU database (01_05.amc): --source cmu_asfamc reads it",
    ),
    (r".*\.asf", "Acclaim skeleton without a motion of the CMU database beside it"),
    (r".*\.(pkl|pickle)", "pickle of no set that is known (AIST++, EgoBody and InterHuman come so); none is ever run"),
    (r".*\.(pt|pth|ckpt)", "weights or tensors in a pickle, which no source that is read needs"),
    (
        r".*\.(h5|hdf5)",
        "HDF5 of no set that is known, and no TOML file describes its arrays (docs/sources.md, arrays of your own)",
    ),
    (r".*\.(json|jsonl|csv|tsv|txt|xml)", "text or table beside no motion (own captions: motionunion captions import)"),
)

_UNDESCRIBED = "which no TOML file beside them describes: rate, axes and joints are not to be guessed (docs/sources.md)"
_FEWEST_JOINTS = 12
_JOINT = re.compile(rb"^[ \t]*(?:ROOT|JOINT)[ \t]+(\S+)", re.MULTILINE)


def why_skipped(folder: Folder, name: str) -> str:
    """The reason for one file that no source claims."""
    lower = name.lower()
    if name in folder.unreadable:
        return f"file that cannot be read ({folder.unreadable[name]})"
    if lower.endswith(".bvh"):
        return _bvh_reason(folder, name)
    if lower.endswith((".npz", ".npy")):
        return _array_reason(folder.path / name)
    return why_passed(name)


def why_passed(name: str) -> str:
    """The reason for a file of which only the name is known."""
    lower = name.lower()
    return next(
        (reason for pattern, reason in _PLAIN if re.fullmatch(pattern, lower)), "no reader for this kind of file"
    )


def _bvh_reason(folder: Folder, name: str) -> str:
    joints = [joint.decode("latin1") for joint in _JOINT.findall(folder.head(name, 1 << 16))]
    if not joints:
        return "BVH without a readable hierarchy"
    skeleton_id = known_skeletons(folder).get(name)
    if skeleton_id is not None:
        readers = [reader.name for reader in SOURCES.values() if skeleton_id in getattr(reader, "skeleton_ids", ())]
        return (
            f"BVH on the skeleton {skeleton_id}, but by its name of none of the sets on it ({', '.join(readers)}): "
            "--source NAME reads it as one of them"
        )
    shown = ", ".join(joints[:4]) + (", ..." if len(joints) > 4 else "")
    return (
        f"BVH of a skeleton that is not known ({len(joints)} joints: {shown}): `motionunion skeleton inspect` makes a map for "
        "--skeleton"
    )


def _array_reason(path: Path) -> str:
    try:
        if path.suffix.lower() == ".npz":
            heads = member_heads(path)
            positions = [name for name, head in heads.items() if _may_be_positions(head.shape)]
            if positions:
                return f"npz that may hold positions ({_some(tuple(positions))}), {_UNDESCRIBED}"
            return f"npz of a layout that is not read (arrays {_some(tuple(heads))})"
        head = npy_head(path)
    except SourceFormatError as error:
        return f"{path.suffix.lower()[1:]} file that cannot be read: {error.reason.replace('_', ' ')}"
    if head.shape[1:] == (263,):
        return "263 features outside a HumanML3D folder: put them into new_joint_vecs/ under their ids"
    if head.shape[1:] == (272,):
        return (
            "272 features that state no frame rate: MotionStreamer's and MotionMillion's are known by the folders around them "
            "(motion_data beside texts or split, motion_272rpr)"
        )
    if _may_be_positions(head.shape):
        return f"positions of {head.shape[1]} joints, {_UNDESCRIBED}"
    inner = ", ".join(str(extent) for extent in head.shape[1:])
    return f"npy of a layout that is not read (frames x {inner})" if inner else "npy of a layout that is not read"


def _may_be_positions(shape: tuple[int, ...]) -> bool:
    """Whether an array can be a person's joints over some frames."""
    return len(shape) == 3 and shape[0] > 1 and shape[1] >= _FEWEST_JOINTS and shape[2] == 3


def _some(names: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(list(Counter(names))[:most]) + (", ..." if len(names) > most else "")
