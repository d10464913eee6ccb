"""How clips of any length become batches: long clips in pieces that overlap, pieces of like length side by side.

All of it follows from the list of lengths, so that the composition of a batch depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tokenizer.receptive_field import Field

BATCH_ROWS = 8192
"""Feature rows in one batch of encoding or decoding, padding included, at most; but a batch has one clip at least."""
PIECE_ROWS = 4096
"""A longer clip is encoded in pieces of about so many rows; the overlap is on top."""
WASTE = 1.25
"""The longest piece of a batch over its shortest, at most: what is between them is padding, which costs as rows do."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some codes of one clip, and the rows that decide them."""

    clip: int
    """Position in the list of clips."""
    start: int
    """First row that is read; a multiple of the rows of a code."""
    rows: int
    """Rows that are read."""
    skip: int
    """Codes of these rows that a neighbour has seen whole, and that are left out here."""
    first_code: int
    """Where in the clip the codes that are kept begin."""
    codes: int
    """How many codes are kept."""


def pieces_of(lengths: Sequence[int], rows_per_code: int, field: Field | None) -> list[Piece]:
    """Pieces of clips with `lengths` rows; every code of every clip is kept in exactly one.

    A piece has, besides its own rows, all rows that its codes see, so that an end of a piece within the clip never shows. Without
    a field (each code sees the whole clip) every clip is one piece.
    """
    pieces = []
    for clip, length in enumerate(lengths):
        total = length // rows_per_code
        if field is None or length <= PIECE_ROWS:
            pieces.append(Piece(clip, 0, length, 0, 0, total))
            continue
        count = -(-length // PIECE_ROWS)
        bounds = [total * index // count for index in range(count + 1)]
        for first, stop in pairwise(bounds):
            # Strides keep their phase only where a piece begins with a code.
            start_code = max(0, first - -(-field.before // rows_per_code))
            start = start_code * rows_per_code
            end = min(length, (stop - 1) * rows_per_code + field.after)
            if end < length:  # the last code that is read is read whole, as it is in the clip
                end = min(length, -(-end // rows_per_code) * rows_per_code)
            pieces.append(Piece(clip, start, end - start, first - start_code, first, stop - first))
    return pieces


def batches_of(lengths: Sequence[int], *, padded: bool, rows_each: int = 1) -> Iterator[list[int]]:
    """Positions of sequences, parted into batches of like length and at most `BATCH_ROWS` rows, shortest first.

    Args:
        lengths: Of each sequence.
        padded: Whether lengths in a batch may differ.
        rows_each: Rows that one unit of length stands for.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: (lengths[index], index)):
        length = lengths[index]
        if batch:
            shortest = lengths[batch[0]]
            alike = length <= WASTE * shortest if padded else length == shortest
            if not alike or (len(batch) + 1) * length * rows_each > BATCH_ROWS:
                yield batch
                batch = []
        batch.append(index)
    if batch:
        yield batch
