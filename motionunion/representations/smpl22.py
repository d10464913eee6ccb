"""`smpl22@<rate>`: SMPL's own parameters, 85 numbers a frame, at any rate.

| columns | content |
|---|---|
| 0:3 | root rotation, axis-angle |
| 3:66 | 21 body joints, axis-angle |
| 66:72 | SMPL's two hand joints, which nothing here moves: 0 |
| 72:75 | `trans`: the pelvis less the rest pelvis of the body |
| 75:85 | betas, the same in every row |

The order is that of the 85 numbers that the 272 features are published with. What is lost: fingers and face, gender, betas
beyond ten, and the bones of a skeleton that is no SMPL body. Angles jump where a joint turns past 180 degrees: these are for
feeding body models and for exchange, not for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import ClipError
from motionunion.motion import Motion, posed
from motionunion.representations.heading_free import heading_free
from motionunion.representations.registry import Features, Representation
from motionunion.representations.smpl_rest import betas_of, trans_of
from motionunion.skeleton import FloatArray

FAMILY = "smpl22"
DIMS = 85
POSE, HANDS, TRANS, BETAS = slice(0, 66), slice(66, 72), slice(72, 75), slice(75, 85)
_BLOCKS = ((0, 3), (3, 66), (66, 72), (72, 75), (75, 85))
_VERSION = 1


def at_rate(representation_id: str, rate: Fraction) -> Representation:
    """The representation `smpl22@<rate>`."""

    def decode(features: Sequence[FloatArray]) -> list[Motion]:
        return [_decode_one(rows, rate) for rows in features]

    return Representation(
        id=representation_id,
        name="SMPL parameters",
        dims=DIMS,
        rate=rate,
        resampling="filtered",
        needs="rotations",
        version=_VERSION,
        parameter_hash=sha256_hex(canonical_json({"id": representation_id, "version": _VERSION})),
        min_frames=2,
        rows_lost=0,
        blocks=_BLOCKS,
        root_blocks=((0, 3), (72, 75)),
        encode_batch=lambda motions: [_encode_one(motion) for motion in motions],
        decode_batch=decode,
        decode_heading_free_batch=lambda features: [heading_free(motion.joints_T22x3) for motion in decode(features)],
    )


def _encode_one(motion: Motion) -> Features:
    quats, _, _ = motion.pose()
    rows = np.zeros((len(quats), DIMS), dtype=np.float32)
    rows[:, POSE] = rotation.to_rotvec(quats).reshape(len(quats), -1)
    rows[:, TRANS] = trans_of(motion, "smpl")
    rows[:, BETAS] = betas_of(motion, "smpl", 10)
    if not np.isfinite(rows).all():
        raise ClipError("some rotation, position or beta is not finite", reason="non_finite")
    return rows


def _decode_one(rows: FloatArray, rate: Fraction) -> Motion:
    """Posed with the template body, since betas say nothing without the licensed model; its rest pelvis is SMPL's."""
    if rows.ndim != 2 or rows.shape[1] != DIMS or len(rows) == 0:
        raise ClipError(f"features have shape {rows.shape}, expected (rows, {DIMS})", reason="bad_shape")
    values = np.asarray(rows, dtype=np.float64)
    return posed(
        rate,
        values[:, TRANS] + TEMPLATE.pelvis_3,
        rotation.from_rotvec(values[:, POSE].reshape(-1, 22, 3)),
        TEMPLATE.offsets_22x3,
        model="smpl",
        betas=values[0, BETAS],
    )
