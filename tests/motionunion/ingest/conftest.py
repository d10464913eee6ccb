"""A folder of AMASS files made up for the tests, and ways to look at a store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

WriteAmass = Callable[..., Path]


def write_amass(root: Path, count: int = 12, *, seed: int = 0, frames: int = 30, first: int = 0) -> Path:
    """`count` SMPL-H files of small sways, a subject folder for every four."""
    for number in range(first, first + count):
        random = np.random.default_rng([seed, number])
        time = np.arange(frames + number % 5)[:, None] / 120
        poses = np.zeros((len(time), 156))
        poses[:, :3] = (np.pi / 2, 0, 0)
        poses[:, 3:66] = 0.2 * np.sin(2 * np.pi * time + random.uniform(0, 6, size=63))
        trans = np.hstack([time, 0 * time, 0.95 + 0 * time])
        path = root / "CMU" / f"{number // 4:02d}" / f"{number // 4:02d}_{number:02d}_poses.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path, poses=poses, trans=trans, betas=np.zeros(16), dmpls=np.zeros((len(time), 8)), gender="neutral",
            mocap_framerate=120.0,
        )  # fmt: skip
    return root


@pytest.fixture
def amass() -> WriteAmass:
    return write_amass


@pytest.fixture
def shards() -> Callable[[Path], dict[str, bytes]]:
    """Live shards of a store by name."""
    from motionunion.store.store import open_store

    def live(store: Path) -> dict[str, bytes]:
        return {name: (store / "shards" / name).read_bytes() for name in open_store(store).state.shards}

    return live
