"""Every quantiser trained on a store's clips, and trained again from the middle: does it learn, hold its codes, go on bitwise?

    python -m benchmarks.tokenizer_quantizers STORE [--steps 2000] [--width 64] [--codebook 1024] [--quantizers fsq vq ...]

Preset `small` but for the width and the steps. Four fifths through, the run's folder is copied as a kill would leave it; the
copy is trained to its end, and both ends are compared byte for byte. Prints a table and writes
results/tokenizer_quantizers.json, quantiser by quantiser; rows of other kinds stay in it where they were measured alike.
`--results FILE` writes elsewhere.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine, tokenizer_trials
from motionunion.progress import Silent
from tokenizer.checkpoint import FILE
from tokenizer.collapse import CollapseError
from tokenizer.crops import TrainingData
from tokenizer.presets import preset_named
from tokenizer.quantizers.build import CONFIGS
from tokenizer.train import BEST, Trainer
from tokenizer.training_log import METRICS, read_metrics
from tokenizer.training_state import STATE


class Copying(Silent):
    """A listener that copies the run's folder at a step, and counts."""

    def __init__(self, folder: Path, copy: Path, step: int) -> None:
        self.folder, self.copy, self.left = folder, copy, step

    def advance(self, amount: float, **figures: float) -> None:
        self.left -= int(amount)
        if amount and self.left == 0:
            shutil.copytree(self.folder, self.copy)

    def note(self, message: str) -> None:
        print(f"  {message}", flush=True)


def measure(data: TrainingData, kind: str, codebook: int, width: int, steps: int, work: Path) -> dict[str, Any]:
    """Train one kind as a whole, and its copy from the last save before four fifths on."""
    # However few the steps, one save lies before the copy, and not at it.
    training = {"evaluate_every": max(1, steps // 2), "save_every": max(1, steps // 8)}
    preset = preset_named(
        "small", codebook, quantizer=kind, steps=steps, changes={"model": {"width": width}, "training": training}
    )
    whole, copy = work / f"{kind}-whole", work / f"{kind}-copy"

    def trainer(folder: Path, **options: Any) -> Trainer:
        return Trainer(
            folder, data, preset, codebook=codebook, seed=0, device="cpu", provenance={"preset": "small"}, plan={},
            **options,
        )  # fmt: skip

    result: dict[str, Any] = {"quantizer": kind, "codebook_size": preset.model.codebook_size}
    result |= {"codes_per_step": preset.model.codes_per_step, "in_words": preset.model.quantizer.in_words()}
    began = time.process_time()
    try:
        # Not at a save, so that the copy has steps to do again.
        trainer(whole, progress=Copying(whole, copy, steps * 4 // 5)).run()
    except CollapseError as error:
        return {**result, "failed": str(error).replace(str(whole), kind)}
    seconds = time.process_time() - began
    state = torch.load(copy / STATE, weights_only=True)
    trainer(copy).run()
    entries = list(read_metrics(whole))
    last = [entry for entry in entries if entry["kind"] == "held_out"][-1]
    return {
        **result,
        "failed": None,
        "guard": [entry for entry in entries if entry["kind"] == "guard"],
        "restarts": [entry for entry in entries if entry["kind"] == "restart"],
        "cpu_seconds": round(seconds, 1),
        "resumed_after": state["step"],
        "resumed_bitwise": all(
            (whole / name).read_bytes() == (copy / name).read_bytes() for name in (FILE, METRICS, f"{BEST}/{FILE}")
        ),
        "held_out": last,
    }


def rows_beside(results: Path, head: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Rows that a file of results has already, by kind: those of the same settings and data alone, others are no comparison."""
    if not results.is_file():
        return {}
    found = json.loads(results.read_bytes())
    if any(found.get(key) != value for key, value in head.items()):
        return {}
    return {row["quantizer"]: row for row in found["results"]}


def main() -> None:
    parser = tokenizer_trials.options(__doc__, "tokenizer_quantizers.json", steps=2000, codebook=1024)
    parser.add_argument("--quantizers", nargs="+", default=list(CONFIGS), choices=list(CONFIGS))
    given = parser.parse_args()
    data = tokenizer_trials.clips(given)
    about = tokenizer_trials.head(given, data)
    rows = rows_beside(given.results, about)
    head = ("quantiser", "codes", "L1", "MPJPE mm", "distinct", "exp entropy", "restarts", "bitwise", "CPU s")
    print("{:14} {:>8} {:>7} {:>9} {:>9} {:>12} {:>8} {:>8} {:>7}".format(*head), flush=True)
    with tempfile.TemporaryDirectory() as work:
        for kind in given.quantizers:
            one = measure(data, kind, given.codebook, given.width, given.steps, Path(work))
            rows[kind] = one
            if one["failed"]:
                print(f"{kind:14} {one['failed']}", flush=True)
            else:
                scores, usage = one["held_out"], one["held_out"]["usage"]
                print(
                    f"{kind:14} {one['codebook_size']:>6,}x{one['codes_per_step']} {scores['l1']:>7.3f} {scores['mpjpe_mm']:>9.1f} "
                    f"{usage['used']:>9,} {usage['exp_entropy']:>12.1f} {len(one['restarts']):>8} "
                    f"{one['resumed_bitwise']!s:>8} {one['cpu_seconds']:>7}",
                    flush=True,
                )
            machine.write(given.results, {**about, "results": [rows[kind] for kind in CONFIGS if kind in rows]})


if __name__ == "__main__":
    main()
