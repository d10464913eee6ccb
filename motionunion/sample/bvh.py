"""The folder `bvh/`: takes in the layout of 100STYLE, on the same Xsens joints and channels, with a body of our own.

60 fps, centimetres, +Y up, channels YXZ, a T-pose at zero rotation. The style is called `Synthetic`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.sample.choreography import Array
from motionunion.sample.locomotion import Gait, go
from motionunion.sample.performer import Performer
from motionunion.sample.posing import pose_body

FPS = 60
STYLE = "Synthetic"

# SMPL-22 joint -> rest offset from its parent, centimetres: round numbers for a symmetrical T-pose.
_LEFT_CM = {
    1: (9.0, 0.0, 0.0), 4: (0.0, -41.0, 0.0), 7: (0.0, -40.0, 0.0), 10: (0.0, -8.0, 14.0),
    13: (3.0, 8.0, 0.0), 16: (14.0, 0.0, 0.0), 18: (28.0, 0.0, 0.0), 20: (25.0, 0.0, 0.0),
}  # fmt: skip
_MIDDLE_CM = {
    0: (0.0, 0.0, 0.0),
    3: (0.0, 11.0, 0.0),
    6: (0.0, 10.0, 0.0),
    9: (0.0, 18.0, 0.0),
    12: (0.0, 13.0, 0.0),
    15: (0.0, 9.0, 0.0),
}

# Joint of the file, SMPL-22 joint (None: a half-way joint that never turns), parent; in the order of the files.
_JOINTS: tuple[tuple[str, int | None, str], ...] = (
    ("Hips", 0, ""), ("Chest", 3, "Hips"), ("Chest2", 6, "Chest"), ("Chest3", None, "Chest2"), ("Chest4", 9, "Chest3"),
    ("Neck", 12, "Chest4"), ("Head", 15, "Neck"),
    ("RightCollar", 14, "Chest4"), ("RightShoulder", 17, "RightCollar"), ("RightElbow", 19, "RightShoulder"),
    ("RightWrist", 21, "RightElbow"),
    ("LeftCollar", 13, "Chest4"), ("LeftShoulder", 16, "LeftCollar"), ("LeftElbow", 18, "LeftShoulder"),
    ("LeftWrist", 20, "LeftElbow"),
    ("RightHip", 2, "Hips"), ("RightKnee", 5, "RightHip"), ("RightAnkle", 8, "RightKnee"), ("RightToe", 11, "RightAnkle"),
    ("LeftHip", 1, "Hips"), ("LeftKnee", 4, "LeftHip"), ("LeftAnkle", 7, "LeftKnee"), ("LeftToe", 10, "LeftAnkle"),
)  # fmt: skip
_ENDS_CM = {
    "Head": (0.0, 16.0, 0.0), "RightWrist": (-18.0, 0.0, 0.0), "LeftWrist": (18.0, 0.0, 0.0),
    "RightToe": (0.0, -1.0, 5.0), "LeftToe": (0.0, -1.0, 5.0),
}  # fmt: skip

# 100STYLE's content codes: walks, runs and side steps; and standing idle.
_GAITS: dict[str, Gait | None] = {
    "FW": Gait(forward=1.05, cadence=1.95),
    "BW": Gait(forward=-0.7, cadence=1.6, arm_swing=0.2, push=0.25, strike=-0.25, lift_m=0.07),
    "FR": Gait(
        forward=2.2, cadence=2.9, duty=0.34, lift_m=0.22, bob_m=0.035, crouch_m=0.06, arms="run", arm_swing=0.25, lean=0.12,
        strike=0.1,
    ),
    "SW": Gait(sideways=0.36, cadence=1.9, arm_swing=0.04, twist=0.02, push=0.1, strike=0.0, lift_m=0.07, crouch_m=0.04),
    "ID": None,
}  # fmt: skip
_SECONDS = 12.0


def offsets_22x3() -> npt.NDArray[np.float64]:
    """Rest offsets of this body in SMPL-22 order, metres."""
    offsets = np.zeros((22, 3))
    for joint, offset in (_MIDDLE_CM | _LEFT_CM).items():
        offsets[joint] = offset
    for joint, offset in _LEFT_CM.items():
        offsets[joint + 1] = (-offset[0], *offset[1:])
    return offsets / 100


def write_bvh(root: Path, seed: int) -> list[Path]:
    """Write one take per content code, `Synthetic_<code>.bvh`."""
    root.mkdir(parents=True, exist_ok=True)
    offsets = offsets_22x3()
    paths = []
    for number, (code, gait) in enumerate(_GAITS.items()):
        rng = np.random.default_rng([seed, 4, number])
        who = Performer.draw(rng)
        score = who.choreography(rng)
        if gait is not None:
            go(score, gait, 0.5, _SECONDS - 0.8, rng, who.swing)
        posed = pose_body(score, np.arange(int(_SECONDS * FPS)) / FPS, _SECONDS, offsets)
        path = root / f"{STYLE}_{code}.bvh"
        path.write_bytes((_hierarchy(offsets) + _motion(posed.root_T3, posed.quats_T22x4)).encode())
        paths.append(path)
    return paths


def _hierarchy(offsets: npt.NDArray[np.float64]) -> str:
    lines = ["HIERARCHY"]

    def write(name: str, smpl: int | None, depth: int) -> None:
        indent = " " * depth
        lines.append(f"{indent}{'JOINT' if depth else 'ROOT'} {name}")
        lines.append(f"{indent}{{")
        # Chest3 halves the bone between Chest2 and Chest4.
        offset = offsets[9 if smpl is None else smpl] * (50.0 if smpl in {None, 9} else 100.0)
        lines.append(f"{indent} OFFSET {_numbers(offset)}")
        channels = "3 Yrotation Xrotation Zrotation"
        lines.append(f"{indent} CHANNELS {channels if depth else '6 Xposition Yposition Zposition' + channels[1:]}")
        for child, joint, parent in _JOINTS:
            if parent == name:
                write(child, joint, depth + 1)
        if name in _ENDS_CM:
            lines.extend(
                (
                    f"{indent} End Site",
                    f"{indent} {{",
                    f"{indent}  OFFSET {_numbers(np.array(_ENDS_CM[name]))}",
                    f"{indent} }}",
                )
            )
        lines.append(f"{indent}}}")

    write("Hips", 0, 0)
    return "\n".join(lines) + "\n"


def _motion(root_T3: Array, quats_T22x4: Array) -> str:
    degrees = np.degrees(rotation.to_euler(quats_T22x4, "YXZ"))
    still = np.zeros_like(degrees[:, 0])
    columns = [root_T3 * 100, *(still if smpl is None else degrees[:, smpl] for _, smpl, _ in _JOINTS)]
    rows = np.concatenate(columns, axis=1)
    lines = ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / FPS:.6f}", *(_numbers(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _numbers(values: npt.NDArray[np.float64]) -> str:
    return " ".join(f"{value + 0.0:.6f}" for value in np.round(values, 6))
