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

import torch

from benchmarks import machine
from motionunion import open_store
from motionunion.features import build_features
from tokenizer.collapse import CollapseError
from tokenizer.crops import TrainingData, training_data
from tokenizer.presets import preset_named
from tokenizer.train import Trainer
from tokenizer.training_log import read_metrics

RESULTS = Path(__file__).with_name("results") / "vq_reset.json"


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--codebook", type=int, default=4096)
    given = parser.parse_args()
    torch.set_num_threads(1)
    features = build_features(open_store(given.store), "hml263@20/compat")
    preset = preset_named("small", given.codebook)
    data = training_data(features, preset.training.feat_bias)
    batch = preset.training.batch * preset.training.crop_rows // preset.model.rows_per_code
    figures: dict[str, Any] = {
        "preset": "small", "width": given.width, "steps": given.steps, "codebook": given.codebook, "batch_steps": batch,
        "train": {"windows": len(data.train), "rows": data.train_rows}, "held_out": data.held_out_name, "results": {},
    }  # fmt: skip
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
        machine.write(RESULTS, figures)


if __name__ == "__main__":
    main()
