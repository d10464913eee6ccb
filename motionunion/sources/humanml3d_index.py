"""HumanML3D's `index.csv`: which stretch of which AMASS or HumanAct12 file each id is.

Columns `source_path,start_frame,end_frame,new_name`. Frames are half-open, counted at 20 fps after the lead-in of five
subsets was dropped (motionunion.sources.amass_names.LEAD_IN_S). `end_frame` is -1 for HumanAct12 alone, whose files are
used whole; how long they are is in their names.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from motionunion.captions import decode_utf8
from motionunion.errors import SourceFormatError
from motionunion.sources.amass_names import LEAD_IN_S, uid_of
from motionunion.sources.humanact12_names import humanact12_frames, humanact12_uid

HEADER = ("source_path", "start_frame", "end_frame", "new_name")
INDEX_FPS = 20
_FOLDERS = ("pose_data", "amass_data")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One id of the index."""

    name: str
    """The id, `004822`."""
    uid: str
    """The AMASS or HumanAct12 file."""
    start_frame: int
    end_frame: int
    """Half-open, at 20 fps, after the lead-in."""

    @property
    def lead_in_frames(self) -> int:
        """Frames at 20 fps that were dropped before the index was counted."""
        return int(LEAD_IN_S.get(self.uid.split("/")[1], 0) * INDEX_FPS)

    @property
    def interval_s(self) -> tuple[float, float]:
        """Start and end in seconds of the file, each a whole number of twentieths.

        They assume that the file's rate divides by 20. For the few files where it does not, HumanML3D's own stride
        `int(fps / 20)` gives another effective rate r; only who knows the file's rate can then place the stretch, at
        `interval * 20 / r`.
        """
        lead_in = self.lead_in_frames
        return (self.start_frame + lead_in) / INDEX_FPS, (self.end_frame + lead_in) / INDEX_FPS


@dataclass(frozen=True, slots=True)
class Index:
    """A parsed index: rows by id, and what could not be read, by line."""

    rows: dict[str, IndexRow] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)
    """Line number to problem; 0 for the file as a whole."""


def is_index(head: bytes) -> bool:
    """Whether a file begins as an index does."""
    first = head.removeprefix(b"\xef\xbb\xbf").splitlines()[:1]
    return bool(first) and tuple(first[0].decode("latin1").strip().split(",")) == HEADER


def read_index(path: Path) -> Index:
    """Read an index; kept in memory until the file changes. Problems are in `Index.bad`, never raised."""
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, _changed_ns: int) -> Index:
    index = Index()
    try:
        text = decode_utf8(path.read_bytes(), path)
    except SourceFormatError as error:
        index.bad[0] = error.problem
        return index
    reader = csv.reader(io.StringIO(text))
    try:
        next(reader, None)
        for cells in reader:
            row = _row(cells)
            if isinstance(row, IndexRow) and row.name in index.rows:
                row = f"names {row.name} a second time"
            if isinstance(row, str):
                index.bad[reader.line_num] = row
            elif row is not None:
                index.rows[row.name] = row
    except csv.Error as error:
        index.bad[reader.line_num] = (
            f"this line and what follows cannot be read as CSV ({error}); look for a quote that is not closed"
        )
    return index


def _row(cells: list[str]) -> IndexRow | str | None:
    if not cells:
        return None
    if len(cells) != len(HEADER):
        return f"has {len(cells)} cells, not {len(HEADER)} ({','.join(HEADER)})"
    source, first, last, new_name = (cell.strip() for cell in cells)
    try:
        start, end = int(first), int(last)
    except ValueError:
        return f"has frames {first!r} and {last!r}, which are no whole numbers"
    parts = [part for part in source.replace("\\", "/").split("/") if part not in ("", ".")]
    if parts and parts[0] in _FOLDERS:
        parts = parts[1:]
    name = new_name.removesuffix(".npy")
    if len(parts) < 2 or ".." in parts:
        return f"names no AMASS file ({source!r})"
    # The id becomes part of a path (texts/<id>.txt), so nothing else may stand there.
    if not re.fullmatch(r"M?\d{6}", name):
        return f"names no id of six digits ({new_name!r})"
    if parts[0].lower() == "humanact12":
        frames = humanact12_frames(parts[-1])
        if frames is None or (start, end) != (0, -1):
            return f"names no whole file of HumanAct12 ({source!r}, frames {start}:{end})"
        return IndexRow(name, humanact12_uid(parts[-1]), 0, frames)
    if start < 0 or end <= start:
        return f"has the empty stretch {start}:{end}"
    return IndexRow(name, uid_of("/".join(parts)), start, end)
