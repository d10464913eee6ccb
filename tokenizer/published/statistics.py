"""Mean and deviation that a published tokenizer was trained with: two arrays, in files of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from motionunion.errors import MissingInput, SourceFormatError
from motionunion.formats.npy import read_npy
from tokenizer.checkpoint import Rows

_NAMES = (("mean.npy", "std.npy"), ("Mean.npy", "Std.npy"))
LARGEST = 1 << 20
"""Bytes of such a file, at most: a row of any representation is a few kilobytes."""


def find_statistics(checkpoint: Path, folder: Path | None) -> tuple[Rows, Rows]:
    """Mean (D,) and deviation (D,), float32: from the folder that is given, else beside the checkpoint, else in the `meta` folder
    that MoMask keeps next to the checkpoint's own.

    Raises:
        MissingInput: If they are nowhere, or are no two rows of equally many finite numbers, deviations positive.
    """
    places = [folder] if folder is not None else [checkpoint.parent, checkpoint.parent.parent / "meta"]
    for mean_path, std_path in _pairs(places):
        if mean_path.is_file() and std_path.is_file():
            return _checked(mean_path, std_path)
    raise MissingInput(
        f"no mean.npy and std.npy in {' or '.join(map(str, places))}: a tokenizer works in the normalised space of its own "
        "statistics; put the two files there that it was published with, or name their folder with --statistics"
    )


def _pairs(places: list[Path]) -> Iterator[tuple[Path, Path]]:
    for place in places:
        for mean, std in _NAMES:
            yield place / mean, place / std


def _checked(mean_path: Path, std_path: Path) -> tuple[Rows, Rows]:
    mean, std = _row(mean_path), _row(std_path)
    if len(mean) != len(std):
        raise MissingInput(
            f"{mean_path} has {len(mean)} numbers and {std_path} {len(std)}: they do not belong together"
        )
    if not (std > 0).all():
        raise MissingInput(f"{std_path}: a deviation must be positive, and number {int((std <= 0).argmax())} is not")
    return mean, std


def _row(path: Path) -> Rows:
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path.stat().st_size:,} bytes are more than any row")
        array = read_npy(path)
        if array.ndim != 1 or not len(array) or array.dtype.kind != "f":
            raise ValueError("not one row of floating-point numbers")
        with np.errstate(over="ignore"):
            row = array.astype(np.float32)
        if not np.isfinite(row).all():
            raise ValueError("it holds numbers that are not finite, or too large")
    except (OSError, ValueError, SourceFormatError) as error:
        raise MissingInput(f"{path} cannot be used as statistics ({error})") from error
    return row
