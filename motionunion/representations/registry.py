"""Representations by id: a derived, versioned view of motion whose id always names its rate and its resampling."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from motionunion.errors import UsageError
from motionunion.motion import Motion
from motionunion.skeleton import FloatArray

Features = npt.NDArray[np.float32]


class RepresentationError(UsageError):
    """An id names no representation that is known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """What an id stands for. Shapes: T frames, R rows, D dims; motions are in metres, +Y up."""

    id: str
    name: str
    dims: int
    rate: Fraction
    """Rows per second; `encode_batch` takes motions at this rate."""
    resampling: str
    """How motions of another rate are brought to this one; see `motionunion.resample`."""
    needs: Literal["joints", "rotations"]
    """What a motion must have: where its joints are, or the rotations that pose them too."""
    version: int
    """Raised whenever the same motion would give other features."""
    parameter_hash: str
    """Hash of every constant and of the version: caches and statistics are keyed by it."""
    min_frames: int
    """Fewest frames that can be encoded."""
    rows_lost: int
    """Rows = frames - rows_lost."""
    blocks: tuple[tuple[int, int], ...]
    """Half-open column ranges whose standard deviations are averaged together."""
    root_blocks: tuple[tuple[int, int], ...]
    """The blocks that `feat_bias` weighs."""
    encode_batch: Callable[[Sequence[Motion]], list[Features]]
    """List of motions to list of features (R, D)."""
    decode_batch: Callable[[Sequence[FloatArray]], list[Motion]]
    """List of features (R, D) to list of motions of R frames."""
    decode_heading_free_batch: Callable[[Sequence[FloatArray]], list[npt.NDArray[np.float32]]]
    """Joints (R, 22, 3) of features, with heading and travel left out: every frame faces +Z above the origin."""


def get(representation_id: str) -> Representation:
    """The representation of this id: a fixed one, or one of those that exist at any rate (`joints22@29.97`).

    Raises:
        RepresentationError: If the id is not known; the message lists those that are.
    """
    known = {entry.id: entry for entry in _entries()}
    if representation_id not in known:
        made = _at_any_rate(representation_id)
        if made is None:
            raise RepresentationError(
                f"representation {representation_id!r} is not known; there are: "
                + ", ".join([*sorted(known), *(f"{family}@<rate>" for family in _families())])
            )
        return made
    return known[representation_id]


def ids() -> list[str]:
    """Every known id, sorted; of those that exist at any rate, the rates that are usual."""
    return sorted(
        [*(entry.id for entry in _entries()), *(f"{family}@{rate}" for family in _families() for rate in (20, 30))]
    )


def _at_any_rate(representation_id: str) -> Representation | None:
    family, _, rate = representation_id.partition("@")
    # One spelling for each rate, since ids name caches and statistics.
    if (
        family not in _families()
        or not re.fullmatch(r"(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{0,5}[1-9])?", rate)
        or rate == "0"
    ):
        return None
    return _families()[family](representation_id, Fraction(rate))


def _families() -> dict[str, Callable[[str, Fraction], Representation]]:
    from motionunion.representations import joints22, smpl22

    return {joints22.FAMILY: joints22.at_rate, smpl22.FAMILY: smpl22.at_rate}


def _entries() -> tuple[Representation, ...]:
    # Imported late: each entry's module needs the dataclass above.
    from motionunion.representations.hml263 import HML263, HML263_COMPAT, HML263_COMPAT_STRIDE
    from motionunion.representations.ms272 import MS272, MS272_COMPAT
    from motionunion.representations.smplx322 import SMPLX322

    return (HML263, HML263_COMPAT, HML263_COMPAT_STRIDE, MS272, MS272_COMPAT, SMPLX322)
