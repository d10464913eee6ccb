"""A tokenizer on the windows of a store: figures of some windows, or of every split and within it of every source.

Every window is encoded at its true length, as the corpus has it: no padding leaks into its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion.clip import SPLITS
from motionunion.joint_metrics import mpjpe, mpjpe_heading_free
from motionunion.progress import SILENT, Progress
from motionunion.representations import registry
from motionunion.windows import Window
from tokenizer.checkpoint import Tokenizer
from tokenizer.evaluation.clip_errors import clip_errors
from tokenizer.evaluation.scores import Scores, Tally

CHUNK_ROWS = 20_000
"""Rows whose joints are in memory at a time."""
ALL = "all"
"""The group of all windows of a split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScores:
    """Figures of one group of windows."""

    split: str
    group: str
    """`all`, a source, or a layer of names over several sources (`humanml3d` over AMASS, say)."""
    scores: Scores

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {"split": self.split, "group": self.group, **self.scores.as_plain()}

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> GroupScores:
        """What `as_plain` gave."""
        return GroupScores(split=plain["split"], group=plain["group"], scores=Scores.from_plain(plain))


def evaluate_windows(tokenizer: Tokenizer, values_ND: npt.NDArray[np.float32], windows: Sequence[Window]) -> Scores:
    """Encode and decode windows of unnormalised rows (N, D), and compare.

    Raises:
        ValueError: If there is no window.
    """
    tally = _tally_for(tokenizer)
    for chunk in _chunks(windows):
        _add_chunk(tokenizer, values_ND, chunk, lambda _: [tally])
    return tally.scores()


def evaluate_groups(
    tokenizer: Tokenizer,
    values_ND: npt.NDArray[np.float32],
    windows: Sequence[Window],
    progress: Progress = SILENT,
) -> list[GroupScores]:
    """Encode and decode windows of unnormalised rows (N, D), and compare within every group.

    Returns:
        Per split (train, val, test), all windows first, then sources and layers by name; no group without a window.
    """
    tallies: dict[tuple[str, str], Tally] = {}

    def tallies_of(window: Window) -> list[Tally]:
        keys = [(window.split, group) for group in groups_of(window)]
        return [tallies.setdefault(key, _tally_for(tokenizer)) for key in keys]

    progress.start("evaluating the tokenizer", sum(window.rows for window in windows), "rows")
    try:
        for chunk in _chunks(windows):
            _add_chunk(tokenizer, values_ND, chunk, tallies_of)
            progress.advance(float(sum(window.rows for window in chunk)))
    finally:
        progress.finish()
    order = sorted(tallies, key=lambda key: (SPLITS.index(key[0]), key[1] != ALL, key[1]))
    return [GroupScores(split=key[0], group=key[1], scores=tallies[key].scores()) for key in order]


def groups_of(window: Window) -> list[str]:
    """Groups that a window counts in: all, its source, and the layer that its name is from, where that is another."""
    return list(dict.fromkeys([ALL, window.source, *([window.layer] if window.layer else [])]))


def _add_chunk(
    tokenizer: Tokenizer,
    values_ND: npt.NDArray[np.float32],
    chunk: Sequence[Window],
    tallies_of: Callable[[Window], list[Tally]],
) -> None:
    decode = registry.get(tokenizer.representation).decode_batch
    real = [np.asarray(values_ND[window.start : window.start + window.rows]) for window in chunk]
    codes = tokenizer.encode(real)
    made = tokenizer.decode(codes)
    # A length that is no multiple of the rows of a code loses its end.
    real = [clip[: len(twin)] for clip, twin in zip(real, made, strict=True)]
    mean = [np.broadcast_to(tokenizer.mean_D, clip.shape) for clip in real]
    joints = [[motion.joints_T22x3 for motion in decode(clips)] for clips in (real, made, mean)]
    for number, (window, real_T22x3, made_T22x3, mean_T22x3) in enumerate(zip(chunk, *joints, strict=True)):
        errors = clip_errors(
            made[number], real[number], made_T22x3, real_T22x3, std_D=tokenizer.std_D,
            representation=tokenizer.representation,
        )  # fmt: skip
        mean_mpjpe_mm = mpjpe(mean_T22x3, real_T22x3)
        mean_heading_free_mm = mpjpe_heading_free(mean[number], real[number], tokenizer.representation)
        for tally in tallies_of(window):
            tally.add(
                len(real[number]), errors, codes[number], mean_mpjpe_mm=mean_mpjpe_mm,
                mean_heading_free_mm=mean_heading_free_mm,
            )  # fmt: skip


def _tally_for(tokenizer: Tokenizer) -> Tally:
    return Tally(tokenizer.codebook_size, tokenizer.codes_per_step)


def _chunks(windows: Sequence[Window]) -> Iterator[list[Window]]:
    chunk: list[Window] = []
    rows = 0
    for window in windows:
        chunk.append(window)
        rows += window.rows
        if rows >= CHUNK_ROWS:
            yield chunk
            chunk, rows = [], 0
    if chunk:
        yield chunk
