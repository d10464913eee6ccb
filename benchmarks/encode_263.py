"""Joints to 263 features and back, frames a second on one thread: `python -m benchmarks.encode_263`.

Synthetic walking bodies, as many clips as make about 40,000 frames. `batched` gives all clips in one call, `one by one`
a call for each. The target is 100,000 frames a second for clips of 200 frames. Prints a table and writes
results/encode_263.json.
"""

from __future__ import annotations

import os

# One thread: set before numpy loads.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import machine
from motionunion.motion import Motion
from motionunion.representations import registry
from motionunion.representations.hml263_layout import TARGET_OFFSETS_22x3
from motionunion.skeleton import SMPL22_PARENTS, FloatArray

REPRESENTATION = "hml263@20/compat"
FRAMES = 40_000
ROUNDS = 7


def walking(frames: int, seed: int) -> FloatArray:
    """Joints (T, 22, 3) float32 of a body whose every joint sways about its rest position while it travels."""
    random = np.random.default_rng(seed)
    rest = np.zeros((22, 3))
    for joint in range(1, 22):
        rest[joint] = rest[SMPL22_PARENTS[joint]] + TARGET_OFFSETS_22x3[joint]
    time_T = np.arange(frames)[:, None, None]
    sway = 0.05 * np.sin(random.uniform(0.05, 0.4, (1, 22, 3)) * time_T + random.uniform(0, 6.28, (1, 22, 3)))
    travel = np.array([0.01, 0.0, 0.04]) * time_T
    return np.asarray(rest + sway + travel, dtype=np.float32)


def rates(work: Callable[[], object], frames: int) -> list[float]:
    """Frames a second of each round, after one round that warms up."""
    work()
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        found.append(frames / (time.perf_counter() - began))
    return found


def main() -> None:
    entry = registry.get(REPRESENTATION)
    rows = []
    for length in (60, 200, 1000):
        clips = [Motion(fps=entry.rate, joints_T22x3=walking(length, seed)) for seed in range(FRAMES // length)]
        frames = length * len(clips)
        features = entry.encode_batch(clips)
        cases: dict[str, Callable[[], object]] = {
            "encode, batched": lambda clips=clips: entry.encode_batch(clips),  # type: ignore[misc]
            "encode, one by one": lambda clips=clips: [entry.encode_batch([clip]) for clip in clips],  # type: ignore[misc]
            "decode, batched": lambda features=features: entry.decode_batch(features),  # type: ignore[misc]
        }
        for name, work in cases.items():
            found = rates(work, frames)
            rows.append(
                {
                    "case": name,
                    "frames_a_clip": length,
                    "clips": len(clips),
                    "frames_per_s": round(statistics.median(found)),
                    "lowest": round(min(found)),
                    "highest": round(max(found)),
                }
            )
    print(f"{'case':20} {'T':>5} {'frames/s':>10} {'lowest':>10} {'highest':>10}   ({ROUNDS} rounds, one thread)")
    for row in rows:
        shown = "".join(f" {row[key]:>10,}" for key in ("frames_per_s", "lowest", "highest"))
        print(f"{row['case']:20} {row['frames_a_clip']:>5}{shown}")
    path = Path(__file__).with_name("results") / "encode_263.json"
    machine.write(path, {"representation": REPRESENTATION, "rounds": ROUNDS, "rows": rows})


if __name__ == "__main__":
    main()
