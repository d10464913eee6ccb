"""`hml263@20/compat`: HumanML3D's 263 features at 20 rows per second, bit-compatible with what was published.

What is lost: body shape, start position and heading, the last frame, twist about bones, hands. Rotations belong to
bones of this skeleton and are none of SMPL's. See docs/representations.md.
"""

from __future__ import annotations

from fractions import Fraction

from motionunion.digest import canonical_json, sha256_hex
from motionunion.representations import hml263_decoder, hml263_encoder
from motionunion.representations import hml263_layout as layout
from motionunion.representations.registry import Representation

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

HML263_COMPAT = Representation(
    id=_ID,
    name="HumanML3D 263, as published",
    dims=layout.DIMS,
    rate=Fraction(20),
    resampling="compat",
    version=_VERSION,
    parameter_hash=sha256_hex(canonical_json(_PARAMETERS)),
    min_frames=2,
    rows_lost=1,
    blocks=layout.BLOCKS,
    root_blocks=layout.ROOT_BLOCKS,
    encode_batch=hml263_encoder.encode,
    decode_batch=hml263_decoder.decode,
    decode_heading_free_batch=hml263_decoder.decode_heading_free,
)
