"""Files as sources publish them, made here; and the folder of real ones, where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if folder is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: real files are not here")
    return Path(folder)


@pytest.fixture
def write_smplh() -> Callable[..., Path]:
    """Write an AMASS SMPL-H file; keyword arguments replace arrays, None leaves one out."""

    def write(path: Path, frames: int = 12, **changes: Any) -> Path:
        rng = np.random.default_rng(frames)
        arrays = {
            "poses": rng.normal(0, 0.3, (frames, 156)),
            "trans": rng.normal(0, 1, (frames, 3)),
            "betas": rng.normal(0, 1, 16),
            "dmpls": np.zeros((frames, 8)),
            "gender": "male",
            "mocap_framerate": 120.0,
        } | changes
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
        return path

    return write


@pytest.fixture
def write_smplx() -> Callable[..., Path]:
    """Write an AMASS SMPL-X file; keyword arguments replace arrays, None leaves one out."""

    def write(path: Path, frames: int = 12, **changes: Any) -> Path:
        rng = np.random.default_rng(frames)
        arrays = {
            "root_orient": rng.normal(0, 1, (frames, 3)),
            "pose_body": rng.normal(0, 0.3, (frames, 63)),
            "pose_hand": rng.normal(0, 0.3, (frames, 90)),
            "pose_jaw": rng.normal(0, 0.1, (frames, 3)),
            "pose_eye": rng.normal(0, 0.1, (frames, 6)),
            "trans": rng.normal(0, 1, (frames, 3)),
            "betas": rng.normal(0, 1, 16),
            "gender": "neutral",
            "mocap_frame_rate": 60.0,
            "markers_latent_vids": np.array([{"a": 1}], dtype=object),
        } | changes
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
        return path

    return write


@pytest.fixture
def write_humanml3d() -> Callable[..., Path]:
    """Write a HumanML3D folder: `index` rows, `features` and `joints` by id, `texts` by id, `splits` by name."""

    def write(
        root: Path,
        *,
        index: list[tuple[str, int, int, str]] | None = None,
        features: dict[str, np.ndarray] | None = None,
        joints: dict[str, np.ndarray] | None = None,
        texts: dict[str, str | bytes] | None = None,
        splits: dict[str, list[str]] | None = None,
    ) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        if index is not None:
            rows = [f"./pose_data/{path}.npy,{start},{end},{name}.npy\n" for path, start, end, name in index]
            (root / "index.csv").write_text("source_path,start_frame,end_frame,new_name\n" + "".join(rows))
        for folder, arrays in (("new_joint_vecs", features), ("new_joints", joints)):
            for name, array in (arrays or {}).items():
                (root / folder).mkdir(exist_ok=True)
                np.save(root / folder / f"{name}.npy", array)
        for name, text in (texts or {}).items():
            (root / "texts").mkdir(exist_ok=True)
            (root / "texts" / f"{name}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
        for name, ids in (splits or {}).items():
            (root / f"{name}.txt").write_text("\n".join(ids) + "\n")
        return root

    return write
