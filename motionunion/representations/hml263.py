"""HumanML3D's 263 features at 20 rows per second, in three ids that never mix.

| id | encoder | a motion of another rate |
|---|---|---|
| `hml263@20` | as the 263 should be: true facing, sign-safe turns, rotations seen from the body | low-passed, then taken at exact times |
| `hml263@20/compat` | as published, faults included, for evaluators and models trained on it | every n-th frame, or interpolated |
| `hml263@20/compat-stride` | as published | every int(fps / 20)-th frame, whatever rate that leaves |

The layout is the same, so everything that decodes the published joints (`recover_from_ric`) decodes all three. What is lost: body
shape, start position and heading, the last frame, twist about bones, hands. Rotations belong to bones of this skeleton and are
none of SMPL's. See docs/representations.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from motionunion.digest import canonical_json, sha256_hex
from motionunion.motion import Motion
from motionunion.representations import hml263_decoder, hml263_encoder, hml263_heading
from motionunion.representations import hml263_layout as layout
from motionunion.representations.registry import Features, Representation
from motionunion.skeleton import FloatArray

_RATE = Fraction(20)
_VERSION = 1
_COMMON = {
    "version": _VERSION,
    "target_lengths": layout.TARGET_LENGTHS_22.tolist(),
    "rest_directions": layout.REST_DIRECTIONS_22x3.tolist(),
    "contact_squared_m2": layout.CONTACT_SQUARED_M2,
}
_AS_PUBLISHED = {
    **_COMMON,
    "chain_parents": list(layout.CHAIN_PARENTS),
    "smoothing": [layout.SMOOTHING_FRAMES, layout.SMOOTHING_RADIUS],
}


def _entry(
    identity: str,
    name: str,
    resampling: str,
    encode: Callable[[Sequence[FloatArray]], list[Features]],
    parameters: dict[str, Any],
) -> Representation:
    def encode_batch(motions: Sequence[Motion]) -> list[Features]:
        return encode([motion.joints_T22x3 for motion in motions])

    return Representation(
        id=identity,
        name=name,
        dims=layout.DIMS,
        rate=_RATE,
        resampling=resampling,
        needs="joints",
        version=_VERSION,
        parameter_hash=sha256_hex(canonical_json({**parameters, "id": identity, "resampling": resampling})),
        min_frames=2,
        rows_lost=1,
        blocks=layout.BLOCKS,
        root_blocks=layout.ROOT_BLOCKS,
        encode_batch=encode_batch,
        decode_batch=_decode,
        decode_heading_free_batch=hml263_decoder.decode_heading_free,
    )


def _decode(features: Sequence[FloatArray]) -> list[Motion]:
    return [Motion(fps=_RATE, joints_T22x3=joints) for joints in hml263_decoder.decode(features)]


HML263 = _entry(
    "hml263@20",
    "HumanML3D 263, put right",
    "filtered",
    hml263_encoder.encode,
    {
        **_COMMON,
        "rotations": "in the heading's frame, arms from the chest",
        "upright": [hml263_heading.UPRIGHT, hml263_heading.TIPPED, hml263_heading.UPSIDE_DOWN],
    },
)
HML263_COMPAT = _entry(
    "hml263@20/compat", "HumanML3D 263, as published", "compat", hml263_encoder.encode_published, _AS_PUBLISHED
)
HML263_COMPAT_STRIDE = _entry(
    "hml263@20/compat-stride",
    "HumanML3D 263, as published, frame rates too",
    "stride",
    hml263_encoder.encode_published,
    _AS_PUBLISHED,
)
