"""The 272 features against the reference program's outputs and its published sample."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from motionunion.body import TEMPLATE
from motionunion.clip import RawClip
from motionunion.kinematics import forward_kinematics
from motionunion.motion import Motion, posed
from motionunion.normalise import normalise
from motionunion.representations import decode_motion, encode
from motionunion.representations import ms272_layout as layout
from motionunion.resample import motion_at
from motionunion.rotation import from_rotvec
from motionunion.skeleton import SMPL22_PARENTS
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise

IDS = ("ms272@30", "ms272@30/compat")
CLIPS = ("start", "middle", "half_rate", "spin", "mirror")
Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def golden(real_data: Path) -> dict[str, Array]:
    from safetensors.numpy import load_file

    arrays: dict[str, Array] = load_file(real_data / "golden" / "representation_272.safetensors")
    return arrays


@pytest.fixture(scope="module")
def sample(real_data: Path) -> tuple[Array, Array]:
    """The published sample: 272 features and the 85 parameters that the reference decodes from them."""
    folder = real_data / "motion272"
    features = np.load(folder / "Representation_272" / "000000.npy", allow_pickle=False)
    return features, np.load(folder / "smpl_85" / "000000.npy", allow_pickle=False)


def degrees_apart(quats: npt.ArrayLike, rotvecs: npt.ArrayLike) -> float:
    one = Rotation.from_quat(np.asarray(quats).reshape(-1, 4), scalar_first=True)
    return float(np.rad2deg((one.inv() * Rotation.from_rotvec(np.asarray(rotvecs).reshape(-1, 3))).magnitude().max()))


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("representation", IDS)
def test_features_equal_the_reference_program(golden: dict[str, Array], clip: str, representation: str) -> None:
    pose, joints = golden[f"input.{clip}.pose"].astype(np.float64), golden[f"input.{clip}.joints"]
    # The rate is declared: what the reference encodes passes for 30 fps, whatever it is.
    motion = Motion(
        fps=Fraction(30),
        joints_T22x3=joints,
        quats_T22x4=from_rotvec(pose[:, :66].reshape(-1, 22, 3)),
        root_T3=joints[:, 0],
        offsets_22x3=np.zeros((22, 3)),
    )
    # float32 features, of values up to 3.
    np.testing.assert_allclose(encode(motion, representation), golden[f"output.{clip}.features"], rtol=0, atol=6e-7)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("representation", IDS)
def test_where_a_motion_faces_first_is_not_in_its_features(
    golden: dict[str, Array], clip: str, representation: str
) -> None:
    """The reference turns every motion to face +Z first; nothing that it writes afterwards depends on that."""
    features = []
    for name in (f"input.{clip}.smpl_85", f"output.{clip}.face_z"):
        rows = golden[name].astype(np.float64)
        quats, root = from_rotvec(rows[:, :66].reshape(-1, 22, 3)), rows[:, 72:75]
        features.append(encode(posed(Fraction(30), root, quats, TEMPLATE.offsets_22x3), representation))
    np.testing.assert_allclose(features[0], features[1], rtol=0, atol=2e-6)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("representation", IDS)
def test_decoding_equals_the_reference_program(golden: dict[str, Array], clip: str, representation: str) -> None:
    motion = decode_motion(golden[f"output.{clip}.features"], representation)
    quats, root, _ = motion.pose()
    recovered = golden[f"output.{clip}.recovered_smpl_85"]
    np.testing.assert_allclose(motion.joints_T22x3, golden[f"output.{clip}.recovered_joints"], rtol=0, atol=1e-9)
    assert degrees_apart(quats, recovered[:, :66]) < 1e-6
    np.testing.assert_allclose(root, recovered[:, 72:75], rtol=0, atol=1e-9)


@pytest.mark.parametrize("clip", CLIPS)
def test_compat_gives_the_published_parameters_and_the_plain_id_those_that_pose_the_body(
    golden: dict[str, Array], clip: str
) -> None:
    features, recovered = golden[f"output.{clip}.features"], golden[f"output.{clip}.recovered_smpl_85"]
    published = encode(decode_motion(features, "ms272@30/compat"), "smpl22@30")
    np.testing.assert_allclose(published[:, 66:], recovered[:, 66:], rtol=0, atol=1e-6)
    assert degrees_apart(from_rotvec(published[:, :66].reshape(-1, 22, 3)), recovered[:, :66]) < 1e-4
    placed = encode(decode_motion(features, "ms272@30"), "smpl22@30")
    # Pelvis = trans + rest pelvis: SMPL's mean shape has its pelvis 22 cm below its origin.
    lift = placed[:, 72:75] - published[:, 72:75]
    np.testing.assert_allclose(lift, np.broadcast_to([0.0018, 0.2233, -0.0282], lift.shape), atol=2e-4)


@pytest.mark.parametrize("representation", IDS)
def test_the_published_sample_decodes_to_its_parameters(sample: tuple[Array, Array], representation: str) -> None:
    features, parameters = sample
    motion = decode_motion(features, representation)
    quats, root, offsets = motion.pose()
    # The parameters are those before the pipeline turns frame 0 to +Z, which is all that is lost of the rotations.
    turned = Rotation.from_rotvec(parameters[:, :3].astype(np.float64))
    front = turned[0].apply([0.0, 0.0, 1.0])
    facing = Rotation.from_euler("y", -np.arctan2(front[0], front[2]))
    assert degrees_apart(quats[:, 0], (facing * turned).as_rotvec()) < 1e-4
    assert degrees_apart(quats[:, 1:], parameters[:, 3:66]) < 1e-4
    path = facing.apply(parameters[:, 72:75] - parameters[0, 72:75])
    np.testing.assert_allclose(root - root[0], path, rtol=0, atol=1e-6)
    # The joints are those of one body under these rotations: the sample's bones never change.
    again = forward_kinematics(root, quats, offsets, SMPL22_PARENTS)
    np.testing.assert_allclose(motion.joints_T22x3, again, rtol=0, atol=1e-6)


@pytest.mark.parametrize("representation", IDS)
def test_the_published_sample_is_encoded_as_it_is(sample: tuple[Array, Array], representation: str) -> None:
    features, _ = sample
    again = encode(decode_motion(features, representation), representation)
    np.testing.assert_allclose(again, features, rtol=0, atol=1e-6)


def test_decoding_float32_rows_keeps_a_long_path(sample: tuple[Array, Array]) -> None:
    features, _ = sample
    exact, rounded = (decode_motion(features.astype(dtype), "ms272@30") for dtype in (np.float64, np.float32))
    np.testing.assert_allclose(rounded.joints_T22x3, exact.joints_T22x3, rtol=0, atol=1e-6)


def test_the_amass_file_behind_the_sample_gives_its_features(sample: tuple[Array, Array], real_data: Path) -> None:
    """From the npz as downloaded (120 fps, +Z up) to what was published, 60 fps that passes for 30.

    Joints are another body's (SMPL-X is not here), so that their own columns differ; path, turn and rotations do not.
    """
    (claim,) = recognise([real_data / "amass" / "smplh" / "272rep"]).claims
    (ref,) = SOURCES["amass_smplh"].discover(claim)
    raw = SOURCES["amass_smplh"].read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    motion = replace(motion_at(normalise(raw), 60), fps=Fraction(30))
    published = sample[0]
    features = encode(motion, "ms272@30/compat")[: len(published)]
    same = np.r_[layout.TRAVEL, layout.TURN, layout.ROTATIONS]
    np.testing.assert_allclose(features[:, same], published[:, same], rtol=0, atol=1e-6)
