"""Windows: the one rule by which spans become training, corpus and evaluation items.

- A window has at most 196 rows, the longest that the HumanML3D protocol knows, and a multiple of 4: one token is 4 rows.
- A span of fewer than 200 rows is one window. A longer one is cut into ceil(rows / 196) windows of nearly equal
  length (they differ by at most 4 rows), one after the other from the first row. At most 3 rows at the end of a
  span are in no window.
- A span under 16 rows gives none; it is returned as skipped.
- A caption with times goes to every window that it overlaps by at least half of the shorter of the two; a caption of
  the whole span goes to all.

Needs numpy and pyarrow at most, so that a bare training machine can cut what it loads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from motionunion.spans import Span, SpanCaption

if TYPE_CHECKING:
    from motionunion.features import FeatureSet

MAX_ROWS = 196
MIN_ROWS = 16
UNIT_ROWS = 4


@dataclass(frozen=True, slots=True)
class WindowCaption:
    """One sentence about a window."""

    text: str
    tokens: str | None = None
    layer: str = ""
    generator: str = "human"
    start_s: float | None = None
    """Seconds from the window's first row, before it where negative; None for both = the whole span."""
    end_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One item of training, corpus or evaluation."""

    window_id: str
    """`<span_id>-<first_row>`."""
    span_id: str
    clip_id: str
    name: str
    source: str
    group: str
    split: str
    official_split: str | None
    first_row: int
    """First row within the span."""
    rows: int
    start: int
    """First row within `FeatureSet.values`."""
    body: str = ""
    layer: str | None = None
    shipped: bool = False
    captions: tuple[WindowCaption, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A span that gives no window."""

    span_id: str
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class Cut:
    """All windows, in the order of the spans, and what gave none."""

    windows: list[Window]
    skipped: list[Skipped]


def lengths(rows: int) -> list[int]:
    """Rows of each window of a span with `rows` rows, in order; empty under 16 rows."""
    if rows < MIN_ROWS:
        return []
    count = 1 if rows < MAX_ROWS + UNIT_ROWS else -(-rows // MAX_ROWS)
    units, longer = divmod(rows // UNIT_ROWS, count)
    return [UNIT_ROWS * (units + (index < longer)) for index in range(count)]


def cut(features: FeatureSet) -> Cut:
    """Cut every span of a feature set into windows; see the module's rule."""
    from motionunion.representations import registry

    rate = registry.get(features.representation).rate
    return cut_spans(features.spans, rate)


def cut_spans(spans: Iterable[Span], rate: Fraction) -> Cut:
    """Cut spans that lie one after the other in one array of rows, `rate` rows per second."""
    result = Cut([], [])
    start = 0
    for span in spans:
        pieces = lengths(span.rows)
        if not pieces:
            result.skipped.append(Skipped(span.span_id, span.rows, "short"))
        first = 0
        for rows in pieces:
            result.windows.append(
                Window(
                    window_id=f"{span.span_id}-{first}",
                    span_id=span.span_id,
                    clip_id=span.clip_id,
                    name=span.name,
                    source=span.source,
                    group=span.group,
                    split=span.split,
                    official_split=span.official_split,
                    first_row=first,
                    rows=rows,
                    start=start + first,
                    body=span.body,
                    layer=span.layer,
                    shipped=span.shipped,
                    captions=_captions_of(span.captions, first / float(rate), (first + rows) / float(rate)),
                )
            )
            first += rows
        start += span.rows
    return result


def _captions_of(captions: tuple[SpanCaption, ...], start_s: float, end_s: float) -> tuple[WindowCaption, ...]:
    return tuple(
        WindowCaption(
            caption.text,
            caption.tokens,
            caption.layer,
            caption.generator,
            None if caption.start_s is None else _seconds_after(start_s, caption.start_s),
            None if caption.end_s is None else _seconds_after(start_s, caption.end_s),
        )
        for caption in captions
        if caption.start_s is None
        or caption.end_s is None
        or overlaps_by_half((caption.start_s, caption.end_s), (start_s, end_s))
    )


def _seconds_after(start_s: float, time_s: float) -> float:
    """To the microsecond: a difference of decimal times is rarely the decimal that is meant."""
    return round(time_s - start_s, 6)


def overlaps_by_half(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """True where two intervals of seconds share at least half of the shorter; a point belongs to what contains it."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    shorter = min(one[1] - one[0], other[1] - other[0])
    if shorter <= 0.0:
        return other[0] <= one[0] < other[1]
    # A nanosecond of tolerance: halves of decimal times are rarely exact in binary.
    return shared >= 0.5 * shorter - 1e-9
