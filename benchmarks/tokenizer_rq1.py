"""The paper's first question, asked small: which quantiser holds at which codebook?

    python -m benchmarks.tokenizer_rq1 STORE [--runs DIR] [--steps 2000] [--set model.width=64 ...]
    python -m benchmarks.tokenizer_rq1 --join SWEEP [SWEEP ...]

FSQ, EMA-VQ with reset and EMA-VQ without, at 2^8, 2^10, 2^12 and 2^14, all by one recipe (`scamo sweep tokenizer`). Writes
benchmarks/results/tokenizer_rq1.json, docs/images/tokenizer_rq1.png and the table of docs/tokenizer_evaluation.md.
`--join` puts together the finished cells of sweeps of one recipe: one for each quantiser, say, trained side by side.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks import machine
from motionunion.digest import write_atomic
from motionunion.progress import Silent
from tokenizer.evaluation.table import Table, markdown
from tokenizer.presets import with_changes
from tokenizer.runs import read_plan
from tokenizer.sweep.command import sweep_tables, sweep_tokenizers
from tokenizer.sweep.figure import draw_sweep
from tokenizer.sweep.grid import VARIANTS
from tokenizer.sweep.run import CELLS, SCORES, Sweep, read_cell

CODEBOOKS = "256,1024,4096,16384"
QUANTIZERS = ("fsq", "vq", "vq-no-reset")
ROOT = Path(__file__).resolve().parent.parent
PAGE, IMAGES = ROOT / "docs" / "tokenizer_evaluation.md", ROOT / "docs" / "images"
BEGIN = "<!-- made by `python -m benchmarks.tokenizer_rq1` -->"
END = "<!-- end of the tables -->"


class Notes(Silent):
    """Prints what a sweep says, and nothing of single steps."""

    def note(self, message: str) -> None:
        print(message, file=sys.stderr, flush=True)


def join(folders: Sequence[Path]) -> Sweep:
    """The finished cells of sweeps that share a recipe, by quantiser and size, as one sweep."""
    cells, recipes = [], []
    for folder in folders:
        plan = read_plan(folder)["plan"]
        recipes.append({key: value for key, value in plan.items() if key not in ("what", "cells")})
        cells += [read_cell(path.parent) for path in folder.glob(f"{CELLS}/*/{SCORES}")]
    if any(recipe != recipes[0] for recipe in recipes):
        raise SystemExit("these sweeps were trained by different recipes: their cells cannot stand in one table")
    names = [(cell.variant, cell.codebook) for cell in cells]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SystemExit(f"{twice[0][0]} {twice[0][1]:,} is in more than one of these sweeps: join each cell once")
    order = list(VARIANTS)
    cells.sort(key=lambda cell: (order.index(cell.variant), cell.codebook))
    return Sweep(folder=folders[0], recipe=recipes[0], cells=tuple(cells))


def write_results(sweep: Sweep) -> None:
    """The JSON, the picture and the page's tables."""
    plain = {key: value for key, value in sweep.as_plain().items() if key != "sweep"}
    machine.write(
        Path(__file__).with_name("results") / "tokenizer_rq1.json", {"threads": torch.get_num_threads(), **plain}
    )
    with tempfile.TemporaryDirectory() as folder:
        draw_sweep(sweep.cells, Path(folder), sweep.title, "tokenizer_rq1")
        IMAGES.mkdir(exist_ok=True)
        shutil.copyfile(Path(folder) / "tokenizer_rq1.png", IMAGES / "tokenizer_rq1.png")
    page = PAGE.read_text(encoding="utf-8")
    write_atomic(PAGE, page_with_tables(page, sweep_tables(sweep)).encode())
    print(f"written: {PAGE}")


def page_with_tables(page: str, tables: Sequence[Table]) -> str:
    """A page's text with what is between its two marks made anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} has no place for the tables, which is between {BEGIN} and {END}")
    text = "\n".join(markdown([table]).replace("# ", "### ", 1) for table in tables)
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", nargs="?")
    parser.add_argument("--join", nargs="+", type=Path, metavar="SWEEP")
    parser.add_argument("--runs", type=Path, default=Path("scamo-runs"))
    parser.add_argument("--preset", default="small")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--codebooks", default=CODEBOOKS)
    parser.add_argument("--quantizers", default=",".join(QUANTIZERS))
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="PART.KEY=VALUE")
    parser.add_argument("--device")
    given = parser.parse_args()
    if bool(given.store) == bool(given.join):
        parser.error("give a store to train on, or --join and the folders of sweeps")
    if given.join:
        sweep = join(given.join)
    else:
        sweep = sweep_tokenizers(
            given.store, given.runs, codebooks=given.codebooks, quantizers=given.quantizers, preset=given.preset,
            steps=given.steps, changes=with_changes(given.changes), device=given.device, progress=Notes(),
        )  # fmt: skip
    write_results(sweep)


if __name__ == "__main__":
    main()
