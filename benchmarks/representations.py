"""Motion to features and back, frames a second of one core's time: `python -m benchmarks.representations`.

Synthetic walking bodies of 60, 200 and 1,000 frames. `batched` gives all clips in one call, `one by one` a call for each; `the
published way` is `benchmarks.literal_263`, clip by clip, of which the ratios are. It gives the same features (the largest
difference is in the results). The 263 of 200 frames are to be encoded at 300,000 frames a second or better, twice that is
aimed for; the published program does 8,000 to 10,000. Then every other representation with 200 frames, and bringing 120 frames a second
to 20. Prints tables and writes results/representations.json.
"""

from __future__ import annotations

import os

# One thread: set before numpy loads.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import literal_263, machine
from motionunion.body import TEMPLATE
from motionunion.motion import Motion, posed
from motionunion.representations import hml263_layout as layout
from motionunion.representations import registry
from motionunion.resample import to_rate
from motionunion.rotation import from_rotvec

LENGTHS = (60, 200, 1000)
FRAMES = 40_000
LITERAL_FRAMES = 4_000
ROUNDS = 7
IDS_263 = ("hml263@20/compat", "hml263@20")
OTHERS = ("ms272@30", "smplx322@30", "smpl22@30", "joints22@20")


def walking(frames: int, seed: int, fps: Fraction) -> Motion:
    """A body on the template's bones that goes ahead with every joint swinging."""
    random = np.random.default_rng(seed)
    time_T = np.arange(frames)[:, None, None]
    swing = random.uniform(0.0, 0.3, (1, 22, 3)) * np.sin(
        random.uniform(0.05, 0.4, (1, 22, 3)) * time_T + random.uniform(0, 6.28, (1, 22, 3))
    )
    root = np.array([0.01, 0.0, 0.04]) * time_T[:, 0] + [0.0, 0.9, 0.0]
    return posed(fps, root, from_rotvec(swing), TEMPLATE.offsets_22x3, betas=np.zeros(10, dtype=np.float32))


def measured(case: str, length: int, clips: int, work: Callable[[], object]) -> dict[str, Any]:
    """Frames a second of processor time, so that what else a machine does counts little: the median of the rounds, the lowest and the highest, after one round that warms up."""
    work()
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        found.append(length * clips / (time.process_time() - began))
    return {
        "case": case,
        "frames_a_clip": length,
        "clips": clips,
        "frames_per_s": round(statistics.median(found)),
        "lowest": round(min(found)),
        "highest": round(max(found)),
    }


def one_by_one(work: Callable[[list[Motion]], object], clips: list[Motion]) -> None:
    """The same work, a call for each clip."""
    for clip in clips:
        work([clip])


def resample(clips: list[Motion], mode: str) -> None:
    """All clips at 20 fps."""
    for clip in clips:
        to_rate(clip, 20, mode=mode)


def measure_263(length: int) -> list[dict[str, Any]]:
    """Encoding and decoding of the 263 for clips of one length, beside the published way."""
    # Joints as float32 and without rotations, which is what files of joints give.
    clips = [
        Motion(fps=Fraction(20), joints_T22x3=walking(length, seed, Fraction(20)).joints_T22x3.astype(np.float32))
        for seed in range(FRAMES // length)
    ]
    few = clips[: max(LITERAL_FRAMES // length, 3)]
    rows = [
        measured("the published way", length, len(few), lambda: [literal_263.encode(clip.joints_T22x3) for clip in few])
    ]
    for name in IDS_263:
        entry = registry.get(name)
        rows.append(measured(f"{name}, batched", length, len(clips), partial(entry.encode_batch, clips)))
        alone = partial(one_by_one, entry.encode_batch, clips)
        rows.append(measured(f"{name}, one by one", length, len(clips), alone))
    features = registry.get("hml263@20").encode_batch(clips)
    rows.append(
        measured("decode, batched", length, len(clips), partial(registry.get("hml263@20").decode_batch, features))
    )
    for row in rows:
        row["ratio"] = round(row["frames_per_s"] / rows[0]["frames_per_s"], 1)
    return rows


def measure_others() -> list[dict[str, Any]]:
    """The other representations, and resampling, with clips of 200 frames."""
    rows = []
    for name in OTHERS:
        entry = registry.get(name)
        clips = [walking(200, seed, entry.rate) for seed in range(50)]
        rows.append(measured(f"{name}, encode", 200, len(clips), partial(entry.encode_batch, clips)))
        rows.append(
            measured(f"{name}, decode", 200, len(clips), partial(entry.decode_batch, entry.encode_batch(clips)))
        )
    clips = [walking(1200, seed, Fraction(120)) for seed in range(8)]
    for mode in ("compat", "filtered"):
        rows.append(measured(f"120 fps to 20, {mode}", 200, len(clips), partial(resample, clips, mode)))
    return rows


def largest_difference() -> float:
    """Between the published way and `hml263@20/compat`, without the contacts, which are 0 or 1."""
    motion = walking(1000, 0, Fraction(20))
    joints = motion.joints_T22x3.astype(np.float32)
    (ours,) = registry.get("hml263@20/compat").encode_batch([motion])
    columns = slice(0, layout.CONTACTS.start)
    return float(np.abs(literal_263.encode(joints)[:, columns] - ours[:, columns]).max())


def main() -> None:
    tables = {"263": [row for length in LENGTHS for row in measure_263(length)], "others": measure_others()}
    for rows in tables.values():
        print(f"{'case':30} {'T':>5} {'frames/s':>10} {'lowest':>10} {'highest':>10} {'ratio':>7}")
        for row in rows:
            shown = "".join(f" {row[key]:>10,}" for key in ("frames_per_s", "lowest", "highest"))
            print(f"{row['case']:30} {row['frames_a_clip']:>5}{shown} {row.get('ratio', ''):>7}")
        print()
    difference = largest_difference()
    print(f"largest difference between the published way and hml263@20/compat: {difference:.1e}")
    path = Path(__file__).with_name("results") / "representations.json"
    machine.write(path, {"rounds": ROUNDS, "largest_difference": difference, **tables})


if __name__ == "__main__":
    main()
