"""Files that were made, not recorded: a `SYNTHETIC.txt` in their folder, or in one above it, says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from motionunion.clip import SYNTHETIC, SYNTHETIC_MARKER, RawClip
from motionunion.sources.base import Reading


def is_synthetic(path: Path) -> bool:
    """True where a marker lies in the file's folder or in one above it: a part of a made data set is no less made."""
    return any((folder / SYNTHETIC_MARKER).is_file() for folder in path.absolute().parents)


def marked(reading: Reading) -> Reading:
    """The same reading, flagged; its captions say that no person wrote them."""
    captions = tuple(replace(caption, generator=SYNTHETIC) for caption in reading.captions)
    if isinstance(reading, RawClip):
        return replace(reading, captions=captions, flags=(*reading.flags, SYNTHETIC))
    return replace(reading, captions=captions)
