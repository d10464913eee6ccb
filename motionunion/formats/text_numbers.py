"""Decimal numbers in text, a block at a time: what Python's `float` makes of each word, bit for bit, without calling it.

Motion files are nearly all numbers, some ten bytes each, so this is where the time of reading one goes. A word such as
`-12.345678` is an integer (its digits) divided by a power of ten. Eight digits are taken at a time from one 64-bit load and
added up within the register; then, where the integer is at most 2^53 and the power at most 10^22, both are exact doubles, and
one IEEE division gives the correctly rounded result (Clinger 1990, "How to read floating point numbers accurately").
Longer integers are divided in double-double arithmetic (Dekker 1971) with a bound on its error. What is left, a thousandth
of a thousandth of the numbers of a real file, goes to `float` itself.

Positions are counted in a copy of the block that has room for a load before its first word. W words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Registers = npt.NDArray[np.uint64]
FloatArray = npt.NDArray[np.float64]

_ROOM = 32  # bytes of blanks before and after the block, so that no load leaves the copy
_MOST_DECIMALS = 22
_POWERS = np.array([10.0**k for k in range(_MOST_DECIMALS + 1)])
_INTEGER_POWERS = np.array([10**k for k in range(17)], dtype=np.int64)
# The last n of eight bytes, as a little-endian load has them.
_LAST_BYTES = np.array([(1 << 64) - (1 << (64 - 8 * n)) for n in range(9)], dtype=np.uint64)
_ZEROS = np.uint64(0x3030303030303030)
_MINUS, _PLUS, _POINT = 45, 43, 46


class NotANumberError(ValueError):
    """A word is no number. `word` is its position among the words that were asked for."""

    def __init__(self, word: int, text: bytes) -> None:
        super().__init__(text)
        self.word, self.text = word, text


class Words:
    """The words of a block of text: what stands between bytes up to 32 (blanks, tabs, line ends)."""

    def __init__(self, block: bytes) -> None:
        size = len(block)
        # A multiple of eight bytes, for the same memory is looked at as 64-bit numbers.
        codes = np.full(_ROOM + -(-size // 8) * 8 + _ROOM, ord(" "), dtype=np.uint8)
        codes[_ROOM : _ROOM + size] = np.frombuffer(block, dtype=np.uint8)
        blank = codes <= ord(" ")
        edges = np.flatnonzero(blank[1:] != blank[:-1]) + 1
        self._codes, self._registers = codes, codes.view("<u8")
        self.starts: Integers = edges[0::2]
        self.ends: Integers = edges[1::2]

    def __len__(self) -> int:
        return len(self.starts)

    def text(self, word: int) -> bytes:
        """One word as it stands."""
        return self._codes[self.starts[word] : self.ends[word]].tobytes()

    def offset(self, word: int) -> int:
        """Where in the block a word begins."""
        return int(self.starts[word]) - _ROOM

    def per_line(self) -> Integers:
        """How many words each line has; a last line counts even where it has no end."""
        line_ends = np.flatnonzero(self._codes == ord("\n"))
        if len(self.starts) and (not len(line_ends) or self.ends[-1] > line_ends[-1]):
            line_ends = np.append(line_ends, self.ends[-1])
        counts: Integers = np.diff(np.searchsorted(self.ends, line_ends, side="right"), prepend=0)
        return counts

    def equal(self, words: Integers, text: bytes) -> npt.NDArray[np.bool_]:
        """Which of some words are a given one."""
        same: npt.NDArray[np.bool_] = self.ends[words] - self.starts[words] == len(text)
        for k, code in enumerate(text):
            same &= self._codes[self.starts[words] + min(k, _ROOM)] == code
        return same

    def numbers(self, words: Integers | None = None) -> FloatArray:
        """The words, or some of them, as `float` reads them; `nan` and `inf` included, `1_000` not.

        Raises:
            NotANumberError: For the first that is none.
        """
        starts, ends, points = self.starts, self.ends, self._points()
        if words is not None:
            starts, ends, points = starts[words], ends[words], points[words]
        first = self._codes[starts]
        minus = first == _MINUS
        begins = starts + (minus | (first == _PLUS))
        digits, decimals, fine = self._digits(begins, points, ends)
        values = digits / _POWERS.take(np.where(fine, decimals, 0))
        long = np.flatnonzero(fine & (digits > 1 << 53))
        if len(long):
            values[long], fine[long] = _quotients(digits[long], _POWERS[decimals[long]])
        odd = np.flatnonzero(~fine)
        if len(odd):
            odd = self._with_exponent(odd, begins, points, ends, values)
        values.view(np.uint64)[:] |= minus.astype(np.uint64) << np.uint64(63)
        for k in odd.tolist():
            values[k] = _by_python(k, self._codes[starts[k] : ends[k]].tobytes())
        return values

    def _points(self) -> Integers:
        """Where each word's decimal point stands; its end where it has none."""
        found = np.flatnonzero(self._codes == _POINT)
        if len(found) == len(self.starts) and (found >= self.starts).all() and (found < self.ends).all():
            return found
        points = self.ends.copy()
        points[np.searchsorted(self.starts, found, side="right") - 1] = found
        return points

    def _load(self, stops: Integers, count: Integers) -> Registers:
        """The last `count` (0 to 8) of the bytes before each position, digits as 0 to 9, the rest of the register zero."""
        first = stops - 8
        shift = ((first & 7) << 3).astype(np.uint64)
        index = first >> 3
        low, high = self._registers.take(index), self._registers.take(index + 1)
        # In two steps: a shift by all 64 bits is not defined everywhere.
        loaded: Registers = (low >> shift) | ((high << np.uint64(1)) << (np.uint64(63) - shift))
        return (loaded ^ _ZEROS) & _LAST_BYTES.take(count)

    def _digits(
        self, begins: Integers, points: Integers, ends: Integers
    ) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
        """Digits of each word as one integer below 9e18, the number of decimals, and whether the word is digits and a point."""
        wholes, decimals = points - begins, np.maximum(ends - points - 1, 0)
        before = self._load(points, np.minimum(wholes, 8))
        after = self._load(ends, np.minimum(decimals, 8))
        strange = _not_digits(before) | _not_digits(after)
        fine = (strange == 0) & (wholes <= 8) & (wholes + decimals > 0)
        whole, tail = _sum_of_digits(before), _sum_of_digits(after)
        digits = whole * _INTEGER_POWERS.take(np.minimum(decimals, 8)) + tail
        many = np.flatnonzero(decimals > 8)
        if len(many):
            digits[many], good = self._many_digits(whole[many], tail[many], decimals[many], ends[many])
            fine[many] &= good
        return digits, decimals, fine

    def _many_digits(
        self, whole: Integers, tail: Integers, decimals: Integers, ends: Integers
    ) -> tuple[Integers, npt.NDArray[np.bool_]]:
        """As `_digits`, for words with 9 to 22 decimals."""
        second = self._load(ends - 8, np.minimum(decimals - 8, 8))
        first = self._load(ends - 16, np.clip(decimals - 16, 0, 8))
        fine = ((_not_digits(second) | _not_digits(first)) == 0) & (decimals <= _MOST_DECIMALS)
        middle, front = _sum_of_digits(second), _sum_of_digits(first)
        size = whole * 10.0 ** np.minimum(decimals, _MOST_DECIMALS) + front * 1e16
        fine &= size < 8.9e18
        kept = np.where(fine, decimals, 0)
        upper = np.where(kept > 16, whole * _INTEGER_POWERS.take(np.maximum(kept - 16, 0)) + front, 0)
        rest = np.where(kept > 16, 0, whole * _INTEGER_POWERS.take(np.minimum(kept, 16)))
        return upper * 10**16 + rest + middle * 10**8 + tail, fine

    def _with_exponent(
        self, odd: Integers, begins: Integers, points: Integers, ends: Integers, values: FloatArray
    ) -> Integers:
        """Fill in those of the odd words that are `1.5e-07` and the like; gives back the rest."""
        begins, points, ends = begins[odd], points[odd], ends[odd]
        marks = np.full(len(odd), -1)
        for back in range(2, 6):
            # The exponent has at most a sign and three digits.
            marks = np.where((self._codes[ends - back] | 32) == ord("e"), ends - back, marks)
        marks = np.where(marks > begins, marks, ends)
        sign = self._codes[np.minimum(marks + 1, ends)]
        from_ = marks + 1 + ((sign == _MINUS) | (sign == _PLUS))
        size = self._load(ends, np.clip(ends - from_, 0, 8))
        good = (marks < ends) & (from_ < ends) & (_not_digits(size) == 0)
        digits, decimals, fine = self._digits(begins, np.minimum(points, marks), marks)
        power = np.where(sign == _MINUS, -1, 1) * _sum_of_digits(size) - decimals
        good &= fine & (np.abs(power) <= _MOST_DECIMALS) & (digits <= 1 << 53)
        scale = _POWERS.take(np.where(good, np.abs(power), 0))
        exact = np.where(power < 0, digits / scale, digits * scale)
        values[odd[good]] = exact[good]
        return odd[~good]


def _not_digits(loaded: Registers) -> Registers:
    """Not zero where a byte is above 9."""
    return ((loaded + np.uint64(0x0606060606060606)) | loaded) & np.uint64(0xF0F0F0F0F0F0F0F0)


def _sum_of_digits(loaded: Registers) -> Integers:
    """The number that eight digits make, the first of them in the lowest byte: pairs, then fours, then all."""
    pairs = (loaded * np.uint64(10 * 256 + 1)) >> np.uint64(8) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs * np.uint64(100 * 65536 + 1)) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
    whole: Integers = ((fours * np.uint64(10000 * (1 << 32) + 1)) >> np.uint64(32)).view(np.int64)
    return whole


def _quotients(digits: Integers, powers: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """digits / powers correctly rounded, for integers from 2^53 to 9e18, and whether that is certain."""
    high = digits.astype(np.float64)
    low = (digits - high.astype(np.int64)).astype(np.float64)
    first = high / powers
    product, lost = _exact_product(first, powers)
    step = ((high - product) - lost + low) / powers
    value = first + step
    # What the last addition rounded away. `step` is known to some 2^-50 of an ulp of `value`, so the result is certain
    # unless this is that near to half an ulp; and below a power of two, where the ulp halves, nothing is claimed.
    missing = np.abs(step - (value - first))
    certain = missing < np.spacing(value) * (0.5 - 2.0**-40)
    certain &= (value.view(np.uint64) & np.uint64((1 << 52) - 1)) != 0
    return value, certain


def _exact_product(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The product and its rounding error (Dekker 1971), each factor split in halves of 26 bits."""
    product = a * b
    a_high, b_high = (134217729.0 * x - (134217729.0 * x - x) for x in (a, b))
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _by_python(word: int, text: bytes) -> float:
    try:
        return float(text.replace(b"_", b"?"))  # Python alone reads 1_000
    except ValueError:
        raise NotANumberError(word, text) from None
