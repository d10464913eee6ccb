"""Motions made up for the tests of representations, and the folder of real ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion.kinematics import forward_kinematics
from motionunion.representations.hml263_layout import TARGET_OFFSETS_22x3
from motionunion.rotation import from_rotvec, multiply
from motionunion.skeleton import SMPL22_PARENTS

Array = npt.NDArray[np.float64]


def wander(frames: int, seed: int, *, turn_rad: float = 0.01, size: float = 1.1) -> Array:
    """Joints (T, 22, 3) of an upright body that walks about with swinging limbs; turns by `turn_rad` a frame."""
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None]
    swing = random.uniform(0.0, 0.25, (1, 22, 3)) * np.sin(
        random.uniform(0.05, 0.4, (1, 22, 3)) * time + random.uniform(0, 6.28, (1, 22, 3))
    )
    quats = from_rotvec(swing)
    yaw = np.zeros((frames, 3))
    yaw[:, 1] = turn_rad * np.arange(frames) + random.uniform(-3, 3)
    quats[:, 0] = multiply(from_rotvec(yaw), quats[:, 0])
    root = np.stack([0.03 * np.arange(frames), 0.9 + 0.05 * np.sin(time[:, 0, 0] / 5), 0.01 * np.arange(frames)], -1)
    lengths = random.uniform(0.8, 1.25, (22, 1))
    return forward_kinematics(root, quats, size * lengths * TARGET_OFFSETS_22x3, SMPL22_PARENTS)


@pytest.fixture
def make_motion() -> Callable[..., Array]:
    return wander


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if not folder:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: it names the folder of real motion files for tests")
    return Path(folder)
