"""Spans as a Parquet file beside the features that they describe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.spans import Span, SpanCaption

BATCH_SPANS = 4096
"""Spans that are held as dictionaries at a time."""
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


def write_spans(path: Path, spans: Sequence[Span]) -> None:
    """One row a span, in order, durably; the same bytes for the same spans. Memory is that of a batch."""
    with path.open("wb") as out:
        with pq.ParquetWriter(out, _SCHEMA, compression="zstd") as writer:
            for first in range(0, len(spans), BATCH_SPANS):
                rows = [asdict(span) for span in spans[first : first + BATCH_SPANS]]
                writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
        out.flush()
        os.fsync(out.fileno())


def read_spans(path: Path) -> list[Span]:
    """Read what `write_spans` wrote."""
    return list(_spans(path))


def _spans(path: Path) -> Iterator[Span]:
    with pq.ParquetFile(path) as file:
        if not file.schema_arrow.equals(_SCHEMA):
            raise ValueError(f"{path.name} has other columns than spans have")
        for batch in file.iter_batches(BATCH_SPANS):
            for row in batch.to_pylist():
                captions = tuple(SpanCaption(**_shared(caption)) for caption in row.pop("captions"))
                yield Span(**_shared(row), captions=captions)


# A store has few sources, splits, bodies and layers: one string for each, not one for each span.
_REPEATED = ("source", "split", "official_split", "body", "layer", "generator")


def _shared(row: dict[str, Any]) -> dict[str, Any]:
    for name in _REPEATED:
        if isinstance(row.get(name), str):
            row[name] = sys.intern(row[name])
    return row
