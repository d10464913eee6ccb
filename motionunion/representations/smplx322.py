"""`smplx322@30`: Motion-X's SMPL-X parameters, 322 numbers a frame (Lin et al. 2023, arXiv:2307.00818).

| columns | content |
|---|---|
| 0:3 | root rotation, axis-angle |
| 3:66 | 21 body joints |
| 66:111, 111:156 | 15 finger joints of the left hand, of the right hand |
| 156:159 | jaw |
| 159:209 | expression |
| 209:309 | face shape of the FLAME head |
| 309:312 | `trans`: the pelvis less the rest pelvis of the body |
| 312:322 | betas |

What is lost: eyes, gender, the face shape (which no clip keeps; features that a source ships keep it), betas beyond ten,
expressions beyond fifty, and the bones of a skeleton that is no SMPL-X body. Betas of SMPL and SMPL+H mean another thing
to SMPL-X, and become 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from motionunion import rotation
from motionunion.body import SMPLX_TEMPLATE
from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import ClipError
from motionunion.motion import Motion, posed
from motionunion.representations.heading_free import heading_free
from motionunion.representations.registry import Features, Representation
from motionunion.representations.smpl_rest import betas_of, trans_of
from motionunion.skeleton import FloatArray

_ID = "smplx322@30"
_RATE = Fraction(30)
_VERSION = 1
DIMS = 322
POSE, HANDS, JAW, EXPRESSION, FACE_SHAPE, TRANS, BETAS = (
    slice(0, 66),
    slice(66, 156),
    slice(156, 159),
    slice(159, 209),
    slice(209, 309),
    slice(309, 312),
    slice(312, 322),
)


def _encode(motions: Sequence[Motion]) -> list[Features]:
    return [_encode_one(motion) for motion in motions]


def _encode_one(motion: Motion) -> Features:
    quats, _, _ = motion.pose()
    rows = np.zeros((len(quats), DIMS), dtype=np.float32)
    rows[:, POSE] = rotation.to_rotvec(quats).reshape(len(quats), -1)
    if motion.hands_T90 is not None:
        rows[:, HANDS] = motion.hands_T90
    if "jaw" in motion.face:
        rows[:, JAW] = motion.face["jaw"]
    if "expression" in motion.face:
        known = motion.face["expression"][:, : EXPRESSION.stop - EXPRESSION.start]
        rows[:, EXPRESSION.start : EXPRESSION.start + known.shape[1]] = known
    rows[:, TRANS] = trans_of(motion, "smplx")
    rows[:, BETAS] = betas_of(motion, "smplx", 10)
    if not np.isfinite(rows).all():
        raise ClipError("some rotation, position or beta is not finite", reason="non_finite")
    return rows


def _decode(features: Sequence[FloatArray]) -> list[Motion]:
    """Posed with the template body, since betas say nothing without the licensed model; its rest pelvis is SMPL-X's."""
    return [_decode_one(rows) for rows in features]


def _decode_one(rows: FloatArray) -> Motion:
    if rows.ndim != 2 or rows.shape[1] != DIMS or len(rows) == 0:
        raise ClipError(f"features have shape {rows.shape}, expected (rows, {DIMS})", reason="bad_shape")
    values = np.asarray(rows, dtype=np.float64)
    return posed(
        _RATE,
        values[:, TRANS] + SMPLX_TEMPLATE.pelvis_3,
        rotation.from_rotvec(values[:, POSE].reshape(-1, 22, 3)),
        SMPLX_TEMPLATE.offsets_22x3,
        model="smplx",
        betas=values[0, BETAS],
        hands_T90=values[:, HANDS],
        face={"jaw": values[:, JAW], "expression": values[:, EXPRESSION]},
    )


def _decode_heading_free(features: Sequence[FloatArray]) -> list[Features]:
    return [heading_free(motion.joints_T22x3) for motion in _decode(features)]


SMPLX322 = Representation(
    id=_ID,
    name="Motion-X 322",
    dims=DIMS,
    rate=_RATE,
    resampling="filtered",
    needs="rotations",
    version=_VERSION,
    parameter_hash=sha256_hex(canonical_json({"id": _ID, "version": _VERSION})),
    min_frames=2,
    rows_lost=0,
    blocks=((0, 3), (3, 66), (66, 111), (111, 156), (156, 159), (159, 209), (209, 309), (309, 312), (312, 322)),
    root_blocks=((0, 3), (309, 312)),
    encode_batch=_encode,
    decode_batch=_decode,
    decode_heading_free_batch=_decode_heading_free,
)
