"""`scamo eval humanml3d`: from a store and a model to the table of the paper, or to what forbids calling it that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionunion.errors import UsageError
from motionunion.progress import SILENT, Progress
from scamo.data import Windows
from scamo.evaluation import comparability
from scamo.evaluation.evaluator import Evaluator
from scamo.evaluation.generated import Codes, generate_codes
from scamo.evaluation.inputs import Inputs, choose_items, gather, open_evaluator
from scamo.evaluation.protocol import Draw, draw_pass
from scamo.evaluation.scoring import Motions, Row, embed_in_parts, score_row
from scamo.evaluation.table import RESULT, Evaluation
from scamo.evaluation.words import tagged_words
from scamo.reading import read_windows
from scamo.sampling import SamplingOptions
from tokenizer.choice import choose_device, drift
from tokenizer.evaluation.evaluate import evaluate_windows
from tokenizer.runs import open_run, remove_leftovers

FORMAT = "humanml3d-evaluation/2"
PROTOCOLS = ("humanml3d",)
EVALUATIONS = "evaluations"


def evaluate(
    store: str | Path,
    runs: Path,
    *,
    protocol: str = "humanml3d",
    model: Path | None = None,
    evaluator: Path | None = None,
    seed: int = 0,
    device: str | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Evaluate a model, its tokenizer and real motion, and write `runs/evaluations/<name>/`.

    Killed and called again, it goes on: the stand-in's training, the generated parts and a finished table are kept.

    Args:
        store: Folder of the store.
        runs: Folder of tokenizers, corpora, models, evaluators and evaluations.
        protocol: `humanml3d`.
        model: Folder of a model, or its name in `runs/models`; the newest one if None.
        evaluator: Folder of Guo's files; `runs/evaluators/official` if None, and a stand-in where that is not there.
        seed: Of captions, crops, sampling and the stand-in.
        device: `cpu`, `cuda`, ...; a GPU where there is one if None.
        jobs: Worker processes for building features.
        progress: Told of every step.

    Raises:
        UsageError: If the protocol is not known.
        MissingInput: If model, corpus, captions, a test split or the evaluator's files are not there.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"eval {protocol}: no such protocol; there are: {', '.join(PROTOCOLS)}")
    target = choose_device(device)
    inputs = gather(store, Path(runs), model, target, jobs, progress)
    choose_items(inputs, official_weights=False)  # what cannot be evaluated is refused before a stand-in is trained
    judge = open_evaluator(inputs, Path(runs), evaluator, target, seed, progress)
    return evaluate_inputs(inputs, judge, Path(runs), seed=seed, device=target, progress=progress)


def evaluate_inputs(
    inputs: Inputs, evaluator: Evaluator, runs: Path, *, seed: int, device: str, progress: Progress = SILENT
) -> Evaluation:
    """The table of given inputs; found again where the same evaluation is finished."""
    options = SamplingOptions()
    # The same work on another device or by another torch may differ in the last digits, so it is kept apart.
    plan = {
        "what": FORMAT, **inputs.digests(), "evaluator": evaluator.digest, "seed": seed, "sampling": asdict(options),
        "device": device.split(":")[0], "torch": torch.__version__,
    }  # fmt: skip
    folder = open_run(runs / EVALUATIONS, "humanml3d", plan)
    if (folder / RESULT).is_file():
        progress.note(f"{folder} is finished")
        return Evaluation.read(folder)
    items, official_items = choose_items(inputs, official_weights=evaluator.official)
    first, second = draw_pass(items.items, seed, 0), draw_pass(items.items, seed, 1)
    rows, codes = _rows(inputs, evaluator, first, second, seed, options, folder, progress)
    untagged = sum(not draw.caption.tokens for draw in first)
    reasons = comparability.reasons_against(
        official=evaluator.official,
        official_items=official_items,
        representation=inputs.tokenizer.representation,
        items=items.items,
        template_training=inputs.template_training,
        untagged=untagged,
        real=rows[0],
    )
    unusable = comparability.usability(evaluator.official, rows[0])
    texts = Counter(draw.caption.text.strip().lower() for draw in first)
    evaluation = Evaluation(
        title=comparability.title(reasons, unusable),
        comparable=not reasons and unusable is None,
        reasons=tuple(reasons),
        unusable=unusable,
        evaluator=evaluator.description,
        rows=tuple(row.as_plain() for row in rows),
        reconstruction=evaluate_windows(inputs.tokenizer, inputs.features.values, inputs.test_windows()).in_brief(),
        tokenizer_note=about_tokenizer(inputs),
        likelihood=_likelihood(inputs),
        generation=_about_generation(first, codes, inputs, options),
        items=len(items.items),
        dropped=items.dropped,
        untagged=untagged,
        repeated=sum(count for count in texts.values() if count > 1),
        seed=seed,
        digests={**inputs.digests(), "evaluator": evaluator.digest},
        folder=str(folder),
    )
    evaluation.save(folder)
    remove_leftovers(folder)
    return evaluation


def _rows(
    inputs: Inputs,
    evaluator: Evaluator,
    first: Sequence[Draw],
    second: Sequence[Draw],
    seed: int,
    options: SamplingOptions,
    folder: Path,
    progress: Progress,
) -> tuple[list[Row], list[Codes]]:
    """Real, reconstruction and generated, and the generated codes."""
    values, tokenizer, vocabulary = inputs.features.values, inputs.tokenizer, evaluator.vocabulary
    texts = evaluator.embed_texts(
        [vocabulary.read(tagged_words(draw.caption.text, draw.caption.tokens)) for draw in first]
    )

    def real(draws: Sequence[Draw]) -> Motions:
        return [draw.motion(values) for draw in draws]

    def rebuilt(draws: Sequence[Draw]) -> Motions:
        return tokenizer.decode(tokenizer.encode(real(draws)))

    progress.start("generating", len(first), "motions")
    codes = generate_codes(inputs.model, first, seed, options, folder, progress)
    progress.finish()
    codes_of = {id(draw): row for draw, row in zip(first, codes, strict=True)}

    def generated(draws: Sequence[Draw]) -> Motions:
        # An END at once would leave nothing to judge; the published code then decodes the single code 1, and so do we.
        return tokenizer.decode(
            [codes_of[id(draw)] if len(codes_of[id(draw)]) else np.ones(1, np.int32) for draw in draws]
        )

    progress.start("embedding", 4 * len(first), "motions")
    embedded = {
        "real": embed_in_parts(evaluator, first, real, progress),
        "again": embed_in_parts(evaluator, second, real, progress),
        "reconstruction": embed_in_parts(evaluator, first, rebuilt, progress),
        "generated": embed_in_parts(evaluator, first, generated, progress),
    }
    progress.finish()
    references = {"real": embedded["again"], "reconstruction": embedded["real"], "generated": embedded["real"]}
    return [score_row(name, texts, embedded[name], reference, seed) for name, reference in references.items()], codes


def about_tokenizer(inputs: Inputs) -> str:
    """Whether test motion may have been in the tokenizer's own training; empty where it was not."""
    other_state = drift(inputs.tokenizer, inputs.features)
    name = inputs.model.header["tokenizer"]["name"]
    return f"Test motion may have been in the training of the tokenizer {name}{other_state}." if other_state else ""


def _likelihood(inputs: Inputs) -> dict[str, Any]:
    """CE, H_cross and L_u on the corpus's captioned test windows; what may not be given is None and explained."""
    windows: Windows = read_windows(inputs.corpus, "test").captioned()
    names = ("ce", "h_cross", "l_u", "ce_seen", "h_cross_seen", "l_u_seen", "unseen_share")
    withheld: dict[str, str] = {}
    figures: dict[str, Any] = {"tokens": 0.0, **dict.fromkeys(names)}
    if len(windows):
        found = inputs.model.measure(windows)
        figures = dict(found.figures())
        if found.tokens == found.unseen:
            figures |= dict.fromkeys(("ce_seen", "h_cross_seen", "l_u_seen"))
            withheld["seen codes"] = "not one code of the test split was seen in training"
        if not found.l_u_is_headline:
            figures["l_u"] = None
            withheld["L_u on all codes"] = (
                f"withheld, {100 * found.unseen_share:.1f} % of the tokens are codes that training never saw (at most 5 % "
                "are allowed): the figure would measure the smoothing"
            )
    else:
        withheld["CE, H_cross, L_u"] = "the corpus has no captioned test window"
    return {**figures, "windows": len(windows), "smoothing": inputs.model.unigram.smoothing, "withheld": withheld}


def _about_generation(
    draws: Sequence[Draw], codes: Sequence[Codes], inputs: Inputs, options: SamplingOptions
) -> dict[str, Any]:
    lengths = np.array([len(row) for row in codes])
    return {
        "model": inputs.model.folder.name,
        "how": f"one motion for each caption, at its own length (temperature {options.temperature:g}, top-p {options.top_p:g}, "
        f"{options.min_tokens} to {options.max_tokens} codes)",
        "sampling": asdict(options),
        "mean_rows": float(np.maximum(lengths, 1).mean() * inputs.tokenizer.rows_per_code),
        "real_rows": float(np.mean([draw.rows for draw in draws])),
        "at_cap": int((lengths >= options.max_tokens).sum()),
        "empty": int((lengths == 0).sum()),
    }
