from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import tokenizer_rq1 as rq1
from tokenizer.sweep.run import run_sweep


@pytest.mark.slow
def test_sweeps_of_one_recipe_are_joined_by_quantiser_and_size(features, make_cells, tmp_path: Path) -> None:
    sweeps = [run_sweep(features, tmp_path, make_cells([256], [kind])) for kind in ("vq", "fsq")]
    joined = rq1.join([sweep.folder for sweep in sweeps])
    assert joined.cells == sweeps[1].cells + sweeps[0].cells
    with pytest.raises(SystemExit, match="fsq 256 is in more than one"):
        rq1.join([sweeps[1].folder, sweeps[1].folder])
    assert joined.title == "2 tokenizers" + sweeps[0].title.removeprefix("1 tokenizers")
    other = run_sweep(features, tmp_path, make_cells([256], ["fsq"]), seed=1)
    with pytest.raises(SystemExit, match="different recipes"):
        rq1.join([sweeps[0].folder, other.folder])


def test_the_page_keeps_what_is_around_the_tables() -> None:
    page = f"before\n{rq1.BEGIN}\nold\n{rq1.END}\nafter\n"
    assert rq1.page_with_tables(page, []) == f"before\n{rq1.BEGIN}\n\n\n{rq1.END}\nafter\n"
    with pytest.raises(SystemExit, match="no place"):
        rq1.page_with_tables("nothing", [])
