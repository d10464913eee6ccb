"""How long `--help` takes: `python -m benchmarks.startup`. The target is a median under 0.3 s."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import machine

RUNS = 20


def main() -> None:
    figures = {}
    for command in ("motionunion", "scamo"):
        program = Path(sys.executable).with_name(command)
        seconds = []
        for _ in range(RUNS):
            began = time.perf_counter()
            subprocess.run([program, "--help"], stdout=subprocess.DEVNULL, check=True)
            seconds.append(time.perf_counter() - began)
        figures[command] = {"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds)}
        print(
            f"{command:12} --help   median {figures[command]['median_s']:.3f} s   max {max(seconds):.3f} s   n {RUNS}"
        )
    machine.write(Path(__file__).with_name("results") / "startup.json", {"runs": RUNS, "help": figures})


if __name__ == "__main__":
    main()
