"""BVH text to numbers, megabytes a second on one core, beside other readers: `python -m benchmarks.readers [--data FOLDER]`.

Files written here in the spellings that exporters use (2,000 frames of 31 joints), and with `--data` the largest file of every
folder below FOLDER/bvh. The readers of pybvh, upc-pymotion and bvhio are measured where they are installed; each is asked for
what it calls reading a file, and has to find as many frames. The target is 150 MB/s, and ten times the fastest of the others.
Every figure is the best of several rounds, in CPU seconds of all threads: what else the machine does can only slow a round down,
and a reader with threads is not ahead for having them. Prints a table and writes results/readers.json, with the load that the
machine was under.
"""

from __future__ import annotations

import os

# One thread: set before numpy loads.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from motionunion.formats.bvh import read_bvh

ROUNDS = {"least": 3, "most": 40, "seconds": 0.5}
"""Of each reader and file: until they took that long together."""
SPELLINGS: dict[str, Callable[[float], str]] = {
    "six decimals": lambda value: f"{value:.6f}",
    "four decimals": lambda value: f"{value:.4f}",
    "six digits": lambda value: f"{value:g}",
    "as Python prints": repr,
}
OTHERS: dict[str, tuple[str, Callable[[Any, Path], int]]] = {
    "pybvh": ("pybvh", lambda module, path: len(module.read_bvh_file(str(path)).root_pos)),
    "upc-pymotion": ("pymotion.io.bvh", lambda module, path: _pymotion(module, path)),
    "bvhio": ("bvhio", lambda module, path: int(module.readAsBvh(str(path)).FrameCount)),
}


def _pymotion(module: Any, path: Path) -> int:
    reader = module.BVH()
    reader.load(str(path))
    return len(reader.data["rotations"])


def write_synthetic(path: Path, spell: Callable[[float], str], frames: int = 2000, joints: int = 31) -> None:
    """A chain of joints that sway; the first with six channels, the others with three."""
    lines = ["HIERARCHY"]
    for joint in range(joints):
        lines += [f"{'JOINT' if joint else 'ROOT'} joint{joint}", "{", "OFFSET 0.000000 10.500000 0.000000"]
        position = "" if joint else "Xposition Yposition Zposition "
        lines.append(f"CHANNELS {3 if joint else 6} {position}Zrotation Xrotation Yrotation")
    lines += [
        "End Site",
        "{",
        "OFFSET 0 1 0",
        "}",
        *["}"] * joints,
        "MOTION",
        f"Frames: {frames}",
        "Frame Time: 0.008333",
    ]
    random = np.random.default_rng(joints)
    columns = 3 + 3 * joints
    values = random.uniform(1, 120, columns) * np.sin(
        np.arange(frames)[:, None] * random.uniform(0.01, 0.2, columns) + random.uniform(0, 6, columns)
    )
    lines += [" ".join(map(spell, row)) for row in values.tolist()]
    path.write_text("\n".join(lines) + "\n")


def best_s(work: Callable[[], int], frames: int) -> float:
    """CPU seconds of the fastest round, after one that warms up and shows that all frames were read."""
    found = work()
    if found != frames:
        raise SystemExit(f"a reader found {found} frames of {frames}")
    times: list[float] = []
    while len(times) < ROUNDS["least"] or (len(times) < ROUNDS["most"] and sum(times) < ROUNDS["seconds"]):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def installed() -> dict[str, Callable[[Path], int]]:
    """The other readers that are here, each as a function that reads a file and counts its frames."""
    readers: dict[str, Callable[[Path], int]] = {}
    for name, (module, read) in OTHERS.items():
        try:
            loaded = importlib.import_module(module)
        except ImportError:
            print(f"{name} is not installed: pip install {name}")
            continue
        readers[name] = partial(read, loaded)
    return readers


def measure(label: str, path: Path, others: dict[str, Callable[[Path], int]]) -> dict[str, Any]:
    """One row: megabytes a second of every reader on one file."""
    megabytes = path.stat().st_size / 1e6
    bvh = read_bvh(path)
    frames = len(bvh.values_TC)
    row: dict[str, Any] = {"file": label, "megabytes": round(megabytes, 2), "frames": frames}
    row["bytes_a_value"] = round(path.stat().st_size / bvh.values_TC.size, 1)
    row["motionunion"] = round(megabytes / best_s(lambda: len(read_bvh(path).values_TC), frames), 1)
    for name, read in others.items():
        try:
            row[name] = round(megabytes / best_s(partial(read, path), frames), 2)
        except Exception as error:  # noqa: BLE001 - another project's reader may fail in any way
            row[name] = f"fails: {type(error).__name__}"
    speeds = [row[name] for name in others if isinstance(row[name], float)]
    if speeds:
        row["times_the_fastest_other"] = round(row["motionunion"] / max(speeds), 1)
    return row


def real_files(data: Path) -> dict[str, Path]:
    """The largest file of every folder of BVH files."""
    folders = sorted(folder for folder in (data / "bvh").iterdir() if folder.is_dir())
    largest = {folder.name: max(folder.glob("*.bvh"), key=lambda path: path.stat().st_size) for folder in folders}
    return {f"{name}/{path.name}": path for name, path in largest.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with real files below bvh/")
    args = parser.parse_args()
    others = installed()
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, Path] = {}
        for name, spell in SPELLINGS.items():
            files[f"written here, {name}"] = Path(folder) / f"{name}.bvh"
            write_synthetic(files[f"written here, {name}"], spell)
        if args.data:
            files |= real_files(args.data)
        rows = [measure(label, path, others) for label, path in files.items()]
    names = ["motionunion", *others]
    print(f"{'MB/s':52} {'MB':>6} " + " ".join(f"{name:>12}" for name in (*names, "ratio")))
    for row in rows:
        shown = " ".join(f"{row[name]:>12}" for name in names)
        print(f"{row['file'][:52]:52} {row['megabytes']:>6} {shown} {row.get('times_the_fastest_other', ''):>12}")
    versions = {name: version(name) for name in others}
    path = Path(__file__).with_name("results") / "readers.json"
    load = round(os.getloadavg()[0], 1)
    state = f"busy: {load} processes ready to run" if load > 1.5 else "quiet"
    machine.write(path, {"others": versions, "rounds": ROUNDS, "machine_was": state, "rows": rows})


if __name__ == "__main__":
    main()
