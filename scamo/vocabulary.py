"""Which codes a model deals in: all of a codebook, or only those that its training corpus holds.

On a small corpus most of 64,000 codes never occur: the head then costs 85 % of a step and every held-out loss is that of
the smoothing. A model over the S seen codes is the same class with K = S: code `seen[i]` becomes token i, END becomes S and
PAD S + 1. Its tables are rows of the full ones, so that it is cut out of an official-shape model and written back into it;
rows of unseen codes keep their first values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from motionunion.errors import MotionUnionError
from scamo.config import ModelConfig
from scamo.model import TextPrefixTransformer, new_model

IntArray = npt.NDArray[np.int64]
TABLES = ("transformer.wte.weight", "lm_head.weight")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A codebook of `codebook_size` codes and, where a model is restricted, the sorted codes that it knows."""

    codebook_size: int
    seen: IntArray | None = None

    @property
    def size(self) -> int:
        """Codes that a model of this vocabulary has: its own K."""
        return self.codebook_size if self.seen is None else len(self.seen)

    @property
    def end(self) -> int:
        return self.size

    @property
    def pad(self) -> int:
        return self.size + 1

    def tokens(self, codes: npt.NDArray[np.integer]) -> IntArray:
        """Tokens of codes; -1 for a code that the model does not know.

        Raises:
            MotionUnionError: If a number is no code of the codebook.
        """
        wide = codes.astype(np.int64, copy=False)
        if wide.size and (wide.min() < 0 or wide.max() >= self.codebook_size):
            raise MotionUnionError(f"codes must lie in 0..{self.codebook_size - 1}, got {wide.min()}..{wide.max()}")
        if self.seen is None:
            return wide
        at = np.minimum(np.searchsorted(self.seen, wide), len(self.seen) - 1)
        return np.where(self.seen[at] == wide, at, -1)

    def codes(self, tokens: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        """Codes of tokens below END."""
        return (tokens if self.seen is None else self.seen[tokens]).astype(np.int32)

    def _rows(self, table: str, config: ModelConfig) -> Tensor:
        """Rows of a full table that belong to this vocabulary, in its order."""
        assert self.seen is not None
        special = [config.end, config.pad] if table == TABLES[0] or config.tie_weights else [config.end]
        return torch.from_numpy(np.concatenate([self.seen, np.asarray(special)]))

    def cut(self, full: TextPrefixTransformer) -> TextPrefixTransformer:
        """The model over this vocabulary's codes: the model itself where all are known, else one with fewer rows."""
        if self.seen is None:
            return full
        small = new_model(replace(full.config, codebook_size=self.size), seed=0)
        state = dict(full.state_dict())
        for table in TABLES:
            state[table] = state[table].index_select(0, self._rows(table, full.config))
        small.load_state_dict(state, strict=True)
        return small

    def write_back(self, state: Mapping[str, Tensor], full: TextPrefixTransformer) -> TextPrefixTransformer:
        """Put the weights of a cut model into a full one; rows of unseen codes stay as they are there."""
        merged = dict(state)
        if self.seen is not None:
            for table in TABLES:
                whole = full.state_dict()[table].clone()
                merged[table] = whole.index_copy_(0, self._rows(table, full.config), merged[table])
        full.load_state_dict(merged, strict=True)
        return full
