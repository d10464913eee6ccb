"""Where a body faces, frame by frame: as HumanML3D published it, and as it is.

Shapes: N frames of several clips one after the other, B clips; joints (3, 22, N) and bones (3, 21, N) in the rows of
`hml263_bones`. A heading is the cosine and sine (N,) of the yaw that turns the world to the heading's frame, in which the body faces
+Z.
"""

from __future__ import annotations

import numpy as np

from motionunion.representations import hml263_layout as layout
from motionunion.representations.hml263_bones import BONE_ROWS, JOINT_ROWS, TINY, Array, Indices

Heading = tuple[Array, Array]

UPRIGHT = 0.1
"""The body faces nowhere while less than this part of the line across it is level: within 6 degrees of lying on its side."""

_LEFT_HIP, _RIGHT_HIP, _LEFT_SHOULDER, _RIGHT_SHOULDER = (
    int(JOINT_ROWS[joint]) for joint in (layout.LEFT_HIP, layout.RIGHT_HIP, layout.LEFT_SHOULDER, layout.RIGHT_SHOULDER)
)

_taps = np.arange(-layout.SMOOTHING_RADIUS, layout.SMOOTHING_RADIUS + 1)
_KERNEL = np.exp(-0.5 * (_taps / layout.SMOOTHING_FRAMES) ** 2)
_KERNEL /= _KERNEL.sum()


def first_facing(first_joints: Array) -> Heading:
    """Of the joints (3, 22, B) of first frames, from hips and shoulders as they are; +Z where they do not tell."""
    across = (first_joints[:, _RIGHT_HIP] - first_joints[:, _LEFT_HIP]) + (
        first_joints[:, _RIGHT_SHOULDER] - first_joints[:, _LEFT_SHOULDER]
    )
    return towards_z(across[2], -across[0])


def published_heading(joints: Array, starts: Indices, stops: Indices) -> Heading:
    """Hips and shoulders subtracted, smoothed over a second, and the identity in the first frame of each clip."""
    # As published: the reference unpacks its four joints in another order than it packs them.
    across = (joints[:, _LEFT_HIP] - joints[:, _RIGHT_HIP]) + (joints[:, _RIGHT_SHOULDER] - joints[:, _LEFT_SHOULDER])
    length = np.sqrt(across[0] * across[0] + across[1] * across[1] + across[2] * across[2])
    across /= np.where(length < TINY, 1.0, length)
    smooth = np.empty((2, joints.shape[2]))
    for a, b in zip(starts, stops, strict=True):
        # forward = up x across
        smooth[0, a:b] = smoothed(across[2, a:b])
        smooth[1, a:b] = smoothed(-across[0, a:b])
    cosine, sine = towards_z(smooth[0], smooth[1])
    cosine[starts], sine[starts] = 1.0, 0.0
    return cosine, sine


def true_heading(bones: Array, starts: Indices, stops: Indices) -> Heading:
    """From the line across hips and shoulders, frame by frame and from nothing else.

    Where that line stands upright, as of somebody who lies on the side, the heading goes over evenly from the last frame
    that tells it to the next one; before the first and after the last such frame it stays; a clip without any faces +Z.
    """
    across_x, across_y, across_z = _across(bones)
    level = np.sqrt(across_x * across_x + across_z * across_z)
    length = np.sqrt(level * level + across_y * across_y)
    unknown = (level < UPRIGHT * length) | (length < TINY)
    safe = np.where(unknown, 1.0, level)
    # forward = up x across = (across_z, 0, -across_x)
    cosine, sine = np.where(unknown, 1.0, -across_x / safe), np.where(unknown, 0.0, -across_z / safe)
    if unknown.any():
        for a, b in zip(starts, stops, strict=True):
            _fill(cosine[a:b], sine[a:b], ~unknown[a:b])
    return cosine, sine


def towards_z(forward_x: Array, forward_z: Array) -> Heading:
    """Cosine and sine of the yaw that turns a forward direction to +Z; none where there is no direction."""
    length = np.sqrt(forward_x * forward_x + forward_z * forward_z)
    unknown = length < TINY
    safe = np.where(unknown, 1.0, length)
    return np.where(unknown, 1.0, forward_z / safe), np.where(unknown, 0.0, -forward_x / safe)


def smoothed(values_T: Array) -> Array:
    """Gaussian over time, ends repeated."""
    radius = layout.SMOOTHING_RADIUS
    padded = np.concatenate([np.full(radius, values_T[0]), values_T, np.full(radius, values_T[-1])])
    return np.convolve(padded, _KERNEL, mode="valid")


def half_angle(cosine: Array, sine: Array) -> Heading:
    """Cosine (never negative) and sine of half an angle, accurate also near a half turn."""
    behind = cosine < 0.0
    larger = np.sqrt(0.5 * (1.0 + np.abs(cosine)))
    smaller = 0.5 * np.abs(sine) / larger
    half_cosine = np.where(behind, smaller, larger)
    # Adding zero makes -0 a 0, so that an exact half turn always goes the same way.
    half_sine = np.copysign(np.where(behind, larger, smaller), sine + 0.0)
    return half_cosine, half_sine


def _across(bones: Array) -> Array:
    """From left to right hip, and from left to right shoulder, added: (3, N), metres.

    Both sides have the mean length of the target's two, which are not alike: a mirrored motion then has the mirrored heading.
    """
    across = np.zeros((3, bones.shape[2]))
    for left, right in ((1, 2), (13, 14), (16, 17)):  # hips, collars, shoulders
        length = 0.5 * (layout.TARGET_LENGTHS_22[left] + layout.TARGET_LENGTHS_22[right])
        across += length * (bones[:, BONE_ROWS[right - 1]] - bones[:, BONE_ROWS[left - 1]])
    return across


def _fill(cosine_T: Array, sine_T: Array, known_T: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    """Turn evenly, the shorter way, from each known frame of one clip to the next, in place."""
    frames = np.flatnonzero(known_T)
    if len(frames) == 0:
        return
    yaw = np.interp(np.arange(len(known_T)), frames, np.unwrap(np.arctan2(sine_T[frames], cosine_T[frames])))
    cosine_T[~known_T], sine_T[~known_T] = np.cos(yaw[~known_T]), np.sin(yaw[~known_T])
