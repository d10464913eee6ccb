"""Every code of every clip is in one piece, with all rows that it sees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer import encoding_batches
from tokenizer.encoding_batches import BATCH_ROWS, WASTE, batches_of, pieces_of
from tokenizer.receptive_field import Field

LENGTHS = st.lists(st.integers(4, 900), min_size=1, max_size=40)


@given(LENGTHS, st.integers(0, 60), st.integers(0, 60), st.sampled_from([1, 2, 4, 8]))
def test_pieces_keep_every_code_once_with_all_rows_that_it_sees(
    lengths: list[int], before: int, beyond: int, rows_per_code: int
) -> None:
    field = Field(before, rows_per_code + beyond)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding_batches, "PIECE_ROWS", 100)
        pieces = pieces_of(lengths, rows_per_code, field)
    kept: list[list[int]] = [[] for _ in lengths]
    for piece in pieces:
        length = lengths[piece.clip]
        kept[piece.clip].extend(range(piece.first_code, piece.first_code + piece.codes))
        assert piece.start % rows_per_code == 0
        assert piece.start // rows_per_code + piece.skip == piece.first_code
        assert piece.skip + piece.codes <= piece.rows // rows_per_code
        for code in (piece.first_code, piece.first_code + piece.codes - 1):
            first = code * rows_per_code
            assert piece.start <= max(0, first - field.before)
            assert piece.start + piece.rows >= min(length, first + field.after)
            assert piece.start + piece.rows <= length
    assert kept == [list(range(length // rows_per_code)) for length in lengths]


def test_without_a_field_a_clip_is_one_piece() -> None:
    assert [piece.rows for piece in pieces_of([16, 20_000], 4, None)] == [16, 20_000]


@given(LENGTHS, st.booleans())
def test_batches_hold_everything_once_and_are_alike_and_bounded(lengths: list[int], padded: bool) -> None:
    batches = list(batches_of(lengths, padded=padded))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        found = [lengths[index] for index in batch]
        assert found == sorted(found)
        assert found[-1] <= (WASTE if padded else 1) * found[0]
        assert len(batch) == 1 or len(batch) * found[-1] <= BATCH_ROWS


def test_a_sequence_longer_than_a_batch_is_a_batch_by_itself() -> None:
    assert list(batches_of([10, BATCH_ROWS + 1, 10], padded=True)) == [[0, 2], [1]]
    assert list(batches_of([10, 10], padded=False, rows_each=BATCH_ROWS)) == [[0], [1]]
