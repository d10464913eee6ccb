"""Random windows for training: ours from one normalised array, and the field's way from one npy a clip.

    OMP_NUM_THREADS=1 python -m benchmarks.windows [--clips 2500] [--rounds 9]

Every round times each way once, one after the other, on the same clips (random numbers, HumanML3D-like lengths), in
batches of 256 windows of 64 rows of 263 floats. Ours runs on one core. The field's is a list of arrays loaded from one npy
a clip, a Dataset that cuts and normalises item by item, and a DataLoader: without workers on the same core, and with two
workers on all cores. Its workers are started before the clock, and stay. Everything is in the page cache.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler

from benchmarks import machine
from motionunion.feature_files import write_features
from motionunion.features import FeatureSet
from motionunion.spans import Span
from motionunion.window_reading import WindowReader
from tokenizer.crops import CropSampler, training_data

ROWS, DIMS, BATCH = 64, 263, 256
WINDOW_BYTES = 4 * ROWS * DIMS
COPY_BYTES = 256 * 2**20
WITH_WORKERS = "field, two workers"
ENOUGH_S = 0.4
"""Seconds that each way is timed for in a round, at least."""

Rows = npt.NDArray[np.float32]


def make_features(folder: Path, clips: int) -> FeatureSet:
    """Features of clips of 40 to 196 rows, on disk."""
    generator = np.random.default_rng(0)
    lengths = generator.normal(140, 45, clips).clip(40, 196).astype(int).tolist()
    spans = [
        Span(
            span_id=f"{number:032x}", clip_id=f"{number:032x}", name=f"{number:06d}", source="random", group=str(number),
            split="train" if number % 20 else "val", rows=rows, first_frame=0, stop_frame=rows + 1,
        )
        for number, rows in enumerate(lengths)
    ]  # fmt: skip
    about = {
        "representation": "hml263@20/compat", "key": "random", "fingerprint": "", "commit": 0, "store_uuid": "",
        "skipped": [], "counts": {},
    }  # fmt: skip
    chunks = ((generator.normal(1, 3, (span.rows, DIMS)).astype(np.float32), span.split) for span in spans)
    write_features(folder, spans, chunks, dims=DIMS, about=about)
    return FeatureSet.load(folder)


class ClipList(Dataset[Rows]):
    """Clips as the field keeps them: a list of arrays, cut and normalised when one is asked for."""

    def __init__(self, folder: Path, mean: Rows, std: Rows) -> None:
        self.mean, self.std = mean, std
        clips = [np.load(path, allow_pickle=False) for path in sorted(folder.glob("*.npy"))]
        self.clips = [clip for clip in clips if len(clip) >= ROWS]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, item: int) -> Rows:
        clip = self.clips[item]
        first = random.randint(0, len(clip) - ROWS)
        window: Rows = (clip[first : first + ROWS] - self.mean) / self.std
        return window


def loader(clips: ClipList, workers: int) -> Iterator[torch.Tensor]:
    """Batches without end."""
    sampler = RandomSampler(clips, replacement=True, num_samples=10**8)
    return iter(DataLoader(clips, BATCH, sampler=sampler, num_workers=workers, drop_last=True))


def per_second(batch: Callable[[], object], warm_up: int) -> tuple[float, float]:
    """Windows a second, and windows a second of this thread's processor time, which other programs do not take from."""
    for _ in range(warm_up):
        batch()
    began, busy, batches = time.perf_counter(), time.thread_time(), 0
    while (took := time.perf_counter() - began) < ENOUGH_S:
        batch()
        batches += 1
    return batches * BATCH / took, batches * BATCH / (time.thread_time() - busy)


def copied_per_second(source: Rows, target: Rows) -> float:
    """Bytes that one plain copy, far larger than any cache, moves in a second of this thread's processor time."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        np.copyto(target, source)
        times.append(time.thread_time() - began)
    return source.nbytes / statistics.median(times)


def run_on(cores: set[int]) -> None:
    """Let this process run on these cores alone (on Linux; elsewhere it runs where it likes)."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def other_ways(normal: Rows, first: Callable[[], npt.NDArray[np.int64]]) -> dict[str, Callable[[], object]]:
    """Other ways to gather the same windows, for the record of why ours is the one it is."""
    out = np.zeros((BATCH, ROWS, DIMS), dtype=np.float32)
    offset = np.arange(ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the map is read-only, and nothing writes to it
        tensor, target = torch.from_numpy(normal), torch.from_numpy(out).reshape(-1, DIMS)

    def slices() -> None:
        for place, row in enumerate(first().tolist()):
            out[place] = normal[row : row + ROWS]

    def rows_of_fancy_index() -> None:
        out[...] = normal[first()[:, None] + offset]

    def index_select() -> None:
        torch.index_select(tensor, 0, torch.from_numpy((first()[:, None] + offset).ravel()), out=target)

    return {
        "a Python loop of slices": slices,
        "numpy fancy index of rows": rows_of_fancy_index,
        "torch.index_select of rows": index_select,
    }


def measure(folder: Path, clips: int, rounds: int) -> tuple[list[float], dict[str, list[tuple[float, float]]]]:
    """What `copied_per_second` says, and `per_second` of every way, in every round."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    features = make_features(folder / "features", clips)
    (folder / "clips").mkdir()
    for index in range(len(features.spans)):
        np.save(folder / "clips" / f"{index:06d}.npy", features.rows_of(index))
    data = training_data(features, feat_bias=1.0)
    mean, std = data.statistics.mean, data.statistics.std
    dataset = ClipList(folder / "clips", mean, std)
    plain = loader(dataset, 0)
    with_workers = loader(dataset, 2)
    next(with_workers)  # the workers start here, on any core
    run_on({max(cores, default=0)})

    reader = WindowReader(data.normalised, ROWS)
    starts = np.concatenate([
        np.arange(start, stop - ROWS + 1)
        for start, stop in zip(features.offsets[:-1].tolist(), features.offsets[1:].tolist(), strict=True)
    ])  # fmt: skip
    generator = np.random.default_rng(1)

    def first() -> npt.NDArray[np.int64]:
        return starts[generator.integers(len(starts), size=BATCH)]

    some = first()
    expected = np.stack([(features.values[row : row + ROWS] - mean) / std for row in some.tolist()])
    if not (np.array_equal(reader.batch(some), expected) and np.isfinite(data.normalised).all()):
        raise SystemExit("the windows are not those of the normalised clips")

    sampler, steps = CropSampler(data, ROWS), iter(range(10**9))
    out = np.zeros((BATCH, ROWS, DIMS), dtype=np.float32)
    ours: dict[str, Callable[[], object]] = {
        "WindowReader.batch": lambda: reader.batch(first()),
        "WindowReader.batch(out=)": lambda: reader.batch(first(), out=out),
        "CropSampler.draw": lambda: sampler.draw(BATCH, 0, 0, next(steps)),
        **other_ways(data.normalised, first),
        "field, no workers": lambda: next(plain),
    }
    source, target = np.ones(COPY_BYTES // 4, dtype=np.float32), np.zeros(COPY_BYTES // 4, dtype=np.float32)
    copies: list[float] = []
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        copies.append(copied_per_second(source, target))
        for name, batch in ours.items():
            found.setdefault(name, []).append(per_second(batch, 2))
        run_on(cores)
        # The first eight are more than the workers have ready: what they made meanwhile is not counted.
        found.setdefault(WITH_WORKERS, []).append(per_second(lambda: next(with_workers), 8))
        run_on({max(cores, default=0)})
    run_on(cores)
    return copies, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2500)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        copies, found = measure(Path(folder), given.clips, given.rounds)
    copy = statistics.median(copies)
    ours = found["WindowReader.batch"]
    print(f"one copy of {COPY_BYTES // 2**20} MB: {copy / 1e9:.1f} GB/s (every byte read once and written once)")
    print(f"{'':26} {'windows a second':>31} {'of CPU time':>11} {'GB/s':>6} {'of copy':>8} {'ours over it':>12}")
    results = []
    for name, both in found.items():
        rates = [rate for rate, _ in both]
        ratio = statistics.median(our / rate for (our, _), rate in zip(ours, rates, strict=True))
        result: dict[str, object] = {
            "way": name, "windows_per_s": rates, "median": statistics.median(rates), "ours_over": ratio,
        }  # fmt: skip
        line = f"{name:26} {statistics.median(rates):9,.0f} ({min(rates):7,.0f} to {max(rates):7,.0f})"
        if name != WITH_WORKERS:  # the workers' time is not this thread's
            busy = statistics.median(rate for _, rate in both)
            line += f" {busy:11,.0f} {busy * WINDOW_BYTES / 1e9:6.1f} {busy * WINDOW_BYTES / copy:8.0%}"
            result |= {"per_cpu_s": busy, "bytes_per_cpu_s": busy * WINDOW_BYTES}
        else:
            line += " " * 28
        print(f"{line} {ratio:12.1f}")
        results.append(result)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    figures = {
        "load_average": load, "batch": BATCH, "rows": ROWS, "dims": DIMS, "clips": given.clips, "copy_bytes_per_s": copy, "results": results,
    }  # fmt: skip
    machine.write(Path(__file__).with_name("results") / "windows.json", figures)


if __name__ == "__main__":
    main()
