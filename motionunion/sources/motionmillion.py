"""MotionMillion (Fan et al. 2025, arXiv:2507.07095): about a million motions as 272 features, most of them fits of web videos.

Licence CC BY-NC-SA 4.0, gated. As published, once its tars are unpacked where they lie, or as its training code wants it:

    motion_272rpr/MotionGV/folder0/12.npy       features (T, 272), 30 rows a second, metres, +Y up
    motion_data/vector_272/MotionGV/...         the same, in the training code's layout
    texts/MotionGV/folder0/12.txt               captions by language models, one a line, some twenty each
    split/version1/t2m_60_300/train.txt ...     ids of the official split, and of another one for tokenizers
    mean_std/                                   statistics, which a store counts for itself

An id is the path below `motion_272rpr`. Traps: no body shape is published (VankouF/MotionMillion-Codes#10), quality differs
much (#10), PhantomDance has no captions (#11); a set that begins with `Mirror_` is the mirror image of another, and
the official lists put some of these on the other side. It holds HumanML3D, BABEL, AIST++, Inter-X and others: a model trained on its
`all.txt` has seen HumanML3D's test set. Groups are those of the originals where an id tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from motionunion.clip import ClipRef, RawClip
from motionunion.sources.aistpp import choreography_of
from motionunion.sources.amass_names import normalise_part
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.feature_folder import is_features
from motionunion.sources.features_272 import DIMS, caption_of, lines_of, read_272
from motionunion.sources.id_lists import side_in
from motionunion.sources.motion_x_names import group_in as motion_x_group

_MOTION_HOMES = ("motion_272rpr", "vector_272")
_MIRROR = "Mirror_"
_INTER_X = re.compile(r"G\d{3}T\d{3}A\d{3}R\d{3}", re.IGNORECASE)
_HUMANML3D = re.compile(r"M?(\d{6})")


class MotionMillion:
    """Reader of MotionMillion's folders."""

    name = "motionmillion"
    version = 2
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim features below `motion_272rpr` or `vector_272`, and captions, lists and statistics beside these."""
        parts = folder.path.parts
        if any(home in parts for home in _MOTION_HOMES):
            arrays = folder.with_suffix(".npy")
            if "mean_std" in parts or any(is_features(folder.path / name, DIMS) for name in arrays[:5]):
                return self._claim(folder, arrays)
        for name in ("texts", "split", "mean_std"):
            if name in parts:
                home = Path(*parts[: _last(parts, name)])
                if any((home / inner).is_dir() for inner in ("motion_272rpr", "motion_data/vector_272")):
                    return self._claim(folder, folder.with_suffix(".npy" if name == "mean_std" else ".txt"))
        return None

    def _claim(self, folder: Folder, names: tuple[str, ...]) -> Claim | None:
        files = tuple(folder.path / name for name in names)
        return Claim(self.name, folder.top, files) if files else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per feature file, sorted by key, which is the official id."""
        refs = []
        for path in claim.files:
            if path.suffix.lower() == ".npy" and "mean_std" not in path.parts:
                key = _place(path)[1]
                uid = "/".join([self.name, *(normalise_part(part) for part in PurePosixPath(key).parts)])
                refs.append(ClipRef(source=self.name, key=key, uid=uid, path=path, root=claim.root,
                                    size=path.stat().st_size))  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one feature file and its captions. Raises `SourceFormatError` or `ClipError`."""
        raw = read_272(ref)
        assert raw.shipped is not None
        home, key = _place(ref.path)
        text_path = home / "texts" / f"{key}.txt"
        lines, faults = lines_of(text_path, len(raw.shipped.features_TD) / float(raw.fps))
        version = home / "split" / "version1"
        subset = PurePosixPath(key).parts[0]
        return replace(
            raw,
            group=group_of(key),
            official_split=side_in((version / "t2m_60_300", version / "tokenizer_96"), key),
            captions=tuple(caption_of(line, ref.uid, self.name, "language model") for line in lines),
            labels={**raw.labels, "subset": subset},
            flags=("mirrored",) if _MIRROR in key else (),
            inputs=(ref.path, text_path) if text_path.is_file() else (ref.path,),
            faults=faults,
        )


def group_of(key: str) -> str:
    """The original's group where the id tells; else the id itself, that of its mirror image being the same."""
    base = key.replace(_MIRROR, "")
    parts = PurePosixPath(base).parts
    if inter_x := _INTER_X.search(base):
        return f"inter_x/{inter_x[0].lower()}"
    if (dance := choreography_of(parts[-1])) is not None:
        return dance
    humanml3d = _HUMANML3D.fullmatch(parts[-1])
    if humanml3d and any(part.lower().startswith("humanml") for part in parts[:-1]):
        return f"humanml3d/{humanml3d[1]}"
    return motion_x_group(parts) or "/".join(["motionmillion", *(normalise_part(part) for part in parts)])


def _place(path: Path) -> tuple[Path, str]:
    """The folder of the whole set, and a motion's id: its path below the features' home, without suffix."""
    parts = path.parts
    start = max(_last(parts, name) for name in _MOTION_HOMES)
    above = start - 1 if parts[start] == "vector_272" and parts[start - 1] == "motion_data" else start
    below = [part for number, part in enumerate(parts[start + 1 :]) if part != parts[start + number]]
    # A tar unpacked into a folder of its own name doubles that name; ids do not have it twice.
    return Path(*parts[:above]), PurePosixPath(*below).with_suffix("").as_posix()


def _last(parts: tuple[str, ...], name: str) -> int:
    return max((place for place, part in enumerate(parts) if part == name), default=-1)
