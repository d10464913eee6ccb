"""A sweep drawn as the paper's Fig. 6: L1, MPJPE, codes used and exponential entropy over the codebook size.

Needs matplotlib (`motionunion[plots]`), which is imported when a figure is drawn and not before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from motionunion.digest import write_atomic
from tokenizer.sweep.published import SETS, published_lines
from tokenizer.sweep.report import FIGURES, HUMANML3D, Point, measured_groups, points
from tokenizer.sweep.run import CellResult

NAMES = {
    "l1": "L1 (normalised space)",
    "mpjpe_mm": "MPJPE, mm",
    "used": "codes used",
    "exp_entropy": "exponential entropy",
}
LOGARITHMIC = ("used", "exp_entropy")
PUBLISHED_COLOURS = {"fsq": "#0072b2", "vq": "#d55e00"}
"""Of the paper's two quantisers, and of the first of ours of each kind."""
COLOURS = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#000000")
"""Of the others: Okabe and Ito's, told apart by most colour-blind readers."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INCHES = (3.4, 2.9)
"""Of one panel."""


def rows_of_figure(cells: Sequence[CellResult]) -> list[tuple[str, str, str]]:
    """Split, group and the paper's data set of each row of panels: HumanML3D, where there is some, then everything beside
    MotionUnion."""
    found = measured_groups(cells)
    rows = [(split, group, SETS[0] if group == HUMANML3D else SETS[1]) for split, group in found]
    return sorted(rows, key=lambda row: SETS.index(row[2]))


def draw_sweep(cells: Sequence[CellResult], folder: Path, title: str, name: str = "figure") -> list[Path]:
    """Draw `<name>.png` and `<name>.svg` into a folder; the same sweep and matplotlib give the same bytes.

    Raises:
        ImportError: If matplotlib is not there.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = rows_of_figure(cells)
    with matplotlib.rc_context({"svg.hashsalt": "motionunion", "font.size": 8}):
        figure = Figure(figsize=(INCHES[0] * len(FIGURES), INCHES[1] * len(rows) + 0.9), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(rows), len(FIGURES), squeeze=False)
        for row, (split, group, data_set) in zip(panels, rows, strict=True):
            for axes, what in zip(row, FIGURES, strict=True):
                _panel(axes, points(cells, what, split, group), data_set, what)
            row[0].set_ylabel(f"{group}, {split} split\n(ScaMo: {data_set})")
        handles, labels = panels[0][1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        figure.suptitle(title)
        paths = []
        for kind, about in (("png", {"Software": None}), ("svg", {"Date": None})):
            buffer = BytesIO()
            figure.savefig(buffer, format=kind, dpi=110, metadata=about)
            write_atomic(folder / f"{name}.{kind}", buffer.getvalue())
            paths.append(folder / f"{name}.{kind}")
    return paths


def colours_of(variants: Sequence[str]) -> dict[str, str]:
    """A colour for every line: the paper's for the first of its two kinds, by the first word of the name; others by turns."""
    colours: dict[str, str] = {}
    others = 0
    for variant in variants:
        colour = PUBLISHED_COLOURS.get(variant.replace(",", " ").split()[0])
        if colour is None or colour in colours.values():
            colour = COLOURS[others % len(COLOURS)]
            others += 1
        colours[variant] = colour
    return colours


def _panel(axes: Any, lines: Mapping[str, Sequence[Point]], data_set: str, figure: str) -> None:
    for number, (variant, colour) in enumerate(colours_of(list(lines)).items()):
        axes.plot(
            [point.codebook for point in lines[variant]], [point.value for point in lines[variant]],
            marker=MARKERS[number % len(MARKERS)], color=colour, markersize=4, label=variant,
        )  # fmt: skip
    for quantizer, published in published_lines(data_set, figure).items():
        axes.plot(
            published.codebooks, published.values, linestyle=":", linewidth=1, marker=".", markersize=3,
            color=PUBLISHED_COLOURS[quantizer], alpha=0.7, label=f"ScaMo's {quantizer.upper()}",
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    if figure in LOGARITHMIC:
        axes.set_yscale("log", base=2)
    else:
        axes.set_ylim(bottom=0)
    axes.set_title(NAMES[figure])
    axes.set_xlabel("codebook size (nominal)")
    axes.grid(visible=True, linewidth=0.3)
