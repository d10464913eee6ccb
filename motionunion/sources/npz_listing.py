"""Which arrays the npz files of a folder hold: looked up once, for all sources that ask."""

from __future__ import annotations

from pathlib import Path

from motionunion.errors import SourceFormatError
from motionunion.formats.npz import list_members
from motionunion.sources.base import Folder


def members_in(folder: Folder) -> dict[str, frozenset[str] | None]:
    """Names of the arrays in each npz file, by file name; None for a file that cannot be opened."""
    return folder.once(
        "npz members", lambda: {name: _members(folder.path / name) for name in folder.with_suffix(".npz")}
    )


def _members(path: Path) -> frozenset[str] | None:
    try:
        return frozenset(list_members(path))
    except SourceFormatError:
        return None
