"""The five commands on folders of motion, timed one by one, in an empty directory.

    python -m benchmarks.five_commands NAME FOLDER [FOLDER ...]

Every FOLDER goes to one `motionunion ingest` call each, in order. Prints a table and writes results/five_commands_NAME.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine


def main(name: str, folders: list[Path]) -> None:
    bin_folder = Path(sys.executable).parent
    lines = [["motionunion", "ingest", str(folder.resolve())] for folder in folders]
    lines += [
        ["motionunion", "stats"],
        ["scamo", "tokenize", "--codebook", "65536"],
        ["scamo", "train-ar"],
        ["scamo", "eval", "humanml3d"],
    ]
    steps = []
    with tempfile.TemporaryDirectory() as work:
        for line in lines:
            began = time.perf_counter()
            done = subprocess.run([bin_folder / line[0], *line[1:]], cwd=work)
            seconds = time.perf_counter() - began
            shown = " ".join([*line[:2], *(Path(word).name for word in line[2:])])
            steps.append({"command": shown, "exit": done.returncode, "seconds": round(seconds, 1)})
            if done.returncode not in (0, 3):
                raise SystemExit(f"{shown}: exit {done.returncode}")
        results = sorted(Path(work, "scamo-runs", "evaluations").glob("*/evaluation.json"))
        evaluation = json.loads(results[-1].read_text(encoding="utf-8"))
    print(f"\n{'command':50} {'exit':>4} {'seconds':>8}")
    for step in steps:
        print(f"{step['command']:50} {step['exit']:>4} {step['seconds']:>8}")
    total = round(sum(float(step["seconds"]) for step in steps), 1)
    print(f"{'in all':50} {'':>4} {total:>8}")
    path = Path(__file__).with_name("results") / f"five_commands_{name}.json"
    machine.write(path, {"steps": steps, "seconds": total, "evaluation": evaluation})


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], [Path(folder) for folder in sys.argv[2:]])
