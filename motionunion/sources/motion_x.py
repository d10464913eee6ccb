"""Motion-X and Motion-X++ (Lin et al. 2023, arXiv:2307.00818): whole bodies from mocap and web videos, as SMPL-X parameters.

Annotations under the IDEA licence (non-commercial, by request); the mocap in it has its own terms. One npy per clip, 322 numbers a
frame (`smplx322@30` says which), 30 frames a second, and a text of the same relative path:

    motion_data/smplx_322/<subset>/subset_0000/<name>.npy    subsets idea400, fitness, music, kungfu, ...
    motion_data/smplx_322/humanml/000000.npy                 HumanML3D's ids, made by the user from AMASS with their script
    motion_data/smplx_322/GRAB/s1/mug_pass_1.npy             likewise
    motion_data/smplx_322/EgoBody/<recording>/body_idx_0/000.npy
    texts/semantic_labels/<subset>/.../<name>.txt            sentences by language models, HumanML3D's captions for its ids
    train.txt, val.txt, test.txt                             ids, `<subset>/subset_0000/<name>`
    motion/motion_generation/smplx322/<subset>/<name>.npy    Motion-X++, with text/semantic_label/<subset>/<name>.txt

Axes and faults of single subsets are in `motion_x_frames`. Further traps: the scripts take every int(fps / 30)-th frame, so that
100 Hz plays 1.11 times slow; the one for GRAB takes every sixth of 120 and makes 20 frames a second, though Motion-X's own counts are
those of 30 (flag `fps_uncertain`); AMASS's SMPL-X files state wrong rates for some 5,000. The official split puts clips
cut from one video on both sides: here a group is a video, by its name. Fits of videos (flag `video_fit`) drift, jitter in
depth and touch the ground by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.body import body_of
from motionunion.clip import ClipRef, RawClip, Shipped
from motionunion.errors import SourceFormatError
from motionunion.formats.npy import Array, npy_head
from motionunion.representations import smplx322 as layout
from motionunion.sources.amass_names import normalise_part
from motionunion.sources.base import Claim, Folder, ReadOptions, Skip
from motionunion.sources.feature_folder import LISTS, is_features, read_features
from motionunion.sources.features_272 import caption_of, lines_of
from motionunion.sources.id_lists import side_in
from motionunion.sources.motion_x_frames import placed
from motionunion.sources.motion_x_names import SUBSETS, group_of

REPRESENTATION = "smplx322@30"
_HOMES = {"smplx_322": ("motion_data",), "smplx322": ("motion", "motion_generation")}
"""Folder of all motions, and the folders that it lies in."""
_TEXTS = {"texts": "semantic_labels", "text": "semantic_label"}
_MOCAP = ("humanml", "grab", "egobody", "aist")
_FACE = "facial motion for clips that have none: Motion-X's script face_motion_augmentation.py puts it into the clips"
_PER_FRAME = "sentences about faces, hands or single frames, which are not read"


class MotionX:
    """Reader of Motion-X's 322 numbers a frame."""

    name = "motion_x"
    version = 2
    suffixes: tuple[str, ...] = (".npy",)

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim arrays of 322 columns, and the texts and lists that belong to them."""
        parts = folder.path.parts
        arrays = folder.with_suffix(".npy")
        if "face_motion_data" in parts:
            skipped = tuple(Skip(folder.path / name, _FACE) for name in arrays)
            return Claim(self.name, folder.top, (), skipped) if skipped else None
        if arrays and (set(_HOMES) & set(parts) or _knows_322(folder, arrays)):
            if any(is_features(folder.path / name, layout.DIMS) for name in arrays[:5]):
                return Claim(self.name, folder.top, tuple(folder.path / name for name in arrays))
            return None
        texts = tuple(folder.path / name for name in folder.with_suffix(".txt"))
        above = max((_last(parts, name) for name in _TEXTS), default=-1)
        if above > 0 and _is_home(Path(*parts[:above])):
            if _TEXTS[parts[above]] in parts[above:]:
                return Claim(self.name, folder.top, texts) if texts else None
            return Claim(self.name, folder.top, (), tuple(Skip(path, _PER_FRAME) for path in texts)) if texts else None
        if _is_home(folder.path) or (parts[-1] in ("split", "splits") and _is_home(folder.path.parent)):
            lists = tuple(path for path in texts if path.name in LISTS)
            return Claim(self.name, folder.top, lists) if lists else None
        return None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per npy, sorted by key, which is the official id."""
        refs = []
        for path in claim.files:
            if path.suffix.lower() == ".npy":
                key = _place(path, claim.root)[1]
                uid = "/".join([self.name, *(normalise_part(part) for part in PurePosixPath(key).parts)])
                refs.append(ClipRef(source=self.name, key=key, uid=uid, path=path, root=claim.root,
                                    size=path.stat().st_size))  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one npy and its text. Raises `SourceFormatError` or `ClipError`."""
        rows = read_features(ref.path, layout.DIMS)
        home, key = _place(ref.path, ref.root)
        parts = PurePosixPath(key).parts
        subset = parts[0] if len(parts) > 1 else ""
        rotvecs = rows[:, layout.POSE].astype(np.float64).reshape(-1, 22, 3)
        path = placed(subset, rotvecs, rows[:, layout.TRANS].astype(np.float64))
        betas, varies = _one_shape(rows[:, layout.BETAS])
        body = body_of(options.body_models, "smplx", None, betas)
        text_path = _text_of(home, key)
        lines, faults = ((), ()) if text_path is None else lines_of(text_path, len(rows) / 30)
        layer, generator = _who_says(subset, self.name)
        labels = {"subset": subset, "model": "smplx", "trans": path.mended}
        return RawClip(
            ref=ref,
            fps=Fraction(30),
            up=path.up,
            unit_m=1.0,
            skeleton=body.skeleton(),
            skeleton_id="smpl22",
            body=body.kind,
            quats_TJ4=rotation.from_rotvec(rotvecs),
            root_T3=path.trans_T3 + body.pelvis_3,
            betas=betas,
            hands_T90=rows[:, layout.HANDS],
            face={"jaw": rows[:, layout.JAW], "expression": rows[:, layout.EXPRESSION]},
            # In another frame than the representation's, the rows are no features of it.
            shipped=Shipped(representation=REPRESENTATION, features_TD=rows)
            if path.up == "y" and path.mended is None
            else None,
            group=group_of(key),
            official_split=side_in((home, home / "split", home / "splits"), key),
            captions=tuple(caption_of(line, ref.uid, layer, generator) for line in lines),
            labels={name: value for name, value in labels.items() if value},
            flags=(*path.flags, *_flags(subset, parts[-1]), *(("shape_varies",) if varies else ())),
            inputs=(ref.path,) if text_path is None else (ref.path, text_path),
            faults=faults,
        )


def _flags(subset: str, name: str) -> tuple[str, ...]:
    found = [] if subset.lower() in _MOCAP else ["video_fit"]
    if subset.lower() == "grab":
        found.append("fps_uncertain")
    if subset.lower() == "humanml" and name.startswith("M"):
        found.append("mirrored")
    return tuple(found)


def _who_says(subset: str, name: str) -> tuple[str, str]:
    """Layer and generator of a subset's texts: GRAB's are file names in words, three subsets' sentences are people's."""
    said = {"humanml": ("humanml3d", "human"), "egobody": (name, "human"), "grab": (name, "template")}
    return said.get(subset.lower(), (name, "language model"))


def _one_shape(betas_TB: Array) -> tuple[npt.NDArray[np.float64], bool]:
    """The shape of a clip, and whether it was fitted frame by frame, of which the median is kept."""
    varies = bool((betas_TB != betas_TB[0]).any())
    return np.median(betas_TB, axis=0).astype(np.float64), varies


def _place(path: Path, root: Path) -> tuple[Path, str]:
    """The folder of the whole set, and a clip's id: its path below the motions' folder, or from a subset's name on."""
    parts = path.resolve().with_suffix("").parts
    name = max(_HOMES, key=lambda name: _last(parts, name))
    start = _last(parts, name)
    if start > 0:
        around = _HOMES[name]
        above = start - len(around) if parts[start - len(around) : start] == around else start
        # A zip unpacked into a folder of its own name doubles that name; ids do not have it twice.
        below = [part for place, part in enumerate(parts) if place > start and part != parts[place - 1]]
        return Path(*parts[:above]), PurePosixPath(*below).as_posix()
    named = max((place for place, part in enumerate(parts[:-1]) if part.lower() in SUBSETS), default=-1)
    if named > 0:
        return Path(*parts[:named]), PurePosixPath(*parts[named:]).as_posix()
    return path.parent, path.relative_to(root).with_suffix("").as_posix()


def _text_of(home: Path, key: str) -> Path | None:
    """The clip's text; None without one."""
    subset = PurePosixPath(key).parts[0]
    paths = (
        home / above / name / f"{within}.txt" for above, name in _TEXTS.items() for within in (key, f"{subset}/{key}")
    )
    return next((path for path in paths if path.is_file()), None)


def _last(parts: tuple[str, ...], name: str) -> int:
    return max((place for place, part in enumerate(parts) if part == name), default=-1)


def _knows_322(folder: Folder, arrays: tuple[str, ...]) -> bool:
    """Whether arrays outside `smplx_322` are of 322 columns; a damaged one tells nothing there."""
    for name in arrays[:5]:
        try:
            if npy_head(folder.path / name).shape[1:] == (layout.DIMS,):
                return True
        except SourceFormatError:
            continue
    return False


def _is_home(folder: Path) -> bool:
    return any(folder.joinpath(*around, name).is_dir() for name, around in _HOMES.items())
