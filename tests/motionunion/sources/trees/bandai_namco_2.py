"""Bandai-Namco 2: as 1, under its own names."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write(root: Path, walk: Callable[..., Any]) -> None:
    runpy.run_path(str(Path(__file__).with_name("bandai_namco_1.py")))["write"](root, walk, number=2)
