from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tokenizer.evaluation.evaluate import ALL, GroupScores
from tokenizer.evaluation.scores import Scores
from tokenizer.sweep import command
from tokenizer.sweep.command import sweep_tables, write_report
from tokenizer.sweep.figure import PUBLISHED_COLOURS, colours_of, draw_sweep, rows_of_figure
from tokenizer.sweep.published import SETS, published_lines
from tokenizer.sweep.report import FIGURES, Point, measured_groups, points
from tokenizer.sweep.run import CellResult, Sweep
from tokenizer.usage import CodeUsage


def scores(mpjpe_mm: float) -> Scores:
    return Scores(
        windows=3, rows=400, l1=0.4, mpjpe_mm=mpjpe_mm, mpjpe_of_clips_mm=mpjpe_mm, mpjpe_unaligned_mm=200.0,
        mpjpe_heading_free_mm=50.0, acceleration_mm=3.0, mean_predictor_mpjpe_mm=140.0,
        usage=(CodeUsage(100, 40, 240, 31.5),),
    )  # fmt: skip


def cell(variant: str, codebook: int, mpjpe_mm: float, groups: tuple[str, ...] = (ALL,)) -> CellResult:
    found = tuple(GroupScores(split="test", group=group, scores=scores(mpjpe_mm)) for group in groups)
    return CellResult(variant=variant, codebook=codebook, codebook_size=codebook - 16, codes_per_step=1, groups=found)


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    recipe = {
        "representation": "hml263@20/compat", "width": 8, "steps": 6, "batch": 2, "crop_rows": 32, "train": {"rows": 160},
    }  # fmt: skip
    groups = (ALL, "humanml3d")
    cells = (
        cell("fsq", 256, 90, groups),
        cell("fsq", 1024, 80, groups),
        replace(cell("vq", 1024, 95, ()), failed="the loss is not finite"),
        cell("vq", 256, 95, groups),
    )
    return Sweep(folder=tmp_path, recipe=recipe, cells=cells)


def test_the_table_has_a_row_for_every_cell_and_says_why_one_failed(sweep: Sweep) -> None:
    whole, humanml3d = sweep_tables(sweep)
    assert [row[:2] for row in whole.rows] == [["fsq", "256"], ["fsq", "1,024"], ["vq", "1,024"], ["vq", "256"]]
    assert all(len(row) == len(whole.columns) for row in whole.rows)
    assert set(whole.rows[2][3:]) == {"n/a"}
    assert "vq 1,024 failed: the loss is not finite" in whole.note
    assert humanml3d.title.startswith("humanml3d")


def test_lines_rise_with_the_size_and_leave_out_what_failed(sweep: Sweep) -> None:
    assert points(sweep.cells, "mpjpe_mm", "test", ALL) == {
        "fsq": [Point(256, 90), Point(1024, 80)],
        "vq": [Point(256, 95)],
    }
    assert points(sweep.cells, "exp_entropy", "test", ALL)["vq"] == [Point(256, 31.5)]


def test_the_figure_has_a_row_for_humanml3d_and_one_for_everything(sweep: Sweep) -> None:
    assert rows_of_figure(sweep.cells) == [("test", "humanml3d", "HumanML3D"), ("test", ALL, "MotionUnion")]
    assert rows_of_figure([cell("fsq", 256, 90)]) == [("test", ALL, "MotionUnion")]


def test_without_a_test_split_val_is_shown() -> None:
    only = CellResult(
        variant="fsq", codebook=256, codebook_size=240, codes_per_step=1,
        groups=(GroupScores(split="val", group=ALL, scores=scores(80)),),
    )  # fmt: skip
    assert measured_groups([only]) == [("val", ALL)]


def test_the_papers_lines_are_those_of_its_figure() -> None:
    fsq, vq = (published_lines("HumanML3D", "mpjpe_mm")[name] for name in ("fsq", "vq"))
    assert (fsq.codebooks[0], fsq.values[0], fsq.codebooks[-1], fsq.values[-1]) == (256, 57.79, 65536, 41.99)
    assert dict(zip(vq.codebooks, vq.values, strict=True))[8192] == 171.0  # EMA-VQ collapses
    # The text of the paper and its figure agree to what can be read off: 33,924 of 64,000 codes.
    assert published_lines("HumanML3D", "exp_entropy")["fsq"].values[-1] == pytest.approx(33924, rel=0.003)
    for data_set in SETS:
        for figure in FIGURES:
            for line in published_lines(data_set, figure).values():
                assert list(line.codebooks) == sorted(line.codebooks)
                assert len(line.values) == len(line.codebooks) >= 6


def test_the_first_line_of_a_published_kind_has_its_colour() -> None:
    colours = colours_of(["lfq", "vq, small, width 64", "vq-no-reset", "fsq", "fsq, paper, width 512"])
    assert colours["fsq"] == PUBLISHED_COLOURS["fsq"]
    assert colours["vq, small, width 64"] == PUBLISHED_COLOURS["vq"]
    assert len(set(colours.values())) == 5


@pytest.mark.slow
def test_the_same_sweep_is_drawn_into_the_same_bytes(sweep: Sweep, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = [draw_sweep(sweep.cells, tmp_path / name, sweep.title) for name in ("one", "two")]
    assert [path.name for path in drawn[0]] == ["figure.png", "figure.svg"]
    for one, other in zip(*drawn, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_without_matplotlib_there_is_a_table_and_word_of_what_to_install(sweep: Sweep, monkeypatch) -> None:
    said: list[str] = []

    class Notes:
        def note(self, message: str) -> None:
            said.append(message)

    def absent(*args) -> None:
        raise ImportError("No module named 'matplotlib'")

    monkeypatch.setattr(command, "draw_sweep", absent)
    write_report(sweep, Notes())
    assert "motionunion[plots]" in said[0]
    assert (sweep.folder / "table.md").read_text().startswith("# all: 4 tokenizers")
