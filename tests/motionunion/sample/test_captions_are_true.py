"""What the captions say is what the motion does: side, direction, speed."""

from __future__ import annotations

import numpy as np

SECOND = 60


def of(shown, action):
    return [clip for clip in shown if clip.action == action]


def side_of(clip):
    text = clip.texts[0].rstrip(".").split()
    sides = {side for side in ("left", "right") if side in text}
    return sides.pop() if len(sides) == 1 else None


def path_length(clip):
    return np.linalg.norm(np.diff(clip.joints[:, 0, [0, 2]], axis=0), axis=-1).sum()


def heading(joints):
    across = joints[:, 1] - joints[:, 2]
    return np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))


def test_every_clip_has_three_different_captions(shown):
    for clip in shown:
        assert len(set(clip.texts)) == 3


def test_slow_walks_are_slower_than_fast_walks(shown):
    speeds = {"slow": [], "fast": []}
    for clip in of(shown, "walk"):
        mean = path_length(clip) / clip.take.seconds
        words = " ".join(clip.texts)
        if "slow" in words:
            speeds["slow"].append(mean)
        elif any(word in words for word in ("fast", "quickly", "briskly")):
            speeds["fast"].append(mean)
    assert speeds["slow"]
    assert speeds["fast"]
    assert max(speeds["slow"]) < min(speeds["fast"])


def test_turns_go_the_way_the_caption_says(shown):
    for clip in of(shown, "turn") + of(shown, "circle") + of(shown, "curve"):
        turned = heading(clip.joints)[-1] - heading(clip.joints)[0]
        words = set(" ".join(clip.texts).replace(".", "").split())
        if words & {"left", "counterclockwise"}:
            assert turned > 0.8, clip.texts
            assert not words & {"right", "clockwise"}
        else:
            assert words & {"right", "clockwise"}
            assert turned < -0.8, clip.texts


def test_side_steps_go_to_the_named_side(shown):
    for clip in of(shown, "sidestep"):
        first = clip.joints[0]
        left = (first[1] - first[2])[[0, 2]]
        gone = (clip.joints[-1, 0] - first[0])[[0, 2]]
        assert (np.dot(gone, left) > 0) == (side_of(clip) == "left")
        assert np.linalg.norm(gone) > 0.2


def test_walking_backwards_goes_backwards(shown):
    for clip in of(shown, "walk_back"):
        yaw = heading(clip.joints)[0]
        gone = (clip.joints[-1, 0] - clip.joints[0, 0])[[0, 2]]
        assert np.dot(gone, (np.sin(yaw), np.cos(yaw))) < -0.3


def test_the_named_hand_waves(shown):
    for clip in of(shown, "wave"):
        # The highest point of each wrist over its shoulder.
        rise = (clip.joints[:, [20, 21], 1] - clip.joints[:, [16, 17], 1]).max(axis=0)
        raised = rise > 0.05
        if "both" in clip.texts[0]:
            assert raised.all()
        else:
            assert raised.tolist() == [side_of(clip) == "left", side_of(clip) == "right"], clip.texts


def test_the_named_leg_kicks(shown):
    for clip in of(shown, "kick"):
        highest = clip.joints[:, [7, 8], 1].max(axis=0)
        assert (highest[0] > highest[1]) == (side_of(clip) == "left"), clip.texts


def test_sitting_lowers_the_pelvis_and_standing_up_raises_it(shown):
    for clip in of(shown, "sit_down"):
        assert clip.joints[:, 0, 1].min() < 0.65 < clip.joints[0, 0, 1]
    for clip in of(shown, "stand_up"):
        assert clip.joints[0, 0, 1] < 0.65 < clip.joints[-1, 0, 1]


def test_high_jumps_are_higher_than_low_ones(shown):
    heights = {"high": [], "low": []}
    for clip in of(shown, "jump"):
        heights["high" if "high" in clip.texts[0] else "low"].append(clip.joints[:, [10, 11], 1].min(axis=1).max())
    assert heights["high"]
    assert heights["low"]
    assert max(heights["low"]) < min(heights["high"])
