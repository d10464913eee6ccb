"""Joints of SMPL+H and SMPL-X motions, ours against the smplx package's: `python -m benchmarks.body_joints`.

Both start from the same axis-angle poses, betas and translation in memory and the same body-model file, made up here in the
layout of the licensed ones and of their size. smplx has no way to joints but its full forward, which poses 6,890 or 10,475
vertices first; ours poses the 22 joints that a clip keeps, clip by clip (of 1,024 frames). Joints must agree to 1e-5 m before
anything is timed. smplx is given the batch size that suits it best. One thread for both, rounds of the two in turn. Prints a table and writes
results/body_joints.json.
"""

from __future__ import annotations

import os

# One thread: set before numpy and torch load.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks import machine
from motionunion import rotation
from motionunion.body import body_of
from motionunion.body_models import JOINTS, VERTICES
from motionunion.kinematics import forward_kinematics
from motionunion.skeleton import SMPL22_PARENTS

Array: TypeAlias = npt.NDArray[np.float64]

TARGET = 300
CLIP_FRAMES, CLIPS = 1024, 8
THEIR_FRAMES = 256
THEIR_BATCHES = (1, 16, 64, 256)
ROUNDS = 7
TOLERANCE_M = 1e-5


def write_model(path: Path, family: str) -> None:
    """A made-up body of a family's size, with every array that the smplx package wants of it."""
    random = np.random.default_rng(len(family))
    vertices, joints = VERTICES[family], JOINTS[family]
    regressor = np.zeros((joints, vertices))
    for row in regressor:
        row[random.choice(vertices, 6, replace=False)] = random.dirichlet(np.ones(6))
    weights = random.dirichlet(np.ones(joints), vertices)
    arrays: dict[str, Any] = {
        "v_template": random.normal(0, 0.4, (vertices, 3)),
        "shapedirs": random.normal(0, 0.02, (vertices, 3, 400 if family == "smplx" else 16)),
        "J_regressor": regressor,
        "kintree_table": np.array([parents_of(family), range(joints)], dtype=np.int64),
        "weights": weights,
        "posedirs": random.normal(0, 1e-3, (vertices, 3, (joints - 1) * 9)),
        "f": random.integers(0, vertices, (2 * vertices - 4, 3)),
        "hands_componentsl": np.eye(45), "hands_componentsr": np.eye(45),
        "hands_meanl": np.zeros(45), "hands_meanr": np.zeros(45),
    }  # fmt: skip
    if family == "smplx":
        arrays |= {
            "lmk_faces_idx": random.integers(0, vertices, 51), "lmk_bary_coords": np.full((51, 3), 1 / 3),
            "dynamic_lmk_faces_idx": random.integers(0, vertices, (79, 17)),
            "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3),
        }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def parents_of(family: str) -> list[int]:
    """Parents of a family's joints; the root's as the files write it."""
    fingers = [
        20 + side if knuckle == 0 else 22 + 15 * side + 3 * finger + knuckle - 1
        for side in (0, 1) for finger in range(5) for knuckle in range(3)
    ]  # fmt: skip
    body = [-1, *SMPL22_PARENTS[1:]]
    if family == "smplh":
        return body + fingers
    return [*body, 15, 15, 15, *(parent if parent < 22 else parent + 3 for parent in fingers)]


def ours(folder: Path, family: str, poses: Array, trans: Array, betas: Array) -> Array:
    """Joints (T, 22, 3), as reading and posing a clip makes them; the model file is kept in memory once read."""
    body = body_of(folder, family, "male", betas)
    quats = rotation.from_rotvec(poses[:, :22])
    return forward_kinematics(trans + body.pelvis_3, quats, body.offsets_22x3, SMPL22_PARENTS)


def theirs(folder: Path, family: str, batch: int) -> Callable[[Array, Array, Array], Array]:
    """The smplx package's layer for batches of this size, as a function of the same arrays; double precision off."""
    import smplx
    import torch

    torch.set_num_threads(1)
    path = folder / family / f"{family.upper()}_MALE.npz"
    model = {"smplh": smplx.SMPLH, "smplx": smplx.SMPLX}[family]
    layer = model(str(path), ext="npz", gender="male", use_pca=False, flat_hand_mean=True, batch_size=batch)
    hands = {"smplh": 22, "smplx": 25}[family]

    def joints(poses: Array, trans: Array, betas: Array) -> Array:
        found = []
        for start in range(0, len(poses), batch):
            part = torch.from_numpy(poses[start : start + batch].astype(np.float32))
            named = {
                "global_orient": part[:, 0], "body_pose": part[:, 1:22].flatten(1),
                "left_hand_pose": part[:, hands : hands + 15].flatten(1), "right_hand_pose": part[:, hands + 15 :].flatten(1),
                "transl": torch.from_numpy(trans[start : start + batch].astype(np.float32)),
                "betas": torch.from_numpy(betas[None, :10].astype(np.float32)).expand(len(part), -1),
            }  # fmt: skip
            if family == "smplx":
                named |= {"jaw_pose": part[:, 22], "leye_pose": part[:, 23], "reye_pose": part[:, 24]}
            with torch.no_grad():
                found.append(layer(**named).joints[:, :22].numpy())
        return np.concatenate(found)

    return joints


def rate(work: Callable[[], object], frames: int) -> float:
    """Frames a second of one call, by the processor's clock: what else the machine does costs neither."""
    began = time.process_time()
    work()
    return frames / (time.process_time() - began)


def measure(folder: Path, family: str) -> dict[str, Any]:
    """Both on one family, with the median of rounds taken in turn. Raises `AssertionError` where joints differ."""
    random = np.random.default_rng(1)
    poses = random.normal(0, 0.4, (CLIP_FRAMES, JOINTS[family], 3))
    trans, betas = random.normal(0, 1, (CLIP_FRAMES, 3)), random.normal(0, 1, 16)
    few = (poses[:THEIR_FRAMES], trans[:THEIR_FRAMES], betas)
    layers = {batch: theirs(folder, family, batch) for batch in THEIR_BATCHES}
    apart = float(np.abs(layers[THEIR_FRAMES](*few) - ours(folder, family, *few)).max())
    if apart > TOLERANCE_M:
        raise AssertionError(f"{family}: joints differ by {apart} m")
    tried = {batch: rate(partial(layer, *few), THEIR_FRAMES) for batch, layer in layers.items()}
    best = max(tried, key=lambda batch: tried[batch])
    mine, other = [], []
    for _ in range(ROUNDS):
        other.append(rate(partial(layers[best], *few), THEIR_FRAMES))
        mine.append(
            statistics.harmonic_mean(
                rate(partial(ours, folder, family, poses, trans, betas), CLIP_FRAMES) for _ in range(CLIPS)
            )
        )
    ratio = statistics.median(mine) / statistics.median(other)
    return {
        "family": family,
        "ours_frames_per_s": round(statistics.median(mine)),
        "ours_lowest": round(min(mine)),
        "ours_highest": round(max(mine)),
        "smplx_frames_per_s": round(statistics.median(other), 1),
        "smplx_lowest": round(min(other), 1),
        "smplx_highest": round(max(other), 1),
        "smplx_batch": best,
        "times_as_fast": round(ratio),
        "joints_differ_by_m": apart,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "body_joints.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for family in ("smplh", "smplx"):
            write_model(folder / family / f"{family.upper()}_MALE.npz", family)
        rows = [measure(folder, family) for family in ("smplh", "smplx")]
    print(
        f"{'':6} {'ours':>12} {'smplx':>10} {'batch':>6} {'times':>7} {'apart':>9}   (frames/s of one core, {ROUNDS} rounds)"
    )
    for row in rows:
        print(
            f"{row['family']:6} {row['ours_frames_per_s']:12,} {row['smplx_frames_per_s']:10,} {row['smplx_batch']:6} "
            f"{row['times_as_fast']:7,} {row['joints_differ_by_m']:9.1e}"
        )
    machine.write(arguments.out, {"target_times": TARGET, "clip_frames": CLIP_FRAMES, "rows": rows})


if __name__ == "__main__":
    main()
