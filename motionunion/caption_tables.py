"""Captions that people bring: tables (CSV, JSONL) whose rows name a clip of the store and say something about it.

Columns: `clip` and `text`, and where one likes `start`, `end` (seconds in the clip's source file, both or neither),
`tokens` (HumanML3D's `word/POS word/POS ...`), `layer`, `generator` (`human` if not given). A clip is named by its id, its
uid, its key, or the path or name of its file, with or without suffix; the ending of a path is enough where it fits one
file only.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from motionunion.captions import decode_utf8
from motionunion.clip import Caption
from motionunion.errors import MissingInput, SourceFormatError, UsageError
from motionunion.sources.amass_names import normalise_part
from motionunion.sources.base import is_text
from motionunion.store.store import Store, open_store

COLUMNS: tuple[str, ...] = ("clip", "text", "start", "end", "tokens", "layer", "generator")
DEFAULT_LAYER = "imported"

_SUFFIXES = (".npz", ".npy", ".bvh", ".txt")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did."""

    file: Path
    layer: str
    captions: int
    """Captions that the store now has from this file."""
    files: int
    """Motion files that they speak of."""
    unmatched: tuple[str, ...]
    """Names that no clip of the store bears, in the order of the file; their captions were left out."""
    ambiguous: tuple[str, ...]
    """Names that fit several files; their captions were left out."""
    commit: int


def read_caption_file(path: Path, layer: str = DEFAULT_LAYER) -> list[Caption]:
    """Read a table of captions; `uid` of each is the clip's name as the file has it.

    Raises:
        UsageError: the suffix is neither `.csv` nor `.jsonl`.
        MissingInput: there is no such file.
        SourceFormatError: not UTF-8, an unknown or missing column, or a bad row; it names the line.
    """
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path}: captions are read from .csv and .jsonl files")
    if not path.is_file():
        raise MissingInput(f"{path}: there is no such file")
    text = decode_utf8(path.read_bytes(), path)
    rows = readers[path.suffix.lower()](text, path)
    return [_caption(row, layer, path, line) for line, row in rows]


def import_captions(store: str | Path, path: Path, layer: str = DEFAULT_LAYER) -> ImportResult:
    """Add the captions of a table to a store.

    A file of the same name in the same layer replaces what it said before. Captions whose clip is not in the store, or
    whose name fits several files, are left out and listed.

    Raises:
        UsageError: the name of the file or of the layer is not UTF-8 text.
        MissingInput: no store, no such file, or none of its names is in the store.
        SourceFormatError: see `read_caption_file`; nothing is imported then.
    """
    if not is_text(f"{layer}/{path.name}"):
        raise UsageError(
            f"{path}, layer {layer}: a name is not UTF-8 text, and the store keeps both; choose another one"
        )
    read = read_caption_file(path, layer)
    if not read:
        raise MissingInput(f"{path}: holds no caption")
    with open_store(store) as opened:
        names = ClipNames(opened)
        found = {name: names.find(name) for name in dict.fromkeys(caption.uid for caption in read)}
        captions = [replace(c, uid=next(iter(found[c.uid]))) for c in read if len(found[c.uid]) == 1]
        unmatched = tuple(name for name, uids in found.items() if not uids)
        ambiguous = tuple(name for name, uids in found.items() if len(uids) > 1)
        if not captions:
            raise MissingInput(
                f"{path}: none of its {len(found)} names ({next(iter(found))!r}, ...) is a clip of {opened.url}; ingest "
                'the motion first, or see `motionunion query "select uid from clips"` for the names there are'
            )
        commit = opened.append(
            {"captions": captions}, source=f"captions/{layer}", key=path.name, note=f"captions import {path.name}"
        )
    return ImportResult(path, layer, len(captions), len({c.uid for c in captions}), unmatched, ambiguous, commit)


class ClipNames:
    """Finds the source file that a person means, by any of its names."""

    def __init__(self, store: Store) -> None:
        self._exact: dict[str, set[str]] = {}
        self._endings: dict[str, set[str]] = {}
        for clip_id, uid, source, key, file in store.rows("SELECT clip_id, uid, source, key, file FROM clips"):
            for name in (clip_id, uid, key, f"{source}/{key}", file):
                if name:
                    self._exact.setdefault(name, set()).add(uid)
            for path in filter(None, (uid, key, file)):
                for ending in _endings(path):
                    self._endings.setdefault(ending, set()).add(uid)

    def find(self, name: str) -> set[str]:
        """Uids of the files that fit a name best: exactly, else by the longest ending of its path. Empty for none."""
        if name in self._exact:
            return self._exact[name]
        return next((self._endings[end] for end in _endings(name) if end in self._endings), set())


def _endings(path: str) -> Iterator[str]:
    """A path in the spelling of uids, then without its first folder, and so on to the bare name."""
    whole = PurePosixPath(path.replace("\\", "/"))
    whole = whole.with_suffix("") if whole.suffix.lower() in _SUFFIXES else whole
    parts = [normalise_part(part) for part in whole.parts if part not in ("/", ".", "..")]
    if parts:
        parts[-1] = parts[-1].removesuffix("_poses").removesuffix("_stageii")
    for start in range(len(parts)):
        yield "/".join(parts[start:])


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        _check_columns(header, path, 1)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                problem = f"has {len(cells)} cells, the header has {len(header)}; put texts with commas in quotes"
                raise SourceFormatError(path, problem, line=reader.line_num, reason="bad_caption")
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise SourceFormatError(path, f"is no CSV: {error}", line=reader.line_num, reason="bad_caption") from error


def _jsonl_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # the plain ValueError: a number of thousands of digits
            raise SourceFormatError(path, f"is no JSON: {error}", line=number, reason="bad_caption") from error
        if not isinstance(row, dict):
            raise SourceFormatError(path, "is not a JSON object", line=number, reason="bad_caption")
        _check_columns(row, path, number)
        yield number, row


def _check_columns(names: Iterable[str], path: Path, line: int) -> None:
    names = list(names)
    missing = [name for name in COLUMNS[:2] if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if missing or unknown or len(set(names)) < len(names):
        problem = f"has no {' and no '.join(missing)}" if missing else f"has {', '.join(map(repr, unknown or names))}"
        raise SourceFormatError(
            path, f"{problem}; columns are {', '.join(COLUMNS)}, of which clip and text are needed", line=line,
            reason="bad_caption",
        )  # fmt: skip


def _caption(row: Mapping[str, Any], layer: str, path: Path, line: int) -> Caption:
    clip, text = (_text(row, name, path, line) for name in ("clip", "text"))
    if not clip or not text:
        empty = "clip" if not clip else "text"
        raise SourceFormatError(path, f"the column {empty} is empty", line=line, reason="bad_caption")
    start, end = (_seconds(row, name, path, line) for name in ("start", "end"))
    if (start is None) != (end is None):
        raise SourceFormatError(path, "has one of start and end; give both, or neither for the whole clip", line=line,
                                reason="bad_caption")  # fmt: skip
    if start is not None and end is not None and not start < end:
        raise SourceFormatError(path, f"starts at {start} and ends at {end} s", line=line, reason="bad_caption")
    return Caption(
        uid=clip,
        text=text,
        tokens=_text(row, "tokens", path, line) or None,
        start_s=start,
        end_s=end,
        layer=_text(row, "layer", path, line) or layer,
        generator=_text(row, "generator", path, line) or "human",
    )


def _text(row: Mapping[str, Any], name: str, path: Path, line: int) -> str:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise SourceFormatError(path, f"the column {name} is {value!r}, not text", line=line, reason="bad_caption")
    if value is not None and not is_text(value):  # half a character: JSON can say that, UTF-8 cannot
        raise SourceFormatError(
            path, f"the column {name} holds half a character ({value!r})", line=line, reason="not_utf8"
        )
    return " ".join((value or "").split())


def _seconds(row: Mapping[str, Any], name: str, path: Path, line: int) -> float | None:
    value = row.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):  # the last: JSON can write integers that no float holds
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise SourceFormatError(path, f"the column {name} is {value!r}, not a time in seconds", line=line,
                                reason="bad_caption")  # fmt: skip
    return seconds
