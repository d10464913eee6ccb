"""Small copies of whole data sets, as the tests write them, and what reading every bit of one gives."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from motionunion.captions import sidecar_captions
from motionunion.clip import Annotation, Caption, ClipRef, Segment
from motionunion.errors import MotionUnionError
from motionunion.normalise import normalise
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import look_around
from motionunion.store.schema import annotation_rows, clip_to_row, rows_digest

_WRITERS = Path(__file__).parents[2] / "tests" / "motionunion" / "sources" / "conftest.py"


@dataclass(frozen=True, slots=True)
class Told:
    """What one reading gave."""

    content: str
    """A digest of all that a store would keep; the reason where it was refused."""
    read: bool
    own: frozenset[str]
    """The files of this motion, relative to the tree."""
    files: frozenset[str]
    """These, and all others that it says it was made from: lists, texts, tables."""
    size: int
    """Bytes of motion."""


def write_tree(source: str, root: Path) -> None:
    """Write the small copy of a data set on which the tests try its reader."""
    _writers().write_small_copy(source, root)


def _writers() -> ModuleType:
    name = "small_copies_of_sources"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _WRITERS)
        if spec is None or spec.loader is None:
            raise SystemExit(f"{_WRITERS} is not there: this needs a checkout")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def read_tree(root: Path) -> dict[tuple[str, str], Told]:
    """Read all that can be found below a folder, as ingest does, by source and key.

    An error of ours is what becomes of one reading. Any other passes through.
    """
    found: dict[tuple[str, str], Told] = {}
    for claim in look_around([root]).claims:
        for ref in SOURCES[claim.source].discover(claim):
            found[ref.source, ref.key] = _read(ref, root)
    return found


def _read(ref: ClipRef, root: Path) -> Told:
    own = frozenset(_within((ref.path, *ref.more), root))
    try:
        reading = SOURCES[ref.source].read(ref, ReadOptions())
        said = [_digest(ref, rows) for rows in (reading.captions, reading.segments)]
        faults = [f"{fault.path.name} {fault.reason}" for fault in reading.faults]
        if isinstance(reading, Annotation):
            return Told(" ".join([*said, *faults]), True, own, own, 0)
        clip = normalise(reading)
        row = clip_to_row(clip)
        beside = _digest(ref, sidecar_captions(ref, clip.seconds))
    except MotionUnionError as error:
        return Told(str(getattr(error, "reason", type(error).__name__)), False, own, own, 0)
    files = own.union(_within(reading.inputs, root))
    content = " ".join([*said, beside, *faults, row["content"], row["group"], str(row["official_split"])])
    return Told(content, True, own, files, clip.frames * 22 * 3 * 4)


def _digest(ref: ClipRef, rows: Sequence[Caption] | Sequence[Segment]) -> str:
    return str(rows_digest(annotation_rows(ref.source, ref.key, rows)))


def _within(paths: tuple[Path, ...], root: Path) -> Iterator[str]:
    for path in paths:
        if path.is_relative_to(root):
            yield path.relative_to(root).as_posix()
