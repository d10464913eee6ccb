"""Options that are spelled the same on every command that has them."""

from __future__ import annotations

import os
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="MOTIONUNION_STORE",
        help="Folder of the store, or its URL: s3://bucket/prefix, gs://..., az://...",
        show_default=True,
    ),
]
AtOption = Annotated[
    int | None,
    typer.Option(
        "--at",
        metavar="COMMIT",
        min=1,
        help="Read the store as it was at this commit (`motionunion log` lists them).",
        show_default=False,
    ),
]
RunsOption = Annotated[
    Path,
    typer.Option("--runs", envvar="SCAMO_RUNS", help="Folder of tokenizers, corpora, models and evaluations."),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="Worker processes; all cores where not given.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of tables.")]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="cpu, cuda, cuda:1, ...; a GPU where there is one if not given.", show_default=False),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random choice.")]


class Engine(StrEnum):
    """Who does the work."""

    pool = "pool"
    ray = "ray"


DEFAULT_STORE = "motionunion-store"
DEFAULT_RUNS = Path("scamo-runs")


def naming(store: str) -> str:
    """What a command that is suggested needs behind it to mean this store: nothing where it finds it by itself."""
    return "" if store == os.environ.get("MOTIONUNION_STORE", DEFAULT_STORE) else f" --store {shlex.quote(store)}"
