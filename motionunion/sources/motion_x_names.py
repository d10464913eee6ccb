"""Ids of Motion-X's subsets, and what each was cut from. MotionHub and MotionMillion took subsets over under their own folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from motionunion.sources.aistpp import choreography_of
from motionunion.sources.amass_names import normalise_part, uid_of

SUBSETS = (
    "humanml", "fitness", "idea400", "game_motion", "haa500", "music", "aist", "grab", "kungfu", "egobody", "humman",
    "perform", "animation", "dance",
)  # fmt: skip
_CUT = re.compile(r"(_clip_?\d+)+$", re.IGNORECASE)


def group_of(key: str) -> str:
    """What shares a side of every split: the original's group in mocap subsets, else all that was cut from one video.

    Args:
        key: The official id, `fitness/subset_0032/Plank_Cross_Crunches_clip_18`.
    """
    parts = PurePosixPath(key).parts
    subset = parts[0].lower()
    if subset == "humanml":
        return f"humanml3d/{parts[-1].removeprefix('M')}"
    if subset == "grab" and len(parts) > 2:
        return uid_of(f"GRAB/{parts[-2]}/{parts[-1]}")
    if subset == "egobody" and len(parts) > 2:
        return f"egobody/{parts[1].lower()}"
    dance = choreography_of(parts[-1]) if subset == "aist" else None
    return dance or "/".join(["motion_x", subset, normalise_part(_CUT.sub("", parts[-1]))])


def group_in(parts: Sequence[str]) -> str | None:
    """The group of a clip that another set keeps below a folder called after a subset; None where no folder is."""
    start = next((place for place, part in enumerate(parts[:-1]) if part.lower() in SUBSETS), None)
    return None if start is None else group_of("/".join(parts[start:]))
