from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionunion.spans import Span, SpanCaption
from motionunion.windows import Window, WindowCaption, cut_spans, lengths, overlaps_by_half


def span_of(rows: int, *captions: SpanCaption, name: str = "one") -> Span:
    return Span(
        span_id=name, clip_id="clip", name=name, source="made_up", group="group", split="train", rows=rows,
        first_frame=0, stop_frame=rows + 1, captions=captions,
    )  # fmt: skip


def windows_of(*spans: Span) -> list[Window]:
    return cut_spans(spans, Fraction(20)).windows


@given(st.integers(0, 20_000))
def test_windows_tile_the_span_in_multiples_of_four_of_at_most_196_rows(rows: int) -> None:
    pieces = lengths(rows)
    if rows < 16:
        assert pieces == []
        return
    assert sum(pieces) == rows - rows % 4
    assert all(piece % 4 == 0 and 16 <= piece <= 196 for piece in pieces)
    assert max(pieces) - min(pieces) <= 4
    assert len(pieces) == (1 if rows < 200 else -(-rows // 196))


@pytest.mark.parametrize(
    ("rows", "pieces"),
    [
        (15, []),
        (16, [16]),
        (19, [16]),
        (196, [196]),
        (199, [196]),
        (200, [100, 100]),
        (206, [104, 100]),
        (393, [132, 132, 128]),
    ],
)
def test_cuts_worked_out_by_hand(rows: int, pieces: list[int]) -> None:
    assert lengths(rows) == pieces


@given(st.lists(st.integers(0, 900), max_size=8))
def test_every_span_is_cut_where_it_lies_or_is_counted(rows: list[int]) -> None:
    spans = [span_of(count, name=str(index)) for index, count in enumerate(rows)]
    result = cut_spans(spans, Fraction(20))
    assert [(one.span_id, one.rows, one.reason) for one in result.skipped] == [
        (span.span_id, span.rows, "short") for span in spans if span.rows < 16
    ]
    for window in result.windows:
        index = int(window.span_id)
        assert window.start == sum(rows[:index]) + window.first_row
        assert window.first_row + window.rows <= rows[index]
    assert len({window.window_id for window in result.windows}) == len(result.windows)


def test_a_caption_of_the_whole_span_goes_to_every_window() -> None:
    first, second = windows_of(span_of(300, SpanCaption(text="a person walks", tokens="a/DET", layer="humanml3d")))
    assert first.captions == second.captions == (WindowCaption("a person walks", "a/DET", "humanml3d"),)


def test_a_timed_caption_goes_where_it_overlaps_by_half_of_the_shorter() -> None:
    # Two windows of 7.6 s. Both captions are 4 s long, hence the shorter.
    ends_in_second = SpanCaption(text="mostly first", start_s=4.0, end_s=8.0)
    halves = SpanCaption(text="both", start_s=5.6, end_s=9.6)
    first, second = windows_of(span_of(304, ends_in_second, halves))
    assert [caption.text for caption in first.captions] == ["mostly first", "both"]
    assert [caption.text for caption in second.captions] == ["both"]


@pytest.mark.parametrize(
    ("caption", "window", "together"),
    [
        ((0, 10), (2, 4), True),
        ((0, 3), (2, 4), True),
        ((0, 2.9), (2, 4), False),
        ((4, 6), (2, 4), False),
        ((3, 3), (2, 4), True),
        ((4, 4), (2, 4), False),
        ((1.2, 1.4), (1.3, 5), True),
    ],
)
def test_half_of_the_shorter(caption: tuple[float, float], window: tuple[float, float], together: bool) -> None:
    assert overlaps_by_half(caption, window) is together
