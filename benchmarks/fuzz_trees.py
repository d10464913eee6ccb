"""Damage whole data sets at random and read them: `python -m benchmarks.fuzz_trees [--seconds 600]`.

Every turn begins with the small copy of one data set that the tests try its reader on, damages one to three of its files and reads
all that can be found, as ingest does: recognised, listed, read, normalised, made into rows. A file may be read or refused by an error
of ours. Findings are other exceptions, the death of the process, more than `HANG_S` of processor time, more memory than 64 MiB and
ten times the content, and, where all that was damaged is the motion of some, a reading of others that changed. Turns follow from the seed alone. Damaged trees go to a folder, figures to
results/fuzz_trees.json.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import machine
from benchmarks.fuzz.tree_damage import damage
from benchmarks.fuzz.trees import Told, read_tree, write_tree
from benchmarks.fuzz.watching import Report, attempt, in_a_process
from motionunion.sources import SOURCES

HANG_S = 20.0


class TreeFuzzer:
    """One process's work on some data sets."""

    def __init__(self, sources: Sequence[str], seed: int, folder: Path, findings: Path) -> None:
        self.sources, self.folder, self.findings = tuple(sources), folder, findings
        self.random = random.Random(seed)
        self.reports = {source: Report() for source in sources}
        self.known: dict[str, set[str]] = {source: set() for source in sources}
        self.ways: dict[str, set[str]] = {source: set() for source in sources}
        self.whole: dict[str, dict[tuple[str, str], Told]] = {}
        for source in sources:
            write_tree(source, folder / "whole" / source)
            self.whole[source] = read_tree(folder / "whole" / source)
            refused = [key for (_, key), told in self.whole[source].items() if not told.read]
            if refused or not self.whole[source]:
                raise SystemExit(f"the small copy of {source} is not read: {refused}")

    def run(self, seconds: float) -> dict[str, Report]:
        """Take turns until the time is over, at least one for each data set."""
        end, turn = time.monotonic() + seconds, 0
        while turn == 0 or time.monotonic() < end:
            for source in self.sources:
                self.step(source)
                if turn and time.monotonic() > end:
                    break
            turn += 1
        return self.reports

    def step(self, source: str) -> None:
        """Damage one tree and read it."""
        # Under a name of its own each time: some readers keep what they read of a file until it changes.
        report = self.reports[source]
        report.inputs += 1
        tree = self.folder / f"{source}-{report.inputs}" / "tree"
        shutil.copytree(self.folder / "whole" / source, tree)
        done, damaged = damage(tree, self.random)
        found: dict[tuple[str, str], Told] = {}

        def read() -> int:
            found.update(read_tree(tree))
            return sum(told.size for told in found.values())

        size = sum(path.lstat().st_size for path in tree.rglob("*"))
        outcome = attempt(read, size, report, HANG_S)
        for told in found.values():
            if not told.read:
                report.refused[told.content] += 1
        for what, said in (*outcome.misdeeds, *(() if outcome.misdeeds else self._spread(source, damaged, found))):
            self._found(source, tree, f"{what}: {said}" if said else what, done)
        self.ways[source] |= {outcome.kind, *(told.content for told in found.values() if not told.read)}
        report.places = len(self.ways[source])
        shutil.rmtree(tree.parent)

    def _spread(
        self, source: str, damaged: frozenset[str], found: dict[tuple[str, str], Told]
    ) -> list[tuple[str, str]]:
        """Readings that are not what they were, though all that was damaged is the motion of others."""
        whole = self.whole[source]
        motion = {file for told in whole.values() for file in told.own}
        if not damaged <= motion:
            return []  # a list or table of all, or a file that came from nowhere
        hit = {address for address, told in whole.items() if told.files & damaged}
        return [
            (f"{address[1]} is another reading", told.content if not told.read else "")
            for address in whole.keys() - hit
            if (told := found.get(address, _GONE)).content != whole[address].content
        ]

    def _found(self, source: str, tree: Path, what: str, done: str) -> None:
        """Keep a tree that must not have done what it did, once per kind of misdeed."""
        if what not in self.known[source]:
            self.known[source].add(what)
            self.reports[source].findings.append(f"{what} [{done}]")
            kept = self.findings / f"{source}-{len(self.reports[source].findings)}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(tree, kept, symlinks=True)


_GONE = Told("not found", False, frozenset(), frozenset(), 0)


def _run(sources: Sequence[str], seed: int, seconds: float, folder: Path, findings: Path) -> dict[str, Report]:
    return TreeFuzzer(sources, seed, folder, findings).run(seconds)


def fuzz(sources: Sequence[str], seed: int, seconds: float, findings: Path) -> dict[str, Report]:
    """Damage some data sets for some seconds, in a process of their own whose death is a finding too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reports = in_a_process(_run, sources, seed, seconds, folder, findings, most_s=seconds + 300)
        if isinstance(reports, dict):
            return reports
        turns = [path for path in folder.iterdir() if path.name != "whole"]
        last = max(turns, key=lambda path: path.stat().st_ctime_ns, default=folder / "whole")
        shutil.copytree(last, findings / f"fatal-{last.name}", symlinks=True, dirs_exist_ok=True)
        source = last.name.rpartition("-")[0] or sources[0]
        return {source: Report(findings=[f"the process ended with {reports} over fatal-{last.name}"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="of all processes together")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the data sets")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--findings", type=Path, default=Path("runs/fuzz_trees"))
    args = parser.parse_args()
    shares = [args.sources[job :: args.jobs] for job in range(args.jobs)]
    reports: dict[str, Report] = {}
    with ThreadPoolExecutor(args.jobs) as pool:
        for found in pool.map(lambda names: fuzz(names, args.seed, args.seconds / args.jobs, args.findings), shares):
            reports |= found
    for name, report in reports.items():
        refused = sum(report.refused.values())
        print(f"{name:20} {report.inputs:>6} trees, {refused:>6} refusals, {report.places:>4} places, "
              f"slowest {report.slowest_s:.2f} s")  # fmt: skip
        for finding in report.findings:
            print(f"    FOUND {finding}")
    total = {
        "seconds": args.seconds,
        "jobs": args.jobs,
        "seed": args.seed,
        "trees": sum(report.inputs for report in reports.values()),
        "findings": sum(len(report.findings) for report in reports.values()),
        "sources": {name: report.to_json() for name, report in reports.items()},
    }
    machine.write(Path(__file__).with_name("results") / "fuzz_trees.json", total)
    sys.exit(1 if total["findings"] else 0)


if __name__ == "__main__":
    main()
