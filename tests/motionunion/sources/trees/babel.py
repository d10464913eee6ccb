"""BABEL: two files of labels, with and without labels of stretches."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def entry(number: int, path: str, frames: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {
        "babel_sid": number, "url": "https://babel-renders.example/1.mp4", "feat_p": path, "dur": 4.0,
        "seq_ann": {"babel_lid": "a", "labels": [{"raw_label": "kick", "proc_label": "kick", "seg_id": "b", "act_cat": ["kick"]}]},
        "frame_ann": None if frames is None else {"babel_lid": "c", "labels": frames},
    }  # fmt: skip


def write(root: Path, walk: Callable[..., Any]) -> None:
    frames = [
        {
            "raw_label": "step back",
            "proc_label": "step back",
            "seg_id": "d",
            "act_cat": ["step"],
            "start_t": 0.5,
            "end_t": 2.25,
        }
    ]
    (root / "train.json").write_text(json.dumps({"10": entry(10, "KIT/KIT/3/kick_poses.npz", frames)}))
    (root / "val.json").write_text(json.dumps({"11": entry(11, "DFaust67/DFaust_67/50002/50002_jump_poses.npz", None)}))
