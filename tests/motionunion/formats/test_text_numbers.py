"""Every word is read as Python's `float` reads it, bit for bit, wherever it stands in a block."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.formats.text_numbers import NotANumberError, Words

BLANKS = st.text("\t\n\r \x00\x1c", min_size=1, max_size=3)
DIGITS = st.text("0123456789", max_size=25)


def spelled(value: float, style: int) -> str:
    return (repr(value), f"{value:.6f}", f"{value:g}", f"{value:.17e}", f"{value:.3E}", f"{value:.20f}")[style]


NUMBERS = st.one_of(
    st.builds(spelled, st.floats(allow_nan=False), st.integers(0, 5)),
    st.builds(spelled, st.floats(-400, 400), st.integers(0, 5)),
    st.builds(lambda sign, whole, decimals: f"{sign}{whole}.{decimals}1", st.sampled_from(["", "-"]), DIGITS, DIGITS),
    st.sampled_from(["0", "-0", "-0.0", ".5", "5.", "+1", "-.5e-3", "1e5", "1E-07", "-4.5e-014", "1e400", "1e-400", "inf"]),
    # Half-way between two doubles, and next to it.
    st.sampled_from(["9007199254740993", "9007199254740992.5", "2.2250738585072011e-308", "5e-324", "8.5e22", "1e23"]),
)  # fmt: skip


def bits(values: object) -> list[int]:
    return [struct.unpack("<q", struct.pack("<d", value))[0] for value in np.asarray(values).tolist()]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(NUMBERS, BLANKS), max_size=40), BLANKS)
def test_words_are_read_as_python_reads_them(words: list[tuple[str, str]], before: str) -> None:
    text = before + "".join(word + blank for word, blank in words)
    found = Words(text.encode())
    assert [found.text(k) for k in range(len(found))] == [word.encode() for word, _ in words]
    assert bits(found.numbers()) == bits([float(word) for word, _ in words])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(NUMBERS, max_size=4), max_size=12), st.booleans())
def test_words_are_counted_line_by_line(lines: list[list[str]], closed: bool) -> None:
    text = "\n".join(" ".join(line) for line in lines) + ("\n" if closed else "")
    counts = Words(text.encode()).per_line().tolist()
    expected = [len(line.split()) for line in text.split("\n")]
    if expected[-1] == 0:
        expected.pop()  # nothing stands behind the last line end
    assert counts == expected


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_some_words_can_be_read_among_others(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.one_of(NUMBERS, st.sampled_from(["lfemur", "root", "x"])), min_size=1, max_size=30))
    chosen = [k for k, word in enumerate(words) if word not in ("lfemur", "root", "x")]
    found = Words(" ".join(words).encode())
    assert bits(found.numbers(np.array(chosen, dtype=np.int64))) == bits([float(words[k]) for k in chosen])


@pytest.mark.parametrize(
    "word", ["1_0", "-", ".", "--1", "1e", "1e5.", "1,5", "0x10", "1d5", "infinit", "1.2.3", "é", "\u0661"]
)
def test_what_python_would_not_write_as_a_number_is_none(word: str) -> None:
    with pytest.raises(NotANumberError) as caught:
        Words(f"1 2.5 {word} 3 oops".encode()).numbers()
    assert (caught.value.word, caught.value.text) == (2, word.encode())


def test_nan_is_read_and_left_to_the_caller() -> None:
    assert [math.isnan(value) for value in Words(b"1 nan -NaN").numbers()] == [False, True, True]


@pytest.mark.parametrize("text", [b"", b" ", b"\n\n\t"])
def test_text_without_words_has_no_numbers(text: bytes) -> None:
    words = Words(text)
    assert len(words) == 0
    assert words.numbers().shape == (0,)
    assert words.per_line().sum() == 0


def test_names_are_compared_whole() -> None:
    words = Words(b"root 1 lfoot 2\nroo 3 lfoots 4\nroot 5 lfoot 6")
    rows = np.array([[0, 2], [4, 6], [8, 10]])
    assert words.equal(rows, (b"root", b"lfoot")).tolist() == [[True, True], [False, False], [True, True]]
    assert words.equal(np.array([[0, 10]]), (b"root", b"lfoot but longer than the text")).tolist() == [[True, False]]


def test_offsets_lead_back_into_the_block() -> None:
    block = b"\t a\n bcd e"
    words = Words(block)
    assert [block[words.offset(k) :].split()[0] for k in range(3)] == [b"a", b"bcd", b"e"]
