"""JSON files that say things about AMASS files: read whole, with bounds, entry by entry, a bad entry costing itself alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeGuard

from motionunion.clip import Caption
from motionunion.errors import SourceFormatError

MAX_BYTES = 1 << 28
"""Largest file that is read: BABEL's has some 40 MB."""

LONGEST_S = 1e7

MAX_FAULTS = 1000
"""Most bad entries that are named; a file with more is not what it claims to be."""


def read_entries(path: Path) -> dict[str, Any]:
    """The object that a file holds. Raises `SourceFormatError`: `unreadable`, `too_large`, `not_utf8`, `bad_json`."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SourceFormatError(path, f"has {size:,} bytes; {MAX_BYTES:,} are the most we read", reason="too_large")
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceFormatError(path, f"cannot be read ({error.strerror or error})", reason="unreadable") from error
    except UnicodeDecodeError as error:
        raise SourceFormatError(path, "is not UTF-8 text", reason="not_utf8") from error
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(
            path, f"is no JSON ({error}): most likely it was cut short while it was copied", reason="bad_json"
        ) from error
    if not isinstance(said, dict):
        raise SourceFormatError(path, "is no JSON object of entries by id", reason="bad_json")
    return said


def is_seconds(value: Any) -> TypeGuard[float]:
    """Whether a value of JSON is a time: a number that some recording can have. JSON's integers have no bound."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LONGEST_S <= value <= LONGEST_S


class Entries:
    """Reads the entries of one file, and gathers what is wrong with some of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[SourceFormatError] = []

    def fault(self, entry: str, problem: str) -> None:
        """Note a bad entry. Raises `SourceFormatError`, `bad_json`, where there are too many."""
        if len(self.faults) >= MAX_FAULTS:
            raise SourceFormatError(self.path, f"has more than {MAX_FAULTS:,} bad entries", reason="bad_json")
        self.faults.append(SourceFormatError(self.path, f"entry {entry}: {problem}", reason="bad_caption"))

    def caption(self, entry: str, uid: str, layer: str, text: Any, times: tuple[Any, Any] | None) -> Caption | None:
        """A sentence about a file, between two times in seconds or (None) about the whole of it.

        None, and a fault, where it has no text or no stretch. Times in the wrong order are exchanged, as HumanML3D's are.
        """
        if not isinstance(text, str) or not text.strip():
            self.fault(entry, f"its text is {text!r}")
            return None
        words = " ".join(text.split())
        if times is None:
            return Caption(uid=uid, text=words, layer=layer)
        start, end = times
        if not is_seconds(start) or not is_seconds(end):
            self.fault(entry, f"its times are {start!r} and {end!r}, which are no seconds")
            return None
        start, end = max(min(start, end), 0.0), max(start, end)
        if start >= end:
            self.fault(entry, f"it begins and ends at {start} s")
            return None
        return Caption(uid=uid, text=words, layer=layer, start_s=float(start), end_s=float(end))
