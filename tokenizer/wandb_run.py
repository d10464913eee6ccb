"""The log of a training run in Weights & Biases, for those who have its package and an account."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from motionunion.errors import MissingInput
from tokenizer.tensorboard import curves


class WandbRun:
    """Sends a log's entries to a project; a run that goes on after a kill is the same run there.

    Args:
        project: Its name.
        folder: Of the run; its name is the run's id.
        plan: Shown as the run's configuration.

    Raises:
        MissingInput: If the package is not installed.
    """

    def __init__(self, project: str, folder: Path, plan: Mapping[str, Any]) -> None:
        try:
            wandb = import_module("wandb")
        except ImportError as error:
            raise MissingInput("--wandb needs the package of that name: pip install wandb") from error
        self._run = wandb.init(
            project=project, id=folder.name, name=folder.name, dir=str(folder), config=dict(plan), resume="allow"
        )

    def heard(self, entry: Mapping[str, Any]) -> None:
        """Send an entry's numbers, its step and attempt among them."""
        # Their own counter of steps only rises, and would refuse what a later attempt or a resumed run says again.
        self._run.log({**dict(curves(entry)), "step": entry["step"], "attempt": entry["attempt"]})

    def went_back(self, step: int) -> None:
        """Nothing: entries carry their step, and the same ones come again."""

    def close(self) -> None:
        """End the run."""
        self._run.finish()
