"""One motion from any form to any representation: a file that a source reads, or features, to features.

    conversion = convert(Path("walk.bvh"), Path("walk.npy"), to="ms272@30")

Nothing is placed in a store. The way is that of the store all the same: read, normalise, resample, encode; then the features are
decoded again, and what that loses is measured.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.clip import Clip, ClipRef, RawClip
from motionunion.digest import write_atomic
from motionunion.errors import ClipError, MissingInput, SourceFormatError, UsageError
from motionunion.formats.frame_rate import FASTEST_HZ
from motionunion.motion import Motion
from motionunion.representations import registry
from motionunion.representations.registry import Features, Representation
from motionunion.resample import frames_at, motion_at, stated_fps, step_of, to_rate
from motionunion.round_trip import RoundTrip, measure
from motionunion.sources.base import ReadOptions

_LISTED = 8
SLOWEST_HZ = 1
"""Of features: a thousandth of a frame a second would become gigabytes at the rate that is wanted."""
_ROUNDED = 1e-3  # by how much a rate that passes for a whole multiple may be off: 59.94 is none of 60, 59.9999886 is


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What was converted, and how well the features hold it."""

    path: Path
    motion: str
    """Source and key of the motion, or the id of the features that were read."""
    to: str
    out: Path
    fps: Fraction
    frames: int
    """Of the file, at its own rate."""
    rate: Fraction
    resampling: str
    """The rule by which the motion came to that rate, as in `motionunion.resample.MODES`."""
    dims: int
    shipped: bool
    """True where the source ships the wanted features: they were taken bit for bit."""
    flags: tuple[str, ...]
    """What is odd about the motion, as ingest would flag it (docs/normalisation.md), with what follows from it."""
    round_trip: RoundTrip

    @property
    def resampled(self) -> str:
        """What was done to come to the rate, in words."""
        if self.fps == self.rate:
            return "the file's own"
        step = step_of(self.fps, self.rate, self.resampling)
        if self.resampling == "filtered" and step > 1:
            return "low-passed, then taken at exact times"
        if step.denominator > 1:
            return "interpolated at exact times"
        taken = "every frame" if step == 1 else f"one frame in {step}"
        left = self.fps / step
        return taken if abs(left - self.rate) < _ROUNDED * left else f"{taken}, which is {float(left):g} fps"

    def to_json(self) -> dict[str, Any]:
        """Plain values, by name."""
        return {
            "path": str(self.path),
            "motion": self.motion,
            "to": self.to,
            "out": str(self.out),
            "fps": float(self.fps),
            "frames": self.frames,
            "rate": float(self.rate),
            "resampling": self.resampling,
            "dims": self.dims,
            "shipped": self.shipped,
            "flags": list(self.flags),
            **self.round_trip.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A motion at the wanted rate, and where it comes from."""

    motion: Motion
    name: str
    fps: Fraction
    frames: int
    features: Features | None = None
    flags: tuple[str, ...] = ()


def convert(
    path: Path,
    out: Path,
    *,
    to: str,
    features_of: str | None = None,
    fps: Fraction | None = None,
    key: str | None = None,
    source: str | None = None,
    options: ReadOptions | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Encode one motion and write its features, float32 (R, D), to `out`.

    Args:
        path: A file or folder that some source reads; or a `.npy` of features, with `features_of`.
        out: The `.npy` to be written.
        to: Id of the representation wanted.
        features_of: Id of the representation that `path` holds; None where a source is to read it.
        fps: Frames per second of the features in `path`, where it is not what their id says.
        key: Which motion, where `path` holds several.
        source: Name of the source to read `path` as; recognised where None.
        options: As in ingest: body models, skeletons.
        overwrite: Replace `out` where it exists.

    Raises:
        UsageError: An id is not known, `out` exists or is no `.npy`, or `path` holds several motions and `key` names none of them.
        MissingInput: There is no motion.
        SourceFormatError, ClipError: The motion cannot be read, or is none; `no_rotations` where the representation needs some.
    """
    representation = registry.get(to)
    if out.suffix != ".npy":
        raise UsageError(f"{out}: features are written as .npy; name a file that ends so")
    if out.exists() and not overwrite:
        raise UsageError(f"{out}: exists already; name another file, or give --overwrite")
    if features_of is not None:
        read = _of_features(path, registry.get(features_of), fps, representation)
    elif fps is not None:
        raise UsageError("--fps: is for features, together with --from; a source knows its rate from its files")
    else:
        read = _of_source(path, representation, key, source, options or ReadOptions())
    if representation.needs == "rotations" and not read.motion.has_rotations:
        raise ClipError(
            f"{path}: holds joints alone, and {to} needs rotations: take a source that has them, or a representation of joints",
            reason="no_rotations",
        )
    features = read.features if read.features is not None else representation.encode_batch([read.motion])[0]
    conversion = Conversion(
        path=path,
        motion=read.name,
        to=to,
        out=out,
        fps=read.fps,
        frames=read.frames,
        rate=representation.rate,
        resampling=representation.resampling,
        dims=representation.dims,
        shipped=read.features is not None,
        flags=read.flags,
        round_trip=measure(read.motion, features, representation),
    )
    buffer = io.BytesIO()
    np.save(buffer, features, allow_pickle=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, buffer.getvalue())
    return conversion


def rate_of(text: str) -> Fraction:
    """Frames per second from what a person writes: `60`, `59.94` or `60000/1001`. Raises `UsageError`."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise UsageError(
            f"--fps {text}: is no frame rate between {SLOWEST_HZ} and {FASTEST_HZ:,} a second; write 60, 59.94 or 60000/1001"
        )
    return rate


def _of_features(path: Path, held: Representation, fps: Fraction | None, wanted: Representation) -> _Read:
    from motionunion.formats.npy import read_npy

    if not path.is_file():
        raise MissingInput(f"{path}: there is no such file; --from {held.id} needs a .npy of features")
    features = read_npy(path)
    if features.dtype.kind != "f" or features.ndim != 2 or features.shape[1] != held.dims or not len(features):
        raise SourceFormatError(
            path, f"has shape {features.shape} of {features.dtype}, and {held.id} is (rows, {held.dims}) of floats; is --from right?",
            reason="bad_shape",
        )  # fmt: skip
    if not np.isfinite(features).all():
        raise ClipError(f"{path}: holds values that are not numbers", reason="non_finite")
    (motion,) = held.decode_batch([features])
    if fps is not None:
        motion = replace(motion, fps=fps)
    at_rate = to_rate(motion, wanted.rate, mode=wanted.resampling)
    return _Read(motion=at_rate, name=f"features {held.id}", fps=motion.fps, frames=motion.frames)


def _of_source(path: Path, wanted: Representation, key: str | None, source: str | None, options: ReadOptions) -> _Read:
    from motionunion.normalise import normalise
    from motionunion.sources import SOURCES

    ref = _one_motion(path, key, source, options)
    raw = SOURCES[ref.source].read(ref, options)
    if not isinstance(raw, RawClip):
        raise MissingInput(f"{path}: {ref.key} says something about a motion and holds none")
    clip = normalise(raw)
    start, stop = clip.valid
    if frames_at(stop - start, clip.fps, wanted.rate) < wanted.min_frames:
        raise ClipError(
            f"{path}: {stop - start} frames at {float(clip.fps):g} fps are fewer than the {wanted.min_frames} at "
            f"{float(wanted.rate):g} fps that {wanted.id} needs",
            reason="too_short",
        )
    motion = motion_at(clip, wanted.rate, mode=wanted.resampling)
    features = None
    if clip.shipped is not None and clip.shipped.representation == wanted.id and (start, stop) == (0, clip.frames):
        features = clip.shipped.features_TD.astype(np.float32)
    name, fps = f"{ref.source} {ref.key}", stated_fps(clip) if wanted.resampling == "stride" else clip.fps
    return _Read(motion=motion, name=name, fps=fps, frames=stop - start, features=features, flags=_flags(clip))


def _flags(clip: Clip) -> tuple[str, ...]:
    """A clip's flags, the rate that its motion shows beside `fps_suspect`."""
    said = {"fps_suspect": f"{clip.labels.get('fps_estimate')} by {clip.labels.get('fps_evidence')}"}
    return tuple(f"{flag} ({said[flag]})" if flag in said else flag for flag in clip.flags)


def _one_motion(path: Path, key: str | None, source: str | None, options: ReadOptions) -> ClipRef:
    """The one thing to read at a path, or the one of that key."""
    from motionunion.sources import SOURCES
    from motionunion.sources.detect import recognise

    found = recognise([path], source, options.skeletons)
    refs = [ref for claim in found.claims for ref in SOURCES[claim.source].discover(claim)]
    if not refs:
        raise MissingInput(f"{path}: no motion lies there, only archives or what describes other motions")
    chosen = refs if key is None else [ref for ref in refs if ref.key == key]
    if len(chosen) == 1:
        return chosen[0]
    named = ", ".join(ref.key for ref in refs[:_LISTED]) + (", ..." if len(refs) > _LISTED else "")
    if key is not None and not chosen:
        raise UsageError(f"--key {key}: {path} holds no such motion; there are {len(refs):,}: {named}")
    raise UsageError(f"{path}: holds {len(refs):,} motions; choose one with --key: {named}")
