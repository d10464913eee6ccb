"""hml263@20/compat against what was published and what the reference program gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion.representations import decode, encode
from motionunion.representations import hml263_layout as layout
from motionunion.representations.hml263_decoder import decode_by_rotations
from motionunion.representations.hml263_encoder import uniform_joints
from motionunion.skeleton import SMPL22_PARENTS

ID = "hml263@20/compat"
CLIPS = (
    "lafan_dance_a", "lafan_dance_b", "amass_e6", "amass_eric", "optitrack_walk", "style_angry",
    "dance_small_turned", "eric_spinning",
)  # fmt: skip


@pytest.fixture(scope="module")
def golden(real_data: Path) -> dict[str, npt.NDArray[np.float32]]:
    from safetensors.numpy import load_file

    arrays: dict[str, npt.NDArray[np.float32]] = load_file(real_data / "golden" / "humanml3d_263.safetensors")
    return arrays


def bone_lengths(joints_TJ3: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    lengths: npt.NDArray[np.floating] = np.linalg.norm(joints_TJ3[:, 1:] - joints_TJ3[:, SMPL22_PARENTS[1:]], axis=-1)
    return lengths


def test_raw_joints_of_004822_give_its_published_features(real_data: Path) -> None:
    pair = np.load(real_data / "humanml3d" / "protocol_pair" / "004822_protocol.npz", allow_pickle=False)
    features = encode(pair["joints"], ID, fps=20)
    np.testing.assert_allclose(features, pair["hml263"], rtol=0, atol=2e-5)
    np.testing.assert_array_equal(features[:, layout.CONTACTS], pair["hml263"][:, layout.CONTACTS])


@pytest.mark.parametrize("clip", CLIPS)
def test_features_equal_the_reference_program(golden: dict[str, npt.NDArray[np.float32]], clip: str) -> None:
    expected = golden[f"output.{clip}.features"]
    features = encode(golden[f"input.{clip}.joints"], ID, fps=20)
    # The reference works in float32; run in float64 it moves by up to 1.7e-5 (golden/INDEX.md), all in the rotations.
    np.testing.assert_allclose(features[:, layout.ROTATIONS], expected[:, layout.ROTATIONS], rtol=0, atol=3e-5)
    rest = np.r_[0:67, 193:263]
    np.testing.assert_allclose(features[:, rest], expected[:, rest], rtol=0, atol=5e-6)
    np.testing.assert_array_equal(features[:, layout.CONTACTS], expected[:, layout.CONTACTS])


@pytest.mark.parametrize("clip", CLIPS)
def test_placed_joints_equal_the_reference_program(golden: dict[str, npt.NDArray[np.float32]], clip: str) -> None:
    placed = uniform_joints(golden[f"input.{clip}.joints"])
    np.testing.assert_allclose(placed, golden[f"output.{clip}.uniform_joints"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("clip", CLIPS)
def test_both_decoders_equal_the_reference_program(golden: dict[str, npt.NDArray[np.float32]], clip: str) -> None:
    features = golden[f"output.{clip}.features"]
    np.testing.assert_allclose(decode(features, ID), golden[f"output.{clip}.recovered_ric"], rtol=0, atol=2e-6)
    np.testing.assert_allclose(
        decode_by_rotations([features])[0], golden[f"output.{clip}.recovered_rot"], rtol=0, atol=5e-6
    )


def test_target_skeleton_is_that_of_clip_000021(real_data: Path, golden: dict[str, npt.NDArray[np.float32]]) -> None:
    first = np.load(real_data / "humanml3d" / "joints" / "000021.npy", allow_pickle=False)[:1, :22]
    np.testing.assert_allclose(layout.TARGET_LENGTHS_22[1:], bone_lengths(first)[0], rtol=0, atol=1e-6)
    # The reference derives directions and lengths from the same frame.
    np.testing.assert_allclose(layout.TARGET_OFFSETS_22x3, golden["input.target_offsets"], rtol=0, atol=1e-6)


def test_published_features_decode_to_the_target_skeleton(real_data: Path) -> None:
    paths = sorted((real_data / "humanml3d" / "new_joint_vecs").glob("*.npy"))
    assert len(paths) == 34
    motions = decode([np.load(path, allow_pickle=False) for path in paths], ID)
    for path, joints in zip(paths, motions, strict=True):
        error = np.abs(bone_lengths(joints) - layout.TARGET_LENGTHS_22[1:]).max()
        assert error < 1e-4, f"{path.name}: a bone is off by {error} m"


def test_published_joints_are_what_the_published_features_decode_to(real_data: Path) -> None:
    paths = sorted((real_data / "humanml3d" / "new_joints").glob("*.npy"))
    assert len(paths) == 6
    for path in paths:
        features = np.load(real_data / "humanml3d" / "new_joint_vecs" / path.name, allow_pickle=False)
        joints = np.load(path, allow_pickle=False)
        np.testing.assert_allclose(decode(features, ID), joints, rtol=0, atol=1e-4, err_msg=path.name)


def test_published_joints_encode_to_the_published_features_away_from_the_end(real_data: Path) -> None:
    joints = np.load(real_data / "humanml3d" / "new_joints" / "012314.npy", allow_pickle=False)
    published = np.load(real_data / "humanml3d" / "new_joint_vecs" / "012314.npy", allow_pickle=False)
    features = encode(joints, ID, fps=20)
    # The joints lost one frame to the features, so the last 80 frames see another end of the smoothed heading.
    rows = len(features) - layout.SMOOTHING_RADIUS
    np.testing.assert_allclose(features[:rows], published[:rows], rtol=0, atol=1e-5)
