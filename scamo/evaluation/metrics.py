"""The numbers of the HumanML3D table, from embeddings. Statistics in float64 whatever comes in.

Shapes: N items, E embedding width, P pool size, G generations of one text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

POOL = 32
"""Texts and motions that compete in one retrieval: the batch of the reference's loader."""
MAX_PAIRS = 300
"""Pairs behind Diversity, where there are enough items."""


def distance_matrix(first_NE: npt.ArrayLike, second_ME: npt.ArrayLike) -> Array:
    """Euclidean distances (N, M) by the binomial formula; squares that rounding made negative count as 0."""
    first, second = np.asarray(first_NE, dtype=np.float64), np.asarray(second_ME, dtype=np.float64)
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None, :] - 2.0 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def retrieval_hits(texts_NE: npt.ArrayLike, motions_NE: npt.ArrayLike, *, top: int = 3, pool: int = POOL) -> Array:
    """Texts whose own motion is among the nearest 1 ... `top` of its pool: expected counts (top,), summed over pools.

    Pools are consecutive runs of `pool` items; a last partial pool is left out. Where other motions lie exactly as
    near as the right one, the hit counts with the chance that a random order of the tied would give it, so that an
    evaluator which puts everything in one place scores as chance and not as perfect.
    """
    texts, motions = np.asarray(texts_NE, dtype=np.float64), np.asarray(motions_NE, dtype=np.float64)
    hits = np.zeros(top)
    for start in range(0, len(texts) - pool + 1, pool):
        distances = distance_matrix(texts[start : start + pool], motions[start : start + pool])
        own = np.diagonal(distances)[:, None]
        nearer, tied = (distances < own).sum(1), (distances == own).sum(1)
        for k in range(1, top + 1):
            hits[k - 1] += np.clip((k - nearer) / tied, 0.0, 1.0).sum()
    return hits


def matching_score(texts_NE: npt.ArrayLike, motions_NE: npt.ArrayLike) -> float:
    """Mean distance of a text to its own motion (MM-dist)."""
    differences = np.asarray(texts_NE, dtype=np.float64) - np.asarray(motions_NE, dtype=np.float64)
    return float(np.linalg.norm(differences, axis=1).mean())


def frechet_distance(first_NE: npt.ArrayLike, second_ME: npt.ArrayLike) -> float:
    """Fréchet distance of the Gaussians fitted to two sets of embeddings (FID), sample covariances (ddof 1).

    tr (S1 S2)^½ is taken as the sum of the singular values of S1^½ S2^½: symmetric eigenproblems only, so there is no
    complex square root to fall into and fewer items than dimensions give a finite value. At least two items a side.
    """
    first, second = np.asarray(first_NE, dtype=np.float64), np.asarray(second_ME, dtype=np.float64)
    if min(len(first), len(second)) < 2:
        raise ValueError("a covariance needs at least two embeddings on each side")
    covariance_1, covariance_2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    shift = first.mean(0) - second.mean(0)
    cross = np.linalg.svd(_root(covariance_1) @ _root(covariance_2), compute_uv=False).sum()
    return float(shift @ shift + np.trace(covariance_1) + np.trace(covariance_2) - 2.0 * cross)


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def draw_pairs(count: int, generator: np.random.Generator, *, most: int = MAX_PAIRS) -> tuple[IndexArray, IndexArray]:
    """Two index sets for `diversity`, each without replacement: min(300, N / 2) pairs of `count` items."""
    pairs = min(most, count // 2)
    return generator.choice(count, pairs, replace=False), generator.choice(count, pairs, replace=False)


def diversity(embeddings_NE: npt.ArrayLike, first: IndexArray, second: IndexArray) -> float:
    """Mean distance of the pairs that two index sets name."""
    embeddings = np.asarray(embeddings_NE, dtype=np.float64)
    return float(np.linalg.norm(embeddings[first] - embeddings[second], axis=1).mean())


def multimodality(embeddings_NGE: npt.ArrayLike, first: IndexArray, second: IndexArray) -> float:
    """Mean distance between generations of the same text; the index sets name generations, alike for every text."""
    embeddings = np.asarray(embeddings_NGE, dtype=np.float64)
    return float(np.linalg.norm(embeddings[:, first] - embeddings[:, second], axis=2).mean())
