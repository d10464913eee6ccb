"""What the 263 lose of real clips: two of every source, ten seconds of each, joints-only ones too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion.clip import RawClip
from motionunion.normalise import normalise
from motionunion.representations import decode, encode
from motionunion.representations import hml263_layout as layout
from motionunion.representations.hml263_decoder import decode_by_rotations, decode_heading_free
from motionunion.representations.hml263_encoder import uniform_joints
from motionunion.resample import joints_at
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise

pytestmark = pytest.mark.slow
SECONDS = 10
FIXED, COMPAT = "hml263@20", "hml263@20/compat"
Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def motions(real_data: Path) -> dict[str, tuple[Array, Array]]:
    """Joints at 20 fps of each clip, low-passed and as `/compat` takes them."""
    left_out = ("golden", "eval_assets", "edge_cases")
    folders = [path for path in sorted(real_data.iterdir()) if path.is_dir() and path.name not in left_out]
    found = {}
    for claim in recognise(folders).claims:
        for ref in list(SOURCES[claim.source].discover(claim))[:2]:
            raw = SOURCES[claim.source].read(ref, ReadOptions())
            if isinstance(raw, RawClip):
                clip = normalise(raw)
                start = clip.valid[0]
                clip = replace(clip, valid=(start, min(clip.valid[1], start + round(SECONDS * clip.fps))))
                at_20 = joints_at(clip, 20, mode="filtered"), joints_at(clip, 20, mode="compat")
                if len(at_20[0]) >= 2:
                    found[f"{claim.source} {ref.key}"] = at_20
    assert len({name.split()[0] for name in found}) >= 18
    return found


def test_the_fixed_ones_lose_body_start_and_last_frame_alone(motions: dict[str, tuple[Array, Array]]) -> None:
    for name, (joints, _) in motions.items():
        features = encode(joints, FIXED, fps=20)
        decoded = decode(features, FIXED)
        placed = uniform_joints(joints, published=False)[:-1]
        # Ten seconds of float32 steps are summed.
        np.testing.assert_allclose(decoded, placed, rtol=0, atol=5e-5, err_msg=name)
        posed = decode_by_rotations([features], published=False)[0]
        np.testing.assert_allclose(posed, decoded, rtol=0, atol=2e-5, err_msg=name)
        if len(decoded) > 2:
            again = encode(decoded, FIXED, fps=20)
            lifted = (
                features[0, layout.HEIGHT] - again[0, layout.HEIGHT]
            )  # the lowest frame may be the one that was lost
            again[:, [3, *range(5, 67, 3)]] += lifted
            columns = np.r_[0:67, 193:259]
            np.testing.assert_allclose(again[:, columns], features[:-1][:, columns], rtol=0, atol=3e-5, err_msg=name)


def test_the_published_ones_keep_postures_and_lose_the_way_where_the_heading_flips(
    motions: dict[str, tuple[Array, Array]],
) -> None:
    strayed = 0
    for name, (_, joints) in motions.items():
        features = encode(joints, COMPAT, fps=20)
        placed = uniform_joints(joints)[:-1]
        decoded = decode(features, COMPAT)
        standing = decode_heading_free([features])[0]
        lengths = np.linalg.norm(standing - standing[:, :1], axis=-1)
        np.testing.assert_allclose(
            lengths, np.linalg.norm(placed - placed[:, :1], axis=-1), rtol=0, atol=1e-5, err_msg=name
        )
        strayed += bool(np.abs(decoded - placed).max() > 1e-3)
    assert strayed < len(motions) / 2


def test_the_true_heading_is_square_to_hips_and_shoulders_and_the_published_one_is_not(
    motions: dict[str, tuple[Array, Array]],
) -> None:
    published = []
    for name, (joints, _) in motions.items():
        off = degrees_off(joints, FIXED)
        # Both sides have the mean of the target's lengths here, which differ by 7 mm there.
        assert off.max(initial=0.0) < 2.0, name
        published.append(degrees_off(joints, COMPAT))
    assert np.concatenate(published).mean() > 4.0


def degrees_off(joints: Array, representation: str) -> Array:
    """Between the heading and what hips and shoulders say, in each frame that is upright."""
    seen = decode_heading_free([encode(joints, representation, fps=20)])[0]
    spine = seen[:, 12] - seen[:, 0]
    upright = spine[:, 1] > 0.6 * np.linalg.norm(spine, axis=-1)
    left = (seen[:, 1] - seen[:, 2]) + (seen[:, 16] - seen[:, 17])
    off: Array = np.degrees(np.abs(np.arctan2(left[:, 2], left[:, 0])))[upright]
    return off
