"""`scamo eval humanml3d`: the tables of a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import (
    DEFAULT_RUNS,
    DEFAULT_STORE,
    DeviceOption,
    JobsOption,
    JsonOption,
    RunsOption,
    SeedOption,
    StoreOption,
)
from cli.progress import TerminalProgress
from cli.show import show_measured


def evaluate_humanml3d(
    store: StoreOption = DEFAULT_STORE,
    runs: RunsOption = DEFAULT_RUNS,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            help="Folder of a model, or its name in RUNS/models; the newest if not given.",
            show_default=False,
        ),
    ] = None,
    evaluator: Annotated[
        Path | None,
        typer.Option(
            "--evaluator",
            help="Folder of the published evaluator: text_mot_match/model/finest.tar and glove/our_vab_*. "
            "RUNS/evaluators/official if not given; where that is not there, a stand-in is trained on the store.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = None,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate the newest model: real motion, tokenizer reconstruction and generated motion side by side.

    Prints R-precision, FID, matching score and diversity of HumanML3D's protocol, the tokenizer's reconstruction error,
    and how well the transformer predicts held-out codes. The title says whether the numbers may be compared with
    published ones, and if not, why. Killed and run again, it goes on where it was.
    """
    from scamo.evaluation.run import evaluate as run_evaluation
    from scamo.evaluation.table import tables

    with TerminalProgress() as progress:
        result = run_evaluation(
            store, runs, protocol="humanml3d", model=model, evaluator=evaluator, seed=seed, device=device, jobs=jobs,
            progress=progress,
        )  # fmt: skip
    files = ("table.md", "evaluation.json")
    show_measured(result.as_plain(), tables(result), Path(result.folder), files, as_json=as_json)
