"""A store of a million clips: opening, `stats`, a filtered query, one clip, the index, a commit; time and memory.

    python -m benchmarks.scale [--clips 1000000] [--store FOLDER]

The store is made first (`benchmarks.scale_store`), in a temporary folder, or in FOLDER, where it is kept and used again. Each
thing is measured in a process of its own, whose peak memory is the figure given. Prints a table and writes results/scale.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import machine, scale_store

ROUNDS = 7
RANDOM_CLIPS = 200
QUERY = """
    SELECT source, split, count(*) AS clips, sum(seconds) / 3600 AS hours FROM clips
    WHERE seconds BETWEEN 1.5 AND 5 AND split <> 'test' AND caption_count > 0 GROUP BY ALL ORDER BY ALL
"""
SEARCH = "SELECT clip_id, text FROM captions WHERE text LIKE '%dances backwards%' LIMIT 20"


def measure_open(root: Path) -> dict[str, Any]:
    """A new `Store` that has answered its smallest question."""
    from motionunion.store.store import open_store

    def work() -> None:
        with open_store(root) as store:
            store.rows("SELECT 1 FROM clips LIMIT 1")

    began = time.perf_counter()
    work()
    first = time.perf_counter() - began
    return {"first_s": first, **_times(work)}


def measure_stats(root: Path) -> dict[str, Any]:
    """`Store.stats()` of an open store."""
    return _asked(root, lambda store: store.stats())


def measure_query(root: Path) -> dict[str, Any]:
    """A filter over four columns, counted by source and split."""
    return _asked(root, lambda store: store.sql(QUERY))


def measure_search(root: Path) -> dict[str, Any]:
    """Twenty captions that hold some words."""
    return _asked(root, lambda store: store.sql(SEARCH))


def measure_clip(root: Path) -> dict[str, Any]:
    """Clips by id, one by one, of those that stand still and of those that move; nothing of the store read before."""
    from motionunion.store.store import open_store

    found: dict[str, Any] = {}
    with open_store(root) as store:
        for name, moving in (("still", False), ("moving", True)):
            task = f"split_part(split_part(\"key\", '/', 1), '_', 2)::INTEGER % {scale_store.MOVING_EVERY}"
            asked = f"SELECT clip_id FROM clips WHERE ({task} = 0) = ? ORDER BY hash(clip_id) LIMIT ?"
            chosen = [row[0] for row in store.rows(asked, [moving, RANDOM_CLIPS])]
            found[f"{name}_first_ms"] = _each(store, chosen)
            found[f"{name}_again_ms"] = _each(store, chosen)
    return found


def measure_rebuild(root: Path) -> dict[str, Any]:
    """The index of the newest commit from the shards alone."""
    return _rebuilt(root, keep_base=False)


def measure_update(root: Path) -> dict[str, Any]:
    """The same from the index of the commit before."""
    return _rebuilt(root, keep_base=True)


def measure_writer(root: Path) -> dict[str, Any]:
    """What a writer of a large store pays before its first commit, and for a commit of one task."""
    from motionunion.store.committer import Committer
    from motionunion.store.store import open_store

    storage = open_store(root).storage
    began = time.perf_counter()
    committer = Committer(storage, "one more")
    started = time.perf_counter() - began
    receipt = scale_store.run_task((root, 10_000_000 + int(time.time())))
    began = time.perf_counter()
    committer.add(receipt)
    committer.flush()
    committed = time.perf_counter() - began
    committer.close()
    return {"start_s": started, "commit_s": committed}


MEASURES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "rebuild": measure_rebuild,
    "open": measure_open,
    "stats": measure_stats,
    "query": measure_query,
    "search": measure_search,
    "clip": measure_clip,
    "writer": measure_writer,
    "update": measure_update,
}


def _rebuilt(root: Path, keep_base: bool) -> dict[str, Any]:
    from motionunion.store.commits import read_state
    from motionunion.store.index import write_index
    from motionunion.store.store import open_store

    store = open_store(root)
    for path in store.index_folder.glob("*"):
        if not keep_base or path.name.startswith(f"{store.commit:020d}"):
            path.unlink()
    began = time.perf_counter()
    path = write_index(store.index_folder, store.storage, read_state(store.storage, store.commit))
    return {"seconds": time.perf_counter() - began, "index_bytes": path.stat().st_size}


def _asked(root: Path, ask: Callable[[Any], object]) -> dict[str, Any]:
    from motionunion.store.store import open_store

    with open_store(root) as store:
        began = time.perf_counter()
        ask(store)
        first = time.perf_counter() - began
        return {"first_s": first, **_times(lambda: ask(store))}


def _times(work: Callable[[], object]) -> dict[str, float]:
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return {"median_s": statistics.median(seconds), "lowest_s": min(seconds), "highest_s": max(seconds)}


def _each(store: Any, ids: list[str]) -> dict[str, float]:
    milliseconds = []
    for clip_id in ids:
        began = time.perf_counter()
        store.clip(clip_id)
        milliseconds.append(1e3 * (time.perf_counter() - began))
    milliseconds.sort()
    return {
        "median": statistics.median(milliseconds),
        "p95": milliseconds[int(0.95 * len(milliseconds))],
        "highest": milliseconds[-1],
    }


def _in_a_process(name: str, root: Path) -> dict[str, Any]:
    """One measure in a fresh process; with its peak memory, and the seconds of the whole process."""
    began = time.perf_counter()
    line = [sys.executable, "-m", "benchmarks.scale", "--measure", name, "--store", str(root)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "process_s": time.perf_counter() - began}


def _sizes(root: Path) -> dict[str, Any]:
    from motionunion.store.store import open_store

    store = open_store(root)
    folders = {
        name: [path.stat().st_size for path in (root / name).rglob("*") if path.is_file()]
        for name in ("commits", "checkpoints", "shards", "index")
    }
    kinds = store.rows("SELECT kind, count(*), sum(bytes)::BIGINT FROM shards GROUP BY kind ORDER BY kind")
    return {
        "clips": store.rows("SELECT count(*) FROM clips")[0][0],
        "frames": int(store.rows("SELECT sum(frames) FROM clips")[0][0]),
        "commits": store.commit,
        "folders": {name: {"files": len(sizes), "bytes": sum(sizes)} for name, sizes in folders.items()},
        "shards": {kind: {"files": files, "bytes": size} for kind, files, size in kinds},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--store", type=Path, help="make the store here and keep it, or use the one that is here")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        found = MEASURES[given.measure](given.store)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(json.dumps({**found, "peak_mib": peak / 2**20}))
        return
    with tempfile.TemporaryDirectory() as folder:
        _run(given.store or Path(folder, "store"), given.clips, given.jobs)


def _run(root: Path, clips: int, jobs: int) -> None:
    commits = scale_store.build(root, clips, jobs)
    found = {name: _in_a_process(name, root) for name in MEASURES}
    sizes = _sizes(root)
    print(f"\n{sizes['clips']:,} clips, {sizes['frames']:,} frames, {sizes['commits']} commits")
    for name, figures in found.items():
        print(f"{name:8} {_shown(figures)}")
    print(f"on disk  {_shown({name: round(size['bytes'] / 1e6) for name, size in sizes['folders'].items()})} (MB)")
    figures = {"rounds": ROUNDS, "random_clips": RANDOM_CLIPS, "store": sizes, "building_commit_s": commits, **found}
    machine.write(Path(__file__).with_name("results") / "scale.json", _rounded(figures))


def _shown(figures: dict[str, Any]) -> str:
    parts = []
    for name, value in figures.items():
        shown = (
            f"({_shown(value)})" if isinstance(value, dict) else f"{value:.4g}" if isinstance(value, float) else value
        )
        parts.append(f"{name} {shown}")
    return ", ".join(parts)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
