"""What folders in HumanML3D's layout share: features, joints decoded from them, captions with times, lists of splits.

new_joint_vecs/<id>.npy    features (T, D)
new_joints/<id>.npy        joints (T, J, 3), decoded from the features
texts/<id>.txt             `caption#word/POS word/POS#start#end`, seconds
train.txt val.txt test.txt ids
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from motionunion.captions import CaptionLine, read_humanml3d_text, read_text
from motionunion.clip import SPLITS, Caption
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.npy import Array, npy_head, read_npy
from motionunion.sources.base import Folder

LISTS = ("train.txt", "val.txt", "test.txt", "train_val.txt", "all.txt")
STATISTICS = ("Mean.npy", "Std.npy")

_PARTS = (("new_joint_vecs", ".npy"), ("new_joints", ".npy"), ("texts", ".txt"))


def ids_with_features(home: Folder, ids: re.Pattern[str], dims: int) -> bool:
    """Whether a folder holds features of so many columns under such ids, by the heads of the first few."""
    vectors = home.below("new_joint_vecs")
    if vectors is None:
        return False
    names = [name for name in vectors.with_suffix(".npy") if ids.fullmatch(Path(name).stem)]
    return any(is_features(vectors.path / name, dims) for name in names[:5])


def files_of_ids(home: Folder, ids: re.Pattern[str], *tables: str) -> list[Path]:
    """Lists of splits, statistics and other tables of a folder, and what its parts hold of such ids."""
    files = [home.path / name for name in (*LISTS, *STATISTICS, *tables) if name in home.names]
    for name, suffix in _PARTS:
        part = home.below(name)
        if part is not None:
            files += [part.path / n for n in part.with_suffix(suffix) if ids.fullmatch(Path(n).stem)]
    return files


def joints_beside(
    root: Path, name: str, features: Array, joints: int, decode: Callable[[Array], Array]
) -> tuple[Array, Path | None]:
    """The joints that lie beside features, and their file; decoded from the features where there is none.

    Raises as `read_joints`.
    """
    path = root / "new_joints" / f"{name}.npy"
    return (read_joints(path, len(features), joints), path) if path.is_file() else (decode(features), None)


def decoded_263(features: Array) -> Array:
    """Joints (T, 22, 3) of HumanML3D's features."""
    from motionunion.representations import decode  # late: representations load more than recognition needs

    return decode(features, "hml263@20/compat")


def that_are_files(*paths: Path | None) -> tuple[Path, ...]:
    """Those of some paths that are there."""
    return tuple(path for path in paths if path is not None and path.is_file())


def read_features(path: Path, dims: int) -> Array:
    """A `new_joint_vecs` file, (T, dims), T >= 1, finite, as it stands.

    Raises:
        SourceFormatError: not such an array.
        ClipError: `non_finite` values.
    """
    features = read_npy(path)
    if features.ndim != 2 or features.shape[1] != dims or features.dtype.kind != "f" or not len(features):
        raise SourceFormatError(
            path, f"has shape {features.shape} of {features.dtype}, not (T, {dims}) of floats", reason="bad_shape"
        )
    refuse_non_finite(features, path)
    return features


def read_joints(path: Path, frames: int, joints: int) -> Array:
    """A `new_joints` file, (frames, joints, 3). Raises as `read_features`; `lengths_differ` where the features are longer."""
    found = read_npy(path)
    if found.ndim == 2:  # a single frame was squeezed by the published script
        found = found[None]
    if found.shape != (frames, joints, 3):
        raise SourceFormatError(
            path, f"has shape {found.shape}, but the features have {frames} frames of {joints} joints",
            reason="lengths_differ",
        )  # fmt: skip
    refuse_non_finite(found, path)
    return found


def refuse_non_finite(array: Array, path: Path) -> None:
    """Raise `ClipError`, `non_finite`, where a frame holds what is no number."""
    bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if bad.any():
        raise ClipError(
            f"{path}: {int(bad.sum())} of {len(array)} frames hold values that are not numbers, first frame "
            f"{int(np.argmax(bad))}",
            reason="non_finite",
        )


def is_features(path: Path, dims: int) -> bool:
    """Whether a file in `new_joint_vecs` is to be read as features, by its head."""
    try:
        head = npy_head(path)
    except SourceFormatError:
        return True  # damaged or packed, in a place where features are: to be refused by name, not passed over
    return len(head.shape) == 2 and head.shape[1] == dims


def caption_lines(path: Path, seconds: float) -> tuple[list[CaptionLine], tuple[SourceFormatError, ...]]:
    """Captions of an id, and what is wrong with its file: a bad one costs its captions, not the motion or the split."""
    if not path.is_file():
        return [], ()
    try:
        return read_humanml3d_text(path, seconds), ()
    except SourceFormatError as error:
        return [], (error,)


def caption_of(
    line: CaptionLine, uid: str, layer: str, *, offset_s: float = 0.0, segment: str | None = None
) -> Caption:
    """A line as a caption of a source file, in which its clip begins at `offset_s`."""
    start, end = line.start_s, line.end_s
    return Caption(
        uid=uid,
        text=line.text,
        tokens=line.tokens,
        start_s=None if start is None else start + offset_s,
        end_s=None if end is None else end + offset_s,
        layer=layer,
        segment=segment,
    )


def official_splits(root: Path) -> dict[str, str]:
    """Id to official split; the gravest where lists disagree (test over val over train)."""
    paths = [(split, root / f"{split}.txt") for split in SPLITS]
    return _read_splits(tuple((split, path, path.stat().st_mtime_ns) for split, path in paths if path.is_file()))


@lru_cache(maxsize=8)
def _read_splits(lists: tuple[tuple[str, Path, int], ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for split, path, _changed_ns in lists:
        found |= {line.strip(): split for line in read_text(path).splitlines() if line.strip()}
    return found
