"""How good a tokenizer is: reconstruction in feature and joint space, and how much of its codebook it uses.

Shapes: T rows, D features. Definitions follow `docs/tokenizer.md`: MPJPE integrates the root, subtracts the pelvis in
every frame and averages over joints and frames; its heading-free twin leaves out the integrated heading, which is a
third of the figure on small data. Both stand beside what the mean feature vector scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionunion.joint_metrics import mpjpe, mpjpe_heading_free
from motionunion.representations import registry
from motionunion.windows import Window
from tokenizer.usage import CodeUsage, code_usage

if TYPE_CHECKING:
    from tokenizer.checkpoint import Tokenizer

CHUNK_ROWS = 20_000  # rows whose joints are in memory at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Reconstruction of a set of windows, each at its true length, and the use of the codebook on it."""

    windows: int
    rows: int
    l1: float
    """Mean absolute error in the tokenizer's own normalised space."""
    mpjpe_mm: float
    mpjpe_heading_free_mm: float
    mean_predictor_mpjpe_mm: float
    """The same figure for a model that answers every row with the mean feature vector."""
    mean_predictor_mpjpe_heading_free_mm: float
    usage: CodeUsage
    """Of a step's only code, or of its first."""
    further_usage: tuple[CodeUsage, ...] = ()
    """Of the other codes of a step, where a quantiser gives several."""

    @property
    def ratio(self) -> float:
        """MPJPE over the mean-feature predictor's: below 1 is better than knowing nothing."""
        return self.mpjpe_mm / self.mean_predictor_mpjpe_mm if self.mean_predictor_mpjpe_mm > 0 else math.inf

    def as_plain(self) -> dict[str, Any]:
        """As JSON types; usage with its two shares."""
        plain = asdict(self)
        plain["usage"] = self.usage.as_plain()
        plain["further_usage"] = [usage.as_plain() for usage in self.further_usage]
        return plain


def evaluate_windows(tokenizer: Tokenizer, values_ND: npt.NDArray[np.float32], windows: Sequence[Window]) -> Scores:
    """Encode and decode windows of unnormalised rows and compare.

    Raises:
        ValueError: If there is no window.
    """
    if not windows:
        raise ValueError("no window to evaluate")
    decode = registry.get(tokenizer.representation).decode_batch
    sums = np.zeros(5)
    counts = np.zeros((tokenizer.model.config.codes_per_step, tokenizer.codebook_size), dtype=np.int64)
    for chunk in _chunks(windows):
        real = [np.asarray(values_ND[window.start : window.start + window.rows]) for window in chunk]
        codes = tokenizer.encode(real)
        made = tokenizer.decode(codes)
        real = [clip[: len(twin)] for clip, twin in zip(real, made, strict=True)]
        mean = [np.broadcast_to(tokenizer.mean_D, clip.shape) for clip in real]
        real_joints, made_joints, mean_joints = (
            [motion.joints_T22x3 for motion in decode(clips)] for clips in (real, made, mean)
        )
        for number, clip in enumerate(real):
            l1 = float(np.abs((made[number] - clip) / tokenizer.std_D).mean(dtype=np.float64))
            sums += len(clip) * np.array([
                l1,
                mpjpe(made_joints[number], real_joints[number]),
                mpjpe_heading_free(made[number], clip, tokenizer.representation),
                mpjpe(mean_joints[number], real_joints[number]),
                mpjpe_heading_free(mean[number], clip, tokenizer.representation),
            ])  # fmt: skip
        for number, column in enumerate(np.concatenate(codes).reshape(-1, len(counts)).T):
            counts[number] += np.bincount(column, minlength=tokenizer.codebook_size)
    rows = sum(window.rows for window in windows)
    l1, *errors = (float(value) for value in sums / rows)
    first, *further = (code_usage(row, tokenizer.codebook_size) for row in counts)
    return Scores(
        windows=len(windows),
        rows=rows,
        l1=l1,
        mpjpe_mm=errors[0],
        mpjpe_heading_free_mm=errors[1],
        mean_predictor_mpjpe_mm=errors[2],
        mean_predictor_mpjpe_heading_free_mm=errors[3],
        usage=first,
        further_usage=tuple(further),
    )


def _chunks(windows: Sequence[Window]) -> Iterator[list[Window]]:
    chunk: list[Window] = []
    for window in windows:
        chunk.append(window)
        if sum(one.rows for one in chunk) >= CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
