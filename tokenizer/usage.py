"""How a set of tokens uses a codebook, from a histogram of codes: memory is that of the histogram, never tokens times codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class CodeUsage:
    """How a set of tokens uses a codebook."""

    tokens: int
    used: int
    """Distinct codes."""
    codebook_size: int
    exp_entropy: float
    """exp(-sum p ln(p + 1e-7)): what a uniform use of that many codes would have (ScaMo, Fig. 6)."""

    @property
    def share_of_codebook(self) -> float:
        """Distinct codes over the true codebook size."""
        return self.used / self.codebook_size

    @property
    def share_of_possible(self) -> float:
        """Distinct codes over min(tokens, codebook size): no more than that many can occur."""
        return self.used / max(1, min(self.tokens, self.codebook_size))

    @property
    def tokens_per_code(self) -> float:
        """Tokens for each distinct code."""
        return self.tokens / max(1, self.used)

    def as_plain(self) -> dict[str, Any]:
        """As JSON types, with the shares."""
        return {
            **asdict(self),
            "share_of_codebook": self.share_of_codebook,
            "share_of_possible": self.share_of_possible,
            "tokens_per_code": self.tokens_per_code,
        }


def code_usage(counts: npt.NDArray[np.integer[Any]], codebook_size: int) -> CodeUsage:
    """Usage from a histogram of codes (`numpy.bincount`)."""
    present = counts[counts > 0].astype(np.float64)
    tokens = int(present.sum())
    share = present / max(1, tokens)
    entropy = float(-(share * np.log(share + 1e-7)).sum())
    return CodeUsage(tokens, len(present), codebook_size, math.exp(entropy) if tokens else 0.0)


def count_codes(indices: Tensor, codebook_size: int, mask: Tensor | None = None) -> npt.NDArray[np.int64]:
    """Histograms (Q, K) of the codes of every layer, group, or (Q = 1) of the one code of a step.

    Args:
        indices: (B, N) or (B, N, Q), as a quantiser gives them for a batch.
        codebook_size: K.
        mask: (B, N), 0 on steps that do not count.
    """
    steps = indices.reshape(indices.shape[0] * indices.shape[1], -1)
    if mask is not None:
        steps = steps[mask.reshape(-1).bool()]
    counts = [torch.bincount(column, minlength=codebook_size) for column in steps.unbind(dim=1)]
    return torch.stack(counts).cpu().numpy()


def in_short(usages: Sequence[CodeUsage]) -> dict[str, Any]:
    """Tokens of a batch and how evenly they use the codes; of each code of a step where there are several."""
    first, *further = usages
    short: dict[str, Any] = {"tokens": first.tokens, "exp_entropy": first.exp_entropy}
    if further:
        short["further_exp_entropy"] = [usage.exp_entropy for usage in further]
    return short
