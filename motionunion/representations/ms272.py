"""`ms272@30` and `ms272@30/compat`: the 272 features of MotionStreamer and MotionMillion, 30 rows a second.

What is lost: body shape and gender, start position and heading, height over the floor, hands and face. Joints and local
rotations survive exactly. The two differ in resampling, in the heading of a body that is far from upright, and in what their
decoders say of the rest pelvis. See docs/representations.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from motionunion.digest import canonical_json, sha256_hex
from motionunion.motion import Motion
from motionunion.representations import ms272_decoder, ms272_encoder
from motionunion.representations import ms272_layout as layout
from motionunion.representations.registry import Features, Representation

_VERSION = 1


def _encode_steady(motions: Sequence[Motion]) -> list[Features]:
    return ms272_encoder.encode(motions, ms272_encoder.steady_heading)


def _encode_published(motions: Sequence[Motion]) -> list[Features]:
    return ms272_encoder.encode(motions, ms272_encoder.forward_heading)


def _hash(representation_id: str, heading: str, resampling: str) -> str:
    return sha256_hex(
        canonical_json({"id": representation_id, "version": _VERSION, "heading": heading, "resampling": resampling})
    )


MS272 = Representation(
    id="ms272@30",
    name="MotionStreamer 272",
    dims=layout.DIMS,
    rate=layout.RATE,
    resampling="filtered",
    needs="rotations",
    version=_VERSION,
    parameter_hash=_hash("ms272@30", "steady", "filtered"),
    min_frames=2,
    rows_lost=0,
    blocks=layout.BLOCKS,
    root_blocks=layout.ROOT_BLOCKS,
    encode_batch=_encode_steady,
    decode_batch=partial(ms272_decoder.decode, heading_path=ms272_decoder.yaw_path, pelvis_3=ms272_decoder.SMPL_PELVIS),
    decode_heading_free_batch=ms272_decoder.decode_heading_free,
)

MS272_COMPAT = Representation(
    id="ms272@30/compat",
    name="MotionStreamer 272, as published",
    dims=layout.DIMS,
    rate=layout.RATE,
    resampling="compat",
    needs="rotations",
    version=_VERSION,
    parameter_hash=_hash("ms272@30/compat", "forward", "compat"),
    min_frames=2,
    rows_lost=0,
    blocks=layout.BLOCKS,
    root_blocks=layout.ROOT_BLOCKS,
    encode_batch=_encode_published,
    decode_batch=partial(
        ms272_decoder.decode, heading_path=ms272_decoder.published_path, pelvis_3=ms272_decoder.NO_PELVIS
    ),
    decode_heading_free_batch=ms272_decoder.decode_heading_free,
)
