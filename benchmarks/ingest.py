"""End-to-end `motionunion ingest`: frames and megabytes a second with one and two processes, memory, bytes kept.

    MOTIONUNION_TEST_DATA=FOLDER python -m benchmarks.ingest [--copies K] [--rounds N]

Reads the Bandai-Namco and AMASS files of the data folder: as they are, which is little more than starting up, as K copies
under other names in a temporary folder, where the steady state shows, and K copies of both sets in one run. Every figure is of the command as a person
runs it, start of Python and index included, into a new store each time; one and two processes take turns. Memory is
the peak of each process, and the workers' is the largest of them. The input lies in the page cache.

Then the BVH sets that hold bodies only, each into a store of its own: bytes of clips shards per frame.
Prints tables and writes results/ingest.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import machine

CASES = {"bandai_namco": ("bvh/bandai_namco_1", "bvh/bandai_namco_2"), "amass": ("amass/smplh", "amass/smplx")}
BODY_ONLY = {
    "bandai_namco": CASES["bandai_namco"],
    "100style": ("bvh/100style",),
    "lafan1": ("bvh/lafan1",),
    "cmu_cgspeed": ("bvh/cmu_cgspeed",),
}
JOBS = (1, 2)


def copied(folders: list[Path], target: Path, copies: int) -> list[Path]:
    """The files of some folders, `copies` times over, under names that make each copy another clip."""
    for folder in folders:
        for path in (one for one in sorted(folder.rglob("*")) if one.is_file() and one.name != "LICENSE"):
            for number in range(copies):
                take = re.fullmatch(r"(dataset-.*_)(\d+)", path.stem)
                name = f"{take[1]}{int(take[2]) + 1000 * number}{path.suffix}" if take else path.name
                subject = "" if take else f"{path.parent.name}{number}"
                new = target / folder.name / subject / name
                new.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, new)
    return [target / folder.name for folder in folders]


def ingest(folders: list[Path], store: Path, jobs: int) -> dict[str, Any]:
    """One run of the command: what it says, seconds, and peak memory of its processes."""
    program = Path(sys.executable).with_name("motionunion")
    command = [program, "ingest", *folders, "--store", store, "--jobs", jobs, "--json"]
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        running = subprocess.Popen([str(word) for word in command], stdout=answer, stderr=said)
        peaks: dict[int, int] = {}
        while running.poll() is None:
            for pid in (running.pid, *children(running.pid)):
                peaks[pid] = max(peaks.get(pid, 0), peak_bytes(pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        if running.returncode not in (0, 3):
            said.seek(0)
            raise SystemExit(said.read().decode())
        answer.seek(0)
        result: dict[str, Any] = json.load(answer)
    workers = [peak for pid, peak in peaks.items() if pid != running.pid]
    return {
        "seconds": seconds,
        "frames": sum(one["frames"] for one in result["sources"].values()),
        "clips": result["clips"],
        "refused": result["refused"],
        "fingerprint": result["fingerprint"],
        "parent_mb": peaks[running.pid] / 1e6,
        "worker_mb": max(workers, default=0) / 1e6,
    }


def children(pid: int) -> Iterator[int]:
    """Processes below a process: those that its main thread started."""
    try:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            yield int(child)
            yield from children(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return  # it has just ended


def peak_bytes(pid: int) -> int:
    """Peak resident memory of a process so far."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def compare(name: str, folders: list[Path], work: Path, rounds: int) -> dict[str, Any]:
    """One and two processes in turn, medians of all rounds."""
    size = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    runs: dict[int, list[dict[str, Any]]] = {jobs: [] for jobs in JOBS}
    for _ in range(rounds):
        for jobs in JOBS:
            store = work / "store"
            runs[jobs].append(ingest(folders, store, jobs))
            shutil.rmtree(store)
    every = [run for found in runs.values() for run in found]
    if len({run["fingerprint"] for run in every}) != 1:
        raise SystemExit(f"{name}: the runs do not end in the same store")
    frames, rows = every[0]["frames"], {}
    for jobs, found in runs.items():
        seconds = statistics.median(run["seconds"] for run in found)
        rows[str(jobs)] = {
            "seconds": round(seconds, 2),
            "lowest": round(min(run["seconds"] for run in found), 2),
            "highest": round(max(run["seconds"] for run in found), 2),
            "frames_per_s": round(frames / seconds),
            "mb_per_s": round(size / 1e6 / seconds, 1),
            "parent_mb": round(max(run["parent_mb"] for run in found)),
            "worker_mb": round(max(run["worker_mb"] for run in found)),
        }
    times = round(rows["1"]["seconds"] / rows["2"]["seconds"], 2)
    for processes, row in rows.items():
        print(
            f"{name:20} {every[0]['clips']:>6,} {size / 1e6:>7,.0f} {processes:>4} {row['seconds']:>8} {row['frames_per_s']:>9,} "
            f"{row['mb_per_s']:>6} {row['parent_mb']:>7,} {row['worker_mb']:>7,}"
            + (f"  {times} x" if processes == "2" else "")
        )
    return {"case": name, "mb": round(size / 1e6, 1), "clips": every[0]["clips"], "refused": every[0]["refused"],
            "frames": frames, "jobs": rows, "two_over_one": times}  # fmt: skip


def kept(name: str, folders: list[Path], work: Path) -> dict[str, Any]:
    """Bytes of clips shards per frame of a set."""
    from motionunion.store.store import open_store

    store = work / "kept"
    result = ingest(folders, store, 1)
    with open_store(store) as opened:
        size = sum(shard.bytes for shard in opened.state.of_kind("clips"))
    shutil.rmtree(store)
    row = {
        "set": name,
        "clips": result["clips"],
        "frames": result["frames"],
        "bytes_per_frame": round(size / result["frames"], 1),
    }
    print(f"{name:20} {row['clips']:>6,} {row['frames']:>9,} {row['bytes_per_frame']:>8}")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=12, help="of Bandai-Namco; AMASS files get eight times as many")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not os.environ.get("MOTIONUNION_TEST_DATA"):
        raise SystemExit("MOTIONUNION_TEST_DATA is not set: this benchmark reads real files")
    data = Path(os.environ["MOTIONUNION_TEST_DATA"])
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        heads = ("clips", "MB", "jobs", "seconds", "frames/s", "MB/s", "parent", "worker")
        print(f"{'case':20} {heads[0]:>6} {heads[1]:>7} {heads[2]:>4} {heads[3]:>8} {heads[4]:>9} {heads[5]:>6} {heads[6]:>7} "
              f"{heads[7]:>7}  ({arguments.rounds} rounds, medians; memory in MB)")  # fmt: skip
        rows = []
        for name, folders in CASES.items():
            originals = [data / folder for folder in folders]
            rows.append(compare(name, originals, work, arguments.rounds))
            copies = arguments.copies * (8 if name == "amass" else 1)
            many = copied(originals, work / name, copies)
            rows.append(compare(f"{name}, {copies} copies", many, work, arguments.rounds))
            shutil.rmtree(work / name)
        both = [one for name, folders in CASES.items()
                for one in copied([data / folder for folder in folders], work / name, arguments.copies)]  # fmt: skip
        rows.append(compare(f"both, {arguments.copies} copies", both, work, arguments.rounds))
        print(
            f"\n{'body-only BVH':20} {'clips':>6} {'frames':>9} {'B/frame':>8}  (lossless float32; the target is under 300)"
        )
        sizes = [kept(name, [data / folder for folder in folders], work) for name, folders in BODY_ONLY.items()]
    path = Path(__file__).with_name("results") / "ingest.json"
    machine.write(path, {"rounds": arguments.rounds, "rows": rows, "kept": sizes})


if __name__ == "__main__":
    main()
