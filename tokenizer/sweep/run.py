"""`scamo sweep tokenizer`: train and measure every cell of a grid, one after the other, and go on where a run stopped.

RUNS/sweeps/tokenizer-<hash>/    plan.json, cells/<cell>/ (a tokenizer's folder, and scores.json last), sweep.json,
                                 table.md, figure.png, figure.svg

The tokenizers of a sweep lie apart from RUNS/tokenizers, so that `scamo tokenize` never takes one that a sweep has
trained for a few steps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from motionunion.digest import write_atomic
from motionunion.errors import MissingInput
from motionunion.features import FeatureSet
from motionunion.progress import SILENT, Progress
from motionunion.windows import Window, cut
from tokenizer.checkpoint import FILE, Tokenizer
from tokenizer.collapse import CollapseError
from tokenizer.crops import TrainingData, training_data
from tokenizer.evaluation.evaluate import GroupScores, evaluate_groups
from tokenizer.evaluation.scores import Scores
from tokenizer.runs import PLAN, alone_in, open_run, remove_leftovers, write_plan
from tokenizer.sweep.grid import Cell
from tokenizer.train import Trainer
from tokenizer.training_state import STATE

FORMAT = "tokenizer-sweep/1"
SWEEPS, CELLS = "sweeps", "cells"
SCORES, RESULT = "scores.json", "sweep.json"
SPLITS_MEASURED = ("val", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What became of one cell."""

    variant: str
    codebook: int
    codebook_size: int
    """True number of values of one code."""
    codes_per_step: int
    groups: tuple[GroupScores, ...]
    """Empty where training failed."""
    failed: str | None = None
    """Why there is no tokenizer, in words."""

    def find(self, split: str, group: str) -> Scores | None:
        """The figures of one group; None where it has no window, or training failed."""
        return next((one.scores for one in self.groups if (one.split, one.group) == (split, group)), None)

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "variant": self.variant,
            "codebook": self.codebook,
            "codebook_size": self.codebook_size,
            "codes_per_step": self.codes_per_step,
            "failed": self.failed,
            "groups": [group.as_plain() for group in self.groups],
        }

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> CellResult:
        """What `as_plain` gave."""
        groups = tuple(GroupScores.from_plain(one) for one in plain["groups"])
        return CellResult(**{**plain, "groups": groups})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A finished sweep."""

    folder: Path
    recipe: dict[str, Any]
    """What all cells have in common, from the plan."""
    cells: tuple[CellResult, ...]

    @property
    def title(self) -> str:
        """What was compared, in a line."""
        recipe = self.recipe
        return (
            f"{len(self.cells)} tokenizers of {recipe['representation']}: width {recipe['width']}, {recipe['steps']:,} steps of "
            f"{recipe['batch']} crops of {recipe['crop_rows']} rows, {recipe['train']['rows']:,} training rows"
        )

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "format": FORMAT,
            "sweep": str(self.folder),
            "recipe": self.recipe,
            "cells": [cell.as_plain() for cell in self.cells],
        }


def run_sweep(
    features: FeatureSet,
    runs: Path,
    cells: Sequence[Cell],
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Sweep:
    """Train and measure the cells that are not done, and write the sweep's result.

    Killed at any moment, the same call goes on: finished cells are read, a cell in training resumes from its state.

    Args:
        features: Of the store, in the representation of the presets.
        runs: Folder of runs; the sweep goes to `runs/sweeps/`.
        cells: What to compare; see `tokenizer.sweep.grid.plan_cells`.
        seed: Of every cell.
        device: Where to train.
        progress: Told of every cell and of every step.

    Raises:
        MissingInput: If the store has no training window, or nothing of the splits that are measured.
    """
    data = training_data(features, cells[0].preset.training.feat_bias, progress)
    windows = measured_windows(features)
    recipe = {
        "representation": features.representation,
        "parameter_hash": data.parameter_hash,
        "store": {"uuid": features.store_uuid, "fingerprint": features.fingerprint},
        "statistics": data.statistics.provenance,
        "train": {"windows": len(data.train), "rows": data.train_rows},
        "measured": {"windows": len(windows), "rows": sum(window.rows for window in windows)},
        "preset": cells[0].preset.name,
        "width": cells[0].preset.model.width,
        "steps": cells[0].preset.training.steps,
        "batch": cells[0].preset.training.batch,
        "crop_rows": cells[0].preset.training.crop_rows,
        "seed": seed,
        "device": device.split(":")[0],
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    plan = {"what": FORMAT, **recipe, "cells": [cell.as_plain() for cell in cells]}
    # Threads round otherwise, but a sweep that was begun is not begun again for them.
    folder = open_run(runs / SWEEPS, "tokenizer", {key: value for key, value in plan.items() if key != "threads"})
    progress.note(f"{len(cells)} tokenizers of {recipe['steps']:,} steps each, width {recipe['width']}, into {folder}")
    with alone_in(folder):
        results = []
        for number, cell in enumerate(cells, start=1):
            place = folder / CELLS / cell.name
            if not (place / SCORES).is_file():
                progress.note(f"{number} of {len(cells)}: {cell.name}, {cell.preset.model.quantizer.in_words()}")
                result = _run_cell(place, cell, features, data, windows, recipe, seed, device, progress)
                write_atomic(place / SCORES, json.dumps(result.as_plain(), indent=2).encode() + b"\n")
                remove_leftovers(place)
            results.append(read_cell(place))
        sweep = Sweep(folder=folder, recipe=recipe, cells=tuple(results))
        write_atomic(folder / RESULT, json.dumps(sweep.as_plain(), indent=2).encode() + b"\n")
    return sweep


def measured_windows(features: FeatureSet) -> list[Window]:
    """Windows of the validation and the test split.

    Raises:
        MissingInput: If there are none.
    """
    windows = [window for window in cut(features).windows if window.split in SPLITS_MEASURED]
    if not windows:
        raise MissingInput(
            "the store has no val or test window to measure tokenizers on: none of its motion falls there, by an official "
            "split or by the hash rule; ingest more motion with `motionunion ingest DIR`"
        )
    return windows


def _run_cell(
    place: Path, cell: Cell, features: FeatureSet, data: TrainingData, windows: Sequence[Window],
    recipe: dict[str, Any], seed: int, device: str, progress: Progress,
) -> CellResult:  # fmt: skip
    plain = cell.as_plain()
    head = {key: plain[key] for key in ("variant", "codebook", "codebook_size", "codes_per_step")}
    try:
        tokenizer = _train_cell(place, cell, data, recipe, seed, device, progress)
    except CollapseError as error:
        progress.note(str(error))
        (place / STATE).unlink(missing_ok=True)  # nothing goes on from it
        return CellResult(**head, groups=(), failed=str(error).removeprefix(f"{place}: "))
    groups = evaluate_groups(tokenizer.to(device), features.values, windows, progress)
    return CellResult(**head, groups=tuple(groups))


def _train_cell(
    place: Path, cell: Cell, data: TrainingData, recipe: dict[str, Any], seed: int, device: str, progress: Progress
) -> Tokenizer:
    if (place / FILE).is_file():
        (place / STATE).unlink(missing_ok=True)  # a kill right after the end leaves it
        return Tokenizer.load(place)
    plan = {"what": "tokenizer of a sweep", **cell.as_plain(), "seed": seed, "device": recipe["device"]}
    if not (place / PLAN).exists():
        write_plan(place, plan, [])
    provenance = {
        "trainer": "motionunion",
        "preset": cell.preset.name,
        "training": plan["training"],
        "seed": seed,
        **{key: recipe[key] for key in ("device", "store", "statistics", "train")},
    }
    return Trainer(
        place, data, cell.preset, codebook=cell.codebook, seed=seed, device=device, provenance=provenance, plan=plan,
        progress=progress,
    ).run()  # fmt: skip


def read_cell(place: Path) -> CellResult:
    """What became of the cell of a folder. Raises `MissingInput` where that cannot be read."""
    path = place / SCORES
    try:
        return CellResult.from_plain(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingInput(f"{path} is damaged ({error}); remove it, and the cell is measured again") from error
