"""Joints to HumanML3D's 263 features, as published, faults included (`/compat`).

Shapes: N frames of several clips one after the other, B clips, T frames of one clip. Arrays are component-first,
(3, joint, N): numpy streams whole rows then. Positions are metres, +Y up.

Kept as published, because evaluators and models are trained on it: the hips are exchanged inside the heading, which is
smoothed over a second; the heading of frame 0 is the identity; half turns go through an arcsine and flip sign where the
heading passes 180 degrees; arms hang from the root's rotation. Two things cost nothing and are exact: the reference's
retargeting by inverse and forward kinematics is each bone's direction times the target length, and each bone's own
rotation is needed once, since local = conj(parent) * own.

Not as published: where the reference divides zero by zero, and its NaN then spoils every later frame, this gives a
finite value. Exactly opposite vectors turn about a fixed axis across, the arcsine is held to its domain, a heading that
cannot be told (hips and shoulders cancel, or lie along the vertical) is +Z, and a bone without length points as it rests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError
from motionunion.representations import hml263_layout as layout
from motionunion.skeleton import SMPL22_PARENTS, FloatArray

Array = npt.NDArray[np.float64]

GROUP_FRAMES = 1024
"""Frames that are encoded at a time: few enough for the processor's cache, many enough to spread the call overhead."""

# Joints 1..21 sorted by resting axis, so that each axis is one slice; and where each joint went.
_ORDER = (*layout.UP, *layout.DOWN, *layout.LEFT, *layout.RIGHT, *layout.FORWARD)
_PLACE = {joint: place for place, joint in enumerate(_ORDER)}
_BOUNDS = np.cumsum([0, *map(len, (layout.UP, layout.DOWN, layout.LEFT, layout.RIGHT, layout.FORWARD))]).tolist()
_UP, _DOWN, _LEFT, _RIGHT, _FORWARD = (slice(a, b) for a, b in pairwise(_BOUNDS))
_SORTED = np.array(_ORDER)
_SORTED_PARENTS = np.array(SMPL22_PARENTS)[_SORTED]
_REST = layout.REST_DIRECTIONS_22x3[_SORTED].T[:, :, None]
_STARTS = [_PLACE[joint] for joint in layout.CHAIN_STARTS]
_INNER = [_PLACE[joint] for joint in range(1, layout.JOINTS) if joint not in layout.CHAIN_STARTS]
_INNER_PARENTS = [_PLACE[SMPL22_PARENTS[_ORDER[place]]] for place in _INNER]
_UNSORTED = np.array([_PLACE[joint] for joint in range(1, layout.JOINTS)])

_taps = np.arange(-layout.SMOOTHING_RADIUS, layout.SMOOTHING_RADIUS + 1)
_KERNEL = np.exp(-0.5 * (_taps / layout.SMOOTHING_FRAMES) ** 2)
_KERNEL /= _KERNEL.sum()

_TINY = 1e-12


def encode(clips: Sequence[FloatArray]) -> list[npt.NDArray[np.float32]]:
    """Encode joints (T, 22, 3) at 20 fps; each gives (T - 1, 263). The same values whatever the company of a clip.

    Raises:
        ClipError: If a clip has another shape, fewer than 2 frames, a value that is not finite, or a right leg of no
            length (which scales the subject).
    """
    for index, clip in enumerate(clips):
        _check(clip, f"clip {index} of {len(clips)}: " if len(clips) > 1 else "")
    return [features for group in _groups(clips) for features in _encode_group(group)]


def uniform_joints(joints_TJ3: FloatArray) -> npt.NDArray[np.float32]:
    """Joints (T, 22, 3) as the features see them: on the target's bones, on the floor, from the origin, facing +Z."""
    _check(joints_TJ3, "")
    placed, _ = _place_on_target([joints_TJ3], np.array([0]), np.array([len(joints_TJ3)]))
    return np.ascontiguousarray(placed.transpose(2, 1, 0), dtype=np.float32)


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


def _encode_group(clips: list[FloatArray]) -> list[npt.NDArray[np.float32]]:
    stops = np.cumsum([len(clip) for clip in clips])
    starts = stops - np.array([len(clip) for clip in clips])
    joints, bones = _place_on_target(clips, starts, stops)
    cosine, sine = _heading(joints, starts, stops)
    half_cosine, half_sine = _half_angle(cosine, sine)

    # The last frame of each clip has no successor: its column is computed against the next clip and never returned.
    frames = joints.shape[2]
    steps = np.zeros_like(joints)
    np.subtract(joints[:, :, 1:], joints[:, :, :-1], out=steps[:, :, :-1])

    columns = np.empty((layout.DIMS, frames), dtype=np.float32)
    turned = half_sine[1:] * half_cosine[:-1] - half_cosine[1:] * half_sine[:-1]
    columns[0, :-1] = np.arcsin(np.clip(turned, -1.0, 1.0))
    # Travel is seen from the heading of the frame that is reached, velocities from that of the frame that is left.
    columns[1, :-1] = cosine[1:] * steps[0, 0, :-1] + sine[1:] * steps[2, 0, :-1]
    columns[2, :-1] = cosine[1:] * steps[2, 0, :-1] - sine[1:] * steps[0, 0, :-1]
    columns[3] = joints[1, 0]

    local = columns[layout.LOCAL_JOINTS].reshape(21, 3, frames)
    x, z = joints[0, 1:] - joints[0, 0], joints[2, 1:] - joints[2, 0]
    local[:, 0] = cosine * x + sine * z
    local[:, 1] = joints[1, 1:]
    local[:, 2] = cosine * z - sine * x

    _write_rotations(columns[layout.ROTATIONS].reshape(21, 6, frames), bones, half_cosine, half_sine)

    velocity = columns[layout.VELOCITIES].reshape(22, 3, frames)
    velocity[:, 0] = cosine * steps[0] + sine * steps[2]
    velocity[:, 1] = steps[1]
    velocity[:, 2] = cosine * steps[2] - sine * steps[0]

    feet = steps[:, layout.FEET]
    squared = feet[0] * feet[0] + feet[1] * feet[1] + feet[2] * feet[2]
    columns[layout.CONTACTS] = squared < layout.CONTACT_SQUARED_M2
    return [np.ascontiguousarray(columns[:, a : b - 1].T) for a, b in zip(starts, stops, strict=True)]


def _place_on_target(
    clips: Sequence[FloatArray], starts: npt.NDArray[np.int_], stops: npt.NDArray[np.int_]
) -> tuple[Array, Array]:
    """Steps 1 to 4 of the reference. Returns joints (3, 22, N) and bone directions (3, 21, N) in `_ORDER`."""
    source = np.empty((3, layout.JOINTS, stops[-1]))
    for clip, a, b in zip(clips, starts, stops, strict=True):
        source[:, :, a:b] = clip.transpose(2, 1, 0)
    bones = source[:, _SORTED] - source[:, _SORTED_PARENTS]
    length = np.sqrt(bones[0] * bones[0] + bones[1] * bones[1] + bones[2] * bones[2])
    legs = [_PLACE[joint] for joint in layout.LEG_JOINTS]
    leg_B = length[legs[0], starts] + length[legs[1], starts]
    if (leg_B < _TINY).any():
        raise ClipError("the right leg has no length in the first frame, so the subject has no size", reason="no_leg")
    flat = length < _TINY
    if flat.any():
        bones = np.where(flat, _REST, bones)
        length = np.where(flat, 1.0, length)
    bones /= length

    frames_of = stops - starts
    scale_B = layout.TARGET_LENGTHS_22[list(layout.LEG_JOINTS)].sum() / leg_B
    root = source[:, 0] * np.repeat(scale_B, frames_of)
    root[0] -= np.repeat(root[0, starts], frames_of)
    root[2] -= np.repeat(root[2, starts], frames_of)

    # Only yaw is left to remove, so the bones may be turned first and hung on each other once.
    first = _hang(np.zeros((3, len(starts))), bones[:, :, starts])
    across = (first[:, layout.RIGHT_HIP] - first[:, layout.LEFT_HIP]) + (
        first[:, layout.RIGHT_SHOULDER] - first[:, layout.LEFT_SHOULDER]
    )
    cosine_B, sine_B = _towards_z(across[2], -across[0])
    cosine, sine = np.repeat(cosine_B, frames_of), np.repeat(sine_B, frames_of)
    for vectors in (root, bones):
        x, z = vectors[0].copy(), vectors[2]
        vectors[0] = cosine * x + sine * z
        vectors[2] = cosine * z - sine * x
    joints = _hang(root, bones)
    floor_B = np.minimum.reduceat(joints[1].min(axis=0), starts)
    joints[1] -= np.repeat(floor_B, frames_of)
    return joints, bones


def _hang(root: Array, bones: Array) -> Array:
    """Positions (3, 22, N) of bones with the target's lengths, hung from the root (3, N)."""
    joints = np.empty((3, layout.JOINTS, root.shape[1]))
    joints[:, 0] = root
    for joint in range(1, layout.JOINTS):
        np.multiply(bones[:, _PLACE[joint]], layout.TARGET_LENGTHS_22[joint], out=joints[:, joint])
        joints[:, joint] += joints[:, SMPL22_PARENTS[joint]]
    return joints


def _towards_z(forward_x: Array, forward_z: Array) -> tuple[Array, Array]:
    """Cosine and sine of the yaw that turns a forward direction to +Z; none where there is no direction."""
    length = np.sqrt(forward_x * forward_x + forward_z * forward_z)
    unknown = length < _TINY
    safe = np.where(unknown, 1.0, length)
    return np.where(unknown, 1.0, forward_z / safe), np.where(unknown, 0.0, -forward_x / safe)


def _heading(joints: Array, starts: npt.NDArray[np.int_], stops: npt.NDArray[np.int_]) -> tuple[Array, Array]:
    """Cosine and sine (N,) of the yaw from world to heading, smoothed; the identity in the first frame of each clip."""
    # As published: hips and shoulders are subtracted, because the reference unpacks its four joints in another order.
    across = (joints[:, layout.LEFT_HIP] - joints[:, layout.RIGHT_HIP]) + (
        joints[:, layout.RIGHT_SHOULDER] - joints[:, layout.LEFT_SHOULDER]
    )
    length = np.sqrt(across[0] * across[0] + across[1] * across[1] + across[2] * across[2])
    across /= np.where(length < _TINY, 1.0, length)
    smooth = np.empty((2, joints.shape[2]))
    for a, b in zip(starts, stops, strict=True):
        # forward = up x across
        smooth[0, a:b] = _smoothed(across[2, a:b])
        smooth[1, a:b] = _smoothed(-across[0, a:b])
    cosine, sine = _towards_z(smooth[0], smooth[1])
    cosine[starts], sine[starts] = 1.0, 0.0
    return cosine, sine


def _smoothed(values_T: Array) -> Array:
    """Gaussian over time, ends repeated."""
    return np.convolve(np.pad(values_T, layout.SMOOTHING_RADIUS, mode="edge"), _KERNEL, mode="valid")


def _half_angle(cosine: Array, sine: Array) -> tuple[Array, Array]:
    """Cosine (never negative) and sine of half an angle, accurate also near a half turn."""
    behind = cosine < 0.0
    larger = np.sqrt(0.5 * (1.0 + np.abs(cosine)))
    smaller = 0.5 * np.abs(sine) / larger
    half_cosine = np.where(behind, smaller, larger)
    # Adding zero makes -0 a 0, so that an exact half turn always goes the same way.
    half_sine = np.copysign(np.where(behind, larger, smaller), sine + 0.0)
    return half_cosine, half_sine


def _write_rotations(out: npt.NDArray[np.float32], bones: Array, half_cosine: Array, half_sine: Array) -> None:
    """Fill (21, 6, N) with the first two matrix columns of conj(parent) * own for joints 1 to 21."""
    own = _rest_to(bones)
    local = np.empty_like(own)
    w, x, y, z = own[:, _STARTS]
    # conj(root) = (half_cosine, 0, -half_sine, 0)
    local[0, _STARTS] = half_cosine * w + half_sine * y
    local[1, _STARTS] = half_cosine * x - half_sine * z
    local[2, _STARTS] = half_cosine * y - half_sine * w
    local[3, _STARTS] = half_cosine * z + half_sine * x
    w, x, y, z = own[:, _INNER]
    pw, px, py, pz = own[:, _INNER_PARENTS]
    local[0, _INNER] = pw * w + px * x + py * y + pz * z
    local[1, _INNER] = pw * x - px * w - py * z + pz * y
    local[2, _INNER] = pw * y + px * z - py * w - pz * x
    local[3, _INNER] = pw * z - px * y + py * x - pz * w
    w, x, y, z = local[:, _UNSORTED]
    out[:, 0] = 1.0 - 2.0 * (y * y + z * z)
    out[:, 1] = 2.0 * (x * y + w * z)
    out[:, 2] = 2.0 * (x * z - w * y)
    out[:, 3] = 2.0 * (x * y - w * z)
    out[:, 4] = 1.0 - 2.0 * (x * x + z * z)
    out[:, 5] = 2.0 * (y * z + w * x)


def _rest_to(bones: Array) -> Array:
    """Unit quaternions (4, 21, N) of the shortest turn from each bone's resting axis to its direction."""
    x, y, z = bones
    quats = np.zeros((4, *x.shape))
    # (1 + a.d, a x d) for the axis a of each slice.
    quats[0, _UP], quats[1, _UP], quats[3, _UP] = 1.0 + y[_UP], z[_UP], -x[_UP]
    quats[0, _DOWN], quats[1, _DOWN], quats[3, _DOWN] = 1.0 - y[_DOWN], -z[_DOWN], x[_DOWN]
    quats[0, _LEFT], quats[2, _LEFT], quats[3, _LEFT] = 1.0 + x[_LEFT], -z[_LEFT], y[_LEFT]
    quats[0, _RIGHT], quats[2, _RIGHT], quats[3, _RIGHT] = 1.0 - x[_RIGHT], z[_RIGHT], -y[_RIGHT]
    quats[0, _FORWARD], quats[1, _FORWARD], quats[2, _FORWARD] = 1.0 + z[_FORWARD], -y[_FORWARD], x[_FORWARD]
    norm = np.sqrt(quats[0] * quats[0] + quats[1] * quats[1] + quats[2] * quats[2] + quats[3] * quats[3])
    opposite = norm < _TINY
    if opposite.any():
        quats[3, : _LEFT.stop][opposite[: _LEFT.stop]] = 1.0  # about Z, for bones along Y and to the left
        quats[2, _RIGHT.start :][opposite[_RIGHT.start :]] = 1.0  # about Y, for bones to the right and along Z
        norm = np.where(opposite, np.sqrt((quats * quats).sum(axis=0)), norm)
    quats /= norm
    return quats
