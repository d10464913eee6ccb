"""KIT Motion-Language (Plappert, Mandery, Asfour 2016): 3,911 motions of KIT, CMU and EKUT with 6,278 sentences.

Two forms, both on the 21 joints of the Master Motor Map, one body of fixed proportions whoever moved:

- a feature folder in HumanML3D's layout: `new_joint_vecs/00001.npy` (T, 251) at 12.5 fps, kept bit for bit, `new_joints` (T, 21, 3),
  `texts`, lists. `M00001` is the mirror image of `00001`.
- the set as it was published, with joints from its MMM angles as Language2Pose and TEMOS make them: `00001_annotations.json` (a
  list of sentences), `00001_fke.csv` (or `00001_quat.fke`): 100 fps, one row of 63 numbers a frame.

Lengths: 480 units are 0.75 m (TEMOS), so that 560 units of root height are 0.87 m. +Y up.

Sides. The joints bear the names of the Master Motor Map, left and right among them; in the features' mean pose the joints
called left lie to the right of where the toes point, in right-handed axes. Either the names or the axes are exchanged. The names
come from the model itself, and the way to the joints (Z up to Y up) is where mirrors happen: so the axes are taken as
left-handed and X is negated. No motion was at hand whose caption could prove it: the flag `side_unverified` says so.

Most ids are files of AMASS. With a map of ids to its paths beside the files (`motionunion.sources.kitml_paths`), a clip shares its
group, and its sentences go to the AMASS file as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from manifests import source_manifest
from motionunion.captions import read_text
from motionunion.clip import Annotation, Caption, ClipRef, RawClip, Segment, Shipped
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.npy import Array
from motionunion.joint_maps import JOINT_MAPS
from motionunion.skeleton import Skeleton
from motionunion.sources.base import Claim, Folder, Reading, ReadOptions, Skip
from motionunion.sources.feature_folder import (
    caption_lines,
    caption_of,
    files_of_ids,
    ids_with_features,
    joints_beside,
    official_splits,
    read_features,
    refuse_non_finite,
    that_are_files,
)
from motionunion.sources.kitml_paths import amass_uids, path_map_file

LAYER = "kitml"
DIMS, JOINTS = 251, 21
FEATURES_FPS, JOINTS_FPS = Fraction(25, 2), Fraction(100)
MAX_TABLE_BYTES = 1 << 26

_ID = re.compile(r"M?\d{5}")
_PART = re.compile(
    r"(\d{5})(_annotations\.json|_meta\.json|_fke\.csv|_quat\.fke|_quat\.csv|_quat\.rifke|_mmm\.xml|_raw\.c3d)"
)
_TABLES = ("_fke.csv", "_quat.fke")
_UNREAD = {
    "_mmm.xml": "MMM angles, which no body model at hand turns into joints: _fke.csv made of them is read, or AMASS instead",
    "_raw.c3d": "markers: AMASS holds the bodies that were fitted to them",
    "_meta.json": "database entry of a motion, which nothing here needs",
    "_quat.csv": "MMM rotations: _fke.csv is read instead",
    "_quat.rifke": "features of Language2Pose: _fke.csv is read instead",
}


class KitML:
    """Reader of KIT-ML, as features or as published."""

    name = "kitml"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim 251 features with what lies around them, and the published set's sentences and joints."""
        files: list[Path] = []
        skipped: list[Skip] = []
        if ids_with_features(folder, _ID, DIMS):
            files += files_of_ids(folder, _ID)
        for name in folder.names:
            found = _PART.fullmatch(name)
            if found is not None and found[2] in _UNREAD:
                skipped.append(Skip(folder.path / name, _UNREAD[found[2]]))
            elif found is not None:
                files.append(folder.path / name)
        if not files:
            return None
        index = path_map_file(folder.path)
        if index is not None and index.is_relative_to(folder.path):
            files.append(index)
        return Claim(self.name, folder.path, tuple(sorted(files)), tuple(skipped))

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """Ids with motion, and ids whose sentences annotate an AMASS file."""
        paths: dict[str, Path] = {}
        uids = _uids(claim.root)
        for path in claim.files:
            part = _PART.fullmatch(path.name)
            if path.parent.name == "new_joint_vecs":
                paths[path.stem] = path
            elif part is not None and part[2] == "_annotations.json" and part[1] in uids:
                paths.setdefault(part[1], path)
        for path in claim.files:  # joints at 100 frames a second go before features at 12.5 and before mere sentences
            part = _PART.fullmatch(path.name)
            if part is not None and part[2] in _TABLES:
                paths[part[1]] = path
        for key in sorted(paths):
            yield ClipRef(source=self.name, key=key, uid=f"{self.name}/{key.lower()}", path=paths[key], root=claim.root,
                          size=paths[key].stat().st_size)  # fmt: skip

    def read(self, ref: ClipRef, options: ReadOptions) -> Reading:
        """Read one id. Raises `SourceFormatError` or `ClipError`."""
        base = ref.key.removeprefix("M")
        amass = _uids(ref.root).get(base)
        sentences, faults = _sentences(ref.path.parent / f"{base}_annotations.json")
        if ref.path.name.endswith("_annotations.json"):
            if amass is None:
                raise SourceFormatError(
                    ref.path, f"{ref.key} is no AMASS file of the map beside it", reason="bad_index"
                )
            return Annotation(ref=ref, captions=_whole(amass, sentences), faults=faults)
        if ref.path.suffix == ".npy":
            return self._features(ref, amass)
        joints = read_table(ref.path)
        captions = _whole(ref.uid, sentences)
        return self._clip(ref, joints, JOINTS_FPS, amass, captions, faults=faults)

    def _features(self, ref: ClipRef, amass: str | None) -> RawClip:
        features = read_features(ref.path, DIMS)
        joints, joints_path = joints_beside(ref.root, ref.key, features, JOINTS, _decoded)
        text_path = ref.root / "texts" / f"{ref.key}.txt"
        lines, faults = caption_lines(text_path, float(len(features) / FEATURES_FPS))
        return self._clip(
            ref,
            joints,
            FEATURES_FPS,
            amass,
            tuple(caption_of(line, ref.uid, LAYER) for line in lines),
            faults=faults,
            shipped=Shipped(representation="kit251@12.5", features_TD=features),
            inputs=that_are_files(ref.path, joints_path, text_path),
        )

    def _clip(
        self,
        ref: ClipRef,
        joints: Array,
        fps: Fraction,
        amass: str | None,
        captions: tuple[Caption, ...],
        *,
        faults: tuple[SourceFormatError, ...],
        shipped: Shipped | None = None,
        inputs: tuple[Path, ...] = (),
    ) -> RawClip:
        base, manifest = ref.key.removeprefix("M"), source_manifest(self.name)
        split = official_splits(ref.root).get(ref.key)
        mirrored = ref.key.startswith("M")
        twins: tuple[Caption, ...] = ()
        segments: tuple[Segment, ...] = ()
        if amass is not None and not mirrored:
            twins = _whole(amass, [caption.text for caption in captions if caption.start_s is None])
            segments = (
                (Segment(uid=amass, name=base, layer=LAYER, start_s=0.0, end_s=0.0, split=split),) if split else ()
            )
        return RawClip(
            ref=ref,
            fps=fps,
            up=manifest["up"],
            unit_m=manifest["unit_m"],
            skeleton=Skeleton(JOINT_MAPS["mmm21"].names[0], (-1, *(0,) * (JOINTS - 1)), np.zeros((JOINTS, 3))),
            skeleton_id="mmm21",
            body="target",
            joints_TJ3=joints,
            reflected=True,
            group=amass or f"{self.name}/{base}",
            official_split=split,
            shipped=shipped,
            captions=(*captions, *twins),
            segments=segments,
            labels={"base": base, **({"origin": amass} if amass is not None else {})},
            flags=("side_unverified", "mirrored") if mirrored else ("side_unverified",),
            inputs=inputs or (ref.path,),
            faults=faults,
        )


def _decoded(features: Array) -> Array:
    from motionunion.representations.kit251 import decode  # late: representations load more than recognition needs

    return decode([features])[0]


def read_table(path: Path) -> Array:
    """Joints (T, 21, 3) of an `_fke.csv`: a line of column names, then a row of an index and 63 numbers a frame.

    Raises:
        SourceFormatError: `truncated`, `too_large`, `bad_shape`, or `bad_values` with the line.
        ClipError: `non_finite` values.
    """
    size = path.stat().st_size
    if size > MAX_TABLE_BYTES:
        raise SourceFormatError(
            path, f"has {size:,} bytes; {MAX_TABLE_BYTES:,} are the most we read", reason="too_large"
        )
    data = path.read_bytes()
    header, _, body = data.partition(b"\n")
    if not data.endswith(b"\n") or not body:
        raise SourceFormatError(path, "ends inside a row: it was cut short, most likely while it was copied",
                                reason="truncated")  # fmt: skip
    names = [cell.strip() for cell in header.decode("utf-8", "replace").split(",")][1:]
    wanted = JOINT_MAPS["mmm21"].names[0]
    named = [name.rpartition("_")[0] or name.rpartition(".")[0] for name in names]
    if len(names) != 3 * JOINTS or (any(named) and named != [name for name in wanted for _ in range(3)]):
        raise SourceFormatError(
            path, f"has {len(names)} columns ({', '.join(names[:4])}, ...), not x, y and z of the joints {' '.join(wanted)}",
            line=1, reason="bad_shape",
        )  # fmt: skip
    rows = body.count(b"\n")
    commas = body.count(b",")
    if commas != rows * 3 * JOINTS:
        raise SourceFormatError(
            path, f"has {commas:,} commas in {rows:,} rows, not {3 * JOINTS} in each", reason="bad_shape"
        )
    try:
        values = np.array(body.replace(b"\n", b",").split(b",")[:-1], dtype=np.float64)
    except ValueError as error:
        raise SourceFormatError(path, f"holds what is no number ({error})", reason="bad_values") from error
    joints: Array = values.reshape(rows, 1 + 3 * JOINTS)[:, 1:].reshape(rows, JOINTS, 3)
    refuse_non_finite(joints, path)
    if rows < 2:
        raise ClipError(f"{path}: {rows} frame; a motion needs two at least", reason="too_short")
    return joints


def _sentences(path: Path) -> tuple[list[str], tuple[SourceFormatError, ...]]:
    """The sentences of an id, and what is wrong with their file, which costs them and not the motion."""
    if not path.is_file():
        return [], ()
    try:
        said = json.loads(read_text(path))
        if not isinstance(said, list) or not all(isinstance(sentence, str) for sentence in said):
            raise ValueError("no list of sentences")
    except SourceFormatError as error:
        return [], (error,)
    except (ValueError, RecursionError) as error:
        return [], (SourceFormatError(path, f"cannot be read ({error})", reason="bad_caption"),)
    return [" ".join(sentence.split()) for sentence in said if sentence.strip()], ()


def _whole(uid: str, sentences: list[str]) -> tuple[Caption, ...]:
    return tuple(Caption(uid=uid, text=sentence, layer=LAYER) for sentence in sentences)


def _uids(root: Path) -> dict[str, str]:
    return amass_uids(path_map_file(root))
