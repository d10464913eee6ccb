"""Step time of tokenizer training and throughput of encoding, on random features.

    python -m benchmarks.tokenizer_train [--presets small paper] [--steps 20] [--device cpu]

Prints a table (median, smallest and largest of the repeats) and writes benchmarks/results/tokenizer_train.json. One step
is the trainer's own: crops, forward, backward, clipping, optimiser. Random features: speed does not depend on them.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks import machine
from motionunion.features import FeatureSet
from motionunion.spans import Span
from tokenizer.checkpoint import Tokenizer
from tokenizer.crops import training_data
from tokenizer.model import build_model
from tokenizer.presets import preset_named
from tokenizer.train import Trainer


def random_features(spans: int, rows: int) -> FeatureSet:
    """Features of `spans` spans of `rows` rows."""
    values = np.random.default_rng(0).normal(size=(spans * rows, 263)).astype(np.float32)
    listing = [
        Span(
            span_id=f"{number:032x}", clip_id=f"{number:032x}", name=str(number), source="random", group=str(number),
            split="train" if number % 8 else "val", rows=rows, first_frame=0, stop_frame=rows + 1,
        )
        for number in range(spans)
    ]  # fmt: skip
    return FeatureSet(
        path=Path(), representation="hml263@20/compat", key="random", values=values, spans=listing,
        offsets=np.arange(spans + 1, dtype=np.int64) * rows, fingerprint="", commit=0, store_uuid="", skipped=[],
        counts={},
    )  # fmt: skip


class FinishedError(Exception):
    """Enough steps were timed."""


class Clock:
    """A listener that notes when each step ends, and stops the run after the last."""

    def __init__(self, steps: int, device: torch.device) -> None:
        self.steps, self.device = steps, device
        self.times: list[float] = []

    def start(self, label: str, total: float | None, unit: str) -> None:
        pass

    def advance(self, amount: float, **figures: float) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.times.append(time.perf_counter())
        if len(self.times) > self.steps + 1:
            raise FinishedError

    def finish(self) -> None:
        pass

    def note(self, message: str) -> None:
        pass


def step_times(name: str, steps: int, device: str, features: FeatureSet) -> list[float]:
    """Seconds of each step after the first."""
    preset = preset_named(name, 65536)
    data = training_data(features, preset.training.feat_bias)
    clock = Clock(steps, torch.device(device))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            Path(folder), data, preset, codebook=65536, seed=0, device=device, provenance={}, plan={}, progress=clock
        )
        with contextlib.suppress(FinishedError):
            trainer.run()
    # The first entry is the start of the run, the second the end of a step that still warms up.
    return [later - earlier for earlier, later in zip(clock.times[1:], clock.times[2:], strict=False)]


def encode_times(name: str, repeats: int, device: str, features: FeatureSet) -> tuple[list[float], int]:
    """Seconds of encoding 64 windows of 196 rows, and the number of rows."""
    preset = preset_named(name, 65536)
    data = training_data(features, preset.training.feat_bias)
    tokenizer = Tokenizer(
        build_model(preset.model, 0), mean_D=data.statistics.mean, std_D=data.statistics.std,
        representation="hml263@20/compat", parameter_hash="", codebook=65536, provenance={},
    ).to(device)  # fmt: skip
    clips = [np.asarray(features.rows_of(index)) for index in range(64)]
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        tokenizer.encode(clips)
        times.append(time.perf_counter() - began)
    return times[1:], sum(map(len, clips))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["small", "paper"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    features = random_features(128, 196)
    rows = []
    print(f"{'what':34} {'median':>10} {'min':>10} {'max':>10}   rows/s")
    for name in given.presets:
        training = preset_named(name, 65536).training
        times = step_times(name, given.steps, given.device, features)
        rows.append(("step", name, training.batch * training.crop_rows, times))
        times, count = encode_times(name, 3, given.device, features)
        rows.append(("encode", name, count, times))
    results = []
    for what, name, count, times in rows:
        middle = statistics.median(times)
        print(f"{what + ' ' + name:34} {middle:9.3f}s {min(times):9.3f}s {max(times):9.3f}s   {count / middle:,.0f}")
        results.append({"what": what, "preset": name, "rows": count, "seconds": times, "rows_per_s": count / middle})
    figures = {"device": given.device, "threads": torch.get_num_threads(), "results": results}
    machine.write(Path(__file__).with_name("results") / "tokenizer_train.json", figures)


if __name__ == "__main__":
    main()
