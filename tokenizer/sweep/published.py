"""The paper's own comparison of codebooks (ScaMo, Fig. 6), as reference lines beside ours.

Its numbers are of other data, another width and 100 times the training: they show the shape to expect, not a mark to reach.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import manifests

FILE = "scamo_figure_6.json"
SETS = ("HumanML3D", "MotionUnion")
"""The data sets of the figure, one row of panels each."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one panel: what a quantiser reached at which nominal codebook size, smallest first."""

    codebooks: tuple[int, ...]
    values: tuple[float, ...]


@cache
def published_lines(data_set: str, figure: str) -> Mapping[str, Line]:
    """Lines of a panel by quantiser (`fsq`, `vq`).

    Args:
        data_set: One of `SETS`.
        figure: `l1`, `mpjpe_mm`, `used` or `exp_entropy`, in the units of `tokenizer.evaluation.scores.Scores`.
    """
    key = figure if figure in ("l1", "mpjpe_mm") else f"log2_{figure}"
    lines = {}
    for quantizer, panels in _figure()["sets"][data_set].items():
        points = sorted((int(bits), value) for bits, value in panels[key].items())
        values = tuple(value if key == figure else math.exp2(value) for _, value in points)
        lines[quantizer] = Line(tuple(1 << bits for bits, _ in points), values)
    return lines


@cache
def _figure() -> dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]]:
    text = (files(manifests) / FILE).read_text(encoding="utf-8")
    return dict(json.loads(text))
