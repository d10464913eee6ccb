"""`scamo import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT_RUNS, JsonOption, RunsOption
from cli.show import say, show_json, show_table


def import_weights(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="The checkpoint as published: 65536_FSQ.pth, net_last.pth, net_best_fid.tar."
        ),
    ],
    statistics: Annotated[
        Path | None,
        typer.Option(
            "--statistics",
            metavar="DIR",
            help="Folder of the mean.npy and std.npy that the weights were trained with. Looked for beside PATH if not given.",
            show_default=False,
        ),
    ] = None,
    representation: Annotated[
        str | None,
        typer.Option(
            "--representation",
            metavar="ID",
            help="What the tokenizer's rows are, for example hml263@20/compat. Follows from their length if not given.",
            show_default=False,
        ),
    ] = None,
    codebook: Annotated[
        int | None,
        typer.Option(
            "--codebook",
            min=2,
            help="Nominal codebook size of an FSQ tokenizer, where neither weights nor file name tell it; of a VQ, where it is no power of two.",
            show_default=False,
        ),
    ] = None,
    norm: Annotated[
        str | None,
        typer.Option(
            "--norm",
            metavar="LN|GN",
            help="Norm of the residual blocks, for weights of your own training that have one. LN and GN look alike in a file.",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option("--layers", min=1, help="Codebooks of a MoMask RVQ, where they are not six.", show_default=False),
    ] = None,
    runs: RunsOption = DEFAULT_RUNS,
    as_json: JsonOption = False,
) -> None:
    """Take over a published tokenizer: ScaMo, T2M-GPT, MoMask or MotionMillion.

    The project is told by the names of the weights, and every one of them is checked. Nothing in the file is executed. The
    result is a tokenizer like those that are trained here: `scamo tokenize` uses it where it fits.
    """
    from tokenizer.published import import_weights as import_checkpoint  # torch loads here, not for --help

    answer = import_checkpoint(
        path, runs, statistics=statistics, representation=representation, codebook=codebook, norm=norm, layers=layers
    ).as_plain()
    if as_json:
        show_json(answer)
        return
    rows = (
        ("project", f"{answer['title']} ({answer['paper']})"),
        ("representation", answer["representation"]),
        ("codebook", f"{answer['codebook']}, {answer['codebook_size']:,} codes in truth"),
        ("codes for one step", answer["codes_per_step"]),
        ("rows to a step", answer["rows_per_code"]),
        ("parameters", answer["parameters"]),
        ("folder", answer["folder"]),
    )
    show_table(f"Tokenizer {answer['tokenizer']}", ["", "imported"], [list(row) for row in rows])
    if answer["next"]:
        say(f"Next: {answer['next']}")
