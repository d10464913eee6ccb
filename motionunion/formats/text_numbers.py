"""Decimal numbers in text, a block at a time: what Python's `float` makes of each word, bit for bit, without calling it.

Motion files are nearly all numbers, some ten bytes each, so this is where the time of reading one goes. The places where words
begin and end are found by comparing bytes with their neighbours. Words that all have the same few decimals are then turned into
numbers by whole arrays (`motionunion.formats.fixed_decimals`). Of any others an Arrow string array is made, in place: the edges
of the words are its offsets, and every other entry (the blanks between the words) is masked. Arrow's cast to float64 parses
them where they lie, at ten times the speed of splitting into Python objects; a CSV reader, which looks for words itself, comes
to half of it. Memory is some 15 bytes per byte of the block, so blocks should be small; a few hundred kilobytes are fastest too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.formats.fixed_decimals import PAD, read_fixed_decimals
from motionunion.formats.workspace import Workspace

Integers = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_BLANK = 32  # bytes up to this one separate words
_LINE_END = 10
_BEHIND = 4  # blanks behind the text, to look at
_SAMPLE = 4096  # bytes that tell whether words are mostly apart by one blank
_FEW = 16  # where one blank of so many follows another, all edges are looked for
_USUAL_BLANKS = 4  # where a row ends: ` \r\n` and the like


class NotANumberError(ValueError):
    """A word is no number. `word` is its position among the words that were asked for."""

    def __init__(self, word: int, text: bytes) -> None:
        super().__init__(text)
        self.word, self.text = word, text


class Words:
    """The words of a block of text: what stands between bytes up to 32 (blanks, tabs, line ends)."""

    def __init__(self, block: bytes | memoryview, room: Workspace | None = None) -> None:
        """With a workspace, the words of a block hold until the next block's are looked for in the same one."""
        self._room = room = room or Workspace()
        text = np.frombuffer(block, dtype=np.uint8)
        size = PAD + len(text) + _BEHIND
        padded = room.array("codes", size, np.uint8)
        padded[:PAD] = padded[size - _BEHIND :] = _BLANK
        padded[PAD : size - _BEHIND] = text
        self._padded, self._codes = padded, padded[PAD:]
        self._blank = np.less_equal(padded, _BLANK, out=room.array("blank", size, np.bool_))
        flag = room.array("flag of codes", len(self._codes), np.bool_)
        self._edges: Integers | None = None
        first_blanks = self._blank[PAD : PAD + _SAMPLE]
        if np.count_nonzero(first_blanks[1:] & first_blanks[:-1]) > np.count_nonzero(first_blanks) // _FEW:
            np.not_equal(self._blank[PAD:], self._blank[PAD - 1 : -1], out=flag)
            self._edges = np.flatnonzero(flag)
            self.starts: Integers = self._edges[0::2]
            self.ends: Integers = self._edges[1::2]
            self._firsts = self._codes.take(self.starts)
        else:
            np.greater(self._blank[PAD:], self._blank[PAD - 1 : -1], out=flag)
            self.ends = np.flatnonzero(flag)
            self.starts, self._firsts = self._behind_single_blanks()
        self._line_ends: int | None = None

    def _behind_single_blanks(self) -> tuple[Integers, npt.NDArray[np.uint8]]:
        """Where words begin, and with which byte, where mostly one blank stands between two: nothing has to be looked for."""
        starts: Integers = self._room.array("starts", len(self.ends), np.int64)
        starts[:1] = 0
        np.add(self.ends[:-1], 1, out=starts[1:])
        firsts = self._codes.take(starts)
        late = np.flatnonzero(firsts <= _BLANK)
        for _ in range(_USUAL_BLANKS):
            if not len(late):
                return starts, firsts
            starts[late] += 1
            firsts[late] = self._codes[starts[late]]
            late = late[firsts[late] <= _BLANK]
        starts = np.flatnonzero(self._blank[PAD - 1 : -1] > self._blank[PAD:])
        return starts, self._codes.take(starts)

    def __len__(self) -> int:
        return len(self.ends)

    def text(self, word: int) -> bytes:
        """One word as it stands."""
        return self._codes[self.starts[word] : self.ends[word]].tobytes()

    def offset(self, word: int) -> int:
        """Where in the block a word begins."""
        return int(self.starts[word])

    def line_ends(self) -> int:
        """How many line ends the block has."""
        if self._line_ends is None:
            flag = self._room.array("flag of codes", len(self._codes), np.bool_)
            self._line_ends = int(np.count_nonzero(np.equal(self._codes, _LINE_END, out=flag)))
        return self._line_ends

    def in_rows_of(self, width: int) -> bool:
        """Whether the block is plainly lines of `width` words, each with its line end: said without looking at every line.

        False may also mean blank lines, or a last line without its end.
        """
        lasts, nexts = self.ends[width - 1 :: width], np.append(self.starts[width::width], len(self._codes))
        if len(self) != width * len(lasts) or self.line_ends() != len(lasts):
            return False
        # As many line ends as rows, and one behind each row's last word, perhaps after `\r` or a blank.
        found = self._codes[lasts] == _LINE_END
        for behind in (1, 2):
            found |= (self._codes[lasts + behind] == _LINE_END) & (lasts + behind < nexts[: len(lasts)])
        return bool(found.all())

    def per_line(self) -> Integers:
        """How many words each line has; a last line counts even where it has no end."""
        line_ends = np.flatnonzero(self._codes == _LINE_END)
        if len(self.starts) and (not len(line_ends) or self.ends[-1] > line_ends[-1]):
            line_ends = np.append(line_ends, self.ends[-1])
        counts: Integers = np.diff(np.searchsorted(self.ends, line_ends, side="right"), prepend=0)
        return counts

    def equal(self, words_FN: Integers, texts: tuple[bytes, ...]) -> npt.NDArray[np.bool_]:
        """Which words are the given ones (N, none of them empty), row after row (F, N)."""
        lengths = np.array([len(text) for text in texts])
        first = np.cumsum(lengths) - lengths
        letters = np.frombuffer(b"".join(texts), dtype=np.uint8)
        within = np.arange(len(letters)) - np.repeat(first, lengths)
        starts = self.starts[words_FN]
        places = np.repeat(starts, lengths, axis=1) + within
        same = self._codes.take(places, mode="clip") == letters
        right: npt.NDArray[np.bool_] = self.ends[words_FN] - starts == lengths
        right &= np.logical_and.reduceat(same, first, axis=1)
        return right

    def numbers(self, words: Integers | None = None, *, out: FloatArray | None = None) -> FloatArray:
        """The words, or some of them (each once) in the order given, as `float` reads them; `nan` and `inf` included, `1_000` not.

        With `out` (float64, as long as there are words to read, without gaps) they are written there.

        Raises:
            NotANumberError: For the first of the text that is none.
        """
        count = len(self) if words is None else len(words)
        if words is None and count:
            values = np.empty(count) if out is None else out
            if self._fixed_decimals(values):
                return values
        found = self._by_arrow(words) if count else np.empty(0)
        if out is None:
            return found
        out[:] = found
        return out

    def _fixed_decimals(self, values: FloatArray) -> bool:
        lengths = np.subtract(self.ends, self.starts, out=self._room.array("lengths", len(self), np.int64))
        ends = np.ascontiguousarray(self.ends)
        return read_fixed_decimals(self._padded, ends, lengths, self._firsts, values, self._room)

    def _by_arrow(self, words: Integers | None) -> FloatArray:
        import pyarrow as pa

        count = len(self) if words is None else len(words)
        if self._edges is not None:
            edges = self._edges.astype(np.int32)
        else:
            edges = np.empty(2 * len(self), dtype=np.int32)
            edges[0::2], edges[1::2] = self.starts, self.ends
        entries = len(edges) - 1
        if words is None:
            wanted = b"\x55" * (entries // 8 + 1)  # every other one
        else:
            chosen = np.zeros(entries, dtype=np.bool_)
            chosen[2 * words] = True
            wanted = np.packbits(chosen, bitorder="little").tobytes()
        array = pa.StringArray.from_buffers(
            entries,
            pa.py_buffer(edges),
            pa.py_buffer(self._codes),
            pa.py_buffer(wanted),
            entries - count,
        )
        try:
            parsed = np.frombuffer(array.cast(pa.float64()).buffers()[1], dtype=np.float64, count=entries)
        except pa.ArrowInvalid:
            return self._one_by_one(words)
        return parsed[0::2] if words is None else parsed[2 * words]

    def _one_by_one(self, words: Integers | None) -> FloatArray:
        """Where Arrow gave up: to read what it does not know (`+1`), or to find the word that is no number."""
        chosen = np.arange(len(self)) if words is None else words
        numbers = np.empty(len(chosen))
        for place in np.argsort(chosen).tolist():
            text = self.text(int(chosen[place]))
            try:
                numbers[place] = float(text.replace(b"_", b"?"))  # Python alone reads 1_000
            except ValueError:
                raise NotANumberError(place, text) from None
        return numbers
