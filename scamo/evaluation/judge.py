"""What an evaluator says of a tokenizer's reconstruction of test motion: paired FID, R-precision, matching score, diversity."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion.features import FeatureSet
from motionunion.progress import Progress
from motionunion.windows import cut
from scamo.evaluation import comparability, official, standin
from scamo.evaluation.evaluator import Evaluator
from scamo.evaluation.inputs import EVALUATORS
from scamo.evaluation.protocol import Draw, draw_pass, is_official_test, official_items, window_items
from scamo.evaluation.scoring import FEW_FOR_FID, Motions, Row, embed_in_parts, score_row
from scamo.evaluation.words import tagged_words
from tokenizer.checkpoint import Tokenizer
from tokenizer.runs import PLAN, folders_with


@dataclass(slots=True, kw_only=True, eq=False)
class Judge:
    """An evaluator with the real motion embedded once, or the reason why there is none."""

    description: str
    """Which weights judge and on what, or why none do."""
    evaluator: Evaluator | None = None
    values: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    draws: Sequence[Draw] = ()
    seed: int = 0
    texts: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    embedded: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """Of the real motion of `draws` (N, E)."""
    real: Mapping[str, Any] | None = None
    """The row of real motion: FID is between two independent passes."""

    def row_of(self, tokenizer: Tokenizer, name: str, progress: Progress) -> dict[str, Any] | None:
        """The row of a tokenizer's reconstruction, paired with the real motion; None without an evaluator."""
        if self.evaluator is None:
            return None

        def rebuilt(draws: Sequence[Draw]) -> Motions:
            return tokenizer.decode(tokenizer.encode([draw.motion(self.values) for draw in draws]))

        progress.start("embedding the reconstruction", len(self.draws), "motions")
        made = embed_in_parts(self.evaluator, self.draws, rebuilt, progress)
        progress.finish()
        return score_row(name, self.texts, made, self.embedded, self.seed).as_plain()


def open_judge(
    features: FeatureSet, runs: Path, folder: Path | None, device: str, seed: int, progress: Progress
) -> Judge:
    """The evaluator that is there, with the store's test items drawn and embedded.

    Args:
        features: Of the store; an evaluator reads 263 features alone.
        runs: Folder of evaluators.
        folder: Of Guo's files or of a stand-in; where None, `runs/evaluators/official`, then a stand-in of these features.
        device: Where to embed.
        seed: Of captions and crops.
        progress: Told of every motion.

    Raises:
        MissingInput: If a folder is given, or the official one begun, and a file is missing.
    """
    if not features.representation.startswith("hml263@"):
        return Judge(description=f"No evaluator reads {features.representation}: FID and R-precision are not given.")
    evaluator = _open_evaluator(features, runs, folder, device)
    if evaluator is None:
        return Judge(
            description="FID and R-precision are not given: no evaluator is there. `scamo eval humanml3d` trains a stand-in, or "
            f"put Guo's files into {runs / EVALUATORS / 'official'}."
        )
    if evaluator.official and any(is_official_test(span) for span in features.spans):
        items = official_items(features).items
    else:
        items = window_items(features, cut(features).windows).items
    if not items:
        return Judge(description="FID and R-precision are not given: no motion of the test split has a caption.")
    first, second = draw_pass(items, seed, 0), draw_pass(items, seed, 1)
    words = evaluator.vocabulary
    texts = evaluator.embed_texts([words.read(tagged_words(one.caption.text, one.caption.tokens)) for one in first])

    def real(draws: Sequence[Draw]) -> Motions:
        return [draw.motion(features.values) for draw in draws]

    progress.start("embedding real motion", len(first) + len(second), "motions")
    embedded, again = (embed_in_parts(evaluator, draws, real, progress) for draws in (first, second))
    progress.finish()
    row = score_row("real", texts, embedded, again, seed)
    return Judge(
        description=_describe(evaluator, row), evaluator=evaluator, values=features.values, draws=first, seed=seed,
        texts=texts, embedded=embedded, real=row.as_plain(),
    )  # fmt: skip


def _open_evaluator(features: FeatureSet, runs: Path, folder: Path | None, device: str) -> Evaluator | None:
    default = runs / EVALUATORS / "official"
    chosen = folder or (default if default.is_dir() else None)
    if chosen is not None:
        if (chosen / standin.FILE).is_file():
            return standin.load(chosen, device=device)
        return official.load_official(chosen, device=device)
    for home in folders_with(runs / EVALUATORS, standin.FILE):
        if json.loads((home / PLAN).read_bytes())["features"] == features.key:
            return standin.load(home, device=device)
    return None


def _describe(evaluator: Evaluator, real: Row) -> str:
    lines = [
        f"Evaluator: {evaluator.description}. FID of the real row is between two independent passes, of the others paired.",
        *(f"{name}: n/a, {why}." for name, why in real.missing.items()),
    ]
    if real.fid_is_flagged:
        lines.append(f"FID of fewer than {FEW_FOR_FID:,} items is biased upwards: compare it at the same N only.")
    if not evaluator.official:
        lines.append("A stand-in's numbers compare tokenizers on one store; they compare with no paper.")
    if unusable := comparability.usability(evaluator.official, real):
        lines.append(unusable)
    return "\n".join(lines)
