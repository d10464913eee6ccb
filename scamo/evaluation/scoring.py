"""One row of the table, from embeddings, and whether the real row is believable."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion.progress import Progress
from scamo.evaluation import metrics
from scamo.evaluation.evaluator import Evaluator
from scamo.evaluation.protocol import Draw

Motions = list[npt.NDArray[np.float32]]
Embeddings = npt.NDArray[np.float32]

FEW_FOR_FID = 2048
"""Below this many items FID is printed with a flag: it is biased upwards, the more so the fewer there are."""
SIGMAS = 5.0
PART = 256
"""Motions in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table. What could not be computed is None, and `missing` says why."""

    name: str
    items: int
    r_precision: tuple[float, ...] | None
    """At 1, 2, 3, in pools of 32."""
    fid: float | None
    matching_score: float
    diversity: float | None
    diversity_pairs: int
    missing: dict[str, str]

    @property
    def fid_is_flagged(self) -> bool:
        """Whether the FID is of too few items to be read by itself."""
        return self.items < FEW_FOR_FID

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        precision = None if self.r_precision is None else list(self.r_precision)
        return {
            **asdict(self), "r_precision": precision, "fid_items": self.items, "fid_is_flagged": self.fid_is_flagged,
        }  # fmt: skip


def score_row(name: str, texts: Embeddings, motions: Embeddings, reference: Embeddings, seed: int) -> Row:
    """Score motions (N, E) against their texts (N, E), and against a reference set of real motions for FID."""
    count = len(texts)
    missing: dict[str, str] = {}
    r_precision = fid = diversity = None
    pools = count // metrics.POOL
    if pools:
        hits = metrics.retrieval_hits(texts, motions)
        r_precision = tuple(float(hit) / (pools * metrics.POOL) for hit in hits)
    else:
        missing["r_precision"] = f"a pool needs {metrics.POOL} items, there are {count}"
    if min(count, len(reference)) >= 2:
        # Rounding can leave a distance of equal sets a hair below zero.
        fid = max(0.0, metrics.frechet_distance(reference, motions))
    else:
        missing["fid"] = f"a covariance needs 2 items, there are {min(count, len(reference))}"
    first, second = metrics.draw_pairs(count, np.random.default_rng([seed, 4]))
    if len(first):
        diversity = metrics.diversity(motions, first, second)
    else:
        missing["diversity"] = f"a pair needs 2 items, there are {count}"
    return Row(
        name=name,
        items=count,
        r_precision=r_precision,
        fid=fid,
        matching_score=metrics.matching_score(texts, motions),
        diversity=diversity,
        diversity_pairs=len(first),
        missing=missing,
    )


def sigmas_above_chance(row: Row) -> float | None:
    """How far R@3 lies above 3/32, in standard deviations of a binomial of all queries; None without R-precision."""
    if row.r_precision is None:
        return None
    chance = 3 / metrics.POOL
    return (row.r_precision[2] - chance) / math.sqrt(chance * (1 - chance) / row.items)


def embed_in_parts(
    evaluator: Evaluator, draws: Sequence[Draw], make: Callable[[Sequence[Draw]], Motions], progress: Progress
) -> Embeddings:
    """Embeddings (N, E) of the motions that `make` gives for draws, a part at a time; reports items done."""
    parts = []
    for start in range(0, len(draws), PART):
        part = draws[start : start + PART]
        parts.append(evaluator.embed_motions(make(part)))
        progress.advance(len(part))
    return np.concatenate(parts)
