"""Text encoders: captions in, one list of feature vectors for each caption out.

`words` is built in: a table of vectors for the words of the training captions, trained with the model and kept in its
checkpoint. Any encoder of Hugging Face is in `scamo.pretrained_text`, frozen and cached on disk.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from motionunion.errors import MotionUnionError

MAX_FEATURES = 150
"""Features of one caption that the model reads; the published block of 201 = 150 text + 50 motion + END."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


class TextEncoder(Protocol):
    """What the transformer asks of a text encoder."""

    @property
    def id(self) -> str:
        """Names the encoder and its weights; part of a model's plan."""

    @property
    def width(self) -> int:
        """Channels of a feature vector."""

    def features(self, captions: Sequence[str]) -> list[Tensor]:
        """One float tensor (n, width) for each caption, 1 <= n <= 150."""


def words_of(caption: str) -> list[str]:
    """Lower-case words of a caption: runs of letters and digits, with an inner apostrophe; all else separates."""
    return _WORD.findall(caption.lower())


class WordEncoder(nn.Module):
    """A vector for each word of the training captions, and one for every other word.

    In training mode a word reads as unknown with probability `word_dropout`: otherwise the unknown word's vector would
    never be trained, and a new word in a prompt would be noise.
    """

    id = "words"

    def __init__(self, vocabulary: Sequence[str], width: int, *, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.vocabulary = tuple(vocabulary)
        self.width = width
        self.word_dropout = word_dropout
        self.table = nn.Embedding(len(self.vocabulary) + 1, width)
        self._ids = {word: number for number, word in enumerate(self.vocabulary, start=1)}

    @classmethod
    def of(cls, captions: Iterable[str], width: int, *, seed: int, word_dropout: float = 0.0) -> WordEncoder:
        """A fresh table for the words of these captions, the most frequent first; vectors are N(0, 0.02)."""
        counts = Counter(word for caption in captions for word in words_of(caption))
        encoder = cls(sorted(counts, key=lambda word: (-counts[word], word)), width, word_dropout=word_dropout)
        with torch.no_grad():
            encoder.table.weight.normal_(0.0, 0.02, generator=torch.Generator().manual_seed(seed))
        return encoder

    def unknown(self, caption: str) -> list[str]:
        """Words of a caption that training did not have."""
        return [word for word in words_of(caption) if word not in self._ids]

    def features(self, captions: Sequence[str]) -> list[Tensor]:
        """Word vectors of each caption; a caption without any word reads as one unknown word."""
        lists = [[self._ids.get(word, 0) for word in words_of(caption)][:MAX_FEATURES] or [0] for caption in captions]
        ids = torch.tensor([number for numbers in lists for number in numbers], dtype=torch.int64)
        if self.training and self.word_dropout:
            ids = ids.masked_fill(torch.rand(len(ids)) < self.word_dropout, 0)
        vectors: Tensor = self.table(ids.to(self.table.weight.device))
        return list(torch.split(vectors, [len(numbers) for numbers in lists]))


def pad_features(features: Sequence[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Features as one (B, L, W) tensor, zeros behind each row's end, and their numbers (B,).

    Raises:
        MotionUnionError: If a caption has no feature at all: the model needs one place to predict the first code from.
    """
    lengths = [len(rows) for rows in features]
    if not lengths or min(lengths) < 1:
        raise MotionUnionError("every caption needs at least one text feature")
    stacked = nn.utils.rnn.pad_sequence(list(features), batch_first=True)
    return stacked.to(device), torch.tensor(lengths, device=device)
