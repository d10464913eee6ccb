from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor


@pytest.fixture
def publish(tmp_path: Path):
    """Writes weights as a project publishes them: a checkpoint, with statistics beside it that change nothing."""

    def write(
        weights: Mapping[str, Tensor], *, name: str = "net_last.pth", network: str = "net", features: int
    ) -> Path:
        folder = tmp_path / "published"
        folder.mkdir(exist_ok=True)
        torch.save({network: dict(weights)}, folder / name)
        np.save(folder / "mean.npy", np.zeros(features, np.float32))
        np.save(folder / "std.npy", np.ones(features, np.float32))
        return folder / name

    return write
