"""What each representation of rotations loses of real clips: two of every source, ten seconds of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from motionunion.clip import Clip, RawClip
from motionunion.motion import Motion
from motionunion.normalise import normalise
from motionunion.representations import decode_motion, encode, registry
from motionunion.representations.ms272_encoder import forward_heading, steady_heading
from motionunion.resample import motion_at
from motionunion.skeleton import SMPL22_NAMES
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise

pytestmark = pytest.mark.slow
SECONDS = 10
HEADINGS = {"ms272@30": steady_heading, "ms272@30/compat": forward_heading}
Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def clips(real_data: Path) -> list[Clip]:
    left_out = ("golden", "eval_assets", "edge_cases")
    folders = [path for path in sorted(real_data.iterdir()) if path.is_dir() and path.name not in left_out]
    found = [clip for claim in recognise(folders).claims for clip in _two_of(claim.source, claim)]
    assert len({clip.source for clip in found}) >= 15
    return found


def _two_of(source: str, claim: object) -> Iterator[Clip]:
    for ref in list(SOURCES[source].discover(claim))[:2]:  # type: ignore[arg-type]
        raw = SOURCES[source].read(ref, ReadOptions())
        if isinstance(raw, RawClip) and raw.quats_TJ4 is not None:
            clip = normalise(raw)
            start = clip.valid[0]
            yield replace(clip, valid=(start, min(clip.valid[1], start + round(SECONDS * clip.fps))))


def motions(clips: list[Clip], representation: str) -> Iterator[tuple[str, Motion, Motion]]:
    """Name, motion at the representation's rate, and what is left of it."""
    entry = registry.get(representation)
    for clip in clips:
        motion = motion_at(clip, entry.rate, mode=entry.resampling)
        features = encode(motion, representation)
        assert features.shape == (motion.frames, entry.dims)
        decoded = decode_motion(features, representation)
        np.testing.assert_allclose(encode(decoded, representation), features, rtol=0, atol=1e-6, err_msg=clip.key)
        yield f"{clip.source} {clip.key}", motion, decoded


def degrees_apart(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    first, second = (
        Rotation.from_quat(np.asarray(quats, dtype=np.float64).reshape(-1, 4), scalar_first=True)
        for quats in (one, other)
    )
    return float(np.rad2deg((first.inv() * second).magnitude().max()))


@pytest.mark.parametrize("representation", ["ms272@30", "ms272@30/compat"])
def test_272_loses_start_heading_and_floor_alone(clips: list[Clip], representation: str) -> None:
    for name, motion, decoded in motions(clips, representation):
        quats, root, offsets = motion.pose()
        facing = Rotation.from_euler("y", -HEADINGS[representation](np.asarray(quats[:1, 0]))[0])
        joints = (motion.joints_T22x3 - np.asarray(root)[0] * [1, 0, 1]).reshape(-1, 3)
        joints = facing.apply(joints).reshape(-1, 22, 3)
        joints[..., 1] -= joints[..., 1].min()
        np.testing.assert_allclose(decoded.joints_T22x3, joints, rtol=0, atol=5e-5, err_msg=name)
        turned = np.array(quats)
        turned[:, 0] = (facing * Rotation.from_quat(turned[:, 0], scalar_first=True)).as_quat(scalar_first=True)
        assert decoded.quats_T22x4 is not None
        assert degrees_apart(decoded.quats_T22x4, turned) < 2e-3, name
        assert decoded.offsets_22x3 is not None
        np.testing.assert_allclose(decoded.offsets_22x3[1:], offsets[1:], rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("representation", "model"), [("smpl22@30", "smpl"), ("smplx322@30", "smplx")])
def test_parameters_keep_every_rotation_and_the_pelvis(clips: list[Clip], representation: str, model: str) -> None:
    for name, motion, decoded in motions(clips, representation):
        quats, root, offsets = motion.pose()
        assert decoded.quats_T22x4 is not None
        assert degrees_apart(decoded.quats_T22x4, quats) < 2e-4, name
        assert decoded.root_T3 is not None
        assert decoded.offsets_22x3 is not None
        own = motion.model in ({"smpl": ("smpl", "smplh"), "smplx": ("smplx",)}[model])
        # A motion of the model itself keeps its trans; any other one its pelvis.
        rest, decoded_rest = (offsets[0], decoded.offsets_22x3[0]) if own else (np.zeros(3), np.zeros(3))
        path, again = np.asarray(root) - rest, np.asarray(decoded.root_T3) - decoded_rest
        np.testing.assert_allclose(again, path, rtol=0, atol=2e-6, err_msg=name)
        if model == "smplx" and motion.hands_T90 is not None:
            np.testing.assert_allclose(decoded.hands_T90, motion.hands_T90, rtol=0, atol=1e-6, err_msg=name)  # type: ignore[arg-type]


def test_plain_joints_lose_what_float32_rounds(clips: list[Clip]) -> None:
    for name, motion, decoded in motions(clips, "joints22@30"):
        np.testing.assert_allclose(decoded.joints_T22x3, motion.joints_T22x3, rtol=1e-7, atol=1e-7, err_msg=name)


def test_the_samples_features_hold_the_rotations_of_the_bvh_beside_them(real_data: Path) -> None:
    """The reference's own converter wrote the BVH, on the bones of another body."""
    folder = real_data / "motion272" / "Representation_272"
    decoded = decode_motion(np.load(folder / "000000.npy", allow_pickle=False), "ms272@30/compat")
    (claim,) = (claim for claim in recognise([folder]).claims if claim.source == "smpl_bvh")
    (ref,) = SOURCES["smpl_bvh"].discover(claim)
    raw = SOURCES["smpl_bvh"].read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    assert raw.quats_TJ4 is not None
    names = [name.lower() for name in raw.skeleton.names]
    own = raw.quats_TJ4[:, [names.index(name) for name in SMPL22_NAMES]]
    assert decoded.quats_T22x4 is not None
    # Six decimals of degrees in the text.
    assert degrees_apart(decoded.quats_T22x4, own) < 1e-4
