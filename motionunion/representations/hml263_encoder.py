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
_AXIS_Y = np.array([[0.0], [1.0], [0.0]])


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
    starts, stops = np.array([0]), np.array([len(joints_TJ3)])
    bones, root = body.bones_of([joints_TJ3], starts, stops, _SCRATCH)
    facing = first_facing(bones[:, :, starts]) if published else true_heading(bones, starts, stops)
    cosine, sine = np.full(len(joints_TJ3), facing[0][0]), np.full(len(joints_TJ3), facing[1][0])
    body.turn(cosine, sine, bones, bones, _SCRATCH)
    body.turn(cosine, sine, root[:, None], root[:, None], _SCRATCH)
    joints = body.hang(root, bones, np.empty((3, layout.JOINTS, len(joints_TJ3))))
    joints[1] -= joints[1].min()
    return np.ascontiguousarray(joints.transpose(2, 1, 0), dtype=np.float32)


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
    frames = int(stops[-1])
    columns = _SCRATCH.take_single(layout.DIMS, frames)
    bones, root = body.bones_of(clips, starts, stops, _SCRATCH)
    after_bones = _SCRATCH.used
    # Of the last frame of each clip, which has no successor, some columns are seen against the next clip. None is returned.
    if published:
        cosine, sine, columns[0, :-1], rotations = _published_posture(bones, starts, stops)
    else:
        cosine, sine, columns[0, :-1], rotations = _posture(bones, starts, stops)
    columns[layout.ROTATIONS].reshape(21, 2, 3, frames)[...] = rotations.transpose(2, 0, 1, 3)
    _SCRATCH.used = after_bones

    # Bones now are seen from each frame's heading, and so is all that hangs on them.
    joints = _SCRATCH.take(3, layout.JOINTS, frames)
    body.hang(_AXIS_Y * root, bones, joints)
    floor_B = np.minimum.reduceat(joints[1].min(axis=0), starts)
    joints[1] -= np.repeat(floor_B, stops - starts)
    columns[3] = joints[1, 0]
    columns[layout.LOCAL_JOINTS].reshape(21, 3, frames)[...] = joints[:, 1:].transpose(1, 0, 2)

    # Travel is seen from the heading of the frame that is reached, velocities from that of the frame that is left.
    step_x, step_z = np.diff(root[::2])
    columns[1, :-1] = cosine[1:] * step_x + sine[1:] * step_z
    columns[2, :-1] = cosine[1:] * step_z - sine[1:] * step_x
    moved = _SCRATCH.take(3, layout.JOINTS, frames - 1)
    turned_cosine = cosine[:-1] * cosine[1:] + sine[:-1] * sine[1:]
    turned_sine = sine[:-1] * cosine[1:] - cosine[:-1] * sine[1:]
    body.turn(turned_cosine, turned_sine, joints[:, :, 1:], moved, _SCRATCH)
    moved[::2] -= joints[::2, :, :-1]
    np.subtract(joints[1, :, 1:], joints[1, :, :-1], out=moved[1])
    moved[0] += cosine[:-1] * step_x + sine[:-1] * step_z
    moved[2] += cosine[:-1] * step_z - sine[:-1] * step_x
    columns[layout.VELOCITIES].reshape(22, 3, frames)[:, :, :-1] = moved.transpose(1, 0, 2)
    feet = moved[:, list(layout.FEET)]
    feet *= feet
    columns[layout.CONTACTS, :-1] = feet[0] + feet[1] + feet[2] < layout.CONTACT_SQUARED_M2

    for features, a, b in zip(out, starts, stops, strict=True):
        features[...] = columns[:, a : b - 1].T


def _posture(bones: Array, starts: Indices, stops: Indices) -> tuple[Array, Array, Array, Features]:
    """Turn bones (3, 21, N) to the heading of their frames, in place.

    Returns:
        The heading, column 0 (N - 1,), and the rotations of the bones (2, 3, 21, N), in scratch memory.
    """
    cosine, sine = true_heading(bones, starts, stops)
    body.turn(cosine, sine, bones, bones, _SCRATCH)
    rotations = _SCRATCH.take_single(2, *bones.shape)
    before = _SCRATCH.used
    own = body.rest_to(bones, _SCRATCH)
    np.negative(own[:2, :, body.PELVIS_STARTS], out=rotations[:, :, body.PELVIS_STARTS])
    for rows, parents in (*body.BELOW, (body.ARM_STARTS, body.CHEST)):
        body.relative(own[:, :, parents], own[:, :, rows], rotations[:, :, rows], _SCRATCH)
    _SCRATCH.used = before
    half_turn = 0.5 * np.arctan2(
        sine[1:] * cosine[:-1] - cosine[1:] * sine[:-1], cosine[1:] * cosine[:-1] + sine[1:] * sine[:-1]
    )
    return cosine, sine, half_turn, rotations


def _published_posture(bones: Array, starts: Indices, stops: Indices) -> tuple[Array, Array, Array, Features]:
    """As `_posture`, with its faults."""
    facing = first_facing(bones[:, :, starts])
    first = np.repeat(facing[0], stops - starts), np.repeat(facing[1], stops - starts)
    body.turn(*first, bones, bones, _SCRATCH)
    cosine, sine = published_heading(bones, starts, stops)
    rotations = _SCRATCH.take_single(2, *bones.shape)
    before = _SCRATCH.used
    own = body.rest_to(bones, _SCRATCH)
    # The heading's inverse comes before the bone's own rotation, where the heading should.
    minus_cosine, minus_sine = -cosine.astype(np.float32), -sine.astype(np.float32)
    for rows in (body.PELVIS_STARTS, body.ARM_STARTS):
        x, y, z = own[:2, :, rows].swapaxes(0, 1)
        rotations[:, 0, rows] = minus_cosine * x - minus_sine * z
        np.negative(y, out=rotations[:, 1, rows])
        rotations[:, 2, rows] = minus_sine * x + minus_cosine * z
    for rows, parents in body.BELOW:
        body.relative(own[:, :, parents], own[:, :, rows], rotations[:, :, rows], _SCRATCH)
    _SCRATCH.used = before
    body.turn(cosine, sine, bones, bones, _SCRATCH)
    half_cosine, half_sine = half_angle(cosine, sine)
    half_turn = np.arcsin(np.clip(half_sine[1:] * half_cosine[:-1] - half_cosine[1:] * half_sine[:-1], -1.0, 1.0))
    return cosine * first[0] - sine * first[1], sine * first[0] + cosine * first[1], half_turn, rotations
