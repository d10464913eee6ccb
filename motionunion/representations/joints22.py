"""`joints22@<rate>`: world joints as they are, 66 numbers a frame, at any rate.

Nothing is placed, scaled or turned. What is lost: rotations, body, hands and face, and what float32 rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import ClipError
from motionunion.motion import Motion
from motionunion.representations.heading_free import heading_free
from motionunion.representations.registry import Features, Representation
from motionunion.skeleton import FloatArray

FAMILY = "joints22"
DIMS = 66
_VERSION = 1


def at_rate(representation_id: str, rate: Fraction) -> Representation:
    """The representation `joints22@<rate>`."""

    def decode(features: Sequence[FloatArray]) -> list[Motion]:
        return [Motion(fps=rate, joints_T22x3=_joints(rows)) for rows in features]

    return Representation(
        id=representation_id,
        name="World joints",
        dims=DIMS,
        rate=rate,
        resampling="filtered",
        needs="joints",
        version=_VERSION,
        parameter_hash=sha256_hex(canonical_json({"id": representation_id, "version": _VERSION})),
        min_frames=2,
        rows_lost=0,
        blocks=((0, DIMS),),
        root_blocks=(),
        encode_batch=_encode,
        decode_batch=decode,
        decode_heading_free_batch=lambda features: [heading_free(_joints(rows)) for rows in features],
    )


def _encode(motions: Sequence[Motion]) -> list[Features]:
    features = []
    for motion in motions:
        joints = motion.joints_T22x3
        if joints.shape != (len(joints), 22, 3):
            raise ClipError(f"joints have shape {joints.shape}, expected (frames, 22, 3)", reason="bad_shape")
        if not np.isfinite(joints).all():
            raise ClipError("some position is not finite", reason="non_finite")
        features.append(joints.reshape(-1, DIMS).astype(np.float32))
    return features


def _joints(rows: FloatArray) -> FloatArray:
    if rows.ndim != 2 or rows.shape[1] != DIMS or len(rows) == 0:
        raise ClipError(f"features have shape {rows.shape}, expected (rows, {DIMS})", reason="bad_shape")
    return rows.reshape(-1, 22, 3)
