from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionunion.errors import ClipError
from motionunion.representations import kit251
from motionunion.representations.hml263_decoder import decode as decode_263

Array = npt.NDArray[np.float64]


def features_of(joints: Array, yaw: Array) -> Array:
    """The columns that joints decode from, straight from their definition: yaw is that of the body, 0 in frame 0."""
    to_heading = [Rotation.from_rotvec([0.0, -angle, 0.0]) for angle in yaw]
    rows = np.zeros((len(joints) - 1, kit251.DIMS))
    for t in range(len(rows)):
        rows[t, 0] = -(yaw[t + 1] - yaw[t]) / 2
        rows[t, 1:3] = to_heading[t + 1].apply(joints[t + 1, 0] - joints[t, 0])[[0, 2]]
        rows[t, 3] = joints[t, 0, 1]
        rows[t, 4:64] = to_heading[t].apply(joints[t, 1:] - joints[t, 0] * [1, 0, 1]).ravel()
    return rows


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), frames=st.integers(2, 60))
def test_joints_come_back_from_columns_made_by_their_definition(seed: int, frames: int) -> None:
    random = np.random.default_rng(seed)
    joints = np.array([0, 900.0, 0]) + np.cumsum(random.normal(0, 40.0, (frames, 21, 3)), axis=0)
    joints[:, :, [0, 2]] -= joints[0, 0, [0, 2]]
    yaw = np.cumsum(np.r_[0.0, random.uniform(-1.5, 1.5, frames - 1)])
    (decoded,) = kit251.decode([features_of(joints, yaw)])
    assert decoded.shape == (frames - 1, 21, 3)
    np.testing.assert_allclose(decoded, joints[:-1], atol=2e-3)  # float32 of coordinates in the thousands


def test_chains_and_names_are_those_of_21_joints() -> None:
    assert len(kit251.MMM_NAMES) == len(kit251.MMM_PARENTS) == kit251.JOINTS
    assert all(parent < joint for joint, parent in enumerate(kit251.MMM_PARENTS))
    chains = [[0, 11, 12, 13, 14, 15], [0, 16, 17, 18, 19, 20], [0, 1, 2, 3, 4], [3, 5, 6, 7], [3, 8, 9, 10]]
    for chain in chains:
        assert [kit251.MMM_PARENTS[joint] for joint in chain[1:]] == chain[:-1]


def test_it_is_the_decoder_of_the_263_with_another_number_of_joints() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 251))
    wide = np.zeros((30, 263))
    wide[:, :64] = rows[:, :64]
    np.testing.assert_array_equal(kit251.decode([rows])[0], decode_263([wide])[0][:, :21])


@pytest.mark.parametrize("shape", [(5, 263), (0, 251), (251,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ClipError, match="251"):
        kit251.decode([np.zeros(shape)])
