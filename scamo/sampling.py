"""Drawing motions from the transformer: many prompts at once, each as if it were alone.

Every row has its own text length, its own random stream and its own end. Random numbers come from NumPy, one for each token,
so that they are the same on every device; a row's stream depends on its own seed only, never on its neighbours.
"""

# Shapes: B rows, V outputs of the head without PAD (codes, then END).

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from motionunion.errors import UsageError
from scamo.model import KeyValueCache, TextPrefixTransformer

LIKELIEST = 1024
"""How many of the likeliest tokens are sorted first; rows whose top-p mass reaches further are sorted whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """How a token is chosen from its probabilities."""

    temperature: float = 1.0
    """0 = always the likeliest token. On small corpora that is often END, or a loop."""
    top_p: float = 0.9
    """Choose among the likeliest tokens that together reach this probability; 1 = all."""
    top_k: int | None = None
    """Choose among so many of the likeliest tokens; None = all."""
    min_tokens: int = 4
    """END cannot come before so many codes (a code is four frames)."""
    max_tokens: int = 49
    """A motion ends here at the latest; 49 codes are the 196 frames of the HumanML3D protocol."""

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise UsageError(f"--temperature must be a number and not negative, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"--top-p must lie in (0, 1], got {self.top_p}")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"--top-k must be at least 1, got {self.top_k}")
        if not 0 <= self.min_tokens <= self.max_tokens or self.max_tokens < 1:
            raise UsageError(
                f"0 <= --min-tokens <= --max-tokens must hold, got {self.min_tokens} and {self.max_tokens}"
            )


def choose(logits_BV: Tensor, uniform_B: Tensor, options: SamplingOptions) -> Tensor:
    """One token for each row.

    Args:
        logits_BV: Unnormalised log-probabilities; -inf for what may not be chosen.
        uniform_B: One number in [0, 1) for each row, float64: the token whose cumulative probability, counted from the
            likeliest, first exceeds it is taken.
    """
    if options.temperature == 0:
        return logits_BV.argmax(-1)
    probabilities = (logits_BV.double() / options.temperature).softmax(-1)
    width = probabilities.shape[1]
    if options.top_k is not None:
        return _pick(*probabilities.topk(min(options.top_k, width)), uniform_B, options.top_p)
    likeliest, tokens = probabilities.topk(min(LIKELIEST, width))
    chosen = _pick(likeliest, tokens, uniform_B, options.top_p)
    beyond = (likeliest.sum(-1) < options.top_p).nonzero()[:, 0] if width > LIKELIEST else uniform_B.new_empty(0).long()
    if len(beyond):
        chosen[beyond] = _pick(*probabilities[beyond].sort(descending=True), uniform_B[beyond], options.top_p)
    return chosen


def _pick(sorted_BV: Tensor, tokens_BV: Tensor, uniform_B: Tensor, top_p: float) -> Tensor:
    """Inverse of the cumulative distribution over the head of a descending list that reaches `top_p`."""
    before = sorted_BV.cumsum(-1) - sorted_BV
    kept = sorted_BV.masked_fill(before >= top_p, 0.0)
    reached = kept.cumsum(-1)
    at = (reached <= uniform_B[:, None] * reached[:, -1:]).sum(-1, keepdim=True)
    # Rounding may leave a draw just under 1 beyond the last kept token.
    at = at.clamp(max=(kept > 0).sum(-1, keepdim=True) - 1)
    return tokens_BV.gather(1, at)[:, 0]


@torch.no_grad()
def sample(
    model: TextPrefixTransformer, text_BLW: Tensor, lengths_B: Tensor, seeds: Sequence[int], options: SamplingOptions
) -> list[npt.NDArray[np.int64]]:
    """Draw one token list for each row, END not included.

    Args:
        model: In evaluation mode.
        text_BLW: Text features on the model's device, at least one for each row.
        lengths_B: Their numbers.
        seeds: One seed for each row.
    """
    rows, end = len(lengths_B), model.config.end
    device = text_BLW.device
    streams = np.stack([np.random.default_rng(seed).random(options.max_tokens) for seed in seeds])
    uniform_BN = torch.from_numpy(streams).to(device)
    text_BLW = text_BLW[:, : int(lengths_B.max())]
    cache = KeyValueCache(model.config, rows, text_BLW.shape[1] + options.max_tokens, model.llama_proj.weight)
    logits = model.prefill(text_BLW, lengths_B, cache)
    taken = torch.full((rows, options.max_tokens), end, dtype=torch.int64, device=device)
    running = torch.ones(rows, dtype=torch.bool, device=device)
    for step in range(options.max_tokens):
        logits = logits[:, : end + 1].float()
        if step < options.min_tokens:
            logits[:, end] = -torch.inf
        tokens = choose(logits, uniform_BN[:, step], options)
        running &= tokens != end
        if not running.any():
            break
        taken[:, step] = torch.where(running, tokens, end)
        if step + 1 < options.max_tokens:
            # Rows that have ended go on with END, unread, until the last one ends.
            logits = model.step(taken[:, step], lengths_B + step, cache)
    lists = taken.cpu().numpy()
    return [row[: int((row != end).sum())] for row in lists]
