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


def _entry(
    identity: str,
    name: str,
    resampling: str,
    heading: tuple[str, ms272_encoder.Heading],
    heading_path: ms272_decoder.HeadingPath,
    pelvis_3: ms272_decoder.Array,
) -> Representation:
    """An id by what it does in its own way: resampling, heading and its name, heading of decoded rows, decoded rest pelvis."""

    def encode_batch(motions: Sequence[Motion]) -> list[Features]:
        return ms272_encoder.encode(motions, heading[1])

    parameters = {"id": identity, "version": _VERSION, "heading": heading[0], "resampling": resampling}
    return Representation(
        id=identity,
        name=name,
        dims=layout.DIMS,
        rate=layout.RATE,
        resampling=resampling,
        needs="rotations",
        version=_VERSION,
        parameter_hash=sha256_hex(canonical_json(parameters)),
        min_frames=2,
        rows_lost=0,
        blocks=layout.BLOCKS,
        root_blocks=layout.ROOT_BLOCKS,
        encode_batch=encode_batch,
        decode_batch=partial(ms272_decoder.decode, heading_path=heading_path, pelvis_3=pelvis_3),
        decode_heading_free_batch=ms272_decoder.decode_heading_free,
    )


MS272 = _entry(
    "ms272@30",
    "MotionStreamer 272",
    "filtered",
    ("steady", ms272_encoder.steady_heading),
    ms272_decoder.yaw_path,
    ms272_decoder.SMPL_PELVIS,
)
MS272_COMPAT = _entry(
    "ms272@30/compat",
    "MotionStreamer 272, as published",
    "compat",
    ("forward", ms272_encoder.forward_heading),
    ms272_decoder.published_path,
    ms272_decoder.NO_PELVIS,
)
