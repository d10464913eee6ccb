"""`scamo eval tokenizer`: what a tokenizer loses, and how it uses its codes."""

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


def evaluate_tokenizer(
    store: StoreOption = DEFAULT_STORE,
    runs: RunsOption = DEFAULT_RUNS,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            "--tokenizer",
            help="Folder of a tokenizer, or its name in RUNS/tokenizers; the newest if not given.",
            show_default=False,
        ),
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="All finished tokenizers of RUNS/tokenizers and RUNS/sweeps, side by side.")
    ] = False,
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split", help="train, val or test; may be given again. val and test if not given.", show_default=False
        ),
    ] = None,
    evaluator: Annotated[
        Path | None,
        typer.Option(
            "--evaluator",
            help="Folder of the published evaluator or of a stand-in. RUNS/evaluators if not given; without one there is no "
            "FID and no R-precision.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = None,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the newest tokenizer on this store: errors of what it rebuilds, and how many of its codes it uses.

    Prints L1, MPJPE with the pelvis aligned and without, acceleration error, codes used and exponential entropy for every
    split and every source; FID and R-precision too where an evaluator is there. With --sweep, all tokenizers side by side,
    and a figure like the paper's Fig. 6.
    """
    from scamo.tokenizer_evaluation import DEFAULT_SPLITS, evaluate_tokenizers

    with TerminalProgress() as progress:
        result = evaluate_tokenizers(
            store, runs, tokenizer=tokenizer, sweep=sweep, splits=tuple(split or DEFAULT_SPLITS), evaluator=evaluator,
            seed=seed, device=device, jobs=jobs, progress=progress,
        )  # fmt: skip
    files = ("table.md", "evaluation.json", "figure.png", "figure.svg")
    show_measured(result.as_plain(), result.tables(), result.folder, files, as_json=as_json)
