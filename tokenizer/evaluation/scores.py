"""Figures of a set of windows, summed up window by window.

Shapes: Q codes of one step of time, K values of a code.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tokenizer.evaluation.clip_errors import ClipErrors
from tokenizer.usage import CodeUsage, code_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Reconstruction of a set of windows, each at its true length, and the use of the codebook on it."""

    windows: int
    rows: int
    l1: float
    """Mean absolute error in the tokenizer's own normalised space: comparable under equal statistics only."""
    mpjpe_mm: float
    """Mean over all rows (MoMask)."""
    mpjpe_of_clips_mm: float
    """Mean of the means of windows (MotionMillion): short windows weigh as much as long ones."""
    mpjpe_unaligned_mm: float
    mpjpe_heading_free_mm: float
    acceleration_mm: float
    """Millimetres per frame squared; nan where no window has three rows."""
    mean_predictor_mpjpe_mm: float
    """MPJPE of a model that answers every row with the mean feature vector."""
    usage: tuple[CodeUsage, ...]
    """Of each of the Q codes of a step."""
    mean_predictor_mpjpe_heading_free_mm: float = math.nan
    """The same model's, heading left out; nan in figures of earlier versions."""

    @property
    def ratio(self) -> float:
        """MPJPE over the mean-feature predictor's: below 1 is better than knowing nothing."""
        return self.mpjpe_mm / self.mean_predictor_mpjpe_mm if self.mean_predictor_mpjpe_mm > 0 else math.inf

    @property
    def exp_entropy(self) -> float:
        """Exponential entropy, averaged over the codes of a step."""
        return float(np.mean([one.exp_entropy for one in self.usage]))

    @property
    def used(self) -> float:
        """Distinct codes, averaged over the codes of a step."""
        return float(np.mean([one.used for one in self.usage]))

    @property
    def tokens(self) -> int:
        """Steps of time that were encoded."""
        return self.usage[0].tokens

    @property
    def share_of_codebook(self) -> float:
        """Distinct codes over the true codebook size, averaged over the codes of a step."""
        return float(np.mean([one.share_of_codebook for one in self.usage]))

    @property
    def share_of_possible(self) -> float:
        """Distinct codes over min(tokens, codebook size), averaged over the codes of a step."""
        return float(np.mean([one.share_of_possible for one in self.usage]))

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        plain = {name: None if _is_nan(value) else value for name, value in asdict(self).items()}
        plain["usage"] = [
            {**asdict(one), "share_of_codebook": one.share_of_codebook, "share_of_possible": one.share_of_possible}
            for one in self.usage
        ]
        return {**plain, "ratio": self.ratio if math.isfinite(self.ratio) else None, "exp_entropy": self.exp_entropy}

    def in_brief(self) -> dict[str, Any]:
        """As logs and manifests have them, in JSON types: `usage` of a step's first code, `further_usage` of the others."""
        names = ("windows", "rows", "l1", "mpjpe_mm", "mpjpe_heading_free_mm", "mean_predictor_mpjpe_mm")
        first, *further = (one.as_plain() for one in self.usage)
        return {
            **{name: getattr(self, name) for name in names},
            "mean_predictor_mpjpe_heading_free_mm": self.mean_predictor_mpjpe_heading_free_mm,
            "usage": first,
            "further_usage": further,
        }

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> Scores:
        """What `as_plain` gave, of this version or an earlier one."""
        usage = tuple(
            CodeUsage(one["tokens"], one["used"], one["codebook_size"], one["exp_entropy"]) for one in plain["usage"]
        )
        names = [
            field.name
            for field in fields(Scores)
            if field.name != "usage" and (field.default is MISSING or field.name in plain)
        ]
        values: dict[str, Any] = {name: math.nan if plain[name] is None else plain[name] for name in names}
        return Scores(usage=usage, **values)


class Tally:
    """Sums of one set of windows. Memory is that of the histogram, (Q, K) counts."""

    def __init__(self, codebook_size: int, codes_per_step: int) -> None:
        self.counts = np.zeros((codes_per_step, codebook_size), dtype=np.int64)
        self.windows = self.rows = self.inner_rows = 0
        self.sums: dict[str, float] = {}

    def add(
        self,
        rows: int,
        errors: ClipErrors,
        codes: npt.NDArray[np.integer[Any]],
        *,
        mean_mpjpe_mm: float,
        mean_heading_free_mm: float,
    ) -> None:
        """Add one window: its rows, its errors, its codes (N,) or (N, Q), and two errors of the mean-feature predictor on it."""
        self.windows += 1
        self.rows += rows
        weighted = {
            "l1": rows * errors.l1,
            "mpjpe_mm": rows * errors.mpjpe_mm,
            "mpjpe_of_clips_mm": errors.mpjpe_mm,
            "mpjpe_unaligned_mm": rows * errors.mpjpe_unaligned_mm,
            "mpjpe_heading_free_mm": rows * errors.mpjpe_heading_free_mm,
            "mean_predictor_mpjpe_mm": rows * mean_mpjpe_mm,
            "mean_predictor_mpjpe_heading_free_mm": rows * mean_heading_free_mm,
        }
        if rows >= 3:
            self.inner_rows += rows - 2
            weighted["acceleration_mm"] = (rows - 2) * errors.acceleration_mm
        for name, value in weighted.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        for counts, column in zip(self.counts, codes.reshape(len(codes), -1).T, strict=True):
            counts += np.bincount(column, minlength=len(counts))

    def scores(self) -> Scores:
        """The figures of all that was added.

        Raises:
            ValueError: If nothing was.
        """
        if not self.windows:
            raise ValueError("no window to evaluate")
        weights = {"mpjpe_of_clips_mm": self.windows, "acceleration_mm": self.inner_rows}
        means = {name: value / weights.get(name, self.rows) for name, value in self.sums.items()}
        size = self.counts.shape[1]
        figures: dict[str, Any] = {"acceleration_mm": math.nan, **means}
        usage = tuple(code_usage(counts, size) for counts in self.counts)
        return Scores(windows=self.windows, rows=self.rows, usage=usage, **figures)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
