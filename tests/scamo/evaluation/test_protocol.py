from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from motionunion.spans import Span, SpanCaption
from motionunion.windows import cut_spans
from scamo.evaluation.protocol import draw_item, draw_pass, item_seed, official_items, window_items


def span(name: str, rows: int, *captions: SpanCaption, **changes) -> Span:
    given = {
        "span_id": name, "clip_id": name, "name": name, "source": "amass", "group": name, "split": "test",
        "official_split": "test", "layer": "humanml3d", "rows": rows, "first_frame": 0, "stop_frame": rows + 1,
        "body": "model", "captions": captions,
    }  # fmt: skip
    return Span(**{**given, **changes})


SAID = SpanCaption(text="a person walks")


@pytest.fixture
def features_of(toy):
    def make(*spans: Span):
        offsets = np.cumsum([0, *(one.rows for one in spans)])
        values = np.arange(offsets[-1] * 263, dtype=np.float32).reshape(-1, 263)
        return replace(toy({"train": 1}), values=values, spans=list(spans), offsets=offsets)

    return make


def test_official_items_are_humanml3ds_test_motions_of_40_to_199_rows(features_of):
    features = features_of(
        span("short", 39, SAID),
        span("000001", 40, SAID),
        span("000002", 199, SAID),
        span("long", 200, SAID),
        span("train", 100, SAID, official_split="train"),
        span("other", 100, SAID, layer="mine"),
        span("shipped", 100, SAID, layer=None, source="humanml3d"),
        span("silent", 100),
    )
    found = official_items(features)
    assert [item.name for item in found.items] == ["000001", "000002", "shipped"]
    assert [item.start for item in found.items] == [39, 79, 678]
    assert found.dropped == {"spans outside 40 to 199 rows": 2, "spans without a caption": 1}


def test_a_caption_with_times_is_an_item_of_its_own(features_of):
    def timed(start_s: float, end_s: float) -> SpanCaption:
        return SpanCaption(text="a person turns", start_s=start_s, end_s=end_s)

    features = features_of(
        span("first", 50, SAID), span("000001", 180, SAID, timed(1.13, 4.0), SAID, timed(0, 1.9), timed(5, 99))
    )
    _, whole, turns, ends = official_items(features).items
    assert (whole.start, whole.rows, len(whole.captions)) == (50, 180, 2)
    assert (turns.start, turns.rows) == (50 + 22, 80 - 22)
    assert (ends.start, ends.rows) == (50 + 100, 80)
    assert official_items(features).dropped == {"timed captions outside 40 to 199 rows": 1}
    only = features_of(span("000001", 180, timed(1, 4)))
    assert [item.rows for item in official_items(only).items] == [60]


def test_a_motion_with_a_value_that_is_not_finite_is_counted_and_left_out(features_of):
    features = features_of(span("000001", 60, SAID), span("000002", 60, SAID))
    features.values[70, 3] = np.nan
    assert [item.name for item in official_items(features).items] == ["000001"]
    assert official_items(features).dropped == {"spans with values that are not finite": 1}
    found = window_items(features, cut_spans(features.spans, Fraction(20)).windows)
    assert [item.name for item in found.items] == ["000001"]


def test_window_items_are_the_captioned_windows_of_one_split(features_of):
    spans = (span("a", 300, SAID), span("b", 30), span("c", 20, SAID), span("d", 90, SAID, split="train"))
    features = features_of(*spans)
    found = window_items(features, cut_spans(spans, Fraction(20)).windows)
    assert [(item.name, item.rows) for item in found.items] == [("a", 152), ("a", 148), ("c", 20)]
    assert found.dropped == {"windows without a caption": 1}


def test_lengths_are_multiples_of_four_by_a_coin_of_two_to_one(features_of):
    items = official_items(features_of(*(span(f"{n:06d}", 103, SAID) for n in range(900)))).items
    draws = [draw_item(item, 0, 0) for item in items]
    counts = Counter(draw.rows for draw in draws)
    assert set(counts) == {100, 96}
    assert abs(counts[100] - 600) < 4 * np.sqrt(900 * 2 / 9)
    starts = {draw.start - draw.item.start for draw in draws if draw.rows == 100}
    assert starts == {0, 1, 2, 3}
    assert all(draw.start + draw.rows <= draw.item.start + 103 for draw in draws)


def test_every_caption_has_its_turn_and_no_neighbour_matters(features_of):
    captions = tuple(SpanCaption(text=str(n)) for n in range(3))
    items = official_items(features_of(*(span(f"{n:06d}", 60, *captions) for n in range(90)))).items
    draws = {draw.item.item_id: draw for draw in draw_pass(items, 0, 0)}
    assert {draw.caption.text for draw in draws.values()} == {"0", "1", "2"}
    for draw in draw_pass(items[::-1][:40], 0, 0):
        assert draws[draw.item.item_id] == draw if draw.item.item_id in draws else True
    assert draw_item(items[5], 0, 0) == draw_item(items[5], 0, 0)
    assert [draw_item(item, 0, 0) for item in items] != [draw_item(item, 0, 1) for item in items]
    assert [draw_item(item, 0, 0) for item in items] != [draw_item(item, 1, 0) for item in items]
    assert len({item_seed(item.item_id, 0) for item in items}) == 90


def test_a_pass_holds_full_pools_in_an_order_of_its_own(features_of):
    items = official_items(features_of(*(span(f"{n:06d}", 60, SAID) for n in range(70)))).items
    first, second = draw_pass(items, 0, 0), draw_pass(items, 0, 1)
    assert len(first) == len(second) == 64
    assert len({draw.item.item_id for draw in first}) == 64
    assert [draw.item.item_id for draw in first] != [draw.item.item_id for draw in second]
    assert len(draw_pass(items[:31], 0, 0)) == 31
