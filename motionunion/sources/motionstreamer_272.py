"""HumanML3D and BABEL as 272 features, published with MotionStreamer (Xiao et al. 2025, arXiv:2503.15451).

Derived from AMASS, and under its terms (non-commercial, not to be passed on). Features (T, 272) at 30 rows a second, metres, +Y up:

    humanml3d_272/motion_data/000000.npy   26,846 ids of HumanML3D and their mirrors (`M000000`), without HumanAct12
    humanml3d_272/texts/000000.txt         HumanML3D's captions, times in seconds
    humanml3d_272/split/train.txt ...      HumanML3D's split
    babel_272/                             the same of BABEL, with `t2m_babel_mean_std`; ids are its own, no AMASS file is named
    babel_272_stream/train_stream/seq1.npy two neighbouring stretches of BABEL as one motion,
    babel_272_stream/train_stream_text/    `text A*text B#frames of A`

Traps: the script behind it takes every int(fps / 30)-th frame, so that all of 100 Hz (KIT, EKUT, half of MoSh: 37.7 % of
HumanML3D's stretches of AMASS) plays 1.11 times slow and lacks its last tenth, and 59.99 and 250 fps are wrong too; its joints are those of a neutral
SMPL-X body with the betas of SMPL+H (Li-xingXiao/272-dim-Motion-Representation#9). The feature files tell neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from motionunion.captions import CaptionLine, read_text
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.feature_folder import is_features
from motionunion.sources.features_272 import DIMS, caption_of, lines_of, read_272
from motionunion.sources.id_lists import side_in

_MOTION = "motion_data"
_STREAMS = ("train_stream", "val_stream")
_BESIDE = (("texts", ".txt"), ("split", ".txt"), ("mean_std", ".npy"), ("t2m_babel_mean_std", ".npy"))
_AROUND = (*(name for name, _ in _BESIDE), *(f"{stream}_text" for stream in _STREAMS))
_ID = re.compile(r"M?(\d{6})")
_STREAM = re.compile(r"(?P<first>[^#*]*)(#[^*]*)?\*(?P<second>[^#]*)#(.*#)?\s*(?P<frames>[0-9]{1,9})")


class MotionStreamer272:
    """Reader of the 272 features of HumanML3D and BABEL."""

    name = "motionstreamer_272"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim a set from the folder that holds `motion_data` or the streams, or from one of these alone."""
        if folder.path == folder.top and folder.path.name in (_MOTION, *_STREAMS):
            # Alone, out of a zip say, nothing tells whose features these are, nor their rate.
            known = any((folder.path.parent / name).is_dir() for name in _AROUND)
            own = _features_in(folder) if known else ()
            return Claim(self.name, folder.path.parent, own) if own else None
        motions: list[Path] = []
        for name in (_MOTION, *_STREAMS):
            inner = folder.below(name)
            motions += _features_in(inner) if inner is not None else ()
        if not motions or not set(_AROUND) & set(folder.folders):
            return None
        files = list(motions)
        for name, suffix in (*_BESIDE, *((f"{stream}_text", ".txt") for stream in _STREAMS)):
            inner = folder.below(name)
            files += [inner.path / each for each in inner.with_suffix(suffix)] if inner is not None else []
        return Claim(self.name, folder.top, tuple(sorted(files)))

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per feature file, sorted by key: the set's name and the id."""
        refs = []
        for path in claim.files:
            if path.suffix.lower() == ".npy" and path.parent.name in (_MOTION, *_STREAMS):
                key = f"{_set_of(path)}/{path.stem}"
                refs.append(ClipRef(source=self.name, key=key, uid=f"{self.name}/{key.lower()}", path=path,
                                    root=claim.root, size=path.stat().st_size))  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one feature file and its captions. Raises `SourceFormatError` or `ClipError`."""
        raw = read_272(ref)
        assert raw.shipped is not None
        folder, stem = ref.path.parent, ref.path.stem
        known = ref.key.partition("/")[0]
        layer = {"humanml3d": "humanml3d", "unknown": self.name}.get(known, "babel")
        seconds = len(raw.shipped.features_TD) / float(raw.fps)
        if folder.name == _MOTION:
            text_path = folder.parent / "texts" / f"{stem}.txt"
            lines, faults = lines_of(text_path, seconds)
            split = side_in((folder.parent / "split",), stem)
        else:
            text_path = folder.parent / f"{folder.name}_text" / f"{stem}.txt"
            lines, faults = _two_stretches(text_path, seconds, float(raw.fps))
            split = folder.name.partition("_")[0]
        named = _ID.fullmatch(stem)
        return replace(
            raw,
            group=f"humanml3d/{named[1]}" if layer == "humanml3d" and named else None,
            official_split=split,
            captions=tuple(caption_of(line, ref.uid, layer, "human") for line in lines),
            labels={**raw.labels, "set": known},
            flags=("mirrored",) if named and stem.startswith("M") else (),
            inputs=(ref.path, text_path) if text_path.is_file() else (ref.path,),
            faults=faults,
        )


def _features_in(folder: Folder) -> tuple[Path, ...]:
    names = folder.with_suffix(".npy")
    known = any(is_features(folder.path / name, DIMS) for name in names[:5])
    return tuple(folder.path / name for name in names) if known else ()


def _set_of(path: Path) -> str:
    """`humanml3d`, `babel` or `babel_stream`: by what lies around the motions, else by the folder's name; else `unknown`."""
    if path.parent.name in _STREAMS:
        return "babel_stream"
    home = path.parent.parent
    if (home / "t2m_babel_mean_std").is_dir() or "babel" in home.name.lower():
        return "babel"
    # BABEL's has no test split, and its statistics have another name.
    known = (home / "mean_std").is_dir() or (home / "split" / "test.txt").is_file()
    return "humanml3d" if known or "humanml" in home.name.lower() else "unknown"


def _two_stretches(
    path: Path, seconds: float, fps: float
) -> tuple[tuple[CaptionLine, ...], tuple[SourceFormatError, ...]]:
    """Captions of a stream, `text A#tokens*text B#tokens#frames of A`, tokens optional; A ends where B begins."""
    if not path.is_file():
        return (), ()
    found: list[CaptionLine] = []
    try:
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            if not line.strip():
                continue
            parts = _STREAM.fullmatch(line.strip())
            if parts is None:
                raise SourceFormatError(path, "is not `text A*text B#frames of A`", line=number, reason="bad_caption")
            border = min(int(parts["frames"]) / fps, seconds)
            said = ((parts["first"].strip(), 0.0, border), (parts["second"].strip(), border, seconds))
            found += [CaptionLine(text, None, start, end) for text, start, end in said if text and end > start]
    except SourceFormatError as error:
        return (), (error,)
    return tuple(found), ()
