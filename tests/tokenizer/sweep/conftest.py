from __future__ import annotations

from pathlib import Path

import pytest

from tokenizer.sweep.grid import Cell, plan_cells

SMALL = {"model": {"width": 8}, "training": {"batch": 2, "save_every": 4, "evaluate_every": 6, "log_every": 6}}


@pytest.fixture
def make_cells():
    """Cells that are trained in a moment: what a sweep does is not how well."""

    def make(codebooks: list[int], quantizers: list[str]) -> tuple[Cell, ...]:
        return plan_cells(codebooks, quantizers, preset="tiny", steps=6, changes=SMALL)

    return make


@pytest.fixture
def features(make_features, tmp_path: Path):
    return make_features(tmp_path / "features", [(96, "train"), (64, "train"), (40, "val"), (64, "test"), (48, "test")])
