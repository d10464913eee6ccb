"""Pickles of plain data, read without running anything: arrays, sparse matrices, text, numbers, containers.

AIST++ (`.pkl` motions), GRAB (`.npz` with pickled members), InterHuman (`.pkl`) and body models come so. A pickle is a
program; `motionunion.formats.pickle_machine` runs the part of its language that builds data, and refuses the rest. Older
body models hold objects of the chumpy package; they are refused with the way out.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

import numpy as np

from motionunion.errors import SourceFormatError
from motionunion.formats.npz import object_member
from motionunion.formats.pickle_machine import PickleMachine
from motionunion.formats.pickle_parts import NotPlain

MAX_BYTES = 1 << 30
"""Largest file read: SMPL-X models take about 500 MB as a pickle."""


def read_plain_pickle(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary of plain data (all protocols; Python 2 and 3, NumPy 1 and 2).

    Values are numbers, text, bytes, None, NumPy scalars and arrays (object arrays of plain values too), SciPy's csc, csr and
    coo matrices, and lists, tuples, sets and dictionaries of them. Keys become text, byte strings by Latin-1. Text of Python 2
    is read as Latin-1.

    Raises:
        SourceFormatError: `pickled` where the file wants anything but plain data, `truncated` or `corrupt` where it
            cannot be read, `too_large` beyond `MAX_BYTES`, `unreadable`, `bad_format` where it holds no dictionary.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SourceFormatError(path, f"has more than {MAX_BYTES:,} bytes", reason="too_large")
        with path.open("rb") as file:
            value = _run(file, size, path, "")
    except OSError as error:
        raise SourceFormatError(path, f"cannot be read ({error.strerror or error})", reason="unreadable") from error
    if not isinstance(value, dict):
        raise SourceFormatError(path, f"holds a {type(value).__name__}, not a dictionary of arrays")
    return {key.decode("latin1") if isinstance(key, bytes) else str(key): item for key, item in value.items()}


def read_object_array(path: Path, name: str) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Read one pickled member of an `.npz` (GRAB keeps dictionaries so): an array of objects, each plain data.

    A single dictionary comes as an array without dimensions: `read_object_array(path, "body").item()`.

    Raises:
        SourceFormatError: as `read_plain_pickle` and `motionunion.formats.npz.read_npz` do; `bad_dtype` where the member holds
            plain numbers, which `read_npz` reads.
    """
    with object_member(path, name) as (head, stream, size):
        value = _run(stream, size, path, f"array {name!r} ")
    if not isinstance(value, np.ndarray) or value.dtype != object or value.shape != head.shape:
        raise SourceFormatError(
            path, f"array {name!r} does not hold the objects that its header says", reason="header_lies"
        )
    return value


def _run(file: IO[bytes], size: int, path: Path, where: str) -> Any:
    try:
        return PickleMachine(file, size).run()
    except NotPlain as refusal:
        cure = (
            "it was saved with chumpy objects; convert it once with the script that smplx ships "
            "(tools/clean_ch.py), or use the .npz release"
            if refusal.module.startswith("chumpy")
            else "only arrays, sparse matrices, numbers, text and containers of them are read from a pickle"
        )
        raise SourceFormatError(path, f"{where}{refusal.problem}: {cure}", reason="pickled") from refusal
    except EOFError as error:
        raise SourceFormatError(path, f"{where}ends too early ({error})", reason="truncated") from error
    except (ValueError, TypeError, OverflowError, struct.error, ImportError, RecursionError) as error:
        raise SourceFormatError(
            path, f"{where}is not a readable pickle of plain data ({error})", reason="corrupt"
        ) from error
