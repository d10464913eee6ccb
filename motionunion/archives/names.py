"""Names that strangers gave: which may become a path below a folder, on any system, and which files are worth having."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from pathlib import PurePosixPath

import numpy as np

from motionunion.archives.limits import MAX_DEPTH, MAX_NAME_BYTES, MAX_PART_BYTES
from motionunion.archives.member import Refusal

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".zip")
"""Suffixes of files that are opened as archives."""
PACKED = (*ARCHIVES, ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".lz4", ".z")
WANTED = (
    ".bvh", ".npz", ".npy", ".pkl", ".pickle", ".txt", ".csv", ".tsv", ".json", ".jsonl", ".toml", ".xml",
    ".h5", ".hdf5", ".asf", ".amc", ".fke",
)  # fmt: skip
"""Suffixes of what a source could read: motion, captions, labels, tables, splits. Meshes, films and the like stay packed."""

_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")


def safe_path(name: str) -> PurePosixPath | None:
    """The path below a folder that a member's name means; None for the folder itself and for hidden files.

    Raises `Refusal` for a name that leads elsewhere on any system, or that no system can hold.
    """
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        raise Refusal("unsafe_member", "its name holds control characters")
    if "\\" in name:
        raise Refusal("unsafe_member", "its name holds a backslash, which separates folders on Windows")
    if name.startswith("/"):
        raise Refusal("unsafe_member", "its name is a path from the root of the disk")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Refusal("unsafe_member", "its name leads out of the archive's folder")
    for part in parts:
        if _DRIVE.match(part) or _DEVICES.fullmatch(part):
            raise Refusal("unsafe_member", f"{part[:40]!r} means a drive or a device on Windows")
    if len(parts) > MAX_DEPTH or len(name.encode()) > MAX_NAME_BYTES:
        raise Refusal("unsafe_member", "its name is longer than file systems allow")
    if any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        raise Refusal("unsafe_member", "a part of its name is longer than file systems allow")
    if not parts or any(part.startswith(".") for part in parts):
        return None
    return PurePosixPath(*parts)


def text_of(name: bytes) -> str:
    """A name as text. Raises `Refusal` where it is not UTF-8."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal("unsafe_member", "its name is not UTF-8 text; rename it and pack again") from error


def shown_name(name: str, most: int = 120) -> str:
    """A name fit for a message and for a table: no control characters, no half characters, not too long."""
    text = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in name[: most + 1])
    return text if len(text) <= most else f"{text[:most]}..."


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive that is opened."""
    return name.lower().endswith(ARCHIVES)


def stem_of(name: str) -> str:
    """An archive's name without its suffix: `ACCAD` of `ACCAD.tar.bz2`."""
    ending = max((suffix for suffix in ARCHIVES if name.lower().endswith(suffix)), key=len, default="")
    return name[: len(name) - len(ending)] or "archive"


class SeenNames:
    """Names that were there before, told apart as the least careful file system would: by case, accents composed or not.

    Keeps eight bytes a name, so that two names in 10^13 or so may be taken for one.
    """

    def __init__(self) -> None:
        self._new: set[int] = set()
        self._sorted = np.empty(0, np.uint64)

    def add(self, path: PurePosixPath) -> bool:
        """Take in a name; False where it, or its like, was there before."""
        like = unicodedata.normalize("NFC", str(path)).casefold()
        number = int.from_bytes(blake2b(like.encode(), digest_size=8).digest(), "little")
        place = int(np.searchsorted(self._sorted, np.uint64(number)))
        if number in self._new or (place < len(self._sorted) and int(self._sorted[place]) == number):
            return False
        self._new.add(number)
        if len(self._new) >= 1 << 16:
            self._sorted = np.union1d(self._sorted, np.fromiter(self._new, np.uint64, len(self._new)))
            self._new.clear()
        return True
