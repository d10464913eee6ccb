"""`scamo sweep`: many models by one recipe, side by side."""

from __future__ import annotations

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


def sweep_tokenizer(
    store: StoreOption = DEFAULT_STORE,
    runs: RunsOption = DEFAULT_RUNS,
    codebooks: Annotated[
        str, typer.Option("--codebooks", help="Sizes: 256..65536 is every power of two between, 256,1024 those two.")
    ] = "256..65536",
    quantizers: Annotated[
        str,
        typer.Option(
            "--quantizers",
            help="With commas: fsq, vq (EMA with reset), vq-no-reset, rvq, lfq, bsq, grouped_fsq, residual_fsq.",
        ),
    ] = "fsq,vq",
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="Recipe of every tokenizer; by device if not given.", show_default=False),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Training steps of each, in place of the preset's.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PART.KEY=VALUE",
            help="A value in place of the preset's: model.width=64, training.batch=32. May be given again.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = None,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare quantisers and codebook sizes: one tokenizer for each pair, all trained by one recipe.

    Every tokenizer is measured on the validation and test motion of the store: L1, MPJPE, acceleration error, how many codes
    it uses and how evenly. A table and a figure like the paper's Fig. 6, with the paper's own lines, go to RUNS/sweeps.
    Killed and run again, it goes on where it was.
    """
    from tokenizer.presets import with_changes
    from tokenizer.sweep.command import sweep_tables, sweep_tokenizers

    with TerminalProgress() as progress:
        sweep = sweep_tokenizers(
            store, runs, codebooks=codebooks, quantizers=quantizers, preset=preset, steps=steps, changes=with_changes(changes or ()),
            device=device, jobs=jobs, seed=seed, progress=progress,
        )  # fmt: skip
    files = ("table.md", "sweep.json", "figure.png", "figure.svg")
    show_measured(sweep.as_plain(), sweep_tables(sweep), sweep.folder, files, as_json=as_json)
