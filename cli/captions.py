"""`motionunion captions import`: one's own captions, from a table into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT_STORE, JsonOption, StoreOption

_SHOWN = 5


def import_captions(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or JSONL file. Columns: clip and text; if you like start, end (seconds), tokens, layer, generator.",
            metavar="FILE",
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    layer: Annotated[
        str, typer.Option("--layer", help="Name for these captions, where the file has no layer column.")
    ] = "imported",
    as_json: JsonOption = False,
) -> None:
    """Add your own captions to clips of the store.

    A clip is named by its id, its uid, its key, or the path or name of its motion file. Importing a file of the same name
    into the same layer again replaces what it said. Names that are not in the store are listed and left out (exit 3).

    A .txt beside a motion file that bears its name is read by `motionunion ingest`, and needs no import.
    """
    from dataclasses import asdict

    from cli.show import say, show_json
    from motionunion.caption_tables import import_captions as add_captions

    result = add_captions(store, file, layer)
    if as_json:
        show_json(asdict(result))
    else:
        typer.echo(f"{result.captions:,} captions of {result.files:,} motion files added (layer {result.layer})")
    for what, names in (("not in the store", result.unmatched), ("fit several files", result.ambiguous)):
        if names:
            shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            say(f"{len(names):,} names {what}, their captions left out: {shown}")
    if result.unmatched or result.ambiguous:
        raise typer.Exit(3)
