"""What is known of the takes of the CMU motion capture database, whatever format they come in: address, rate, description."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path

from manifests import source_manifest
from motionunion.captions import read_text

INDEX = "cmu-mocap-index-text.txt"
"""cgspeed's list of CMU's own descriptions."""
TAKE = re.compile(r"(?P<subject>\d{2,3})_(?P<take>\d{2})(?!\d)")
"""How names of files begin that are called after a take."""
_INDEX_ROW = re.compile(r"^(\d{2,3}_\d{2})\s+(\S.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Take:
    """One take by its numbers, as CMU writes them."""

    subject: str
    number: str

    @property
    def name(self) -> str:
        """`01_05`."""
        return f"{self.subject}_{self.number}"

    @property
    def uid(self) -> str:
        """AMASS's address of the same take, so that captions of HumanML3D's index fit and both share a side of splits."""
        return f"amass/cmu/{self.subject}/{self.name}"

    @property
    def fps(self) -> Fraction:
        """The rate of the capture: 120, or 60 for the takes that the manifest of `cmu_asfamc` lists."""
        return Fraction(60 if self.name in _slow_takes() or self._slow_by_subject() else 120)

    def _slow_by_subject(self) -> bool:
        rates = source_manifest("cmu_asfamc")["rates"]
        return self.subject in rates["sixty_subjects"].split() and self.name not in rates["but_120"].split()


def take_of(stem: str) -> Take | None:
    """The take that a file's name begins with (`12_01_walk`); None where it begins with none."""
    found = TAKE.match(stem)
    return None if found is None else Take(found["subject"], found["take"])


def index_file(motion: Path) -> Path | None:
    """The index text in the folder of a motion file, or in one of the two above."""
    folders = (motion.parent, motion.parent.parent, motion.parent.parent.parent)
    return next((folder / INDEX for folder in folders if (folder / INDEX).is_file()), None)


def description(index: Path, take: Take) -> str | None:
    """What CMU says of a take; None where it says nothing. Raises `SourceFormatError` for an index that is no text."""
    return _descriptions(index, index.stat().st_mtime_ns).get(take.name)


@cache
def _slow_takes() -> frozenset[str]:
    return frozenset(source_manifest("cmu_asfamc")["rates"]["sixty"].split())


@lru_cache(maxsize=4)
def _descriptions(path: Path, _changed_ns: int) -> dict[str, str]:
    """Take to description; takes that CMU does not describe (`Unknown`) are left out."""
    rows = _INDEX_ROW.findall(read_text(path))
    return {take: text for take, text in rows if text.lower() != "unknown"}
