"""A progress bar on stderr, on terminals only, with rate and time left."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import typer

_RATE_OVER_S = 120.0
"""Rate and time left come from so much of the past: a task of an ingest may take half a minute."""


class TerminalProgress:
    """Draws `motionunion.progress.Progress` with rich; without a terminal only the notes are printed."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._drawn = sys.stderr.isatty()

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.finish()

    def start(self, label: str, total: float | None, unit: str) -> None:
        self.finish()
        if not self._drawn:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
            TextColumn("{task.speed:,.1f}/s" if total is None else "{task.fields[figures]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=_RATE_OVER_S,
            transient=True,
        )
        self._task = self._bar.add_task(label, total=total, unit=unit, figures="")
        self._bar.start()

    def advance(self, amount: float, **figures: float) -> None:
        if self._bar is None:
            return
        task = self._bar.tasks[0]
        speed = f"{task.speed:,.1f} {task.fields['unit']}/s  " if task.speed else ""
        shown = speed + "  ".join(f"{name} {_figure(value)}" for name, value in figures.items())
        self._bar.update(self._task, advance=amount, figures=shown)

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def note(self, message: str) -> None:
        if self._bar is not None:
            self._bar.console.print(message, highlight=False, markup=False)
        else:
            typer.secho(message, err=True)


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
