"""Text whose every number has the same few decimals, as most motion is written (`%.6f`), turned into float64 by whole arrays.

Such a number is an integer m over a power of ten: `-12.345600` is -12345600 / 10^6. Where m < 2^53 and 10^k <= 10^22 both are
exact in float64, and the one division that is left is correctly rounded, as IEEE 754 asks; the correctly rounded quotient is
what Python's `float` makes of the text (W. D. Clinger, How to read floating point numbers accurately, PLDI 1990, the fast
path). Here m has at most 4 + 11 digits, and every part of it that is added up is a whole number below 10^15 < 2^53, so nothing
is rounded before the division. -0.0 keeps its sign, for the sign is set as a bit.

The digits are not gathered one by one: every byte of the text gets the number of up to four digits that ends at it (0 where it
is no digit; its own run of digits alone), by multiplying the bytes with their neighbours, some ten passes at the speed of the
cache. A word then takes one of these for every four decimals, and one for what stands before the dot.

Shapes: B bytes, N words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.formats.workspace import Workspace

PAD = 16
"""Blanks that have to stand before the text, so that a word can be looked at backwards from its end."""

_MOST_DECIMALS = 11
_MOST_WHOLE_DIGITS = 4
_MINUS, _DOT = 45, 46
_ZERO, _TEN, _HUNDRED = np.uint8(48), np.uint8(10), np.uint16(100)
_SIGN_BIT = np.uint64(63)


def read_fixed_decimals(
    codes_B: npt.NDArray[np.uint8],
    ends_N: npt.NDArray[np.int64],
    lengths_N: npt.NDArray[np.int64],
    firsts_N: npt.NDArray[np.uint8],
    values_N: npt.NDArray[np.float64],
    room: Workspace,
) -> bool:
    """Read all words of a text into `values_N`; bit for bit what `float` makes of them.

    Args:
        codes_B: `PAD` blanks, then the text, then anything that is no digit.
        ends_N: Where the words end, counted from the text's beginning.
        lengths_N: How long they are.
        firsts_N: Their first bytes.
        values_N: Where the numbers go.
        room: For what is needed on the way.

    False, with nothing read, unless every word is an optional minus, up to four digits, a dot, and as many digits as the first
    word has (1 to 11).
    """
    size, count = len(codes_B), len(ends_N)
    first = codes_B[PAD + ends_N[0] - lengths_N[0] : PAD + ends_N[0]].tobytes()
    decimals = len(first) - 1 - first.find(b".")
    if not 0 < decimals <= _MOST_DECIMALS or len(first) == decimals:
        return False
    # What stands j bytes before the words' ends is codes_B[PAD - j :].take(ends_N).
    found_N = room.array("found", count, np.uint8)
    codes_B[PAD - decimals - 1 :].take(ends_N, out=found_N, mode="clip")
    flag_N = room.array("flag", count, np.bool_)
    if not np.equal(found_N, _DOT, out=flag_N).all():
        return False
    minus_N = np.equal(firsts_N, _MINUS, out=flag_N)
    shortest, longest = decimals + 1, decimals + 1 + _MOST_WHOLE_DIGITS
    if lengths_N.min() <= shortest or lengths_N.max() > longest:
        unsigned_N = lengths_N - minus_N
        if unsigned_N.min() < shortest or unsigned_N.max() > longest:
            return False
    digits_B = np.subtract(codes_B, _ZERO, out=room.array("digits", size, np.uint8))
    is_digit_B = np.less_equal(digits_B, 9, out=room.array("is_digit", size, np.bool_))
    # Each word has its dot, and perhaps a minus: all else in it is digits if there are as many of them as that makes.
    if np.count_nonzero(is_digit_B) != int(lengths_N.sum()) - count - np.count_nonzero(minus_N):
        return False
    tails_B = _tails(digits_B, is_digit_B, room)
    tail_N, part_N = room.array("tail", count, np.uint16), room.array("part", count, np.float64)
    tails_B[PAD - decimals - 2 :].take(ends_N, out=tail_N, mode="clip")
    np.copyto(values_N, tail_N)
    values_N *= float(10**decimals)
    for place in range(0, decimals, 4):
        tails_B[PAD - 1 - place :].take(ends_N, out=tail_N, mode="clip")
        np.copyto(part_N, tail_N)
        if place:
            part_N *= float(10**place)
        values_N += part_N
    values_N /= float(10**decimals)
    signs_N = room.array("signs", count, np.uint64)
    np.copyto(signs_N, minus_N)
    signs_N <<= _SIGN_BIT
    bits_N = values_N.view(np.uint64)
    bits_N |= signs_N
    return True


def _tails(
    digits_B: npt.NDArray[np.uint8], is_digit_B: npt.NDArray[np.bool_], room: Workspace
) -> npt.NDArray[np.uint16]:
    """The number that the last one to four digits of each byte's run of digits make; 0 for what is no digit.

    `digits_B` is overwritten.
    """
    size = len(digits_B)
    digit_B = is_digit_B.view(np.uint8)
    digits_B *= digit_B
    before = room.array("before", size, np.uint8)
    tens = np.multiply(digits_B[:-1], digit_B[1:], out=before[1:])
    tens *= _TEN
    digits_B[1:] += tens  # now of up to two digits
    two = np.bitwise_and(digit_B[2:], digit_B[1:-1], out=before[2:])
    hundreds = np.multiply(digits_B[:-2], two, out=two)
    wide = room.array("wide", size - 2, np.uint16)
    np.copyto(wide, hundreds)
    wide *= _HUNDRED
    tails_B = room.array("tails", size, np.uint16)
    np.copyto(tails_B, digits_B)
    tails_B[2:] += wide
    return tails_B
