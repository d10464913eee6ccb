"""Figures of tokenizers as tables: for the terminal and for Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenizer.evaluation.evaluate import GroupScores
from tokenizer.evaluation.scores import Scores

NOT_AVAILABLE = "n/a"
COLUMNS = (
    "L1", "MPJPE", "of mean", "world", "posture", "accel.", "used", "of codes", "possible", "entropy",
)  # fmt: skip
NOTE = (
    "L1 in the tokenizer's own normalised space. MPJPE in mm, pelvis subtracted in every frame; of mean: divided by what the mean "
    "feature vector scores; world: not aligned; posture: heading left out; accel.: error of second differences, mm/frame². "
    "Codes used, as a share of all codes and of min(steps, codes), and their exponential entropy."
)
SEVERAL = "Where a step has several codes, what is said of codes is their average."


@dataclass(frozen=True, slots=True)
class Table:
    """One table in cells of text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def groups_table(title: str, groups: Iterable[GroupScores], note: str = "") -> Table:
    """One row a group: its split, its name, its size and its figures."""
    found = list(groups)
    rows = [
        [one.split, one.group, f"{one.scores.windows:,}", f"{one.scores.tokens:,}", *score_cells(one.scores)]
        for one in found
    ]
    several = SEVERAL if any(len(one.scores.usage) > 1 for one in found) else ""
    return Table(title, ("split", "group", "windows", "steps", *COLUMNS), rows, join_notes(NOTE, several, note))


def score_cells(scores: Scores) -> list[str]:
    """Cells of `COLUMNS`."""
    return [
        f"{scores.l1:.4f}",
        f"{scores.mpjpe_mm:.1f}",
        number(scores.ratio, ".3f"),
        f"{scores.mpjpe_unaligned_mm:.1f}",
        f"{scores.mpjpe_heading_free_mm:.1f}",
        number(scores.acceleration_mm, ".2f"),
        f"{scores.used:,.0f}",
        f"{scores.share_of_codebook:.1%}",
        f"{scores.share_of_possible:.1%}",
        f"{scores.exp_entropy:,.0f}",
    ]


def number(value: float, form: str) -> str:
    """A number, or that there is none."""
    return format(value, form) if math.isfinite(value) else NOT_AVAILABLE


def join_notes(*notes: str) -> str:
    """Notes below a table, one a line, empty ones left out."""
    return "\n".join(note for note in notes if note)


def markdown(tables: Iterable[Table]) -> str:
    """Tables as one Markdown text, the first one's title its heading."""
    parts = []
    for level, table in enumerate(tables):
        lines = [f"{'##' if level else '#'} {table.title}", ""]
        lines += [
            "| " + " | ".join(cells) + " |" for cells in (table.columns, ["---"] * len(table.columns), *table.rows)
        ]
        lines += ["", *(f"- {line}" for line in table.note.splitlines())]
        parts.append("\n".join(lines).rstrip() + "\n")
    return "\n".join(parts)
