"""What EMA-VQ's two quirks cost on a store's clips: the threshold of a reset, and what a code remembers of its former life.

    python -m benchmarks.vq_reset STORE [--steps 1000] [--width 64] [--codebook 4096]

Preset `small` but for the width and the steps, FSQ of the same nominal size beside it. A batch of the preset has 256 steps of
time. Prints a table and writes results/vq_reset.json.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import machine, tokenizer_trials
from tokenizer.collapse import CollapseError
from tokenizer.crops import TrainingData
from tokenizer.presets import preset_named
from tokenizer.train import Trainer
from tokenizer.training_log import read_metrics


def cases(steps_of_a_batch: int, codebook: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name of a case to kind and settings."""
    low = 0.1 * steps_of_a_batch / codebook
    return {
        "fsq": ("fsq", {}),
        "vq, reset as in the reference": ("vq", {}),
        f"vq, threshold {low:.2g}": ("vq", {"reset_below": low}),
        f"vq, threshold {low:.2g}, averages reset too": ("vq", {"reset_below": low, "reset_averages": True}),
        "vq, averages reset too": ("vq", {"reset_averages": True}),
        "vq, never reset": ("vq", {"reset": False}),
    }


def measure(data: TrainingData, kind: str, settings: dict[str, Any], given: argparse.Namespace, work: Path) -> Any:
    """Last held-out scores of one run, or why there are none."""
    # No guard: a collapse is what is looked for.
    training = {"steps": given.steps, "evaluate_every": given.steps, "guard_steps": ()}
    changes = {"model": {"width": given.width}, "quantizer": settings, "training": training}
    preset = preset_named("small", given.codebook, quantizer=kind, changes=changes)
    trainer = Trainer(
        work, data, preset, codebook=given.codebook, seed=0, device="cpu", provenance={"preset": "small"}, plan={}
    )
    try:
        trainer.run()
    except CollapseError as error:
        return str(error)
    return [entry for entry in read_metrics(work) if entry["kind"] == "held_out"][-1]


def main() -> None:
    given = tokenizer_trials.options(__doc__, "vq_reset.json", steps=1000, codebook=4096).parse_args()
    data = tokenizer_trials.clips(given)
    preset = preset_named("small", given.codebook)
    batch = preset.training.batch * preset.training.crop_rows // preset.model.rows_per_code
    figures: dict[str, Any] = {**tokenizer_trials.head(given, data), "batch_steps": batch, "results": {}}
    print(f"{'':48} {'L1':>7} {'MPJPE mm':>9} {'distinct':>9} {'exp entropy':>12}", flush=True)
    for name, (kind, settings) in cases(batch, given.codebook).items():
        with tempfile.TemporaryDirectory() as work:
            scores = measure(data, kind, settings, given, Path(work))
        figures["results"][name] = scores
        if isinstance(scores, str):
            print(f"{name:48} {scores}", flush=True)
        else:
            usage = scores["usage"]
            print(
                f"{name:48} {scores['l1']:>7.3f} {scores['mpjpe_mm']:>9.1f} {usage['used']:>9,} "
                f"{usage['exp_entropy']:>12.1f}",
                flush=True,
            )
        machine.write(given.results, figures)


if __name__ == "__main__":
    main()
