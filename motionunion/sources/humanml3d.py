"""HumanML3D (Guo et al. 2022, CVPR): 14,616 stretches of AMASS and HumanAct12 with 44,970 captions, and their mirrors.

Code and captions MIT; the motions derive from AMASS and have its licence. A folder as people have it, any part missing:

- `new_joint_vecs/004822.npy` (T, 263): features at 20 fps on one uniform skeleton, `hml263@20/compat`; kept bit for bit.
- `new_joints/004822.npy` (T, 22, 3): joints decoded from them, metres, +Y up.
- `texts/004822.txt`: captions with part-of-speech tags and times. `M004822` is the mirror image of `004822`.
- `index.csv`: the AMASS file and the stretch of each id; also found one folder up, as in the authors' repository.
- `train.txt`, `val.txt`, `test.txt`: ids of the official split, mirrors included; a mirror shares its base's side.

An id with features becomes a clip of this source. An id without them becomes an annotation: its captions, its stretch
and its split, attached to the AMASS file that the index names. Times of captions are HumanML3D's, seconds inside the
stretch at 20 fps, shifted by the start of the stretch.

Traps: 007975 holds NaN; 1,191 ids come from HumanAct12, which is no part of AMASS and has left and right exchanged
(EricGuo5513/HumanML3D#147); clips as short as 2 frames exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from motionunion.captions import CaptionLine, read_humanml3d_text, read_text
from motionunion.clip import SPLITS, Annotation, Caption, ClipRef, RawClip, Segment, Shipped
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.npy import Array, npy_head, read_npy
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton
from motionunion.sources.base import Claim, Folder, Reading, ReadOptions, Skip
from motionunion.sources.humanml3d_index import INDEX_FPS, Index, IndexRow, is_index, read_index

LAYER = "humanml3d"
REPRESENTATION = "hml263@20/compat"
DIMS = 263

_ID = re.compile(r"M?\d{6}")
_LISTS = ("train.txt", "val.txt", "test.txt", "train_val.txt", "all.txt")
_STATISTICS = ("Mean.npy", "Std.npy")


class HumanML3D:
    """Reader of a HumanML3D folder, whole or in parts."""

    name = "humanml3d"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim `new_joint_vecs`, `new_joints`, `texts`, the lists, the statistics and the index of one folder."""
        if folder.path.name == "new_joint_vecs" and folder.path == folder.top:
            files = [folder.path / n for n in folder.with_suffix(".npy") if _is_features(folder.path / n)]
            return Claim(self.name, folder.path.parent, tuple(files)) if files else None
        has_index = "index.csv" in folder.names and is_index(folder.head("index.csv", 256))
        home = folder
        if has_index and not _is_data(folder):
            home = next((sub for sub in map(folder.below, folder.folders) if sub and _is_data(sub)), folder)
        if not has_index and not _is_data(home):
            return None
        files = [home.path / name for name in (*_LISTS, *_STATISTICS) if name in home.names]
        if has_index:
            files.append(folder.path / "index.csv")
        for name, suffix in (("new_joint_vecs", ".npy"), ("new_joints", ".npy"), ("texts", ".txt")):
            part = home.below(name)
            if part is not None:
                files += [part.path / n for n in part.with_suffix(suffix) if _ID.fullmatch(Path(n).stem)]
        claim = Claim(self.name, home.path, tuple(sorted(files)))
        return replace(claim, skipped=(*_unread(home), *_unused(claim)))

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """Ids with features, ids that annotate AMASS files, and lines of the index that cannot be read."""
        features = _by_id(claim, "new_joint_vecs")
        texts = _by_id(claim, "texts")
        index_path = next((path for path in claim.files if path.name == "index.csv"), None)
        index = read_index(index_path) if index_path else Index()
        paths = {name: path for name, path in texts.items() if _annotates(index.rows.get(name))}
        paths |= {
            name: index_path for name, row in index.rows.items() if index_path and name not in paths and _annotates(row)
        }
        paths |= features
        paths |= {f"index.csv:{line}": index_path for line in index.bad if index_path}
        for key in sorted(paths):
            path = paths[key]
            size = 0 if path == index_path else path.stat().st_size
            yield ClipRef(
                source=self.name, key=key, uid=f"{self.name}/{key.lower()}", path=path, root=claim.root, size=size
            )

    def read(self, ref: ClipRef, options: ReadOptions) -> Reading:
        """Read one id. Raises `SourceFormatError` or `ClipError`."""
        index_path = index_file(ref.root)
        index = read_index(index_path) if index_path else Index()
        if ref.key.startswith("index.csv:"):
            line = int(ref.key.rpartition(":")[2])
            raise SourceFormatError(ref.path, index.bad.get(line, "changed while it was read"), line=line or None,
                                    reason="bad_index")  # fmt: skip
        row = index.rows.get(ref.key.removeprefix("M"))
        split = _splits(ref.root).get(ref.key)
        if ref.path.suffix == ".npy":
            return self._clip(ref, row, split)
        if row is None or row.uid is None:
            raise SourceFormatError(ref.path, f"{ref.key} has no AMASS file in the index", reason="bad_index")
        return self._annotation(ref, row, split)

    def _clip(self, ref: ClipRef, row: IndexRow | None, split: str | None) -> RawClip:
        features = read_features(ref.path)
        joints, joints_path = _joints(ref, features)
        mirrored = ref.key.startswith("M")
        text_path = ref.root / "texts" / f"{ref.key}.txt"
        lines, faults = _lines(text_path, len(features) / INDEX_FPS)
        base = ref.key.removeprefix("M")
        return RawClip(
            ref=ref,
            fps=Fraction(INDEX_FPS),
            up="y",
            unit_m=1.0,
            skeleton=Skeleton(SMPL22_NAMES, SMPL22_PARENTS, np.zeros((22, 3))),
            skeleton_id="smpl22",
            body="target",
            joints_TJ3=joints,
            group=row.uid if row is not None and row.uid is not None else f"{self.name}/{base}",
            official_split=split,
            shipped=Shipped(representation=REPRESENTATION, features_TD=features),
            captions=tuple(_caption(ref.uid, line, 0.0, None) for line in lines),
            labels=_labels(row, base),
            flags=("mirrored",) if mirrored else (),
            inputs=tuple(path for path in (ref.path, joints_path, text_path) if path is not None and path.is_file()),
            faults=faults,
        )

    def _annotation(self, ref: ClipRef, row: IndexRow, split: str | None) -> Annotation:
        start_s, end_s = row.interval_s
        assert row.uid is not None
        segment = Segment(uid=row.uid, name=ref.key, layer=LAYER, start_s=start_s, end_s=end_s, split=split)
        lines, faults = _lines(ref.root / "texts" / f"{ref.key}.txt", end_s - start_s)
        captions = tuple(_caption(row.uid, line, start_s, ref.key) for line in lines)
        return Annotation(ref=ref, captions=captions, segments=(segment,), faults=faults)


def read_features(path: Path) -> Array:
    """A `new_joint_vecs` file, (T, 263), T >= 1, finite, as it stands.

    Raises:
        SourceFormatError: not such an array.
        ClipError: `non_finite` values.
    """
    features = read_npy(path)
    if features.ndim != 2 or features.shape[1] != DIMS or features.dtype.kind != "f" or not len(features):
        raise SourceFormatError(
            path, f"has shape {features.shape} of {features.dtype}, not (T, {DIMS}) of floats", reason="bad_shape"
        )
    _refuse_non_finite(features, path)
    return features


def index_file(root: Path) -> Path | None:
    """The index of a HumanML3D folder: in it, or one folder up as in the authors' repository; None without one."""
    for path in (root / "index.csv", root.parent / "index.csv"):
        if path.is_file():
            with path.open("rb") as file:
                if is_index(file.read(256)):
                    return path
    return None


def _joints(ref: ClipRef, features: Array) -> tuple[Array, Path | None]:
    path = ref.root / "new_joints" / ref.path.name
    if not path.is_file():
        from motionunion.representations import decode

        return decode(features, REPRESENTATION), None
    joints = read_npy(path)
    if joints.ndim == 2:  # a single frame was squeezed by the published script
        joints = joints[None]
    if joints.shape != (len(features), 22, 3):
        raise SourceFormatError(
            path, f"has shape {joints.shape}, but the features have {len(features)} frames of 22 joints",
            reason="lengths_differ",
        )  # fmt: skip
    _refuse_non_finite(joints, path)
    return joints, path


def _refuse_non_finite(array: Array, path: Path) -> None:
    bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if bad.any():
        raise ClipError(
            f"{path}: {int(bad.sum())} of {len(array)} frames hold values that are not numbers, first frame "
            f"{int(np.argmax(bad))}",
            reason="non_finite",
        )


def _lines(path: Path, seconds: float) -> tuple[list[CaptionLine], tuple[SourceFormatError, ...]]:
    """Captions of an id, and what is wrong with its file: a bad one costs its captions, not the motion or the split."""
    if not path.is_file():
        return [], ()
    try:
        return read_humanml3d_text(path, seconds), ()
    except SourceFormatError as error:
        return [], (error,)


def _caption(uid: str, line: CaptionLine, offset_s: float, segment: str | None) -> Caption:
    start, end = line.start_s, line.end_s
    return Caption(
        uid=uid,
        text=line.text,
        tokens=line.tokens,
        start_s=None if start is None else start + offset_s,
        end_s=None if end is None else end + offset_s,
        layer=LAYER,
        segment=segment,
    )


def _labels(row: IndexRow | None, base: str) -> dict[str, str]:
    if row is None:
        return {"base": base}
    if row.uid is None:
        return {"base": base, "origin": "humanact12"}
    return {"base": base, "origin": row.uid, "index_frames": f"{row.start_frame}:{row.end_frame}"}


def _annotates(row: IndexRow | None) -> bool:
    return row is not None and row.uid is not None


def _by_id(claim: Claim, folder: str) -> dict[str, Path]:
    return {path.stem: path for path in claim.files if path.parent.name == folder}


def _is_features(path: Path) -> bool:
    try:
        head = npy_head(path)
    except SourceFormatError:
        return True  # damaged or packed, in a place where features are: to be refused by name, not passed over
    return len(head.shape) == 2 and head.shape[1] == DIMS


def _is_data(folder: Folder) -> bool:
    vectors = folder.below("new_joint_vecs")
    if vectors is not None:
        names = [name for name in vectors.with_suffix(".npy") if _ID.fullmatch(Path(name).stem)]
        return bool(names) and any(_is_features(vectors.path / name) for name in names[:5])
    texts = folder.below("texts")
    if texts is None:
        return False
    names = [name for name in texts.with_suffix(".txt") if _ID.fullmatch(Path(name).stem)]
    return any(texts.head(name, 4096).split(b"\n")[0].count(b"#") == 3 for name in names[:5])


def _unread(home: Folder) -> Iterator[Skip]:
    """What HumanML3D folders also hold and nobody needs."""
    if "texts.zip" in home.names and "texts" not in home.folders:
        yield Skip(home.path / "texts.zip", "HumanML3D's captions, still packed: unzip them here to have them read")
    joints = home.below("joints")
    reason = "HumanML3D's joints before retargeting: features, new_joints or AMASS are read instead"
    for name in joints.with_suffix(".npy") if joints is not None else ():
        yield Skip(home.path / "joints" / name, reason)


def _unused(claim: Claim) -> Iterator[Skip]:
    """Ids that are named and cannot be used, counted by reason."""
    index_path = next((path for path in claim.files if path.name == "index.csv"), None)
    rows = read_index(index_path).rows if index_path else {}
    features, texts = _by_id(claim, "new_joint_vecs"), _by_id(claim, "texts")
    counts = {
        "HumanAct12 ids without features: not part of AMASS": sum(
            row.uid is None and name not in features for name, row in rows.items()
        ),
        "mirrored ids without features: mirrored stretches of AMASS files are not built yet": sum(
            name.startswith("M") and name not in features for name in texts
        ),
        "caption files without features or a line in index.csv": sum(
            not name.startswith("M") and name not in features and name not in rows for name in texts
        ),
        "joints without features (new_joints without new_joint_vecs)": sum(
            name not in features for name in _by_id(claim, "new_joints")
        ),
    }
    yield from (Skip(claim.root, reason, count) for reason, count in counts.items() if count)


def _splits(root: Path) -> dict[str, str]:
    """Id to official split; the gravest where lists disagree (test over val over train)."""
    paths = [(split, root / f"{split}.txt") for split in SPLITS]
    return _read_splits(tuple((split, path, path.stat().st_mtime_ns) for split, path in paths if path.is_file()))


@lru_cache(maxsize=8)
def _read_splits(lists: tuple[tuple[str, Path, int], ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for split, path, _changed_ns in lists:
        found |= {line.strip(): split for line in read_text(path).splitlines() if line.strip()}
    return found
