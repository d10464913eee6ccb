"""Names of HumanAct12 files: `P01G02R03F0004T0005A0601` is person, group, repetition, first and last frame, and action.

The letters are read as HumanML3D's users read them (EricGuo5513/HumanML3D#95); that the frames are inclusive follows from the
length of the first file of HumanML3D's index, 36 frames for F1812T1847 (EricGuo5513/HumanML3D#58).
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

PATTERN = re.compile(
    r"P(?P<person>\d{1,4})G(?P<group>\d{1,4})R(?P<repeat>\d{1,4})F(?P<first>\d{1,9})T(?P<last>\d{1,9})"
    r"A(?P<action>\d\d)(?P<variant>\d\d)",
    re.ASCII,
)


def humanact12_uid(name: str) -> str:
    """Address that annotations name a file by; `name` with or without suffix."""
    return f"humanact12/{PurePosixPath(name).stem.lower()}"


def humanact12_frames(name: str) -> int | None:
    """How many frames a file has by its name; None where it bears no such name."""
    found = PATTERN.fullmatch(PurePosixPath(name).stem)
    if found is None:
        return None
    frames = int(found["last"]) - int(found["first"]) + 1
    return frames if frames > 0 else None
