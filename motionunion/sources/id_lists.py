"""Official splits as lists of ids, one file for each side, of any length.

Held as sorted hashes (8 bytes an id), so that the million ids of MotionMillion cost each worker some megabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionunion.clip import SPLITS
from motionunion.errors import SourceFormatError

MAX_LIST_BYTES = 1 << 28
"""Largest list that is read: a quarter of a gibibyte, some five million ids."""

_GRAVEST_FIRST = SPLITS[::-1]


@dataclass(frozen=True, slots=True)
class IdLists:
    """The sides of one split."""

    hashes: dict[str, npt.NDArray[np.uint64]]
    """Sorted, by side."""

    def side_of(self, name: str) -> str | None:
        """The side that lists an id, the gravest where several do (test over val over train); None where none does."""
        wanted = _hash(name.encode())
        for split in _GRAVEST_FIRST:
            known = self.hashes.get(split)
            if known is not None and len(known):
                place = int(np.searchsorted(known, wanted))
                if place < len(known) and known[place] == wanted:
                    return split
        return None


def read_lists(folder: Path) -> IdLists:
    """`train.txt`, `val.txt` and `test.txt` of a folder, those that are there; kept in memory until one changes.

    Raises:
        SourceFormatError: `too_large` for a file that is no list of ids.
    """
    paths = [(split, folder / f"{split}.txt") for split in SPLITS]
    return _read(tuple((split, path, path.stat().st_mtime_ns) for split, path in paths if path.is_file()))


def side_in(folders: Sequence[Path], name: str) -> str | None:
    """The side that the first of these folders' lists which knows an id gives it."""
    return next((side for folder in folders if (side := read_lists(folder).side_of(name)) is not None), None)


@lru_cache(maxsize=8)
def _read(lists: tuple[tuple[str, Path, int], ...]) -> IdLists:
    found = {}
    for split, path, _changed_ns in lists:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise SourceFormatError(path, f"has more than {MAX_LIST_BYTES:,} bytes: no list of ids", reason="too_large")
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
        names = (line.strip().removesuffix(b".npy") for line in lines)
        found[split] = np.unique(np.fromiter((_hash(name) for name in names if name), dtype=np.uint64))
    return IdLists(found)


def _hash(name: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(name, digest_size=8).digest(), "little"))
