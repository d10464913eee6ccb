"""What sets of two people have in common: one recording, one world, two clips, and sentences about both.

The clips of a recording share their group, so no split separates them, and their world frame, so that both together are
the scene again. The flag `one_of_two` says that a partner is missing wherever a clip is used alone; the label `partner` is the
partner's key. The sentences speak of both people, and belong to either clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from motionunion.captions import read_text
from motionunion.clip import SPLITS, Caption
from motionunion.errors import SourceFormatError

ONE_OF_TWO = "one_of_two"
"""Flag of a clip that is half of a scene."""


def pair_labels(recording: str, person: int, key: str) -> dict[str, str]:
    """Labels of the person 1 or 2 of a recording; `key` is the clip's, and ends in the person's number."""
    return {"recording": recording, "person": f"P{person}", "partner": f"{key[:-1]}{3 - person}"}


def shared_sentences(path: Path, uid: str, layer: str) -> tuple[tuple[Caption, ...], tuple[SourceFormatError, ...]]:
    """One caption per line of a text file, for one of the people; in lines with `#` the sentence stands before it, then tags.

    Returns:
        The captions, and the fault where the file is no text; both empty where there is no such file.
    """
    if not path.is_file():
        return (), ()
    try:
        lines = [line.split("#") for line in read_text(path).splitlines()]
    except SourceFormatError as fault:
        return (), (fault,)
    said = [(fields[0].strip(), fields[1].strip() if len(fields) == 4 else "") for fields in lines]
    return tuple(Caption(uid=uid, text=text, tokens=tags or None, layer=layer) for text, tags in said if text), ()


def official_side(name: str, folders: Iterable[Path]) -> tuple[str | None, Path | None]:
    """On which side the first of these folders that has lists puts a recording, and the list that says so."""
    for folder in folders:
        sides = _sides(tuple((folder / f"{split}.txt", _changed(folder / f"{split}.txt")) for split in SPLITS))
        if name in sides:
            return sides[name], folder / f"{sides[name]}.txt"
    return None, None


@lru_cache(maxsize=8)
def _sides(lists: tuple[tuple[Path, int], ...]) -> Mapping[str, str]:
    """The side of every name; where lists contradict one another, test wins over val, and val over train."""
    sides: dict[str, str] = {}
    for split, (path, changed) in zip(SPLITS, lists, strict=True):
        if changed >= 0:
            sides |= dict.fromkeys(filter(None, map(str.strip, read_text(path).splitlines())), split)
    return sides


def _changed(path: Path) -> int:
    """When a file changed, -1 where there is none: lists are kept in memory, and read again when they change."""
    return path.stat().st_mtime_ns if path.is_file() else -1
