"""HumanML3D (Guo et al. 2022, CVPR): 14,616 stretches of AMASS and HumanAct12 with 44,970 captions, and their mirrors.

Code and captions MIT; the motions derive from AMASS and have its licence. A folder as people have it, any part missing:

- `new_joint_vecs/004822.npy` (T, 263): features at 20 fps on one uniform skeleton, `hml263@20/compat`; kept bit for bit.
- `new_joints/004822.npy` (T, 22, 3): joints decoded from them, metres, +Y up.
- `texts/004822.txt`: captions with part-of-speech tags and times. `M004822` is the mirror image of `004822`.
- `index.csv`: the AMASS file and the stretch of each id; also found one folder up, as in the authors' repository.
- `train.txt`, `val.txt`, `test.txt`: ids of the official split, mirrors included; a mirror shares its base's side.

An id with features becomes a clip of this source. An id without them becomes an annotation: its captions, its stretch
and its split, attached to the AMASS or HumanAct12 file that the index names, so that both make HumanML3D without its notebooks. A
mirrored id with a text becomes one too, of its base's stretch: spans of such a name are mirrored when features are built. Times of
captions are HumanML3D's, seconds inside the stretch at 20 fps, shifted by the start of the stretch.

Traps: of 30 ids from SSM 13 are at 29.995 fps and not at 20 (EricGuo5513/HumanML3D#176), and nothing here says which: flag
`fps_uncertain`; 007975 holds NaN; the features of 1,191 ids from HumanAct12 have left and right exchanged
(EricGuo5513/HumanML3D#147); clips as short as 2 frames exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from motionunion.clip import Annotation, ClipRef, RawClip, Segment, Shipped
from motionunion.errors import SourceFormatError
from motionunion.sources.base import Claim, Folder, Reading, ReadOptions, Skip
from motionunion.sources.feature_folder import (
    caption_lines,
    caption_of,
    decoded_263,
    files_of_ids,
    ids_with_features,
    is_features,
    joints_beside,
    official_splits,
    read_features,
    that_are_files,
)
from motionunion.sources.humanml3d_index import INDEX_FPS, Index, IndexRow, is_index, read_index
from motionunion.sources.smpl_joints import joints_clip

LAYER = "humanml3d"
REPRESENTATION = "hml263@20/compat"
DIMS = 263

_ID = re.compile(r"M?\d{6}")


class HumanML3D:
    """Reader of a HumanML3D folder, whole or in parts."""

    name = "humanml3d"
    version = 3
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim `new_joint_vecs`, `new_joints`, `texts`, the lists, the statistics and the index of one folder."""
        if folder.path.name == "new_joint_vecs" and folder.path == folder.top:
            files = [folder.path / n for n in folder.with_suffix(".npy") if is_features(folder.path / n, DIMS)]
            return Claim(self.name, folder.path.parent, tuple(files)) if files else None
        has_index = "index.csv" in folder.names and is_index(folder.head("index.csv", 256))
        home = folder
        if has_index and not _is_data(folder):
            home = next((sub for sub in map(folder.below, folder.folders) if sub and _is_data(sub)), folder)
        if not has_index and not _is_data(home):
            return None
        files = files_of_ids(home, _ID)
        if has_index:
            files.append(folder.path / "index.csv")
        claim = Claim(self.name, home.path, tuple(sorted(files)))
        return replace(claim, skipped=(*_unread(home), *_unused(claim)))

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """Ids with features, ids that annotate AMASS files, and lines of the index that cannot be read."""
        features = _by_id(claim, "new_joint_vecs")
        texts = _by_id(claim, "texts")
        index_path = next((path for path in claim.files if path.name == "index.csv"), None)
        index = read_index(index_path) if index_path else Index()
        paths = {name: path for name, path in texts.items() if name.removeprefix("M") in index.rows}
        paths |= {name: index_path for name in index.rows if index_path and name not in paths}
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
        split = official_splits(ref.root).get(ref.key)
        if ref.path.suffix == ".npy":
            return self._clip(ref, row, split)
        if row is None:
            raise SourceFormatError(ref.path, f"{ref.key} has no line in the index", reason="bad_index")
        return self._annotation(ref, row, split)

    def _clip(self, ref: ClipRef, row: IndexRow | None, split: str | None) -> RawClip:
        features = read_features(ref.path, DIMS)
        joints, joints_path = joints_beside(ref.root, ref.path.stem, features, 22, decoded_263)
        mirrored = ref.key.startswith("M")
        text_path = ref.root / "texts" / f"{ref.key}.txt"
        lines, faults = caption_lines(text_path, len(features) / INDEX_FPS)
        base = ref.key.removeprefix("M")
        return replace(
            joints_clip(ref, joints, Fraction(INDEX_FPS), up="y", body="target"),
            group=row.uid if row is not None else f"{self.name}/{base}",
            official_split=split,
            shipped=Shipped(representation=REPRESENTATION, features_TD=features),
            captions=tuple(caption_of(line, ref.uid, LAYER) for line in lines),
            labels=_labels(row, base),
            flags=(*(("mirrored",) if mirrored else ()), *(("fps_uncertain",) if _is_ssm(row) else ())),
            inputs=that_are_files(ref.path, joints_path, text_path),
            faults=faults,
        )

    def _annotation(self, ref: ClipRef, row: IndexRow, split: str | None) -> Annotation:
        start_s, end_s = row.interval_s
        segment = Segment(uid=row.uid, name=ref.key, layer=LAYER, start_s=start_s, end_s=end_s, split=split)
        lines, faults = caption_lines(ref.root / "texts" / f"{ref.key}.txt", end_s - start_s)
        captions = tuple(caption_of(line, row.uid, LAYER, offset_s=start_s, segment=ref.key) for line in lines)
        return Annotation(ref=ref, captions=captions, segments=(segment,), faults=faults)


def index_file(root: Path) -> Path | None:
    """The index of a HumanML3D folder: in it, or one folder up as in the authors' repository; None without one."""
    for path in (root / "index.csv", root.parent / "index.csv"):
        if path.is_file():
            with path.open("rb") as file:
                if is_index(file.read(256)):
                    return path
    return None


def _is_ssm(row: IndexRow | None) -> bool:
    """Whether an id is of the subset of which a half is at 59.99 fps, and so at 29.995 in the published features."""
    return row is not None and row.uid.split("/")[1] == "ssm"


def _labels(row: IndexRow | None, base: str) -> dict[str, str]:
    if row is None:
        return {"base": base}
    return {"base": base, "origin": row.uid, "index_frames": f"{row.start_frame}:{row.end_frame}"}


def _by_id(claim: Claim, folder: str) -> dict[str, Path]:
    return {path.stem: path for path in claim.files if path.parent.name == folder}


def _is_data(folder: Folder) -> bool:
    if "new_joint_vecs" in folder.folders:
        return ids_with_features(folder, _ID, DIMS)
    texts = folder.below("texts")
    if texts is None or "motion_data" in folder.folders:  # HumanML3D as 272 features, which `motionstreamer_272` reads
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
        "caption files without features or a line in index.csv": sum(
            name not in features and name.removeprefix("M") not in rows for name in texts
        ),
        "joints without features (new_joints without new_joint_vecs)": sum(
            name not in features for name in _by_id(claim, "new_joints")
        ),
    }
    yield from (Skip(claim.root, reason, count) for reason, count in counts.items() if count)
