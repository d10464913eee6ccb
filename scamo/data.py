"""From a corpus to batches. The batch of step s is a function of (corpus, seed, s) and of nothing else."""

# Shapes: B rows, N tokens of a row (text places, then codes), K codes of the codebook.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scamo.text import MAX_FEATURES, words_of
from scamo.vocabulary import IntArray, Vocabulary

IGNORED = -100
"""Target of a position that no loss looks at (PyTorch's own number for it)."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one split: their codes in one array, and their captions."""

    codes: npt.NDArray[np.int32]
    offsets: IntArray
    """(windows + 1): window i holds codes[offsets[i]:offsets[i + 1]]."""
    captions: tuple[tuple[str, ...], ...]
    groups: tuple[str, ...]
    """What must not be divided between training and validation."""

    @classmethod
    def of(
        cls, lists: Sequence[npt.ArrayLike], captions: Sequence[Sequence[str]], groups: Sequence[str] | None = None
    ) -> Windows:
        """From one list of codes and one list of captions for each window."""
        arrays = [np.asarray(codes, dtype=np.int32) for codes in lists]
        flat = np.concatenate([np.empty(0, np.int32), *arrays])
        offsets = np.cumsum([0, *(len(codes) for codes in arrays)], dtype=np.int64)
        names = tuple(groups) if groups is not None else tuple(str(number) for number in range(len(arrays)))
        return cls(flat, offsets, tuple(tuple(texts) for texts in captions), names)

    def __len__(self) -> int:
        return len(self.captions)

    def __getitem__(self, window: int) -> npt.NDArray[np.int32]:
        return self.codes[self.offsets[window] : self.offsets[window + 1]]

    @property
    def tokens(self) -> int:
        """Codes, and one END for each window: what a loss counts."""
        return len(self.codes) + len(self)

    def select(self, chosen: npt.NDArray[np.integer]) -> Windows:
        """Some windows, in the given order."""
        numbers = chosen.tolist()
        return Windows.of(
            [self[number] for number in numbers],
            [self.captions[number] for number in numbers],
            [self.groups[number] for number in numbers],
        )

    def captioned(self) -> Windows:
        """The windows that have at least one caption with a word in it, those captions only."""
        kept = [tuple(text for text in texts if words_of(text)) for texts in self.captions]
        chosen = np.flatnonzero([bool(texts) for texts in kept])
        part = self.select(chosen)
        return Windows(part.codes, part.offsets, tuple(kept[number] for number in chosen.tolist()), part.groups)

    def text_lengths(self) -> IntArray:
        """Words of the longest caption of each window: what a batch plan reckons with, whatever the encoder."""
        longest = [max(len(words_of(text)) for text in texts) for texts in self.captions]
        return np.minimum(np.asarray(longest, dtype=np.int64), MAX_FEATURES)


class Schedule:
    """Which windows and captions each step takes.

    An epoch takes every window once. Windows are ordered by length (with a jitter, so that batches mix) and cut into
    batches of about `batch_tokens`, so that little of a batch is padding; then the batches are shuffled. The number of
    batches is the same in every epoch, so step s needs no history.
    """

    def __init__(self, windows: Windows, batch_tokens: int, seed: int) -> None:
        self.windows = windows
        self.seed = seed
        self._lengths = np.diff(windows.offsets) + 1 + windows.text_lengths()
        self.batches_per_epoch = max(1, min(len(windows), round(int(self._lengths.sum()) / batch_tokens)))
        self._epoch: tuple[int, list[IntArray]] | None = None

    def rows(self, step: int) -> IntArray:
        """Windows of a step, ascending in length."""
        epoch, number = divmod(step, self.batches_per_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, self._cut(epoch))
        return self._epoch[1][number]

    def captions(self, step: int, rows: IntArray) -> list[str]:
        """One random caption for each window of a step."""
        draws = np.random.default_rng([self.seed, step, 1]).random(len(rows))
        texts = [self.windows.captions[row] for row in rows.tolist()]
        return [options[int(draw * len(options))] for options, draw in zip(texts, draws.tolist(), strict=True)]

    def _cut(self, epoch: int) -> list[IntArray]:
        random = np.random.default_rng([self.seed, epoch, 0])
        order = np.argsort(self._lengths * random.uniform(0.9, 1.1, len(self._lengths)), kind="stable")
        # Every batch starts where the running sum of tokens passes its share; the clips give each at least one window.
        sums = np.cumsum(self._lengths[order])
        count = self.batches_per_epoch
        starts = np.searchsorted(sums, sums[-1] * np.arange(1, count) / count)
        starts = np.maximum.accumulate(np.maximum(starts - np.arange(1, count), 0)) + np.arange(1, count)
        starts = np.minimum(starts, len(order) - count + np.arange(1, count))
        batches = np.split(order, starts)
        return [batches[number] for number in random.permutation(count).tolist()]


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows `[text places][codes]` and what each position should predict."""

    inputs_BN: IntArray
    """Tokens of the model's vocabulary; PAD under the text, behind the end, and where the model does not know a code."""
    targets_BN: IntArray
    """Codes of the codebook, K for END, `IGNORED` elsewhere. The last text place predicts the first code."""


def lay_out(codes: Sequence[npt.NDArray[np.integer]], text_lengths: Sequence[int], vocabulary: Vocabulary) -> Batch:
    """Place the codes of each row behind its text, without a gap."""
    ends = [places + len(row) for places, row in zip(text_lengths, codes, strict=True)]
    inputs_BN = np.full((len(codes), max(ends)), vocabulary.pad, dtype=np.int64)
    targets_BN = np.full(inputs_BN.shape, IGNORED, dtype=np.int64)
    for number, (row, start, end) in enumerate(zip(codes, text_lengths, ends, strict=True)):
        tokens = vocabulary.tokens(row)
        inputs_BN[number, start:end] = np.where(tokens < 0, vocabulary.pad, tokens)
        targets_BN[number, start - 1 : end - 1] = row
        targets_BN[number, end - 1] = vocabulary.codebook_size
    return Batch(inputs_BN, targets_BN)


def drop_edges(
    codes: Sequence[npt.NDArray[np.integer]], probability: float, random: np.random.Generator
) -> list[npt.NDArray[np.integer]]:
    """With a probability, each motion loses one token, at its head or its tail with equal chance; one code stays."""
    draws, sides = random.random(len(codes)), random.random(len(codes))
    return [
        row if draw >= probability or len(row) < 2 else (row[1:] if side < 0.5 else row[:-1])
        for row, draw, side in zip(codes, draws, sides, strict=True)
    ]


def corrupt(batch: Batch, vocabulary: Vocabulary, pkeep: float, hide: float, random: np.random.Generator) -> Batch:
    """Damage the inputs, never the targets.

    Each code becomes a random code of the vocabulary with probability 1 - `pkeep` (T2M-GPT), and reads as an unknown code
    (PAD) with probability `hide`.
    """
    is_code = batch.inputs_BN < vocabulary.size
    shape = batch.inputs_BN.shape
    inputs_BN = batch.inputs_BN.copy()
    replaced = is_code & (random.random(shape) >= pkeep)
    inputs_BN[replaced] = random.integers(0, vocabulary.size, shape)[replaced]
    inputs_BN[is_code & (random.random(shape) < hide)] = vocabulary.pad
    return Batch(inputs_BN, batch.targets_BN)


def hold_out(windows: Windows, share: float, seed: int) -> tuple[Windows, Windows]:
    """Divide windows into two parts, whole groups at a time; the second holds about `share` of them, at least one group.

    Where there is only one group there is nothing to hold out: the second part is empty.
    """
    names = sorted(set(windows.groups))
    if len(names) < 2:
        return windows, windows.select(np.empty(0, dtype=np.int64))
    order = np.random.default_rng([seed, 2]).permutation(len(names))
    held = {names[number] for number in order[: max(1, round(share * len(names)))].tolist()}
    is_held = np.asarray([group in held for group in windows.groups])
    return windows.select(np.flatnonzero(~is_held)), windows.select(np.flatnonzero(is_held))
