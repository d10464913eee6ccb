"""`hml263@20/compat-stride` from a store: the frames, the rows and the times that HumanML3D's own stride gives."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from motionunion.clip import Caption, Clip, Segment
from motionunion.features import build_features
from motionunion.representations import encode, registry
from motionunion.span_planning import plan_spans
from motionunion.store.store import Store

ID = "hml263@20/compat-stride"
MakeClip = Callable[..., Clip]
MakeStore = Callable[..., Store]
SAID = (
    Segment(uid="made_up/one", name="000001", layer="humanml3d", start_s=0.5, end_s=2.5, split="train"),
    Caption(uid="made_up/one", text="a second", layer="humanml3d", segment="000001", start_s=1.0, end_s=2.0),
)


@pytest.mark.parametrize(
    ("fps", "labels", "stride"),
    [
        (Fraction(120), {}, 6),
        (Fraction(250), {}, 12),
        (Fraction(60), {"stated_fps": "59.9999886"}, 2),
        (Fraction(30), {}, 1),
    ],
)
def test_a_segment_has_the_published_frames(
    clip_of: MakeClip, store_of: MakeStore, fps: Fraction, labels: dict[str, str], stride: int
) -> None:
    clip = clip_of(source="amass_smplh", uid="made_up/one", frames=900, fps=fps, labels=labels, joints=True)
    store = store_of(clip, said=SAID)
    features = build_features(store, ID, jobs=1)
    assert clip.joints_T22x3 is not None
    published = clip.joints_T22x3[::stride][10:50]
    np.testing.assert_array_equal(features.values, encode(published, ID, fps=20))
    # A caption of a second on HumanML3D's own scale stays one there, whatever rate the stride leaves.
    (caption,) = features.spans[0].captions
    assert caption.start_s == pytest.approx(0.5)
    assert caption.end_s == pytest.approx(1.5)


def test_real_seconds_become_the_seconds_that_the_rows_count(clip_of: MakeClip, store_of: MakeStore) -> None:
    said = (Caption(uid="made_up/one", text="from 2 s to 4 s", layer="babel", start_s=2.0, end_s=4.0),)
    store = store_of(clip_of(frames=300, fps=Fraction(30)), said=said)
    (span,) = plan_spans(store, registry.get(ID)).spans
    # Every frame of 30 a second is kept and said to be one of 20: ten seconds pass for fifteen.
    assert span.rows == 299
    assert [(c.start_s, c.end_s) for c in span.captions] == [(3.0, 6.0)]
    (exact,) = plan_spans(store, registry.get("hml263@20")).spans
    assert exact.rows == 199
    assert [(c.start_s, c.end_s) for c in exact.captions] == [(2.0, 4.0)]


def test_a_clip_that_the_stride_cannot_take_is_skipped_with_the_reason(clip_of: MakeClip, store_of: MakeStore) -> None:
    plan = plan_spans(store_of(clip_of("slow", fps=Fraction(15)), clip_of("fine")), registry.get(ID))
    assert [span.name for span in plan.spans] == ["fine"]
    assert [(skipped.name, skipped.reason) for skipped in plan.skipped] == [("slow", "too_slow")]
