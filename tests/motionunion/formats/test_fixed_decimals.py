"""Numbers with the same few decimals are read by whole arrays, bit for bit as Python's `float` reads them; all others are left alone."""

from __future__ import annotations

import struct
import threading

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.formats.fixed_decimals import PAD, read_fixed_decimals
from motionunion.formats.text_numbers import NotANumberError, Words
from motionunion.formats.workspace import Workspace

BLANKS = st.sampled_from([" ", " ", " ", "\n", "\t", "  ", "\r\n", " \r\n", " \n", "\n\n", " \t \t \t \n"])
DIGITS = "0123456789"


def bits(values: object) -> list[int]:
    return [struct.unpack("<q", struct.pack("<d", value))[0] for value in np.asarray(values).tolist()]


def read_fixed(words: list[str]) -> list[float] | None:
    """Read by whole arrays alone, from a text with single blanks."""
    text = " ".join(words).encode()
    codes = np.frombuffer(b" " * PAD + text + b"    ", dtype=np.uint8)
    lengths = np.array([len(word) for word in words])
    ends = np.cumsum(lengths + 1) - 1
    values = np.full(len(words), np.nan)
    firsts = np.array([ord(word[0]) for word in words], dtype=np.uint8)
    done = read_fixed_decimals(codes, ends, lengths, firsts, values, Workspace())
    if not done:
        assert np.isnan(values).all()
    return values.tolist() if done else None


def fixed_words(decimals: int, most: int = 30) -> st.SearchStrategy[list[str]]:
    word = st.builds(
        lambda sign, whole, tail: f"{sign}{whole}.{tail}",
        st.sampled_from(["", "-"]),
        st.text(DIGITS, max_size=4),
        st.text(DIGITS, min_size=decimals, max_size=decimals),
    )
    return st.lists(word, min_size=1, max_size=most)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 11).flatmap(fixed_words))
def test_words_with_the_same_decimals_are_all_read_as_python_reads_them(words: list[str]) -> None:
    found = read_fixed(words)
    assert found is not None
    assert bits(found) == bits([float(word) for word in words])


@pytest.mark.parametrize("decimals", range(1, 12))
def test_the_corners_of_every_number_of_decimals_are_exact(decimals: int) -> None:
    wholes = ["", "0", "00", "0000", "1", "9", "12", "345", "360", "6789", "9999", "0012"]
    tails = ["0" * decimals, "9" * decimals, "1".zfill(decimals), "5".ljust(decimals, "0"), "12345678901"[:decimals]]
    words = [f"{sign}{whole}.{tail}" for sign in ("", "-") for whole in wholes for tail in tails]
    found = read_fixed(words)
    assert found is not None
    assert bits(found) == bits([float(word) for word in words])


def test_every_value_that_four_decimals_can_spell_below_ten_is_exact() -> None:
    words = [f"{sign}{k // 10000}.{k % 10000:04d}" for sign in ("", "-") for k in range(0, 100000, 7)]
    found = read_fixed(words)
    assert found is not None
    assert bits(found) == bits([float(word) for word in words])


ODD = [
    "1", "0", "-", ".", "-.", "1.", "5", "12", "1.25e1", "1.5e-05", "1e5", "+1.250", "--1.250", "1-2.250", "-1-.250", "1.2.250", "1..250",
    ".1.250", "12345.250", "-12345.250", "1.2500", "1.25", "1.25-", "a.250", "1.2a0", "1,250", "inf", "nan", "1_0.250", "0x1.250", "\u0661.250",
    "1.250\u0661", "123456789012345678.250", "1.234567890123456789", "1." + "0" * 300, "1/2.250", "1:2.250", "1.23.", "1.2/0",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [0, 1, 5, 9])
def test_one_word_of_another_kind_is_seen_wherever_it_stands(odd: str, place: int) -> None:
    words = ["0.125", "-10.500", "359.999", "-0.000", "1.250", "-4.375", "20.001", "1234.567", "7.000"]
    words.insert(place, odd)
    text = " ".join(words).encode()
    try:
        expected = [float(word.replace("_", "?")) if word.isascii() else float("?") for word in words]
    except ValueError:
        with pytest.raises(NotANumberError) as caught:
            Words(text).numbers()
        assert (caught.value.word, caught.value.text) == (place, odd.encode())
        return
    assert bits(Words(text).numbers()) == bits(expected)
    assert read_fixed(words) is None


def test_a_dot_too_many_does_not_make_up_for_one_too_few() -> None:
    # The second word has two dots where the third has none; dots, digits and lengths agree in sum.
    assert read_fixed(["1.234", "1.23.", "12"]) is None
    assert read_fixed(["1.234", ".123.", "123"]) is None
    with pytest.raises(NotANumberError):
        Words(b"1.234 1.23. 12").numbers()


def test_a_minus_too_many_does_not_make_up_for_one_too_few() -> None:
    assert read_fixed(["-1.25", "2-.25", "3.25"]) is None
    assert read_fixed(["1.25", "--.25", "33.25"]) is None
    assert read_fixed(["1.25", "-5-.25"]) is None


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_blocks_are_read_in_one_workspace_one_after_another(data: st.DataObject) -> None:
    room = Workspace()
    for decimals in data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4)):
        words = data.draw(fixed_words(decimals))
        odd = data.draw(
            st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["1e-5", "3", "+1.5", "0.1"])), max_size=2)
        )
        for place, word in odd:
            words.insert(place, word)
        text = data.draw(st.sampled_from(["", "\n", "  "])) + "".join(word + data.draw(BLANKS) for word in words)
        found = Words(text.encode(), room)
        assert [found.text(k) for k in range(len(found))] == [word.encode() for word in words]
        assert all(text[found.offset(k) :].startswith(word) for k, word in enumerate(words))
        out = np.empty(len(words))
        assert found.numbers(out=out) is out
        assert bits(out) == bits([float(word) for word in words])


@given(st.lists(st.sampled_from([" ", "\n", "\t", "\r\n", " " * 9, "\n" * 40]), min_size=2, max_size=20))
@settings(max_examples=100, deadline=None)
def test_words_are_found_behind_any_run_of_blanks(blanks: list[str]) -> None:
    text = "".join(f"{blank}{k}.25" for k, blank in enumerate(blanks))
    found = Words(text.encode())
    assert [found.text(k).decode() for k in range(len(found))] == text.split()
    assert bits(found.numbers()) == bits([float(word) for word in text.split()])


def test_each_thread_has_a_workspace_of_its_own() -> None:
    room = Workspace()
    mine = room.array("a", 10, np.float64)
    theirs: list[npt.NDArray[np.float64]] = []
    thread = threading.Thread(target=lambda: theirs.append(room.array("a", 10, np.float64)))
    thread.start()
    thread.join()
    assert np.shares_memory(mine, room.array("a", 5, np.float64))
    assert not np.shares_memory(mine, theirs[0])


def test_large_arrays_are_not_kept() -> None:
    room = Workspace()
    assert not np.shares_memory(room.array("a", 1 << 20, np.float64), room.array("a", 1 << 20, np.float64))
