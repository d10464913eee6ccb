from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionunion.rotation_6d import Layout, from_6d, matrix_from_6d, to_6d

LAYOUTS = get_args(Layout)


def random_quats(seed: int) -> np.ndarray:
    return np.asarray(Rotation.random(50, random_state=seed).as_quat(scalar_first=True)).reshape(5, 10, 4)


@given(seed=st.integers(0, 2**32 - 1), layout=st.sampled_from(LAYOUTS))
def test_six_numbers_hold_a_rotation(seed: int, layout: Layout) -> None:
    quats = random_quats(seed)
    same = np.abs(np.sum(from_6d(to_6d(quats, layout), layout) * quats, axis=-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-14)


@given(seed=st.integers(0, 2**32 - 1))
def test_each_layout_is_that_part_of_the_matrix(seed: int) -> None:
    quats = random_quats(seed)
    matrices = Rotation.from_quat(quats.reshape(-1, 4), scalar_first=True).as_matrix().reshape(5, 10, 3, 3)
    columns = np.concatenate([matrices[..., :, 0], matrices[..., :, 1]], axis=-1)
    rows = np.concatenate([matrices[..., 0, :], matrices[..., 1, :]], axis=-1)
    np.testing.assert_allclose(to_6d(quats, "columns"), columns, atol=1e-14)
    np.testing.assert_allclose(to_6d(quats, "rows"), rows, atol=1e-14)
    np.testing.assert_allclose(to_6d(quats, "interleaved"), matrices[..., :2].reshape(5, 10, 6), atol=1e-14)
    for layout in LAYOUTS:
        np.testing.assert_allclose(matrix_from_6d(to_6d(quats, layout), layout), matrices, atol=1e-14)


def test_the_wrong_layout_is_another_rotation() -> None:
    quats = random_quats(1)
    inverse = from_6d(to_6d(quats, "rows"), "columns")
    np.testing.assert_allclose(np.abs(np.sum(inverse * quats * [1, -1, -1, -1], axis=-1)), 1.0, atol=1e-14)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_a_network_predicts_becomes_a_rotation(layout: Layout) -> None:
    noisy = to_6d(random_quats(2), layout) + np.random.default_rng(3).normal(0, 0.1, (5, 10, 6))
    matrices = matrix_from_6d(noisy, layout)
    identity = np.broadcast_to(np.eye(3), matrices.shape)
    np.testing.assert_allclose(matrices @ np.swapaxes(matrices, -1, -2), identity, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0, atol=1e-12)


def test_numbers_without_direction_cannot_pass_unseen() -> None:
    assert not np.isfinite(from_6d(np.zeros(6), "rows")).any()
    assert not np.isfinite(matrix_from_6d([1, 0, 0, 2, 0, 0], "columns")).all()
