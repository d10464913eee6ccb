from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from motionunion.clip import Caption, Clip, Segment, Shipped
from motionunion.representations import registry
from motionunion.span_planning import Plan, plan_spans
from motionunion.span_table import read_spans, write_spans
from motionunion.store.store import Store

ID = "hml263@20/compat"
MakeClip = Callable[..., Clip]
MakeStore = Callable[..., Store]


def planned(store: Store) -> Plan:
    return plan_spans(store, registry.get(ID))


def test_a_clip_of_joints_alone_is_skipped_where_rotations_are_needed(clip_of: MakeClip, store_of: MakeStore) -> None:
    shipped = Shipped(representation="turning@20", features_TD=np.zeros((30, 263)))
    store = store_of(
        clip_of("joints", joints=True),
        clip_of("rotations"),
        clip_of("shipped", frames=30, joints=True, shipped=shipped),
    )
    plan = plan_spans(store, replace(registry.get(ID), id="turning@20", needs="rotations"))
    assert [span.name for span in plan.spans] == ["rotations", "shipped"]
    assert [(skipped.name, skipped.reason) for skipped in plan.skipped] == [("joints", "no_rotations")]


def stretch(name: str, start_frame: int, end_frame: int, **changes: object) -> Segment:
    """A segment of HumanML3D's index: frames at 20 fps, in nominal seconds."""
    known = {"uid": "made_up/one", "layer": "humanml3d", "start_s": start_frame / 20, "end_s": end_frame / 20}
    return Segment(name=name, **(known | changes))  # type: ignore[arg-type]


def says(text: str, **changes: object) -> Caption:
    return Caption(**({"uid": "made_up/one", "text": text, "layer": "humanml3d"} | changes))  # type: ignore[arg-type]


def test_a_clip_without_segments_is_one_span_over_its_valid_frames(clip_of: MakeClip, store_of: MakeStore) -> None:
    (span,) = planned(store_of(clip_of(frames=300, fps=Fraction(60), valid=(60, 300)))).spans
    assert (span.name, span.first_frame, span.stop_frame, span.rows) == ("one", 60, 300, 79)
    assert (span.layer, span.shipped, span.body, span.group) == (None, False, "own", "made_up/one")


def test_segments_take_the_place_of_the_whole_clip(clip_of: MakeClip, store_of: MakeStore) -> None:
    plan = planned(
        store_of(
            clip_of(frames=1200, fps=Fraction(120)),
            said=(stretch("000002", 40, 80, split="test"), stretch("000001", 0, 50, split="val")),
        )
    )
    assert [(s.name, s.first_frame, s.stop_frame, s.rows, s.official_split) for s in plan.spans] == [
        ("000001", 0, 300, 49, "val"),
        ("000002", 240, 480, 39, "test"),
    ]
    # 1,200 frames at 120 fps are 10 s; frames 0 to 480 are used.
    assert plan.counts["unused_ms"] == 6000


@pytest.mark.parametrize(
    ("fps", "labels", "first", "stop"),
    [
        (Fraction(120), {}, 60, 300),
        (Fraction(100), {}, 50, 250),
        # 250 fps: a stride of 12, so 20.83 fps and frame k at k * 12.
        (Fraction(250), {}, 120, 600),
        # 59.9999886 fps is stored as 60, but the published stride is 2, not 3.
        (Fraction(60), {"stated_fps": "59.9999886"}, 20, 100),
        (Fraction(120000, 1001), {"stated_fps": "119.88"}, 50, 250),
        # Below 20 fps there is no published stride; the seconds are taken as they are.
        (Fraction(10), {}, 5, 25),
    ],
)
def test_a_stretch_lies_where_the_published_stride_puts_it(
    clip_of: MakeClip, store_of: MakeStore, fps: Fraction, labels: dict[str, str], first: int, stop: int
) -> None:
    clip = clip_of(source="amass_smplh", uid="made_up/one", frames=700, fps=fps, labels=labels)
    (span,) = planned(store_of(clip, said=(stretch("000001", 10, 50),))).spans
    assert (span.first_frame, span.stop_frame) == (first, stop)


def test_the_same_take_from_another_source_has_no_published_stride(clip_of: MakeClip, store_of: MakeStore) -> None:
    (span,) = planned(store_of(clip_of(frames=700, fps=Fraction(250)), said=(stretch("000001", 10, 50),))).spans
    assert (span.first_frame, span.stop_frame) == (125, 625)


def test_other_layers_mean_real_seconds(clip_of: MakeClip, store_of: MakeStore) -> None:
    clip = clip_of(source="amass_smplh", uid="made_up/one", frames=700, fps=Fraction(250))
    (span,) = planned(store_of(clip, said=(stretch("walk", 10, 50, layer="babel"),))).spans
    assert (span.first_frame, span.stop_frame) == (125, 625)


def test_a_stretch_past_the_end_is_clipped_and_counted(clip_of: MakeClip, store_of: MakeStore) -> None:
    clip = clip_of(frames=601, fps=Fraction(120))
    plan = planned(store_of(clip, said=(stretch("past", 60, 130), stretch("exact", 0, 101))))
    # 601 frames give 101 at 20 fps: the second stretch loses nothing.
    assert [(span.name, span.stop_frame, span.rows) for span in plan.spans] == [("exact", 601, 100), ("past", 601, 40)]
    assert plan.counts["segments_clipped"] == 1


def test_empty_and_too_short_stretches_are_skipped_with_a_reason(clip_of: MakeClip, store_of: MakeStore) -> None:
    said = (stretch("after", 200, 260), stretch("single", 3, 4), stretch("fine", 0, 40))
    plan = planned(store_of(clip_of(frames=100), clip_of("tiny", frames=1), said=said))
    assert [span.name for span in plan.spans] == ["fine"]
    assert {(entry.name, entry.reason) for entry in plan.skipped} == {
        ("after", "empty"), ("single", "too_short"), ("tiny", "too_short"),
    }  # fmt: skip


def test_captions_follow_their_segment_with_times_from_its_start(clip_of: MakeClip, store_of: MakeStore) -> None:
    said = (
        stretch("000001", 20, 120),
        stretch("000002", 100, 200),
        says("a person walks", tokens="a/DET person/NOUN", segment="000001"),
        says("then turns", segment="000001", start_s=2.0, end_s=3.5),
        says("other", segment="000002"),
        says("of no segment", segment="000009"),
    )
    plan = planned(store_of(clip_of(frames=1200, fps=Fraction(120)), said=said))
    first, second = plan.spans
    assert [(c.text, c.tokens, c.start_s, c.end_s) for c in first.captions] == [
        ("a person walks", "a/DET person/NOUN", None, None),
        ("then turns", None, 1.0, 2.5),
    ]
    assert [c.text for c in second.captions] == ["other"]
    assert plan.counts["captions_unused"] == 1


def test_nominal_caption_times_become_real_where_the_stride_does_not_fit(
    clip_of: MakeClip, store_of: MakeStore
) -> None:
    said = (stretch("000001", 0, 100), says("late", segment="000001", start_s=2.0, end_s=4.0))
    clip = clip_of(source="amass_smplh", uid="made_up/one", frames=1500, fps=Fraction(250))
    (span,) = planned(store_of(clip, said=said)).spans
    # Frames 40 and 80 of the published stretch are frames 480 and 960 of a file of 250 fps.
    assert [(c.start_s, c.end_s) for c in span.captions] == [(480 / 250, 960 / 250)]


def test_captions_of_the_clip_reach_segments_that_they_are_about(clip_of: MakeClip, store_of: MakeStore) -> None:
    said = (
        stretch("long", 0, 150),
        stretch("short", 150, 190),
        says("the whole file", layer="labels"),
        says("timed", layer="mine", start_s=7.0, end_s=8.5),
        says("between", layer="mine", start_s=9.6, end_s=10.0),
    )
    plan = planned(store_of(clip_of(frames=200), said=said))
    long, short = plan.spans
    assert [c.text for c in long.captions] == ["the whole file"]
    # 0.5 s of 1.5 s lie in the first stretch, 1.0 s in the second, from which the caption starts before.
    assert [(c.text, c.start_s, c.end_s) for c in short.captions] == [("timed", 0.0, 1.0)]
    assert plan.counts["captions_unused"] == 1


def test_caption_times_are_counted_from_the_first_valid_frame(clip_of: MakeClip, store_of: MakeStore) -> None:
    said = (says("walks", start_s=2.0, end_s=60.0), says("stands", start_s=0.0, end_s=0.5))
    plan = planned(store_of(clip_of(frames=100, valid=(20, 100)), said=said))
    assert [(c.text, c.start_s, c.end_s) for c in plan.spans[0].captions] == [("walks", 1.0, 4.0)]
    assert plan.counts["captions_unused"] == 1


def test_shipped_features_are_taken_where_the_span_is_the_whole_clip(clip_of: MakeClip, store_of: MakeStore) -> None:
    shipped = Shipped(representation=ID, features_TD=np.zeros((50, 263), dtype=np.float32))
    other = Shipped(representation="hml263@20", features_TD=np.zeros((50, 263), dtype=np.float32))
    plan = planned(
        store_of(
            clip_of("a", frames=50, joints=True, shipped=shipped),
            clip_of("b", frames=50, joints=True, shipped=shipped, valid=(0, 40)),
            clip_of("c", frames=50, joints=True, shipped=other),
        )
    )
    assert [(span.name, span.shipped, span.rows) for span in plan.spans] == [
        ("a", True, 50), ("b", False, 39), ("c", False, 49),
    ]  # fmt: skip


def test_a_stretch_whose_published_features_are_here_is_not_encoded_again(
    clip_of: MakeClip, store_of: MakeStore
) -> None:
    shipped = Shipped(representation=ID, features_TD=np.zeros((39, 263), dtype=np.float32))
    published = clip_of("000001", source="humanml3d", frames=39, joints=True, shipped=shipped)
    said = (stretch("000001", 0, 40), stretch("000002", 40, 80), says("walks", segment="000001"))
    plan = planned(store_of(published, clip_of(frames=100), said=said))
    assert [(span.name, span.shipped) for span in plan.spans] == [("000001", True), ("000002", False)]
    assert [(entry.name, entry.reason) for entry in plan.skipped] == [("000001", "shipped")]
    assert plan.counts["captions_unused"] == 0


def test_a_stretch_of_amass_is_taken_before_joints_decoded_from_published_features(
    clip_of: MakeClip, store_of: MakeStore
) -> None:
    shipped = Shipped(representation=ID, features_TD=np.zeros((39, 263), dtype=np.float32))
    made = {"source": "humanml3d", "frames": 39, "joints": True, "shipped": shipped}
    store = store_of(
        clip_of("long", source="amass_smplh", uid="made_up/one", frames=600, fps=Fraction(120)),
        clip_of("000001", **made),
        clip_of("000002", **made),
        clip_of("M000001", **made),
        # The second stretch goes on far past the end of its file: what was published of it is all there is.
        said=(stretch("000001", 0, 40), stretch("000002", 90, 400)),
    )
    plan = plan_spans(store, registry.get("hml263@20"))
    taken = {(span.name, span.source) for span in plan.spans}
    assert {("000001", "amass_smplh"), ("000002", "humanml3d"), ("M000001", "humanml3d")} <= taken
    assert ("000001", "humanml3d") not in taken
    assert [(entry.name, entry.reason) for entry in plan.skipped] == [("000001", "segment")]


def test_span_ids_tell_stretches_apart_and_stay_the_same(clip_of: MakeClip, store_of: MakeStore) -> None:
    said = (stretch("000001", 0, 40), stretch("000002", 0, 40), stretch("000001", 0, 40, layer="other"))
    plan = planned(store_of(clip_of(frames=100), said=said))
    assert len({span.span_id for span in plan.spans}) == 3
    assert all(len(span.span_id) == 32 for span in plan.spans)


def test_a_new_caption_changes_the_plan(clip_of: MakeClip, store_of: MakeStore) -> None:
    bare = planned(store_of(clip_of()))
    assert planned(store_of(clip_of())).digest() == bare.digest()
    assert planned(store_of(clip_of(), said=(says("walks"),))).digest() != bare.digest()


def test_spans_return_from_parquet(clip_of: MakeClip, store_of: MakeStore, tmp_path: Path) -> None:
    said = (says("walks", start_s=1.0, end_s=2.0), says("näht", tokens="näht/VERB"))
    plan = planned(store_of(clip_of(), clip_of("two"), said=said))
    path = tmp_path / "spans.parquet"
    write_spans(path, plan.spans)
    assert read_spans(path) == plan.spans
