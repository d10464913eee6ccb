"""Captions as the evaluator reads them: word vectors and part-of-speech one-hots (Guo et al., CVPR 2022).

Shapes: L = 22 places of a caption (20 words between `sos` and `eos`), N words of a vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion.errors import ConfigError

MAX_WORDS = 20
PLACES = MAX_WORDS + 2
POS_TAGS: tuple[str, ...] = (
    "VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV",
    "Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER",
)  # fmt: skip
OTHER = POS_TAGS.index("OTHER")
_POS_COLUMN = {tag: column for column, tag in enumerate(POS_TAGS)}
# Listed in the order in which they are tried: the first list that holds a word wins.
_SPECIAL_WORDS: tuple[tuple[str, str], ...] = (
    ("Loc_VIP", "left right clockwise counterclockwise anticlockwise forward back backward up down straight curve"),
    ("Body_VIP", "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh"),
    ("Obj_VIP", "stair dumbbell chair window floor car ball handrail baseball basketball"),
    (
        "Act_VIP",
        "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift lower raise wash stand"
        " kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb",
    ),
    ("Desc_VIP", "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly"),
)
_SPECIAL_COLUMN: dict[str, int] = {}
for _tag, _words in _SPECIAL_WORDS:
    for _word in _words.split():
        _SPECIAL_COLUMN.setdefault(_word, _POS_COLUMN[_tag])


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """One caption in places: rows of the vocabulary's vectors and columns of the one-hot."""

    rows: npt.NDArray[np.int64]
    """(L,)"""
    pos: npt.NDArray[np.int64]
    """(L,)"""
    length: int
    """Places in use, `sos` and `eos` among them."""


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Words and their vectors. `sos`, `eos` and `unk` must be among the words."""

    row: dict[str, int]
    vectors: npt.NDArray[np.float32]
    """(N, 300)"""

    def __post_init__(self) -> None:
        missing = [word for word in ("sos", "eos", "unk") if word not in self.row]
        if missing:
            raise ConfigError(f"evaluator vocabulary: {', '.join(missing)} is not among its {len(self.row)} words")
        if self.row and not 0 <= min(self.row.values()) <= max(self.row.values()) < len(self.vectors):
            raise ConfigError(f"evaluator vocabulary: a word points outside the {len(self.vectors)} vectors")

    def read(self, tagged: Sequence[tuple[str, str]]) -> Sentence:
        """Place tagged words between `sos` and `eos`, the first 20 of them, and fill up with `unk`.

        A word outside the vocabulary counts as `unk` tagged OTHER. Of a word inside it, the special lists decide the
        tag before the given one does; unknown tags are OTHER.
        """
        rows_L = np.full(PLACES, self.row["unk"], dtype=np.int64)
        pos_L = np.full(PLACES, OTHER, dtype=np.int64)
        rows_L[0] = self.row["sos"]
        kept = tagged[:MAX_WORDS]
        for place, (word, tag) in enumerate(kept, start=1):
            row = self.row.get(word)
            if row is not None:
                rows_L[place] = row
                pos_L[place] = _SPECIAL_COLUMN.get(word, _POS_COLUMN.get(tag, OTHER))
        rows_L[len(kept) + 1] = self.row["eos"]
        return Sentence(rows_L, pos_L, len(kept) + 2)


def tagged_words(text: str, tokens: str | None) -> list[tuple[str, str]]:
    """The (word, tag) pairs of a caption: its stored tokens, or else its lower-case words, all tagged OTHER.

    Stored tokens look like `a/DET man/NOUN walk/VERB`; they are never tagged anew, since another tagger would change
    what the evaluator sees.
    """
    if not tokens:
        cleaned = "".join(letter if letter.isalpha() or letter.isspace() else " " for letter in text.replace("-", ""))
        return [(word, "OTHER") for word in cleaned.lower().split()]
    pairs = []
    for token in tokens.split():
        word, slash, tag = token.rpartition("/")
        pairs.append((word, tag) if slash else (token, "OTHER"))
    return pairs


def hashed_vocabulary(words: Iterable[str], width: int = 300) -> Vocabulary:
    """A vocabulary whose vectors are fixed random directions drawn from each word's own hash.

    For the stand-in evaluator, which has no GloVe: the same word has the same vector in every vocabulary, so nothing
    but the list of words needs storing. Entries are N(0, 1/4), about the spread of GloVe's.
    """
    ordered = ["sos", "eos", "unk", *sorted(set(words) - {"sos", "eos", "unk"})]
    vectors = np.empty((len(ordered), width), dtype=np.float32)
    for row, word in enumerate(ordered):
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
        vectors[row] = 0.5 * np.random.default_rng(seed).standard_normal(width, dtype=np.float32)
    return Vocabulary({word: row for row, word in enumerate(ordered)}, vectors)
