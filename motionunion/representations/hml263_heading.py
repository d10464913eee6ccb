"""Where a body faces, frame by frame: as HumanML3D published it, and as it is.

Shapes: N frames of several clips one after the other, B clips; joints (3, 22, N), and bones (3, 21, N) as in `hml263_bones`. A
heading is the cosine and sine (N,) of the yaw that turns the world to the heading's frame, in which the body faces
+Z.
"""

from __future__ import annotations

import numpy as np

from motionunion.representations import hml263_layout as layout
from motionunion.representations.hml263_bones import TINY, Array, Indices

Heading = tuple[Array, Array]

UPRIGHT, TIPPED, UPSIDE_DOWN = (float(np.cos(np.deg2rad(tilt))) for tilt in (60.0, 80.0, 157.0))
"""Heights of a unit spine: above the first hips and shoulders alone tell where the body faces, below the last nothing does."""

_taps = np.arange(-layout.SMOOTHING_RADIUS, layout.SMOOTHING_RADIUS + 1)
_KERNEL = np.exp(-0.5 * (_taps / layout.SMOOTHING_FRAMES) ** 2)
_KERNEL /= _KERNEL.sum()


def first_facing(bones: Array) -> Heading:
    """Of bones (3, 21, B) of first frames, from hips and shoulders as they are; +Z where they do not tell."""
    hips, shoulders = _apart(bones)
    return towards_z(hips[2] + shoulders[2], -hips[0] - shoulders[0])


def published_heading(bones: Array, starts: Indices, stops: Indices) -> Heading:
    """Hips and shoulders subtracted, smoothed over a second, and the identity in the first frame of each clip."""
    # As published: the reference unpacks its four joints in another order than it packs them.
    hips, across = _apart(bones)
    across -= hips
    length = np.sqrt(_dot(across, across))
    length[length < TINY] = 1.0
    # forward = up x across
    forward = across[2] / length, -across[0] / length
    for component in forward:
        for a, b in zip(starts, stops, strict=True):
            component[a:b] = smoothed(component[a:b])
    cosine, sine = towards_z(*forward)
    cosine[starts], sine[starts] = 1.0, 0.0
    return cosine, sine


def _apart(bones: Array) -> tuple[Array, Array]:
    """From left to right hip, and from left to right shoulder, (3, N) each, metres on the target skeleton."""
    lengths = layout.TARGET_LENGTHS_22
    hips = lengths[layout.RIGHT_HIP] * bones[:, layout.RIGHT_HIP - 1]
    hips -= lengths[layout.LEFT_HIP] * bones[:, layout.LEFT_HIP - 1]
    shoulders = np.zeros_like(hips)
    for sign, joints in ((1.0, (14, 17)), (-1.0, (13, 16))):  # collars and shoulders
        for joint in joints:
            shoulders += sign * lengths[joint] * bones[:, joint - 1]
    return hips, shoulders


def true_heading(bones: Array, starts: Indices, stops: Indices) -> Heading:
    """From hips, shoulders and spine of each frame by itself.

    As long as the spine is within 60 degrees of upright the body faces across its hips and shoulders. From 80 degrees on, in
    somebody who lies, rolls or turns a cartwheel, that would jump by half a turn; there it is the turn that is left when the
    tilt of the trunk is taken off by the shortest way. Upside down, where nothing tells it, the heading goes evenly from the last
    frame that does to the next one, or stays; a clip in which none does faces +Z. `ms272@30` has the same rule for the pelvis.
    """
    left, spine = -_across(bones), _spine(bones)
    # The trunk's own axes: left, up along the spine, and front.
    width = np.sqrt(_dot(left, left))
    left /= np.where(width < TINY, 1.0, width)
    spine -= _dot(spine, left) * left
    height = np.sqrt(_dot(spine, spine))
    spine /= np.where(height < TINY, 1.0, height)
    unknown = (width < TINY) | (height < TINY) | (spine[1] < UPSIDE_DOWN)

    level = np.sqrt(left[0] * left[0] + left[2] * left[2])
    level[level < TINY] = 1.0
    forward_x, forward_z = -left[2] / level, left[0] / level
    if spine[1].min() < UPRIGHT:
        # Where a rotation is a tilt after a turn about +Y, the turn points along the sum of what the left side and the front say.
        turn_x = -left[2] + left[1] * spine[2] - left[2] * spine[1]
        turn_z = left[0] + left[0] * spine[1] - left[1] * spine[0]
        share = np.clip((spine[1] - TIPPED) / (UPRIGHT - TIPPED), 0.0, 1.0)
        share *= share * (3.0 - 2.0 * share)
        size = np.where(unknown, 1.0, np.sqrt(turn_x * turn_x + turn_z * turn_z))
        forward_x = share * forward_x + (1.0 - share) * turn_x / size
        forward_z = share * forward_z + (1.0 - share) * turn_z / size
    cosine, sine = towards_z(forward_x, forward_z)
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
    padded = np.empty(len(values_T) + 2 * radius)
    padded[:radius], padded[radius:-radius], padded[-radius:] = values_T[0], values_T, values_T[-1]
    return np.correlate(padded, _KERNEL)


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
        across += length * (bones[:, right - 1] - bones[:, left - 1])
    return across


def _spine(bones: Array) -> Array:
    """From the pelvis to the neck: (3, N), metres on the target skeleton."""
    spine = np.zeros((3, bones.shape[2]))
    for joint in (3, 6, 9, 12):
        spine += layout.TARGET_LENGTHS_22[joint] * bones[:, joint - 1]
    return spine


def _dot(a: Array, b: Array) -> Array:
    product: Array = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product


def _fill(cosine_T: Array, sine_T: Array, known_T: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    """Turn evenly, the shorter way, from each known frame of one clip to the next, in place."""
    frames = np.flatnonzero(known_T)
    if len(frames) == 0:
        cosine_T[:], sine_T[:] = 1.0, 0.0
        return
    yaw = np.interp(np.arange(len(known_T)), frames, np.unwrap(np.arctan2(sine_T[frames], cosine_T[frames])))
    cosine_T[~known_T], sine_T[~known_T] = np.cos(yaw[~known_T]), np.sin(yaw[~known_T])
