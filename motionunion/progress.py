"""How long work tells a person where it is. The library reports through this protocol; `cli/` draws it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receiver of progress. One bar at a time: `start`, any number of `advance`, `finish`."""

    def start(self, label: str, total: float | None, unit: str) -> None:
        """Begin a bar; `total` None where it is not known. `unit` names what `advance` counts."""

    def advance(self, amount: float, **figures: float) -> None:
        """Count work done; `figures` (loss, ...) are shown beside the bar."""

    def finish(self) -> None:
        """End the bar."""

    def note(self, message: str) -> None:
        """Say one line that stays (a plan, a choice and its reason, a warning)."""


class Silent:
    """Says nothing: the default of every library function."""

    def start(self, label: str, total: float | None, unit: str) -> None:
        pass

    def advance(self, amount: float, **figures: float) -> None:
        pass

    def finish(self) -> None:
        pass

    def note(self, message: str) -> None:
        pass


SILENT = Silent()
