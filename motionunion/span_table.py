"""Spans as a Parquet file beside the features that they describe."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.spans import Span, SpanCaption

_CAPTION = pa.struct(
    [
        ("text", pa.string()),
        ("tokens", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("layer", pa.string()),
        ("generator", pa.string()),
    ]
)
_SCHEMA = pa.schema(
    [
        ("span_id", pa.string()),
        ("clip_id", pa.string()),
        ("name", pa.string()),
        ("source", pa.string()),
        ("group", pa.string()),
        ("split", pa.string()),
        ("official_split", pa.string()),
        ("rows", pa.int64()),
        ("first_frame", pa.int64()),
        ("stop_frame", pa.int64()),
        ("shipped", pa.bool_()),
        ("body", pa.string()),
        ("layer", pa.string()),
        ("captions", pa.list_(_CAPTION)),
    ]
)


def spans_to_parquet(spans: Sequence[Span]) -> bytes:
    """One row a span, in order; the same bytes for the same spans."""
    rows = [asdict(span) | {"captions": [asdict(caption) for caption in span.captions]} for span in spans]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), buffer, compression="zstd")
    return buffer.getvalue()


def spans_from_parquet(path: Path) -> list[Span]:
    """Read what `spans_to_parquet` wrote."""
    rows = pq.read_table(path, schema=_SCHEMA).to_pylist()
    return [Span(**row | {"captions": tuple(SpanCaption(**caption) for caption in row["captions"])}) for row in rows]
