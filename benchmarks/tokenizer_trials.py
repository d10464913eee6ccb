"""What small trials of tokenizers on a store's clips have in common: their options, their data, and the head of their results.

All train preset `small` at another width, on one thread.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from motionunion import open_store
from motionunion.features import build_features
from tokenizer.crops import TrainingData, training_data
from tokenizer.presets import DEFAULT_REPRESENTATION, preset_named


def options(about: str | None, results: str, *, steps: int, codebook: int) -> argparse.ArgumentParser:
    """A parser of the options that every trial has; `results` is its own file's name."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--codebook", type=int, default=codebook)
    parser.add_argument(
        "--results",
        type=Path,
        default=Path(__file__).with_name("results") / results,
        help="what is written",
    )
    return parser


def clips(given: argparse.Namespace) -> TrainingData:
    """The store's clips, and one thread to train on them."""
    torch.set_num_threads(1)
    features = build_features(open_store(given.store), DEFAULT_REPRESENTATION)
    return training_data(features, preset_named("small").training.feat_bias)


def head(given: argparse.Namespace, data: TrainingData) -> dict[str, Any]:
    """What was trained on what."""
    return {
        "preset": "small", "width": given.width, "steps": given.steps, "codebook": given.codebook, "threads": 1,
        "train": {"windows": len(data.train), "rows": data.train_rows}, "held_out": data.held_out_name,
    }  # fmt: skip
