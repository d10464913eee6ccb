"""The normalised loss: how much better than the corpus' own unigram (Tao et al., arXiv 2407.13623; ScaMo §4).

    L_u = mean over tokens of ln p_unigram(token) - ln p_model(token) = CE - H_cross

0 is a model that knows only how often each code occurs; below 0 is better. ScaMo's `UnigramLoss` is the same without
smoothing, with a 1e-10 inside the logarithm. Ours differs where that one breaks: additive smoothing (1 by default) gives
codes that training never saw a probability, and the log-softmax is never exponentiated.

On a small corpus most held-out codes are unseen and the smoothing decides the figure. So everything is measured twice: over
all tokens, and **on seen codes**, where both sides are conditioned on "this is a code that training saw" (model and unigram
renormalised over the seen codes and END). The second compares like with like whatever the head covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from motionunion.errors import MotionUnionError

UNSEEN_LIMIT = 0.05
"""Above this share of unseen tokens the overall L_u measures the smoothing and is no headline."""


@dataclass(frozen=True, eq=False)
class Unigram:
    """Counts of K codes and END (last; once per window) in the training windows of a corpus."""

    counts: npt.NDArray[np.int64]
    smoothing: float = 1.0

    def __post_init__(self) -> None:
        if self.counts.ndim != 1 or len(self.counts) < 2 or self.counts.min() < 0 or not self.counts[-1]:
            raise MotionUnionError("unigram counts must be K + 1 non-negative numbers with at least one END")

    @classmethod
    def of(cls, codes: npt.NDArray[np.integer], windows: int, codebook_size: int, smoothing: float = 1.0) -> Unigram:
        """Count the codes of so many windows, one END each."""
        counts = np.bincount(codes, minlength=codebook_size + 1).astype(np.int64)
        counts[codebook_size] += windows
        return cls(counts, smoothing)

    @property
    def codebook_size(self) -> int:
        return len(self.counts) - 1

    @property
    def seen(self) -> npt.NDArray[np.int64]:
        """Sorted codes that occur, END left out."""
        return np.flatnonzero(self.counts[:-1])

    @property
    def log_p(self) -> npt.NDArray[np.float64]:
        """ln of the smoothed probabilities of all K codes and END."""
        raised = self.counts + self.smoothing
        with np.errstate(
            divide="ignore"
        ):  # without smoothing an unseen code has probability 0, and its logarithm is -inf
            return np.asarray(np.log(raised) - np.log(raised.sum()))

    @property
    def log_p_seen(self) -> npt.NDArray[np.float64]:
        """The same, renormalised over codes that occur and END; -inf for the others."""
        raised = np.where(self.counts > 0, self.counts + self.smoothing, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(raised) - np.log(raised.sum()))

    @property
    def unseen_mass(self) -> float:
        """Probability that the next token is an unseen code: the share of tokens whose code occurs once (Good 1953).

        A model over seen codes cannot predict the others; its overall figures give each of them an equal part of this mass.
        """
        if len(self.seen) == self.codebook_size:
            return 0.0
        once = int((self.counts[:-1] == 1).sum())
        return (once + 1) / (int(self.counts.sum()) + 2)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Sums over tokens (END included, PAD not), in nats; adding two adds their tokens."""

    tokens: int = 0
    unseen: int = 0
    ce_sum: float = 0.0
    h_cross_sum: float = 0.0
    ce_seen_sum: float = 0.0
    h_cross_seen_sum: float = 0.0

    def __add__(self, other: Likelihood) -> Likelihood:
        return Likelihood(
            self.tokens + other.tokens,
            self.unseen + other.unseen,
            self.ce_sum + other.ce_sum,
            self.h_cross_sum + other.h_cross_sum,
            self.ce_seen_sum + other.ce_seen_sum,
            self.h_cross_seen_sum + other.h_cross_seen_sum,
        )

    @property
    def unseen_share(self) -> float:
        return self.unseen / self.tokens

    @property
    def ce(self) -> float:
        return self.ce_sum / self.tokens

    @property
    def h_cross(self) -> float:
        return self.h_cross_sum / self.tokens

    @property
    def l_u(self) -> float:
        return self.ce - self.h_cross

    @property
    def l_u_is_headline(self) -> bool:
        """Whether the overall L_u may stand without the seen-only one."""
        return self.unseen_share < UNSEEN_LIMIT

    @property
    def ce_seen(self) -> float:
        return self.ce_seen_sum / max(1, self.tokens - self.unseen)

    @property
    def h_cross_seen(self) -> float:
        return self.h_cross_seen_sum / max(1, self.tokens - self.unseen)

    @property
    def l_u_seen(self) -> float:
        return self.ce_seen - self.h_cross_seen

    def figures(self) -> dict[str, float]:
        """All figures by name, for logs and JSON."""
        names = ("ce", "h_cross", "l_u", "ce_seen", "h_cross_seen", "l_u_seen", "unseen_share")
        return {"tokens": float(self.tokens), **{name: float(getattr(self, name)) for name in names}}


def likelihood(
    logits: Tensor, targets: Tensor, unigram: Unigram, seen: npt.NDArray[np.int64] | None = None
) -> Likelihood:
    """Measure a model's predictions against the unigram.

    Args:
        logits: (tokens, outputs). Over all K codes and END (a PAD column, as tied heads have, is left out), or, with
            `seen`, over those codes and END.
        targets: (tokens,) codes of the codebook, K for END; PAD must be cut away before.
        unigram: Of the training windows.
        seen: The codes that the columns stand for, where the head is restricted; those that occur in `unigram`.
    """
    if not len(targets):
        return Likelihood()
    size = unigram.codebook_size
    device = logits.device
    goal = targets.to(device=device, dtype=torch.int64)
    known = torch.from_numpy(unigram.counts > 0).to(device)
    is_seen = known[goal]
    ce = torch.empty(len(goal), dtype=torch.float64, device=device)
    if seen is None:
        exact = logits[:, : size + 1].double()
        picked = exact.gather(1, goal[:, None])[:, 0]
        ce[:] = exact.logsumexp(-1) - picked
        ce_seen = (exact.masked_fill(~known, -torch.inf).logsumexp(-1) - picked)[is_seen]
    else:
        columns = torch.full((size + 1,), -1, dtype=torch.int64, device=device)
        columns[torch.from_numpy(np.append(seen, size)).to(device)] = torch.arange(len(seen) + 1, device=device)
        exact = logits[:, : len(seen) + 1].double()[is_seen]
        ce_seen = exact.logsumexp(-1) - exact.gather(1, columns[goal[is_seen]][:, None])[:, 0]
        mass = unigram.unseen_mass
        ce[is_seen] = ce_seen - np.log1p(-mass)
        if mass:
            ce[~is_seen] = float(np.log(size - len(seen)) - np.log(mass))
    log_p = torch.from_numpy(unigram.log_p).to(device)
    log_p_seen = torch.from_numpy(unigram.log_p_seen).to(device)
    return Likelihood(
        tokens=len(goal),
        unseen=int((~is_seen).sum()),
        ce_sum=float(ce.sum()),
        h_cross_sum=float(-log_p[goal].sum()),
        ce_seen_sum=float(ce_seen.sum()),
        h_cross_seen_sum=float(-log_p_seen[goal[is_seen]].sum()),
    )
