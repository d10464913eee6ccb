"""The log of a training run: `metrics.jsonl`, and event files for TensorBoard made of the same entries where they are wanted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from motionunion.digest import canonical_json
from motionunion.errors import MissingInput

METRICS = "metrics.jsonl"


class Listener(Protocol):
    """What hears of every entry of a log besides the file."""

    def heard(self, entry: Mapping[str, Any]) -> None:
        """Take note of an entry."""

    def went_back(self, step: int) -> None:
        """What was heard of later steps of this attempt is going to be said again."""

    def close(self) -> None:
        """No more entries come."""


class TrainingLog:
    """Writes `metrics.jsonl`, one line an entry, and tells listeners."""

    def __init__(self, folder: Path, listeners: tuple[Listener, ...] = ()) -> None:
        self.path = folder / METRICS
        self.listeners = listeners

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append an entry."""
        try:
            with self.path.open("ab") as file:
                file.write(canonical_json(entry) + b"\n")
        except OSError as error:
            error.filename = str(self.path)  # a full disk does not say where it is
            raise
        for listener in self.listeners:
            listener.heard(entry)

    @property
    def length(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def go_back(self, length: int, step: int) -> None:
        """Forget what was written after a save: the run that goes on from there writes it again, to the byte."""
        if self.path.exists():
            os.truncate(self.path, min(length, self.path.stat().st_size))
        for listener in self.listeners:
            listener.went_back(step)

    def close(self) -> None:
        """No more entries come."""
        for listener in self.listeners:
            listener.close()


def read_metrics(folder: Path) -> Iterator[dict[str, Any]]:
    """Lines of a run's `metrics.jsonl`, in the order of training. Raises `MissingInput` for a line that is none."""
    path = folder / METRICS
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise MissingInput(
                f"{path}:{number}: is damaged ({error}); remove the file, only its figures are lost"
            ) from error
        if not isinstance(entry, dict) or "kind" not in entry:
            raise MissingInput(
                f"{path}:{number}: is damaged (no entry of a log); remove the file, only its figures are lost"
            )
        yield entry


def last_held_out(folder: Path) -> Mapping[str, Any] | None:
    """The last look at the held-out windows that a run's log has."""
    found = [entry for entry in read_metrics(folder) if entry["kind"] == "held_out"]
    return found[-1] if found else None
