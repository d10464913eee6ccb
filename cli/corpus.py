"""`scamo export-corpus` and `scamo decode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT_RUNS, JsonOption, RunsOption
from cli.progress import TerminalProgress
from cli.show import show_json, show_table

CorpusOption = Annotated[
    Path | None,
    typer.Option("--corpus", help="Folder of a corpus; the newest one if not given.", show_default=False),
]


def export_corpus(
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            help="hf (Hugging Face datasets), bin (nanoGPT), jsonl, litgpt (litdata token chunks) or webdataset (tar shards).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for the files.")],
    corpus: CorpusOption = None,
    runs: RunsOption = DEFAULT_RUNS,
    as_json: JsonOption = False,
) -> None:
    """Write a corpus in the form that another project trains on.

    Every byte is verified on the way, and `export.json` in the folder says what is in each file.
    """
    from tokenizer.corpus import newest_corpus, open_corpus  # torch loads here, not for --help
    from tokenizer.export import export_corpus as export

    with TerminalProgress() as progress:
        answer = export(open_corpus(corpus or newest_corpus(runs)), format_name, out, progress).as_plain()
    if as_json:
        show_json(answer)
        return
    show_table(
        f"{answer['format']} in {answer['folder']}",
        ["file", "split", "windows", "bytes"],
        [[file["file"], file["split"] or "", file["windows"], file["bytes"]] for file in answer["files"]],
    )


def decode(
    items: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WINDOW|FILE.npy]...",
            help="Windows by id or name (004822), or files of codes. The first windows of a split if none is given.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files.")] = Path("decoded"),
    split: Annotated[str, typer.Option("--split", help="Where windows come from that are not named.")] = "train",
    count: Annotated[int, typer.Option("--count", min=1, help="How many of them.")] = 4,
    gif: Annotated[bool, typer.Option("--gif/--no-gif", help="Whether to draw each motion.")] = True,
    corpus: CorpusOption = None,
    runs: RunsOption = DEFAULT_RUNS,
    as_json: JsonOption = False,
) -> None:
    """Turn codes back into motion: features, joints and a GIF.

    Files of codes are decoded by the tokenizer of the corpus.
    """
    from tokenizer.corpus import newest_corpus, open_corpus  # torch loads here, not for --help
    from tokenizer.decode import decode_items

    with TerminalProgress() as progress:
        written = decode_items(
            open_corpus(corpus or newest_corpus(runs)),
            items or [],
            out,
            split=split,
            count=count,
            gif=gif,
            progress=progress,
        )
    if as_json:
        show_json({"out": str(out), "motions": written})
        return
    show_table(
        f"{len(written)} motions in {out}",
        ["name", "codes", "frames", "seconds", "caption"],
        [[one["name"], one["codes"], one["frames"], one["seconds"], one["caption"] or ""] for one in written],
    )
