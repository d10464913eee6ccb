"""Columns of the shards, and how a clip becomes a row and a row a clip again.

Five kinds of shard: `clips`, `captions`, `segments`, `rejects`, and `receipts`, which say file by file what was read.

Values of a clip are lists of float32, channel-major: all frames of channel 0, then all of channel 1, ... A channel of
a motion is smooth, so its bytes, split into planes, compress best when they lie together (T frames, C channels:
stored (C, T), read back as (T, C)). Shipped features keep their dtype: channel-major bytes, split into byte planes by
hand, since Parquet has no lists of unknown type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from motionunion.clip import Caption, Clip, Segment, Shipped
from motionunion.digest import canonical_json, sha256_hex

SCHEMA_VERSION = 1
FACE_PARTS: tuple[str, ...] = ("jaw", "eyes", "expression")

_floats = pa.list_(pa.float32())
_text_map = pa.map_(pa.string(), pa.string())

CLIPS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("uid", pa.string()),
        ("source", pa.string()),
        ("key", pa.string()),
        ("group", pa.string()),
        ("official_split", pa.string()),
        ("fps_num", pa.int64()),
        ("fps_den", pa.int64()),
        ("frames", pa.int64()),
        ("kind", pa.string()),
        ("body", pa.string()),
        ("gender", pa.string()),
        ("valid_start", pa.int64()),
        ("valid_end", pa.int64()),
        ("flags", pa.list_(pa.string())),
        ("labels", _text_map),
        ("provenance", _text_map),
        ("fk_error_m", pa.float64()),
        ("version", pa.string()),
        ("content", pa.string()),
        ("row_group", pa.int32()),
        ("row", pa.int32()),
        ("joint_mask", pa.list_(pa.bool_())),
        ("rotvecs", _floats),
        ("root", _floats),
        ("offsets", _floats),
        ("joints", _floats),
        ("betas", _floats),
        ("betas_shape", pa.list_(pa.int64())),
        ("hands", _floats),
        ("face_jaw", _floats),
        ("face_eyes", _floats),
        ("face_expression", _floats),
        ("shipped", pa.string()),
        ("shipped_dtype", pa.string()),
        ("shipped_shape", pa.list_(pa.int64())),
        ("shipped_bytes", pa.binary()),
    ]
)
CAPTIONS = pa.schema(
    [
        ("source", pa.string()),
        ("key", pa.string()),
        ("uid", pa.string()),
        ("text", pa.string()),
        ("tokens", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("layer", pa.string()),
        ("segment", pa.string()),
        ("generator", pa.string()),
    ]
)
SEGMENTS = pa.schema(
    [
        ("source", pa.string()),
        ("key", pa.string()),
        ("uid", pa.string()),
        ("name", pa.string()),
        ("layer", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("split", pa.string()),
    ]
)
REJECTS = pa.schema(
    [
        ("source", pa.string()),
        ("key", pa.string()),
        ("file", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("line", pa.int64()),
    ]
)
RECEIPTS = pa.schema(
    [
        ("source", pa.string()),
        ("key", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("stamp", pa.string()),
        ("config", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("clip_id", pa.string()),
        ("content", pa.string()),
        ("captions", pa.int64()),
        ("captions_digest", pa.string()),
        ("segments", pa.int64()),
        ("segments_digest", pa.string()),
        ("clips_shard", pa.string()),
        ("captions_shard", pa.string()),
        ("segments_shard", pa.string()),
        ("rejects_shard", pa.string()),
    ]
)
SCHEMAS: dict[str, pa.Schema] = {
    "clips": CLIPS,
    "captions": CAPTIONS,
    "segments": SEGMENTS,
    "rejects": REJECTS,
    "receipts": RECEIPTS,
}
VALUE_COLUMNS: tuple[str, ...] = (
    "rotvecs", "root", "offsets", "joints", "betas", "hands", "face_jaw", "face_eyes", "face_expression",
)  # fmt: skip
"""Columns of float32 lists: byte planes, no dictionary."""
Row = dict[str, Any]


def clip_to_row(clip: Clip) -> Row:
    """One row of a clips shard; `row_group` and `row` are filled in by who writes it.

    The clip's arrays become float32 (what the store keeps), and the content hash is that of the kept values.
    """
    unknown = set(clip.face) - set(FACE_PARTS)
    if unknown:
        raise ValueError(f"{clip.key}: face has {sorted(unknown)}, the store keeps {FACE_PARTS}")
    row: Row = {
        "clip_id": clip.clip_id,
        "uid": clip.uid,
        "source": clip.source,
        "key": clip.key,
        "group": clip.group,
        "official_split": clip.official_split,
        "fps_num": clip.fps.numerator,
        "fps_den": clip.fps.denominator,
        "frames": int(clip.frames),
        "kind": clip.kind,
        "body": clip.body,
        "gender": clip.gender,
        "valid_start": int(clip.valid[0]),
        "valid_end": int(clip.valid[1]),
        "flags": list(clip.flags),
        "labels": sorted(clip.labels.items()),
        "provenance": sorted(clip.provenance.items()),
        "fk_error_m": None if clip.fk_error_m is None else float(clip.fk_error_m),
        "joint_mask": clip.joint_mask.astype(np.bool_).tolist(),
        "rotvecs": _channel_major(clip.rotvecs_T22x3),
        "root": _channel_major(clip.root_T3),
        "offsets": None if clip.offsets_22x3 is None else _float32(clip.offsets_22x3).ravel(),
        "joints": _channel_major(clip.joints_T22x3),
        "betas": None if clip.betas is None else _float32(clip.betas).ravel(),
        "betas_shape": None if clip.betas is None else list(clip.betas.shape),
        "hands": _channel_major(clip.hands_T90),
        **{f"face_{part}": _channel_major(clip.face.get(part)) for part in FACE_PARTS},
        **_shipped_columns(clip.shipped),
    }
    row["content"] = row_content(row)
    row["version"] = sha256_hex(canonical_json([row["content"], clip.provenance.get("reader", "")]))[:32]
    return row


def row_content(row: Mapping[str, Any]) -> str:
    """Content hash of a clip: what it is and every value kept, but not where its file lay nor who read it."""
    digest_of: dict[str, Any] = {}
    for name in CLIPS.names:
        if name in _NOT_CONTENT:
            continue
        value = row[name]
        if isinstance(value, np.ndarray):
            value = [str(value.dtype), sha256_hex(np.ascontiguousarray(value).tobytes())]
        elif isinstance(value, bytes):
            value = ["bytes", sha256_hex(value)]
        digest_of[name] = value
    return sha256_hex(canonical_json(digest_of))


_NOT_CONTENT = {"provenance", "fk_error_m", "version", "content", "row_group", "row"}


def row_to_clip(row: Mapping[str, Any]) -> Clip:
    """The clip that a row holds; the inverse of `clip_to_row`, bit for bit."""
    frames = row["frames"]
    face = {
        part: _frames_first(row[f"face_{part}"], frames, None) for part in FACE_PARTS if row[f"face_{part}"] is not None
    }
    return Clip(
        clip_id=row["clip_id"],
        source=row["source"],
        key=row["key"],
        uid=row["uid"],
        group=row["group"],
        fps=Fraction(row["fps_num"], row["fps_den"]),
        frames=frames,
        body=row["body"],
        rotvecs_T22x3=_frames_first(row["rotvecs"], frames, (22, 3)),
        root_T3=_frames_first(row["root"], frames, (3,)),
        offsets_22x3=None if row["offsets"] is None else row["offsets"].reshape(22, 3),
        joints_T22x3=_frames_first(row["joints"], frames, (22, 3)),
        joint_mask=np.array(row["joint_mask"], dtype=np.bool_),
        valid=(row["valid_start"], row["valid_end"]),
        official_split=row["official_split"],
        gender=row["gender"],
        betas=None if row["betas"] is None else row["betas"].reshape(row["betas_shape"]),
        hands_T90=_frames_first(row["hands"], frames, (90,)),
        face={part: values for part, values in face.items() if values is not None},
        shipped=_shipped_from(row),
        fk_error_m=row["fk_error_m"],
        labels=dict(row["labels"]),
        flags=tuple(row["flags"]),
        provenance=dict(row["provenance"]),
    )


def annotation_rows(source: str, key: str, said: Sequence[Caption] | Sequence[Segment]) -> list[Row]:
    """Rows of a captions or segments shard: what is said, and the (source, key) that says it."""
    return [
        {"source": source, "key": key, **{field.name: getattr(one, field.name) for field in fields(one)}}
        for one in said
    ]


def rows_digest(rows: list[Row]) -> str | None:
    """Digest of the annotation rows of one (source, key), in their order; None where there are none."""
    return sha256_hex(canonical_json(rows)) if rows else None


def _float32(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.dtype("<f4"))


def _channel_major(values: npt.NDArray[Any] | None) -> npt.NDArray[np.float32] | None:
    """(T, ...) to a flat list in which all frames of one channel lie together."""
    if values is None:
        return None
    return _float32(values.reshape(len(values), -1).T).ravel()


def _frames_first(
    flat: npt.NDArray[np.float32] | None, frames: int, shape: tuple[int, ...] | None
) -> npt.NDArray[np.float32] | None:
    if flat is None:
        return None
    table_TC = np.ascontiguousarray(flat.reshape(-1, frames).T) if frames else flat.reshape(0, 0)
    return table_TC if shape is None else table_TC.reshape(frames, *shape)


def _shipped_columns(shipped: Shipped | None) -> Row:
    if shipped is None:
        return dict.fromkeys(("shipped", "shipped_dtype", "shipped_shape", "shipped_bytes"))
    values = shipped.features_TD
    channel_major = np.ascontiguousarray(values.T, dtype=values.dtype.newbyteorder("<"))
    planes = channel_major.view(np.uint8).reshape(-1, values.dtype.itemsize).T
    return {
        "shipped": shipped.representation,
        "shipped_dtype": channel_major.dtype.str,
        "shipped_shape": list(values.shape),
        "shipped_bytes": planes.tobytes(),
    }


def _shipped_from(row: Mapping[str, Any]) -> Shipped | None:
    if row["shipped"] is None:
        return None
    dtype, shape = np.dtype(row["shipped_dtype"]), row["shipped_shape"]
    planes = np.frombuffer(row["shipped_bytes"], dtype=np.uint8).reshape(dtype.itemsize, -1)
    channel_major = np.ascontiguousarray(planes.T).view(dtype).reshape(shape[::-1])
    return Shipped(representation=row["shipped"], features_TD=np.ascontiguousarray(channel_major.T))
