"""Files that were made, not recorded: a `SYNTHETIC.txt` beside them, or above them up to the source's folder, says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from motionunion.clip import SYNTHETIC, RawClip
from motionunion.sources.base import Reading

MARKER = "SYNTHETIC.txt"


def is_synthetic(path: Path, root: Path) -> bool:
    """True where a marker lies in the file's folder or in one above it, no higher than the source's root."""
    for folder in path.parents:
        if (folder / MARKER).is_file():
            return True
        if folder == root:
            return False
    return False


def marked(reading: Reading) -> Reading:
    """The same reading, flagged; its captions say that no person wrote them."""
    captions = tuple(replace(caption, generator=SYNTHETIC) for caption in reading.captions)
    if isinstance(reading, RawClip):
        return replace(reading, captions=captions, flags=(*reading.flags, SYNTHETIC))
    return replace(reading, captions=captions)
