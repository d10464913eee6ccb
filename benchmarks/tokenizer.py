"""What encoding, training and quantising with the 65536 preset's network take on a processor, beside what is public.

    python -m benchmarks.tokenizer [--turns 7] [--threads N] [--clock wall] [--clips 64] [--batch 64] [--width 512]

Encoding against a re-creation of the public loop, the training step against a plain PyTorch loop over `.npy` files, the quantiser
against vector-quantize-pytorch. All ways of a part take turns in one process, beside products of two large matrices, which say what
the machine can do at that moment; then each part runs once more in a process of its own, which says what memory it takes. Prints
tables and writes results/tokenizer.json. Times of the reference are middles of the ratios of each turn.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine, tokenizer_alone, tokenizer_encoding, tokenizer_step
from benchmarks.tokenizer_alone import Alone
from benchmarks.tokenizer_encoding import Encoding
from benchmarks.tokenizer_step import Step
from benchmarks.turns import CLOCKS, LIMITS, Turns, Way

WAYS = {
    "encoding": (tokenizer_encoding.PUBLIC, tokenizer_encoding.OURS, tokenizer_encoding.BFLOAT16),
    "training step": (tokenizer_step.PLAIN, tokenizer_step.OURS, tokenizer_step.BFLOAT16),
    "quantiser": (tokenizer_alone.THEIRS, tokenizer_alone.OURS),
}


def memory(given: argparse.Namespace, folder: Path) -> dict[str, int]:
    """Run one way twice in this process, which does nothing else: the most memory it held before and after, MiB."""
    part, name = given.memory_of
    step: Step | None = None
    way: Way
    if part == "encoding":
        way = Encoding(clips=given.clips, rows=given.rows, width=given.width).ways()[name]
    elif part == "quantiser":
        way = Alone(tokens=given.tokens, width=given.width).ways("latents, forward and backward")[name]
    else:
        step = Step(folder, batch=given.batch, width=given.width, steps=2)
        way = step.way(name)
    before = _peak_mib()
    way()
    way()
    after = _peak_mib()
    if step is not None:
        step.end()
    return {"before_mib": before, "peak_mib": after}


def _peak_mib() -> int:
    # What getrusage says of a child includes what its parent held before it.
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) // 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


def memory_of_all(arguments: list[str]) -> dict[str, dict[str, dict[str, int]]]:
    """`memory` of every way, each in a process of its own."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for part, names in WAYS.items():
        for name in names:
            command = [sys.executable, "-m", "benchmarks.tokenizer", *arguments, "--memory-of", part, name]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found.setdefault(part, {})[name] = json.loads(output.splitlines()[-1])
    return found


def show(title: str, results: dict[str, dict[str, Any]], took: dict[str, dict[str, int]]) -> None:
    """One table."""
    print(f"\n{title:32} {'median':>9} {'least':>9} {'most':>9} {'per s':>11} {'times':>6} {'of limit':>8} {'MiB':>6}")
    for name, figures in results.items():
        seconds = figures["seconds"]
        share = f"{figures['share_of_matrix_product']:7.0%}" if "gflop" in figures else ""
        memory = str(took[name]["peak_mib"]) if name in took else ""
        remark = f"  {figures['equal_codes']:.4%} equal codes" if "equal_codes" in figures else ""
        remark += f"  loss off by {figures['loss_off_by']:.3%}" if "loss_off_by" in figures else ""
        print(
            f"{name:32} {1e3 * statistics.median(seconds):6.1f} ms {1e3 * min(seconds):6.1f} ms "
            f"{1e3 * max(seconds):6.1f} ms {figures['per_s']:11,.0f} {figures['times_the_reference']:6.2f} "
            f"{share:>8} {memory:>6}{remark}"
        )


def options() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="processor: for one thread on a machine that others use too"
    )
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--rows", type=int, default=196)
    parser.add_argument("--batch", type=int, default=64, help="crops of 64 rows in a training step")
    parser.add_argument("--tokens", type=int, default=4096, help="what the quantiser is given")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results") / "tokenizer.json")
    parser.add_argument("--memory-of", nargs=2, metavar=("PART", "WAY"), help=argparse.SUPPRESS)
    return parser


def main() -> None:
    given = options().parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        if given.memory_of:
            print(json.dumps(memory(given, Path(folder))))
            return
        limits = Turns({}, given.turns, given.clock)
        encoding = Encoding(clips=given.clips, rows=given.rows, width=given.width).measure(given.turns, given.clock)
        step = Step(Path(folder), batch=given.batch, width=given.width, steps=given.turns)
        try:
            training = step.measure(given.clock)
        finally:
            step.end()
    quantiser = Alone(tokens=given.tokens, width=given.width).measure(3 * given.turns, given.clock)
    took = memory_of_all(sys.argv[1:])
    gflop_per_s = {name: limits.operations_per_s(name) / 1e9 for name in LIMITS}
    print(f"{torch.get_num_threads()} threads, {given.clock} clock; a product of two large matrices: ", end="")
    print(", ".join(f"{name} {found:.0f} GFLOP/s" for name, found in gflop_per_s.items()))
    show(f"encoding, {given.clips} x {given.rows} rows", encoding, took["encoding"])
    show(f"training step, {given.batch} x 64 rows", training, took["training step"])
    for task, figures in quantiser.items():
        shown = took["quantiser"] if task == "latents, forward and backward" else {}
        show(f"FSQ, {task}", figures, shown)
    results = {
        "threads": torch.get_num_threads(),
        "clock": given.clock,
        "load": round(os.getloadavg()[0], 1),  # of neighbours too: above the number of cores, figures are too low
        "matrix_product_gflop_per_s": gflop_per_s,
        "width": given.width,
        "encoding": {"clips": given.clips, "rows_each": given.rows, "ways": encoding},
        "training_step": {"crops": given.batch, "rows_each": tokenizer_step.CROP_ROWS, "ways": training},
        "quantiser": {"tokens": given.tokens, "tasks": quantiser},
        "memory": took,
    }
    machine.write(given.results, results)


if __name__ == "__main__":
    main()
