"""Columns of a corpus's Parquet files, and how its rows become one."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.windows import Window

CAPTION = pa.struct([
    ("text", pa.string()),
    ("tokens", pa.string()),
    ("layer", pa.string()),
    ("generator", pa.string()),
    ("start_s", pa.float64()),
    ("end_s", pa.float64()),
])  # fmt: skip


def code_type(codebook_size: int) -> pa.DataType:
    """Smallest unsigned integer type that holds the codes 0 ... K - 1."""
    for kind in (pa.uint8(), pa.uint16()):
        if codebook_size <= 1 << kind.bit_width:
            return kind
    return pa.uint32()


def schema_of(codebook_size: int) -> pa.Schema:
    """Columns of the corpus of a codebook of K codes; `docs/corpus.md` says what they are."""
    return pa.schema([
        ("window_id", pa.string()),
        ("span_id", pa.string()),
        ("clip_id", pa.string()),
        ("name", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("group", pa.string()),
        ("split", pa.string()),
        ("official_split", pa.string()),
        ("body", pa.string()),
        ("layer", pa.string()),
        ("shipped", pa.bool_()),
        ("span_first_frame", pa.int64()),
        ("span_stop_frame", pa.int64()),
        ("first_row", pa.int32()),
        ("rows", pa.int32()),
        ("codes", pa.list_(code_type(codebook_size))),
        ("captions", pa.list_(CAPTION)),
    ])  # fmt: skip


def part_bytes(
    windows: Sequence[Window],
    codes: Sequence[npt.NDArray[np.int32]],
    beside: Sequence[Mapping[str, Any]],
    codebook_size: int,
) -> bytes:
    """One Parquet file, the same bytes for the same rows.

    Args:
        windows: One for each row.
        codes: Of each window, (N,) or (N, Q); the latter are written step by step, all codes of a step side by side.
        beside: What else is in each row: licence, `span_first_frame`, `span_stop_frame`.
        codebook_size: K.
    """
    schema = schema_of(codebook_size)
    rows = []
    for window, clip, more in zip(windows, codes, beside, strict=True):
        row = {name: value for name, value in asdict(window).items() if name in schema.names}
        rows.append({**row, **more, "codes": clip.ravel()})
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd", compression_level=3)
    return sink.getvalue()
