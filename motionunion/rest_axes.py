"""How the joints of a skeleton are turned in a T-pose, in the words of a joint map: `up front` and what is left of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.rest_pose import DIRECTIONS

FloatArray = npt.NDArray[np.float64]

SNAP_DEG = 15.0
"""What is nearer to right angles than this is set to them, for exporters use right angles."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What `[rest]` of a map says, and how it was found."""

    kind: str
    """`T-pose`, `A-pose`, `hanging arms`, `raised arms`, `collapsed`."""
    axes: Mapping[str, str]
    dips: Mapping[str, float] = field(default_factory=dict)
    turns: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    confidence: float = 1.0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapped:
    """A rotation as two words and a rest."""

    words: str
    axes: FloatArray
    """The words as a quaternion."""
    off_deg: float
    residual: FloatArray
    """Quaternion: turns the words' axes to the rotation."""


def snap(quat: FloatArray) -> Snapped:
    """The right-angled axes nearest to a rotation (4,)."""
    best: Snapped | None = None
    for (x, x_axis), (y, y_axis) in itertools.permutations(DIRECTIONS.items(), 2):
        if np.dot(x_axis, y_axis) != 0:
            continue
        axes = rotation.from_matrix(np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)], axis=-1))
        residual = rotation.multiply(quat, rotation.conjugate(axes))
        off = float(np.degrees(np.linalg.norm(rotation.to_rotvec(residual))))
        if best is None or off < best.off_deg:
            best = Snapped(f"{x} {y}", axes, off, residual)
    assert best is not None
    return best


def degrees(quat: FloatArray) -> tuple[float, float, float]:
    """A rotation as a map writes it: a rotation vector in degrees, to one decimal."""
    x, y, z = np.round(np.degrees(rotation.to_rotvec(quat)), 1).tolist()
    return x, y, z


def mean_rotation(quats_N4: FloatArray) -> FloatArray:
    """Mean of rotations: the principal axis of their outer products (Markley et al. 2007, "Averaging quaternions")."""
    mean: FloatArray = np.linalg.eigh(np.einsum("ni,nj->ij", quats_N4, quats_N4))[1][:, -1]
    return mean


def unit(vectors: npt.NDArray[np.floating]) -> FloatArray:
    """Vectors at length 1; a zero vector becomes NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        directions: FloatArray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return directions
