"""Which spans a store has in a representation: planned from the index alone, before any motion is read.

A clip with live segments gives one span per segment; another clip gives one span, its `valid` interval. Frames are
those of the clip at its own rate, intervals half-open, times seconds.

Where a segment lies. The HumanML3D layer counts frames after a stride of int(fps / 20) over an AMASS file, so its frame k
is frame k * stride of that file, whatever rate that leaves (20 fps mostly; 20.83 for a file of 250 fps; 29.99999 for one of
59.99999, `EricGuo5513/HumanML3D#176`); its nominal seconds are k / 20. The rate that decides the stride is the one that
the file states, to all its digits (label `stated_fps` where the clip's is rounded). Other layers, and the same take from another source, mean real seconds,
which are rounded to the file's frames. Resampling starts from the segment's first frame and looks at nothing outside.

A segment from 0 to 0 cuts nothing: a layer says with it on which side of its split a whole file is. Where two sources hold the
same layer (HumanML3D's own folder, and the Unifier's JSON of it), a segment is that of the layer's own source.

What is left out is counted: `Plan.skipped` and `Plan.counts`.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import groupby
from typing import Any, Protocol

from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import ClipError
from motionunion.representations.registry import Representation
from motionunion.resample import frames_at, integer_ratio, step_of
from motionunion.spans import SkippedSpan, Span, SpanCaption

RULE = 1
"""Version of what this page says; part of the key of every cache."""

HUMANML3D_LAYER = "humanml3d"
HUMANML3D_RATE = 20
AMASS_SOURCES = "amass"
"""How the names of the sources begin whose files HumanML3D's frames were counted on."""


@dataclass(slots=True)
class Plan:
    """Every span of a store, before it is encoded; `rows` are what encoding will give."""

    spans: list[Span]
    skipped: list[SkippedSpan] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """`segments_clipped` (the segment goes on past the clip's end), `captions_unused` (outside every span, or of a
    whole clip of which the span is less than half), `unused_ms` (milliseconds of valid motion outside any segment)."""

    def digest(self) -> str:
        """Hash of everything planned: equal plans give equal features."""
        digest = hashlib.sha256(canonical_json(RULE))
        for span in self.spans:
            digest.update(b"\n" + canonical_json(_span_values(span)))
        return digest.hexdigest()


class StoreIndex(Protocol):
    """What planning needs of a store."""

    def sql(self, query: str, /) -> Any:
        """The rows of a query, as a polars DataFrame."""


Row = Mapping[str, Any]
Times = tuple[float, float] | None


def plan_spans(store: StoreIndex, representation: Representation) -> Plan:
    """The spans of a store in this representation, sorted by source, key, first frame and name.

    Clips, segments and captions are asked for in one order and walked side by side, so that beside the plan itself only
    the answers' columns are in memory, never a dictionary for each row.
    """
    clips = store.sql(
        'SELECT clip_id, source, key, "group", split, official_split, fps_num, fps_den, frames, kind, body, shipped, '
        "valid_start, valid_end, labels['stated_fps'] AS stated_fps FROM clips ORDER BY source, key, clip_id"
    ).iter_rows(named=True)
    segments = _ByClip(
        store.sql(
            "SELECT c.clip_id, s.name, s.layer, s.start_s, s.end_s, s.split FROM segments s JOIN clips c USING (clip_id) "
            "WHERE s.start_s <> 0 OR s.end_s <> 0 QUALIFY rank() OVER (PARTITION BY c.clip_id, s.layer, s.name "
            "ORDER BY (s.source = s.layer) DESC, s.source) = 1 ORDER BY c.source, c.key, c.clip_id, s.start_s, s.end_s, s.layer, s.name"
        )
    )
    captions = _ByClip(
        store.sql(
            "SELECT c.clip_id, t.text, t.tokens, t.start_s, t.end_s, t.layer, t.segment, t.generator FROM captions t "
            "JOIN clips c USING (clip_id) ORDER BY c.source, c.key, c.clip_id, t.source, t.key, t.rowid"
        )
    )
    shipped_names = set(
        store.sql(f"SELECT key FROM clips WHERE source = '{HUMANML3D_LAYER}' AND shipped = '{representation.id}'")[
            "key"
        ]
    )
    cut_names = _cut_from_amass(store, representation)
    plan = Plan([])
    for clip in clips:
        if clip["source"] == HUMANML3D_LAYER and clip["key"] in cut_names:
            plan.skipped.append(SkippedSpan(clip["clip_id"], clip["key"], "segment"))
            continue
        own_segments, own_captions = segments.of(clip["clip_id"]), captions.of(clip["clip_id"])
        if own_segments:
            _plan_segments(plan, representation, clip, own_segments, own_captions, shipped_names)
        else:
            _plan_whole(plan, representation, clip, own_captions)
    return plan


def _cut_from_amass(store: StoreIndex, representation: Representation) -> set[str]:
    """HumanML3D's clips whose stretch of the AMASS file is in the store too, and tells more in this representation: their
    own joints were decoded from features of another one. One motion, one span."""
    answer = store.sql(
        "SELECT DISTINCT h.key FROM clips h JOIN segments s ON s.name = h.key JOIN clips c ON c.clip_id = s.clip_id "
        f"WHERE h.source = '{HUMANML3D_LAYER}' AND h.shipped IS DISTINCT FROM '{representation.id}' "
        f"AND s.layer = '{HUMANML3D_LAYER}' AND starts_with(c.source, '{AMASS_SOURCES}') AND s.end_s <= c.seconds + 0.5"
    )
    return set(answer["key"])


def _plan_whole(plan: Plan, representation: Representation, clip: Row, captions: list[Row]) -> None:
    start, stop = clip["valid_start"], clip["valid_end"]
    as_shipped = clip["shipped"] == representation.id and (start, stop) == (0, clip["frames"])
    span = _span(clip, clip["key"], (start, stop), None, clip["official_split"], shipped=as_shipped)
    fps = _fps(clip)
    found = []
    for row in captions:
        times = None
        if row["start_s"] is not None and row["end_s"] is not None:
            times = (row["start_s"] - start / float(fps), row["end_s"] - start / float(fps))
        found.append((row, times))
    _add(plan, representation, clip, span, found)


def _plan_segments(
    plan: Plan,
    representation: Representation,
    clip: Row,
    segments: list[Row],
    captions: list[Row],
    shipped_names: set[str],
) -> None:
    fps, frames = _fps(clip), clip["frames"]
    valid = (clip["valid_start"], clip["valid_end"])
    used: set[int] = set()
    intervals = []
    for segment in segments:
        stride = _stride(segment["layer"], clip)
        first, stop = _frames_of(stride, fps, segment["start_s"], segment["end_s"])
        # A segment may end inside the stride that begins with the clip's last frame: nothing is cut off there.
        if stop - frames >= (integer_ratio(fps, representation.rate) or stride or 1):
            plan.counts["segments_clipped"] += 1
        first, stop = max(first, 0), min(stop, frames)
        intervals.append((first, stop))
        span = _span(clip, segment["name"], (first, stop), segment["layer"], segment["split"] or clip["official_split"])
        if segment["layer"] == HUMANML3D_LAYER and segment["name"] in shipped_names:
            # The published features of this very segment are in the store: one motion, one span.
            plan.skipped.append(SkippedSpan(span.clip_id, span.name, "shipped"))
            used.update(index for index, row in enumerate(captions) if row["segment"] == segment["name"])
            continue
        found = []
        for index, row in enumerate(captions):
            if span.mirrored and row["segment"] != span.name:
                continue  # said of the motion as it was, whose left is this one's right
            about, times = _times_in_segment(row, segment["name"], stride, fps, (first, stop), valid)
            if about:
                used.add(index)
                found.append((row, times))
        _add(plan, representation, clip, span, found)
    plan.counts["captions_unused"] += len(captions) - len(used)
    plan.counts["unused_ms"] += round(1000 * _uncovered(valid, intervals) / fps)


def _times_in_segment(
    caption: Row, name: str, stride: int, fps: Fraction, frames: tuple[int, int], valid: tuple[int, int]
) -> tuple[bool, Times]:
    """Whether a caption is about the segment, and when, from the segment's first frame; None for the whole of it."""
    timed = caption["start_s"] is not None and caption["end_s"] is not None
    if caption["segment"] is not None:
        if caption["segment"] != name:
            return False, None
        if not timed:
            return True, None
        begin, end = _frames_of(stride, fps, caption["start_s"], caption["end_s"])
        return True, ((begin - frames[0]) / float(fps), (end - frames[0]) / float(fps))
    if timed:
        start_s = frames[0] / float(fps)
        times = (caption["start_s"] - start_s, caption["end_s"] - start_s)
        shared = min(times[1], (frames[1] - frames[0]) / float(fps)) - max(times[0], 0.0)
        return shared > 0 and shared >= 0.5 * (times[1] - times[0]), times
    # What is said of a whole file is not said of a small part of it.
    return 2 * (frames[1] - frames[0]) >= valid[1] - valid[0], None


def _add(
    plan: Plan,
    representation: Representation,
    clip: Row,
    span: Span,
    captions: list[tuple[Row, Times]],
) -> None:
    """Give a span its rows and captions and add it to the plan, or count it as skipped."""
    if representation.needs == "rotations" and clip["kind"] == "joints" and not span.shipped:
        plan.skipped.append(SkippedSpan(span.clip_id, span.name, "no_rotations"))
        return
    fps = _fps(clip)
    frames = span.stop_frame - span.first_frame
    if frames <= 0:
        plan.skipped.append(SkippedSpan(span.clip_id, span.name, "empty"))
        return
    try:
        taken, pace = _sampling(representation, clip, frames)
    except ClipError as error:
        plan.skipped.append(SkippedSpan(span.clip_id, span.name, error.reason))
        return
    rows = frames if span.shipped else taken - representation.rows_lost
    if not span.shipped and rows + representation.rows_lost < representation.min_frames:
        plan.skipped.append(SkippedSpan(span.clip_id, span.name, "too_short"))
        return
    seconds = float(frames / fps)
    kept = []
    for row, times in captions:
        begin, end = (None, None) if times is None else (max(times[0], 0.0), min(times[1], seconds))
        if begin is not None and end is not None and begin > end:
            plan.counts["captions_unused"] += 1
            continue
        if begin is not None and end is not None and not span.shipped:
            begin, end = begin * pace, end * pace
        kept.append(
            SpanCaption(
                text=row["text"], tokens=row["tokens"], start_s=begin, end_s=end,
                layer=sys.intern(row["layer"]), generator=sys.intern(row["generator"]),
            )
        )  # fmt: skip
    plan.spans.append(replace(span, rows=rows, captions=tuple(kept)))


def _sampling(representation: Representation, clip: Row, frames: int) -> tuple[int, float]:
    """Frames at the representation's rate, and how many of its seconds a real second takes: not 1 after the published
    stride, which may leave another rate than it says. Raises `ClipError` where the rule cannot be applied."""
    fps, mode = _fps(clip), representation.resampling
    if mode != "stride":
        return frames_at(frames, fps, representation.rate, mode=mode), 1.0
    stated = Fraction(_stated_fps(clip))
    step = step_of(stated, representation.rate, mode)
    return frames_at(frames, stated, representation.rate, mode=mode), float(fps / (step * representation.rate))


def _span(
    clip: Row,
    name: str,
    frames: tuple[int, int],
    layer: str | None,
    official_split: str | None,
    *,
    shipped: bool = False,
) -> Span:
    identity = [clip["clip_id"], layer, name if layer is not None else None, *frames]
    return Span(
        span_id=sha256_hex(canonical_json(identity))[:32],
        clip_id=clip["clip_id"],
        name=name,
        source=sys.intern(clip["source"]),
        group=clip["group"],
        split=sys.intern(clip["split"]),
        official_split=official_split and sys.intern(official_split),
        rows=0,
        first_frame=frames[0],
        stop_frame=frames[1],
        shipped=shipped,
        body=sys.intern(clip["body"]),
        layer=layer and sys.intern(layer),
    )


def _stride(layer: str, clip: Row) -> int:
    """The published stride of the HumanML3D layer; 0 where there is none (other layers, other files than AMASS's, files
    under 20 fps)."""
    if layer != HUMANML3D_LAYER or not clip["source"].startswith(AMASS_SOURCES):
        return 0
    return int(_stated_fps(clip) / HUMANML3D_RATE)


def _stated_fps(clip: Row) -> float | Fraction:
    """The rate that the file states, to all its digits."""
    stated = clip["stated_fps"]
    return float(stated) if stated is not None else _fps(clip)


def _frames_of(stride: int, fps: Fraction, start_s: float, end_s: float) -> tuple[int, int]:
    """The file's frames between two times of a layer."""
    if stride:
        return round(start_s * HUMANML3D_RATE) * stride, round(end_s * HUMANML3D_RATE) * stride
    return round(start_s * float(fps)), round(end_s * float(fps))


def _fps(clip: Row) -> Fraction:
    return Fraction(clip["fps_num"], clip["fps_den"])


def _uncovered(whole: tuple[int, int], parts: Iterable[tuple[int, int]]) -> int:
    """Frames of `whole` that lie in none of `parts`."""
    reached, left = whole[0], 0
    for start, stop in sorted(parts):
        left += max(min(start, whole[1]) - reached, 0)
        reached = max(reached, stop)
    return left + max(whole[1] - reached, 0)


class _ByClip:
    """Rows of a table that is in the clips' order: those of one clip after those of another."""

    def __init__(self, answer: Any) -> None:
        self._groups = groupby(answer.iter_rows(named=True), key=lambda row: row["clip_id"])
        self._next = next(self._groups, None)

    def of(self, clip_id: str) -> list[Row]:
        """The rows of a clip, asked for in the clips' order; none where the table has none of it."""
        if self._next is None or self._next[0] != clip_id:
            return []
        rows = list(self._next[1])
        self._next = next(self._groups, None)
        return rows


def _span_values(span: Span) -> list[Any]:
    captions = [[c.text, c.tokens, c.start_s, c.end_s, c.layer, c.generator] for c in span.captions]
    return [
        span.span_id, span.clip_id, span.name, span.source, span.group, span.split, span.official_split, span.rows,
        span.first_frame, span.stop_frame, span.shipped, span.body, span.layer, captions,
    ]  # fmt: skip
