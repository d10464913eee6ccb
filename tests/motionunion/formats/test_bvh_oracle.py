"""Joints of BVH files as upc-pymotion, a reader and a forward kinematics of other people's, places them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion.formats.bvh import read_bvh
from motionunion.kinematics import forward_kinematics

io_bvh = pytest.importorskip("pymotion.io.bvh", reason="upc-pymotion is not installed: pip install upc-pymotion")
ops = pytest.importorskip("pymotion.ops.skeleton")

CHAIN = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 1 10 -2
    CHANNELS 3 Xrotation Yrotation Zrotation
    JOINT Arm
    {
      OFFSET 8 1 0
      CHANNELS 3 Yrotation Zrotation Xrotation
      End Site
      {
        OFFSET 5 0 0
      }
    }
    JOINT Head
    {
      OFFSET 0 9 3
      CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
      End Site
      {
        OFFSET 0 4 0
      }
    }
  }
}
MOTION
"""


def theirs(path: Path) -> npt.NDArray[np.float64]:
    reader = io_bvh.BVH()
    reader.load(str(path))
    turns, places, parents, _, _, _ = reader.get_data()
    # Their places of joints in the parent's frame are the offsets, or the position channels that replace them.
    return np.asarray(ops.fk(turns, places[:, 0], places, parents)[0])


def ours(path: Path) -> npt.NDArray[np.float64]:
    bvh = read_bvh(path)
    places = bvh.translations_TJ3()
    return forward_kinematics(places[:, 0], bvh.quats_TJ4(), places, bvh.skeleton.parents)


def test_orders_of_rotation_and_moving_joints_agree(tmp_path: Path) -> None:
    values = np.random.default_rng(8).uniform(-180, 180, (40, 18))
    rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in values.tolist())
    path = tmp_path / "chain.bvh"
    path.write_text(f"{CHAIN}Frames: 40\nFrame Time: 0.01\n{rows}\n")
    expected = theirs(path)
    np.testing.assert_allclose(ours(path), expected, atol=1e-6 * np.abs(expected).max())


def test_real_files_of_every_exporter_agree() -> None:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if folder is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: real BVH files are not here")
    exporters = sorted(path for path in (Path(folder) / "bvh").iterdir() if path.is_dir())
    assert exporters
    for exporter in exporters:
        path = min(exporter.glob("*.bvh"), key=lambda file: file.stat().st_size)
        expected = theirs(path)
        np.testing.assert_allclose(ours(path), expected, atol=1e-7 * np.abs(expected).max(), err_msg=path.name)
