"""`hml263@20/compat`: HumanML3D's 263 features at 20 rows per second, bit-compatible with what was published.

What is lost: body shape, start position and heading, the last frame, twist about bones, hands. Rotations belong to
bones of this skeleton and are none of SMPL's. See docs/representations.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from motionunion.digest import canonical_json, sha256_hex
from motionunion.motion import Motion
from motionunion.representations import hml263_decoder, hml263_encoder
from motionunion.representations import hml263_layout as layout
from motionunion.representations.registry import Features, Representation
from motionunion.skeleton import FloatArray

_ID = "hml263@20/compat"
_VERSION = 1
_PARAMETERS = {
    "id": _ID,
    "version": _VERSION,
    "target_lengths": layout.TARGET_LENGTHS_22.tolist(),
    "rest_directions": layout.REST_DIRECTIONS_22x3.tolist(),
    "chain_parents": list(layout.CHAIN_PARENTS),
    "contact_squared_m2": layout.CONTACT_SQUARED_M2,
    "smoothing": [layout.SMOOTHING_FRAMES, layout.SMOOTHING_RADIUS],
    "resampling": "compat",
}

_RATE = Fraction(20)


def _encode(motions: Sequence[Motion]) -> list[Features]:
    return hml263_encoder.encode([motion.joints_T22x3 for motion in motions])


def _decode(features: Sequence[FloatArray]) -> list[Motion]:
    return [Motion(fps=_RATE, joints_T22x3=joints) for joints in hml263_decoder.decode(features)]


HML263_COMPAT = Representation(
    id=_ID,
    name="HumanML3D 263, as published",
    dims=layout.DIMS,
    rate=_RATE,
    resampling="compat",
    needs="joints",
    version=_VERSION,
    parameter_hash=sha256_hex(canonical_json(_PARAMETERS)),
    min_frames=2,
    rows_lost=1,
    blocks=layout.BLOCKS,
    root_blocks=layout.ROOT_BLOCKS,
    encode_batch=_encode,
    decode_batch=_decode,
    decode_heading_free_batch=hml263_decoder.decode_heading_free,
)
