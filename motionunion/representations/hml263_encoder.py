"""Joints to 263 features: `encode` as they should be (`hml263@20`), `encode_published` with HumanML3D's faults (`/compat`).

Shapes: N frames of several clips one after the other, T frames of one clip. Positions are metres, +Y up; the layout is
in `hml263_layout`, rows of arrays in `hml263_bones`.

Both put a motion on the target skeleton, scaled by its right leg, on the floor, at the origin and facing +Z. Then they differ:

| | `encode_published` | `encode` |
|---|---|---|
| where the body faces | hips and shoulders subtracted, smoothed over a second | hips and shoulders added, each frame by itself |
| in frame 0 | the identity, whatever the frames after it say | the identity, because that frame was turned to +Z |
| column 0 | arcsine of the half turn: wrong sign once when the heading passes 180 degrees | the half turn itself |
| rotations of bones | shortest turn in the world, heading not taken out; arms hang from the root | shortest turn in the heading's frame; arms hang from the chest |

Two things cost nothing and are exact: the reference's retargeting by inverse and forward kinematics is each bone's
direction times the target length, and each bone's own rotation is needed once, since local = conj(parent) * own.

Where the reference divides zero by zero, and its NaN then spoils every later frame, `encode_published` too gives a finite
value: exactly opposite vectors turn about a fixed axis across, the arcsine is held to its domain, a heading that cannot be
told (hips and shoulders cancel, or lie along the vertical) is +Z, and a bone without length points as it rests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError
from motionunion.representations import hml263_bones as body
from motionunion.representations import hml263_layout as layout
from motionunion.representations.hml263_bones import Array, Indices
from motionunion.representations.hml263_heading import (
    Heading,
    first_facing,
    half_angle,
    published_heading,
    true_heading,
)
from motionunion.skeleton import FloatArray

Features = npt.NDArray[np.float32]

GROUP_FRAMES = 1024
"""Frames that are encoded at a time: few enough for the processor's cache, many enough to spread the call overhead."""

_SCRATCH = body.Scratch()
_FEET = [int(row) for row in body.JOINT_ROWS[list(layout.FEET)]]


def encode(clips: Sequence[FloatArray]) -> list[Features]:
    """Encode joints (T, 22, 3) at 20 fps; each gives (T - 1, 263). The same values whatever the company of a clip.

    Raises:
        ClipError: If a clip has another shape, fewer than 2 frames, a value that is not finite, or a right leg of no
            length (which scales the subject).
    """
    return _encode(clips, published=False)


def encode_published(clips: Sequence[FloatArray]) -> list[Features]:
    """As `encode`, with the faults that evaluators and published models are trained on."""
    return _encode(clips, published=True)


def uniform_joints(joints_TJ3: FloatArray, *, published: bool = True) -> npt.NDArray[np.float32]:
    """Joints (T, 22, 3) as the features see them: on the target's bones, on the floor, from the origin, facing +Z."""
    _check(joints_TJ3, "")
    _SCRATCH.used = 0
    placed = _place([joints_TJ3], np.array([0]), np.array([len(joints_TJ3)]), published)[0]
    return np.ascontiguousarray(placed[:, body.JOINT_ROWS].transpose(2, 1, 0), dtype=np.float32)


def _encode(clips: Sequence[FloatArray], *, published: bool) -> list[Features]:
    for index, clip in enumerate(clips):
        _check(clip, f"clip {index} of {len(clips)}: " if len(clips) > 1 else "")
    # One block for all: fresh memory comes in large pages then, which takes a third of the time off.
    stops = np.cumsum([len(clip) - 1 for clip in clips]).tolist()
    block = np.empty((stops[-1] if stops else 0, layout.DIMS), dtype=np.float32)
    encoded = [block[stop - len(clip) + 1 : stop] for clip, stop in zip(clips, stops, strict=True)]
    done = 0
    for group in _groups(clips):
        _encode_group(group, encoded[done : done + len(group)], published)
        done += len(group)
    return encoded


def _check(clip: FloatArray, where: str) -> None:
    if clip.ndim != 3 or clip.shape[1:] != (layout.JOINTS, 3):
        raise ClipError(f"{where}joints have shape {clip.shape}, expected (frames, 22, 3)", reason="bad_shape")
    if len(clip) < 2:
        raise ClipError(f"{where}{len(clip)} frame(s), but a velocity needs at least 2", reason="too_short")
    if not np.isfinite(clip).all():
        raise ClipError(f"{where}some position is not finite", reason="non_finite")


def _groups(clips: Sequence[FloatArray]) -> Iterator[list[FloatArray]]:
    group: list[FloatArray] = []
    frames = 0
    for clip in clips:
        if group and frames + len(clip) > GROUP_FRAMES:
            yield group
            group, frames = [], 0
        group.append(clip)
        frames += len(clip)
    if group:
        yield group


def _encode_group(clips: list[FloatArray], out: list[Features], published: bool) -> None:
    _SCRATCH.used = 0
    stops = np.cumsum([len(clip) for clip in clips])
    starts = stops - np.array([len(clip) for clip in clips])
    joints, bones, (cosine, sine) = _place(clips, starts, stops, published)

    frames = joints.shape[2]
    columns = _SCRATCH.take(layout.DIMS, (frames + 1) // 2).view(np.float32)[:, :frames]
    rotations = columns[layout.ROTATIONS].reshape(21, 6, frames)
    columns[0, :-1] = (_write_published_rotations if published else _write_rotations)(rotations, bones, cosine, sine)

    # The last frame of each clip has no successor: its column is computed against the next clip and never returned.
    steps = _SCRATCH.take(*joints.shape)
    np.subtract(joints[:, :, 1:], joints[:, :, :-1], out=steps[:, :, :-1])
    steps[:, :, -1] = 0.0
    # Travel is seen from the heading of the frame that is reached, velocities from that of the frame that is left.
    columns[1, :-1] = cosine[1:] * steps[0, 0, :-1] + sine[1:] * steps[2, 0, :-1]
    columns[2, :-1] = cosine[1:] * steps[2, 0, :-1] - sine[1:] * steps[0, 0, :-1]
    columns[3] = joints[1, 0]
    feet = steps[:, _FEET]
    squared = feet[0] * feet[0] + feet[1] * feet[1] + feet[2] * feet[2]
    columns[layout.CONTACTS] = squared < layout.CONTACT_SQUARED_M2
    body.turn(cosine, sine, steps, steps, _SCRATCH)
    columns[layout.VELOCITIES].reshape(22, 3, frames)[...] = steps.transpose(1, 0, 2)
    # Last, since the joints are turned in place.
    joints[0, 1:] -= joints[0, 0]
    joints[2, 1:] -= joints[2, 0]
    body.turn(cosine, sine, joints[:, 1:], joints[:, 1:], _SCRATCH)
    columns[layout.LOCAL_JOINTS].reshape(21, 3, frames)[...] = joints[:, 1:].transpose(1, 0, 2)

    for features, a, b in zip(out, starts, stops, strict=True):
        features[...] = columns[_COLUMN_ROWS, a : b - 1].T


def _place(
    clips: Sequence[FloatArray], starts: Indices, stops: Indices, published: bool
) -> tuple[Array, Array, Heading]:
    """Joints (3, 22, N) on the target skeleton, floor and origin, facing +Z; bones (3, 21, N); and the heading."""
    bones, root = body.bones_of(clips, starts, stops, _SCRATCH)
    frames_of = stops - starts
    if published:
        # Only yaw is left to remove, so the bones may be turned first and hung on each other once.
        first = body.hang(np.zeros((3, len(starts))), bones[:, :, starts], np.empty((3, layout.JOINTS, len(starts))))
        facing = first_facing(first)
    else:
        heading = true_heading(bones, starts, stops)
        facing = heading[0][starts], heading[1][starts]
    cosine, sine = np.repeat(facing[0], frames_of), np.repeat(facing[1], frames_of)
    body.turn(cosine, sine, bones, bones, _SCRATCH)
    body.turn(cosine, sine, root[:, None], root[:, None], _SCRATCH)
    joints = body.hang(root, bones, _SCRATCH.take(3, layout.JOINTS, int(stops[-1])))
    floor_B = np.minimum.reduceat(joints[1].min(axis=0), starts)
    joints[1] -= np.repeat(floor_B, frames_of)
    if published:
        return joints, bones, published_heading(joints, starts, stops)
    # What is left of each frame's yaw after the first frame's was taken from all.
    left = heading[0] * cosine + heading[1] * sine, heading[1] * cosine - heading[0] * sine
    left[0][starts], left[1][starts] = 1.0, 0.0
    return joints, bones, left


def _write_published_rotations(out: Features, bones: Array, cosine: Array, sine: Array) -> Array:
    """Fill (21, 6, N) with rotations of bones, and return column 0 (N - 1,)."""
    half_cosine, half_sine = half_angle(cosine, sine)
    before = _SCRATCH.used
    local = _SCRATCH.take(4, *bones.shape[1:])
    inside = _SCRATCH.used
    own = body.rest_to(bones, _SCRATCH)
    w, x, y, z = own[:, body.STARTS]
    # conj(root) = (half_cosine, 0, -half_sine, 0)
    local[0, body.STARTS] = half_cosine * w + half_sine * y
    local[1, body.STARTS] = half_cosine * x - half_sine * z
    local[2, body.STARTS] = half_cosine * y - half_sine * w
    local[3, body.STARTS] = half_cosine * z + half_sine * x
    body.relative(own[:, body.INNER_PARENTS], own[:, body.INNER], local[:, body.INNER], _SCRATCH)
    _SCRATCH.used = inside
    body.write_columns(out, local, _SCRATCH)
    _SCRATCH.used = before
    turned = half_sine[1:] * half_cosine[:-1] - half_cosine[1:] * half_sine[:-1]
    half_turn: Array = np.arcsin(np.clip(turned, -1.0, 1.0))
    return half_turn


def _write_rotations(out: Features, bones: Array, cosine: Array, sine: Array) -> Array:
    """As `_write_published_rotations`, without its faults."""
    before = _SCRATCH.used
    local = _SCRATCH.take(4, *bones.shape[1:])
    inside = _SCRATCH.used
    level = _SCRATCH.take(*bones.shape)
    body.turn(cosine, sine, bones, level, _SCRATCH)
    own = body.rest_to(level, _SCRATCH)
    local[:, body.PELVIS_STARTS] = own[:, body.PELVIS_STARTS]
    body.relative(own[:, body.CHEST, None], own[:, body.ARM_STARTS], local[:, body.ARM_STARTS], _SCRATCH)
    body.relative(own[:, body.INNER_PARENTS], own[:, body.INNER], local[:, body.INNER], _SCRATCH)
    _SCRATCH.used = inside
    body.write_columns(out, local, _SCRATCH)
    _SCRATCH.used = before
    half_turn: Array = 0.5 * np.arctan2(
        sine[1:] * cosine[:-1] - cosine[1:] * sine[:-1], cosine[1:] * cosine[:-1] + sine[1:] * sine[:-1]
    )
    return half_turn


def _column_rows() -> npt.NDArray[np.int_]:
    """Where each column of the layout lies while the rows are those of `hml263_bones`."""
    rows = np.arange(layout.DIMS)
    for block, order, width in (
        (layout.LOCAL_JOINTS, body.BONE_ROWS, 3),
        (layout.ROTATIONS, body.BONE_ROWS, 6),
        (layout.VELOCITIES, body.JOINT_ROWS, 3),
    ):
        rows[block] = block.start + (order[:, None] * width + np.arange(width)).ravel()
    return rows


_COLUMN_ROWS = _column_rows()
