"""`motionunion sample`: synthetic raw files to try everything with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import JobsOption, JsonOption, SeedOption


def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write into; made where it does not exist.")],
    seed: SeedOption = 0,
    clips: Annotated[
        int, typer.Option("--clips", min=12, help="Captioned clips in amass/; 24 are enough to see how things work.")
    ] = 720,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a small synthetic data set in real file formats: no download, no licence.

    Four folders appear below DIR: amass/ (SMPL-H files with HumanML3D captions and splits, and five files that are bad on
    purpose), bvh/, smplx/ and humanml3d/. All motions come from a procedural generator. The same seed gives the same files.
    """
    from cli.progress import TerminalProgress
    from cli.show import say, show_json, show_table
    from motionunion.sample import write_sample

    with TerminalProgress() as progress:
        result = write_sample(folder, seed=seed, clips=clips, jobs=jobs, progress=progress)
    if as_json:
        show_json(
            {
                "root": str(result.root),
                "seed": result.seed,
                "synthetic": True,
                "folders": [
                    {
                        "name": part.name, "path": str(part.path), "files": part.files, "clips": part.clips,
                        "captions": part.captions, "bytes": part.bytes,
                    }
                    for part in result.folders
                ],
                "splits": result.splits,
                "bad": [path.as_posix() for path in result.bad],
            }
        )  # fmt: skip
        return
    show_table(
        f"Synthetic sample in {result.root}",
        ("folder", "motion files", "captioned clips", "captions", "MB"),
        [
            (f"{part.name}/", part.files, part.clips, part.captions, round(part.bytes / 1e6, 1))
            for part in result.folders
        ],
        note=f"amass/: {', '.join(f'{count:,} {split}' for split, count in result.splits.items())}; "
        f"{len(result.bad)} files are bad on purpose, so that you see what a refusal looks like.",
    )
    say(f"Next:\n  motionunion ingest {result.folders[0].path}\n  motionunion stats")
