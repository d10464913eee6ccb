"""Rotations and joints to the 272 features of MotionStreamer and MotionMillion.

Shapes: N frames of several motions one after the other, B motions. Metres, +Y up; quaternions wxyz.

The heading of a frame is a turn about +Y that the root's rotation tells. As published (`forward_heading`), it is where the
pelvis' own front points over the floor: it turns by 180 degrees in one frame when the pelvis tips past the vertical, in rolls,
cartwheels, getting up, and shakes in somebody who lies. `steady_heading` is the same while the pelvis stands within 60 degrees
of upright, and from 80 degrees on the turn about +Y that is left when the tilt is taken off by the shortest way, which is at
rest in a roll and in somebody who lies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.errors import ClipError
from motionunion.motion import Motion
from motionunion.representations import ms272_layout as layout
from motionunion.rotation_6d import to_6d

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]
Heading = Callable[[Array], Array]
"""From root rotations (T, 4) of one motion to headings (T,) in radians: how far about +Y the body is turned from +Z."""

GROUP_FRAMES = 1024
"""Frames that are encoded at a time: few enough for the processor's cache, many enough to spread the call overhead."""
_UPRIGHT, _TIPPED = np.cos(np.deg2rad([60.0, 80.0]))
_NOT_UPSIDE_DOWN = np.cos(np.deg2rad(157.0) / 2)
"""Cosine of half a tilt above which a turn about +Y is hardly told."""


def encode(motions: Sequence[Motion], heading: Heading) -> list[Features]:
    """Encode motions at 30 frames a second, (T, 272) each: the same values whatever the company of a motion.

    Raises:
        ClipError: `no_rotations` for joints alone, `bad_shape`, `too_short` for no frame, `non_finite`.
    """
    for motion in motions:
        _check(motion)
    features: list[Features] = []
    group: list[Motion] = []
    for motion in motions:
        if group and sum(each.frames for each in group) + motion.frames > GROUP_FRAMES:
            features += _encode_group(group, heading)
            group = []
        group.append(motion)
    return features + (_encode_group(group, heading) if group else [])


def forward_heading(root_T4: Array) -> Array:
    """Where the pelvis' front points over the floor, as published. 0 where it points straight up or down."""
    w, x, y, z = root_T4.T
    heading: Array = np.arctan2(2.0 * (x * z + w * y), 1.0 - 2.0 * (x * x + y * y))
    return heading


def steady_heading(root_T4: Array) -> Array:
    """As `forward_heading` where the pelvis is upright; beyond that what does not turn when it tips over.

    Upside down nothing tells a heading; there it goes evenly from the last frame that does to the next one, or stays.
    """
    w, x, y, z = root_T4.T
    # A rotation is a tilt after a turn about +Y (swing and twist); the turn is (w, 0, y, 0), made a unit.
    turn = 2.0 * np.arctan2(y, w)
    upright = np.clip((1.0 - 2.0 * (x * x + z * z) - _TIPPED) / (_UPRIGHT - _TIPPED), 0.0, 1.0)
    share = upright * upright * (3.0 - 2.0 * upright)
    # The two are less than 90 degrees apart as long as the tilt is, so that there is one way between them.
    apart = (forward_heading(root_T4) - turn + np.pi) % (2.0 * np.pi) - np.pi
    heading: Array = turn + share * apart
    told = np.flatnonzero(np.hypot(w, y) > _NOT_UPSIDE_DOWN)
    if len(told) == len(heading):
        return heading
    if len(told) == 0:
        return np.zeros(len(heading))
    return np.interp(np.arange(len(heading)), told, np.unwrap(heading[told]))


def _check(motion: Motion) -> None:
    quats, root, _ = motion.pose()
    joints, frames = motion.joints_T22x3, motion.frames
    shapes = (joints.shape, quats.shape, root.shape)
    if shapes != ((frames, 22, 3), (frames, 22, 4), (frames, 3)):
        raise ClipError(
            f"joints, rotations and root have shapes {shapes}, expected (frames, 22, 3), (frames, 22, 4), (frames, 3)",
            reason="bad_shape",
        )
    if frames == 0:
        raise ClipError("a motion of no frame has no features", reason="too_short")
    if not (np.isfinite(joints).all() and np.isfinite(quats).all()):
        raise ClipError("some position or rotation is not finite", reason="non_finite")


def _encode_group(motions: list[Motion], heading: Heading) -> list[Features]:
    stops = np.cumsum([motion.frames for motion in motions])
    starts = stops - np.array([motion.frames for motion in motions])
    joints: Array = np.concatenate([motion.joints_T22x3 for motion in motions], dtype=np.float64)
    quats: Array = np.concatenate([motion.pose()[0] for motion in motions], dtype=np.float64)
    turned = np.concatenate([heading(quats[a:b, 0]) for a, b in zip(starts, stops, strict=True)])
    cosine, sine = np.cos(turned), np.sin(turned)

    rows = np.empty((stops[-1], layout.DIMS), dtype=np.float32)
    root = joints[:, 0].copy()
    joints[:, :, 1] -= np.repeat(np.minimum.reduceat(joints[:, :, 1].min(axis=1), starts), stops - starts)[:, None]
    local = np.empty_like(joints)
    x, z = joints[:, :, 0] - root[:, None, 0], joints[:, :, 2] - root[:, None, 2]
    local[:, :, 0] = cosine[:, None] * x - sine[:, None] * z
    local[:, :, 1] = joints[:, :, 1]
    local[:, :, 2] = sine[:, None] * x + cosine[:, None] * z
    rows[:, layout.LOCAL_JOINTS] = local.reshape(len(rows), -1)
    rows[1:, layout.VELOCITIES] = (local[1:] - local[:-1]).reshape(len(rows) - 1, -1)

    step = root[1:] - root[:-1]
    rows[1:, 0] = cosine[:-1] * step[:, 0] - sine[:-1] * step[:, 2]
    rows[1:, 1] = sine[:-1] * step[:, 0] + cosine[:-1] * step[:, 2]

    # The published turn is that of the view, against the body's.
    turn = turned[:-1] - turned[1:]
    rows[:, layout.TURN] = _NO_TURN
    rows[1:, 2] = rows[1:, 2] * np.cos(turn)
    rows[1:, 4] = np.sin(turn)

    # Not in place: the motion keeps its own.
    seen = quats.copy()
    away = np.zeros((len(rows), 4))
    away[:, 0], away[:, 2] = np.cos(turned / 2), -np.sin(turned / 2)
    seen[:, 0] = rotation.multiply(away, quats[:, 0])
    rows[:, layout.ROTATIONS] = to_6d(seen, "rows").reshape(len(rows), -1)

    rows[starts, layout.TRAVEL] = 0.0
    rows[starts, layout.TURN] = _NO_TURN
    rows[starts, layout.VELOCITIES] = 0.0
    return [rows[a:b].copy() for a, b in zip(starts, stops, strict=True)]


_NO_TURN = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], dtype=np.float32)
