"""The Unifier: KIT-ML in TMR's folder with splits, and HumanML3D's stretches in a file of their own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def said(seg_id: str, start: float, end: float) -> dict[str, Any]:
    return {"seg_id": seg_id, "text": "A person walks.", "start": start, "end": end}


def write(root: Path, walk: Callable[..., Any]) -> None:
    (root / "kitml" / "splits").mkdir(parents=True)
    entry = {"path": "KIT/4/Walking01_poses", "duration": 3.78, "annotations": [said("00001_0", 0.0, 3.78)]}
    mirror = {"path": "M/KIT/4/Walking01_poses", "duration": 3.78, "annotations": [said("M00001_0", 0.0, 3.78)]}
    (root / "kitml" / "annotations.json").write_text(json.dumps({"00001": entry, "M00001": mirror}, indent=2))
    (root / "kitml" / "splits" / "test.txt").write_text("00001\nM00001\n")
    entry = {
        "path": "KIT/4/Walking01_poses",
        "duration": 9.0,
        "annotations": [said("000004_0", 1, 6), said("000004_1", 2, 3)],
    }
    (root / "humanml3d.json").write_text(json.dumps({"000004": entry}))
