from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if not folder:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: this test reads reference outputs from that folder")
    return Path(folder)


@pytest.fixture
def golden(test_data: Path) -> Any:
    from safetensors.numpy import load_file

    def load(case: str) -> dict[str, np.ndarray]:
        return load_file(test_data / "golden" / f"{case}.safetensors")

    return load
