"""BEHAVE (Bhatnagar et al. 2022, arXiv:2204.06950): eight people and twenty objects, filmed by four Kinects.

Licence: non-commercial research, education and art. The 30 fps release has a folder per sequence,
`Date01_Sub01_backpack_back/smpl_fit_all.npz`: `poses (T, 156)` SMPL+H, `betas (T, 10)`, `trans`, `frame_times` (text such as
`t0003.033`, seconds of the recording), and beside it `object_fit_all.npz`, the object's pose, which is not read, and in
some releases `info.json` with the gender. `split.json`, where it lies above the sequences, names both sides.

The file states no frame rate: it follows from the frame times, which are rounded to the millisecond. Frames that could not
be fitted are left out of the files, so times may jump; the longest stretch without a gap is `valid` then, and the clip is
flagged `frames_missing`. The axes are those of the second Kinect's colour camera, X right, Y down, Z ahead: -Y points up,
to within the camera's tilt (2 degrees in the file at hand).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manifests import source_manifest
from motionunion.clip import Caption, ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.json_text import read_json
from motionunion.formats.npy import Array
from motionunion.formats.npz import read_npz
from motionunion.sources.base import Claim, Folder, ReadOptions, Skip
from motionunion.sources.npz_listing import members_in
from motionunion.sources.smpl_parameters import Body, one_shape, shaped, smpl_clip, text_of, whole_pose

_SEQUENCE = re.compile(r"Date(?P<date>\d\d)_Sub(?P<subject>\d\d)_(?P<object>[a-z]+)(_(?P<action>\w+))?")
_SEQUENCE_NAME = re.compile(rb'"Date\d\d_Sub\d\d_')
_HUMAN = frozenset({"poses", "betas", "trans", "frame_times"})
_OBJECT = frozenset({"angles", "trans", "frame_times"})
_BY_NAME = {"smpl_fit_all.npz": _HUMAN, "object_fit_all.npz": _OBJECT}
_TABLES = ("split.json", "info.json")
_USUAL = (1, 10, 15, 24, 25, 30, 50, 60, 90, 120)
_ROUNDED_S = 0.0011
"""How far a time printed to the millisecond may be from the frame it stands for, differences of two included."""


class Behave:
    """Reader of BEHAVE's fits at 30 fps."""

    name = "behave"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim npz files with poses and frame times, the tables beside and above them, and pass over the objects'."""
        files: list[Path] = []
        skipped: list[Skip] = []
        for name, found in members_in(folder).items():
            # A damaged file is known by its name alone.
            members = _BY_NAME.get(name, frozenset()) if found is None else found
            if members >= _HUMAN:
                files.append(folder.path / name)
            elif members >= _OBJECT:
                skipped.append(Skip(folder.path / name, "pose of an object, not of a person"))
        if files:
            files += [folder.path / "info.json"] if "info.json" in folder.names else []
        elif "split.json" in folder.names and _SEQUENCE_NAME.search(folder.head("split.json")):
            files.append(folder.path / "split.json")
        return Claim(self.name, folder.top, tuple(sorted(files)), tuple(skipped)) if files or skipped else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per file of poses, sorted by key, which is the name of the sequence."""
        refs = []
        for path in claim.files:
            if path.name not in _TABLES:
                sequence = path.resolve().parent.name
                key = sequence if path.stem == "smpl_fit_all" else f"{sequence}/{path.stem}"
                refs.append(ClipRef(source=self.name, key=key, uid=f"{self.name}/{key.lower()}", path=path,
                                    root=claim.root, size=path.stat().st_size))  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one file. Raises `SourceFormatError` or `ClipError`."""
        arrays = read_npz(ref.path, ("poses", "trans", "frame_times"), ("betas", "gender"))
        pose = whole_pose(arrays["poses"], ref.path, ("smplh",))
        frames = len(pose.rotvecs_T22x3)
        fps, numbers = frame_numbers(arrays["frame_times"], frames, ref.path)
        manifest = source_manifest(self.name)
        sequence = ref.key.partition("/")[0]
        found = _SEQUENCE.fullmatch(sequence)
        labels = {} if found is None else {name: text for name, text in found.groupdict().items() if text}
        info = ref.path.parent / "info.json"
        gender, faults = _gender(info)
        gender = gender or text_of(arrays.get("gender")) or manifest["gender"].get(labels.get("subject", ""))
        body = Body(gender=gender, betas=one_shape(arrays, ref.path))
        trans = shaped(arrays, "trans", ref.path, frames, 3)
        raw = smpl_clip(ref, pose, trans, body, fps, options, up=str(manifest["up"]))
        try:
            side = _split(ref, sequence)
        except SourceFormatError as error:
            side, faults = None, (*faults, error)
        valid = longest_run(numbers)
        missing = int(numbers[-1] - numbers[0] + 1 - frames)
        if missing:
            labels["missing_frames"] = str(missing)
        return replace(
            raw,
            valid=valid if missing else None,
            group=f"{self.name}/{sequence}".lower(),
            official_split=side,
            captions=_captions(ref.uid, labels, manifest["caption"]["object"]),
            labels=labels,
            flags=("frames_missing",) if missing else (),
            inputs=(ref.path, info) if info.is_file() else (ref.path,),
            faults=faults,
        )


def frame_numbers(times: Array, frames: int, path: Path) -> tuple[Fraction, npt.NDArray[np.int64]]:
    """Frames per second, and which frame each time stands for, the first being 0; from times printed to the millisecond.

    Raises `SourceFormatError`: `bad_shape`, `no_frame_rate` for what are no times, `uneven_frames` for times that no whole
    number of frames per second gives.
    """
    if times.shape != (frames,) or frames < 2:
        raise SourceFormatError(
            path, f"frame_times has shape {times.shape} for {frames} poses; a time for each of two at least is needed",
            reason="bad_shape",
        )  # fmt: skip
    try:
        seconds = np.array([float(_text(time).lstrip("t")) for time in times])
    except ValueError as error:
        raise SourceFormatError(path, f"frame_times are no times ({error})", reason="no_frame_rate") from error
    steps = np.diff(seconds)
    if not np.isfinite(seconds).all() or (steps <= 0).any():
        raise SourceFormatError(path, "frame_times do not rise from frame to frame", reason="uneven_frames")
    rate, numbers, off = min(
        ((rate, *_at_rate(seconds, rate)) for rate in _rates(float(np.median(steps)))),
        key=lambda found: (found[2].max() > _ROUNDED_S, found[0] not in _USUAL, found[2].max()),
    )
    if off.max() > _ROUNDED_S or (np.diff(numbers) < 1).any():
        raise SourceFormatError(
            path,
            f"frame_times are at no whole number of frames a second ({rate} is nearest, and {off.max() * 1000:.0f} ms off at "
            f"frame {int(off.argmax())})",
            reason="uneven_frames",
        )
    return Fraction(rate), numbers


def _rates(step_s: float) -> range:
    """Whole rates whose frames may lie so far apart, for what is printed to the millisecond."""
    return range(max(math.floor(1 / (step_s + 1e-3)), 1), math.ceil(1 / max(step_s - 1e-3, 1e-3)) + 1)


def _at_rate(seconds: npt.NDArray[np.float64], rate: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    numbers = np.rint((seconds - seconds[0]) * rate).astype(np.int64)
    return numbers, np.abs(seconds - seconds[0] - numbers / rate)


def longest_run(numbers: npt.NDArray[np.int64]) -> tuple[int, int]:
    """The longest stretch of consecutive frame numbers, the first of those equally long, as a half-open interval."""
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(numbers) != 1) + 1, [len(numbers)]])
    longest = int(np.argmax(np.diff(bounds)))
    return int(bounds[longest]), int(bounds[longest + 1])


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _gender(path: Path) -> tuple[str | None, tuple[SourceFormatError, ...]]:
    if not path.is_file():
        return None, ()
    try:
        return str(read_json(path, "bad_label")["gender"]).lower(), ()
    except SourceFormatError as error:
        return None, (error,)
    except (KeyError, TypeError) as error:
        return None, (SourceFormatError(path, f"tells no gender ({error!r})", reason="bad_label"),)


def _split(ref: ClipRef, sequence: str) -> str | None:
    """The side that `split.json` gives a sequence, from the folder above the sequences or the one above that."""
    for folder in (ref.path.parent.parent, ref.path.parent.parent.parent):
        state = _state(folder)
        if state[1] >= 0:
            sides = _read_split(state)
            # A sequence that was cut in two is named in the split as a whole.
            return sides.get(sequence) or next(
                (side for name, side in sides.items() if sequence.startswith(f"{name}_")), None
            )
    return None


def _state(folder: Path) -> tuple[Path, int]:
    path = folder / "split.json"
    return path, path.stat().st_mtime_ns if path.is_file() else -1


@lru_cache(maxsize=4)
def _read_split(state: tuple[Path, int]) -> dict[str, str]:
    path, changed = state
    if changed < 0:
        return {}
    sides = read_json(path, "bad_split")
    if not isinstance(sides, dict) or not all(isinstance(sides.get(side, []), list) for side in ("train", "test")):
        raise SourceFormatError(path, "expected an object with the lists `train` and `test`", reason="bad_split")
    return {str(name): side for side in ("train", "test") for name in sides.get(side, [])}


def _captions(uid: str, labels: dict[str, str], objects: dict[str, str]) -> tuple[Caption, ...]:
    thing = objects.get(labels.get("object", ""))
    if thing is None:
        return ()
    return (Caption(uid=uid, text=f"a person handles {thing}", layer="labels", generator="template"),)
