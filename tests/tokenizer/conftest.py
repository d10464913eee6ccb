from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

Golden = tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    root = os.environ.get("MOTIONUNION_TEST_DATA")
    if not root:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: the reference outputs are not here")
    return Path(root) / "golden"


@pytest.fixture
def read_golden(golden_folder: Path):
    """Reads one case as (weights, inputs, outputs)."""

    def read(name: str) -> Golden:
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "input": {}, "output": {}}
        with safe_open(golden_folder / f"{name}.safetensors", framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - not a dict
                kind, _, rest = key.partition(".")
                parts[kind][rest] = file.get_tensor(key)
        return parts["weights"], parts["input"], parts["output"]

    return read


@pytest.fixture(autouse=True)
def one_thread():
    """Tests share their cores with others; results must not depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
