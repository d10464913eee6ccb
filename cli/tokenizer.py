"""`scamo tokenize` and `scamo train-tokenizer`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import (
    DEFAULT_RUNS,
    DEFAULT_STORE,
    DeviceOption,
    Engine,
    JobsOption,
    JsonOption,
    RunsOption,
    SeedOption,
    StoreOption,
)
from cli.progress import TerminalProgress
from cli.show import show_json, show_table

CodebookOption = Annotated[
    int | None,
    typer.Option(
        "--codebook",
        help="Nominal number of codes: 256, 512, 1024, 2048, 4096, 8192, 16384, 32768 or 65536. The true number of an FSQ "
        "is the product of its levels (64,000 for 65536) and is always shown. The preset's own if not given, else 65536.",
        show_default=False,
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="small (for a CPU), paper (for a GPU), tiny (seconds, shows only that it works), or the settings of t2mgpt, "
        "scamo or motionmillion; chosen by device and amount of data if not given.",
        show_default=False,
    ),
]
QuantizerOption = Annotated[
    str | None,
    typer.Option(
        "--quantizer",
        help="How latents become codes: fsq, vq, rvq, lfq, bsq, grouped_fsq or residual_fsq. The preset's own if not "
        "given, else fsq.",
        show_default=False,
    ),
]
RepresentationOption = Annotated[
    str | None,
    typer.Option(
        "--representation",
        help="Features to tokenize, hml263@20/compat or ms272@30 for example; the preset's own if not given.",
        show_default=False,
    ),
]


def tokenize(
    codebook: CodebookOption = None,
    preset: PresetOption = None,
    quantizer: QuantizerOption = None,
    representation: RepresentationOption = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            "--tokenizer",
            help="Folder of the tokenizer to use: of a run, its `best`, or of imported weights. One that matches if not given.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    runs: RunsOption = DEFAULT_RUNS,
    device: DeviceOption = None,
    jobs: JobsOption = None,
    engine: Annotated[
        Engine | None,
        typer.Option(
            "--engine",
            help="Who encodes: processes of this machine (pool), or a Ray cluster (ray: the one of RAY_ADDRESS or `ray start`, "
            "else one of its own on this machine). Runs and features must lie where all its nodes see them. The same bytes "
            "either way.",
            show_default="pool, where there is enough to do",
        ),
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Turn the motions of a store into codes: the corpus that `scamo train-ar` learns from.

    A tokenizer that matches is used; where there is none, one is trained first (a few minutes on a CPU). Can be killed
    and run again at any moment.
    """
    from tokenizer.plan import tokenize as make_corpus  # torch loads here, not for --help

    # Ray's own words about its workers go to stdout, and that is the result's.
    with TerminalProgress() as progress, contextlib.redirect_stdout(sys.stderr):
        made = make_corpus(
            store, runs, codebook=codebook, preset=preset, quantizer=quantizer, representation=representation,
            tokenizer=tokenizer, device=device, jobs=jobs, engine=engine, seed=seed, progress=progress,
        )  # fmt: skip
    answer = made.as_plain()
    if as_json:
        show_json(answer)
        return
    _show_corpus(answer)
    if made.advice:
        typer.secho(f"advice: {made.advice}", fg="yellow", err=True)
    if made.corpus.codes_per_step == 1:
        typer.secho("Next: scamo train-ar", err=True)
    else:
        several = f"{made.corpus.codes_per_step} codes for each step, scamo train-ar takes one"
        typer.secho(f"Next: scamo export-corpus --format hf --out DIR ({several})", err=True)


def train_tokenizer(
    codebook: CodebookOption = None,
    preset: PresetOption = None,
    quantizer: QuantizerOption = None,
    representation: RepresentationOption = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Training steps in place of the preset's.", show_default=False),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option("--precision", help="fp32 or bf16, in place of the preset's.", show_default=False),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the step; pays on a GPU, needs a C compiler on a CPU.")
    ] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PART.KEY=VALUE",
            help="Another value in place of the preset's, as in training.batch=32, model.width=256, "
            "training.weighting='\"evaluator\"' or quantizer.reset=false. Can be given several times.",
            show_default=False,
        ),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard into the run's folder.")
    ] = False,
    wandb: Annotated[
        str | None,
        typer.Option("--wandb", metavar="PROJECT", help="Also log to Weights & Biases.", show_default=False),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    runs: RunsOption = DEFAULT_RUNS,
    device: DeviceOption = None,
    jobs: JobsOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Train a tokenizer on the present state of a store, whether or not there is one already.

    The same call on the same store goes on with a run that was killed, or finds the finished one. The last weights are
    the result; those that scored best on held-out windows are kept beside them, in the folder `best`.

    Several GPUs: `torchrun --nproc-per-node 8 --no-python scamo train-tokenizer`.
    """
    from tokenizer.plan import train_tokenizer as train  # torch loads here, not for --help
    from tokenizer.presets import with_changes

    with TerminalProgress() as progress:
        trained = train(
            store, runs, codebook=codebook, preset=preset, quantizer=quantizer, representation=representation,
            steps=steps, changes=with_changes(changes or (), precision=precision, compiled=compiled),
            tensorboard=tensorboard, wandb=wandb, device=device, jobs=jobs, seed=seed, progress=progress,
        )  # fmt: skip
    if not trained.speaks:
        return
    answer = trained.as_plain()
    if as_json:
        show_json(answer)
        return
    columns = {f"held out: {answer['held_out']['on']}": answer["held_out"]} if answer["held_out"] else {}
    _show_scores(f"Tokenizer {answer['tokenizer']}", answer, columns)
    if answer["best"]:
        typer.secho(
            f"Best on held-out windows: step {answer['best']['step']:,}, {answer['best']['tokenizer']}", err=True
        )
    typer.secho(f"Next: scamo tokenize --tokenizer {answer['tokenizer']}", err=True)


def _show_corpus(answer: Mapping[str, Any]) -> None:
    show_table(
        f"Corpus {answer['corpus']}: {answer['codes']:,} codes of {answer['clips']:,} clips",
        ["split", "windows", "tokens", "distinct codes", "tokens per distinct code", "windows without captions"],
        [
            [
                name,
                split["windows"],
                split["tokens"],
                split["distinct_codes"],
                split["tokens_per_distinct_code"],
                split["windows_without_captions"],
            ]
            for name, split in answer["splits"].items()
        ],
        note="; ".join(
            f"{count:,} skipped: {answer['skipped_rule'][reason]}" for reason, count in answer["skipped"].items()
        ),
    )
    _show_scores(
        f"Tokenizer {answer['tokenizer']}",
        answer,
        {name: scores for name, scores in answer["evaluation"].items() if scores},
    )


def _show_scores(title: str, answer: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]]) -> None:
    lines = (
        ("windows", "windows"),
        ("L1 (normalised space)", "l1"),
        ("MPJPE, mm", "mpjpe_mm"),
        ("  of the mean-feature predictor", "mean_predictor_mpjpe_mm"),
        ("MPJPE heading-free, mm", "mpjpe_heading_free_mm"),
        ("  of the mean-feature predictor", "mean_predictor_mpjpe_heading_free_mm"),
    )
    usage = (
        ("tokens", "tokens"),
        ("distinct codes", "used"),
        ("  share of the codebook", "share_of_codebook"),
        ("  share of what the tokens could reach", "share_of_possible"),
        ("exponential entropy", "exp_entropy"),
    )
    show_table(
        f"{title}: codebook {answer['codebook']}, {answer['codebook_size']:,} codes in truth",
        ["", *columns],
        [[label, *(scores[key] for scores in columns.values())] for label, key in lines]
        + [[label, *(scores["usage"][key] for scores in columns.values())] for label, key in usage],
    )
