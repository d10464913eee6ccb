"""A sweep as a table and as what a figure shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizer.evaluation.evaluate import ALL
from tokenizer.evaluation.table import COLUMNS, NOTE, SEVERAL, Table, join_notes, number, score_cells
from tokenizer.sweep.run import CellResult

HUMANML3D = "humanml3d"
FIGURES = ("l1", "mpjpe_mm", "used", "exp_entropy")
"""What the paper's figure shows, panel by panel."""


@dataclass(frozen=True, slots=True)
class Point:
    """One tokenizer in one panel."""

    codebook: int
    """Nominal size, as on the paper's axis."""
    value: float


def measured_groups(cells: Sequence[CellResult]) -> list[tuple[str, str]]:
    """Split and group of the tables of a sweep: all of the test split (of val, where nothing is in test), and HumanML3D
    within it where the store has it."""
    keys = {(one.split, one.group) for cell in cells for one in cell.groups}
    split = "test" if ("test", ALL) in keys else "val"
    return [(split, group) for group in (ALL, HUMANML3D) if (split, group) in keys]


def sweep_table(title: str, cells: Sequence[CellResult], split: str, group: str, note: str = "") -> Table:
    """One row a tokenizer, by quantiser and size; a failed one says why below."""
    rows, failures = [], []
    tokens = 0
    for cell in cells:
        head = [cell.variant, f"{cell.codebook:,}", f"{cell.codebook_size:,}"]
        scores = cell.find(split, group)
        if cell.failed is not None:
            failures.append(f"{cell.variant} {cell.codebook:,} failed: {cell.failed}")
        if scores is None:
            rows.append([*head, *[number(float("nan"), "")] * len(COLUMNS)])
        else:
            tokens = scores.tokens
            rows.append([*head, *score_cells(scores)])
    several = SEVERAL if any(cell.codes_per_step > 1 for cell in cells) else ""
    what = f"{'All motion' if group == ALL else group} of the {split} split: {tokens:,} steps."
    columns = ("quantiser", "codebook", "true codes", *COLUMNS)
    return Table(title, columns, rows, join_notes(what, NOTE, several, *failures, note))


def points(cells: Sequence[CellResult], figure: str, split: str, group: str) -> dict[str, list[Point]]:
    """Lines of a panel, by quantiser in the order of the sweep; cells without figures are left out."""
    lines: dict[str, list[Point]] = {}
    for cell in cells:
        scores = cell.find(split, group)
        if scores is not None:
            lines.setdefault(cell.variant, []).append(Point(cell.codebook, float(getattr(scores, figure))))
    return {name: sorted(line, key=lambda point: point.codebook) for name, line in lines.items()}
