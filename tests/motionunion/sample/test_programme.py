"""What is recorded follows from the seed, is split fairly, and never lies on two sides of a split."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.sample.programme import plan, split_sizes
from motionunion.sample.take import ACTIONS, FRAME_RATE
from motionunion.sample.writing import DEFAULT_CLIPS, FEWEST_CLIPS


def test_the_default_sample_has_at_least_512_training_and_128_test_clips():
    sizes = Counter()
    for recording in plan(DEFAULT_CLIPS, 0):
        sizes[recording.split] += len(recording.clips)
    assert sizes["train"] >= 512
    assert sizes["test"] >= 128
    assert sizes["val"] >= 40


@settings(max_examples=25, deadline=None)
@given(st.integers(FEWEST_CLIPS, 300), st.integers(0, 2**32))
def test_a_plan_has_the_asked_number_of_clips_each_with_a_name_and_file_of_its_own(clips, seed):
    recordings = plan(clips, seed)
    names = [name for recording in recordings for name in recording.clips]
    assert len(names) == len(set(names)) == clips
    addresses = [recording.address.lower() for recording in recordings]
    assert len(addresses) == len(set(addresses))
    sizes = Counter()
    for recording in recordings:
        sizes[recording.split] += len(recording.clips)
    assert dict(sizes) == split_sizes(clips)


def test_every_split_of_the_default_sample_performs_every_action():
    seen = {}
    for recording in plan(DEFAULT_CLIPS, 0):
        seen.setdefault(recording.split, set()).update(recording.actions)
    assert all(actions == set(ACTIONS) for actions in seen.values())


def test_some_files_hold_two_captioned_parts_and_some_two_actions_in_one():
    recordings = plan(DEFAULT_CLIPS, 0)
    assert sum(recording.apart for recording in recordings) > 20
    assert sum(len(recording.actions) == 2 and not recording.apart for recording in recordings) > 20
    assert {recording.fps for recording in recordings} == {100.0, 120.0}


def test_parts_of_a_take_adjoin_and_are_as_long_as_humanml3d_keeps():
    for recording in plan(60, 5):
        parts = recording.take().parts
        assert len(parts) == len(recording.clips)
        assert parts[0].start == 0
        assert all(before.end == after.start for before, after in pairwise(parts))
        assert all(41 <= part.end - part.start <= 199 for part in parts)
        assert parts[-1].end / FRAME_RATE == recording.take().seconds
