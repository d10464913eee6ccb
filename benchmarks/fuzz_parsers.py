"""Damage files at random and look how their parsers take it: `python -m benchmarks.fuzz_parsers [--seconds 1200]`.

Every input begins as one of the small files in `fuzz/seeds`, or as one that was made from them and led somewhere new (another
refusal, another line of the parser's), and is damaged once more. A parser may read it or raise an error of ours. Findings are
other exceptions, the death of the process, more than `HANG_S` of processor time, and more memory than 64 MiB and ten times the
content: the bytes of the file and of the arrays or texts that were read from it. Inputs follow from the seed and the turn alone.
Findings go to a folder, figures to results/fuzz_parsers.json.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import machine
from benchmarks.fuzz.targets import TARGETS, Target
from benchmarks.fuzz.watching import Report, attempt, in_a_process

HANG_S = 5.0
_KEPT = 400  # inputs that led somewhere new, per kind of file
_TURN = 200  # inputs of one kind before the next has its turn


class Fuzzer:
    """One process's work on some kinds of files."""

    def __init__(self, targets: Sequence[Target], seed: int, folder: Path, findings: Path) -> None:
        self.targets, self.source, self.folder, self.findings = targets, random.Random(seed), folder, findings
        self.reports = {target.name: Report() for target in targets}
        self.corpus = {target.name: target.seeds() for target in targets}
        self.known: dict[str, set[str]] = {target.name: set() for target in targets}
        for target in targets:
            for data in target.seeds():
                if not self.try_one(target, data).startswith("read"):
                    raise SystemExit(f"a seed of {target.name} is not read")

    def run(self, seconds: float) -> dict[str, Report]:
        """Take turns until the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for target in self.targets:
                for _ in range(_TURN):
                    self.step(target)
                    if time.monotonic() > end:
                        break
        return self.reports

    def step(self, target: Target) -> None:
        """Damage one input and try it."""
        corpus = self.corpus[target.name]
        data = target.damage(self.source.choice(corpus), corpus, self.source)
        outcome = self.try_one(target, data)
        if outcome not in self.known[target.name]:
            self.known[target.name].add(outcome)
            if len(corpus) < _KEPT:
                corpus.append(data)
            self.reports[target.name].places = len(self.known[target.name])

    def try_one(self, target: Target, data: bytes) -> str:
        """Read one input; gives back what happened, for telling inputs apart."""
        report = self.reports[target.name]
        report.inputs += 1
        path = self.folder / f"{target.name}{target.suffix}"
        path.write_bytes(data)
        os.utime(path, ns=(report.inputs, report.inputs))  # some readers keep what they read until a file changes
        outcome = attempt(lambda: target.read(path), len(data), report, HANG_S)
        for what, said in outcome.misdeeds:
            self.found(target, data, what, said)
        return outcome.kind

    def found(self, target: Target, data: bytes, what: str, said: str = "") -> None:
        """Keep an input that must not have done what it did, once per kind of misdeed."""
        if what not in self.known[target.name]:
            self.known[target.name].add(what)
            self.reports[target.name].findings.append(f"{what}: {said}" if said else what)
            self.findings.mkdir(parents=True, exist_ok=True)
            (self.findings / f"{target.name}-{len(self.reports[target.name].findings)}{target.suffix}").write_bytes(
                data
            )


def _run(names: Sequence[str], seed: int, seconds: float, folder: Path, findings: Path) -> dict[str, Report]:
    return Fuzzer([TARGETS[name] for name in names], seed, folder, findings).run(seconds)


def fuzz(names: Sequence[str], seed: int, seconds: float, findings: Path) -> dict[str, Report]:
    """Try some kinds of files for some seconds, in a process of their own whose death is a finding too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reports = in_a_process(_run, names, seed, seconds, folder, findings, most_s=seconds + 120)
        if isinstance(reports, dict):
            return reports
        last = max(folder.iterdir(), key=lambda path: path.stat().st_ctime_ns)
        findings.mkdir(parents=True, exist_ok=True)
        shutil.copy(last, findings / f"fatal-{last.name}")
        return {last.stem: Report(findings=[f"the process ended with {reports} over fatal-{last.name}"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1200, help="of all processes together")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the kinds of files")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--kinds", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--findings", type=Path, default=Path("runs/fuzz"))
    args = parser.parse_args()
    shares = [args.kinds[job :: args.jobs] for job in range(args.jobs)]
    reports: dict[str, Report] = {}
    with ThreadPoolExecutor(args.jobs) as pool:
        for found in pool.map(lambda kinds: fuzz(kinds, args.seed, args.seconds / args.jobs, args.findings), shares):
            reports |= found
    for name, report in reports.items():
        refused = sum(report.refused.values())
        print(f"{name:16} {report.inputs:>8} inputs, {report.read:>7} read, {refused:>8} refused, {report.places:>4} places, "
              f"slowest {report.slowest_s:.2f} s")  # fmt: skip
        for finding in report.findings:
            print(f"    FOUND {finding}")
    total = {
        "seconds": args.seconds,
        "jobs": args.jobs,
        "seed": args.seed,
        "inputs": sum(report.inputs for report in reports.values()),
        "findings": sum(len(report.findings) for report in reports.values()),
        "kinds": {name: report.to_json() for name, report in reports.items()},
    }
    machine.write(Path(__file__).with_name("results") / "fuzz_parsers.json", total)
    sys.exit(1 if total["findings"] else 0)


if __name__ == "__main__":
    main()
