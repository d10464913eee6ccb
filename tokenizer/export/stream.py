"""A split as one sequence of token ids: every window's codes, then END.

Where a step has Q codes they stand side by side, the first layer first, and code k of layer q is id q K + k, so that a model with
one vocabulary can tell the layers apart. END is Q K, the vocabulary Q K + 1; for Q = 1 that is END = K.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tokenizer.corpus import Corpus

Tokens = npt.NDArray[np.unsignedinteger]


def end_id(corpus: Corpus) -> int:
    """Id of END in the exported sequence."""
    return corpus.codebook_size * corpus.codes_per_step


def vocabulary(corpus: Corpus) -> int:
    """Ids in all: codes and END."""
    return end_id(corpus) + 1


def token_type(corpus: Corpus) -> np.dtype[np.unsignedinteger]:
    """uint16, as nanoGPT reads it, or uint32 where that is too small; little-endian."""
    return np.dtype("<u2") if vocabulary(corpus) <= 1 << 16 else np.dtype("<u4")


def token_parts(corpus: Corpus, split: str) -> Iterator[Tokens]:
    """The sequence of a split, part by part of the corpus, each (tokens,)."""
    per_step, size = corpus.codes_per_step, corpus.codebook_size
    for table in corpus.tables(split):
        codes = table.column("codes").combine_chunks()
        lengths = codes.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        flat = codes.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
        # Every window begins with a whole step, so that the layer follows from the place.
        flat += size * (np.arange(len(flat)) % per_step)
        tokens = np.insert(flat, np.cumsum(lengths), end_id(corpus))
        yield tokens.astype(token_type(corpus))
