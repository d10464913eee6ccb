"""Damage files at random and look how their parsers take it: `python -m benchmarks.fuzz_parsers [--seconds 1200]`.

Every input begins as one of the small files in `fuzz/seeds`, or as one that was made from them and led somewhere new (another
refusal, another line of the parser's), and is damaged once more. A parser may read it or raise an error of ours. Findings are
other exceptions, the death of the process, more than `HANG_S` of processor time, and more memory than 64 MiB and ten times the
content: the bytes of the file and of the arrays or texts that were read from it. Inputs follow from the seed and the turn alone.
Findings go to a folder, figures to results/fuzz_parsers.json.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import machine
from benchmarks.fuzz.targets import TARGETS, Target
from motionunion.errors import MotionUnionError

HANG_S = 5.0
FREE_BYTES = 64 << 20
CONTENT_FACTOR = 10
_KEPT = 400  # inputs that led somewhere new, per kind of file
_TURN = 200  # inputs of one kind before the next has its turn
_CEILING = 4 << 30  # what the process may take at all; a finding, not the machine's end
_PACKAGE = str(Path(__file__).parents[1] / "motionunion")


class Hang(BaseException):
    """Raised from a timer, and no `except Exception` of a parser catches it."""


@dataclass(slots=True)
class Report:
    """What happened to the files of one kind."""

    inputs: int = 0
    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    places: int = 0
    """Different outcomes: reasons with the line that gave them, and orders of magnitude of what was read."""
    slowest_s: float = 0.0
    largest_bytes: int = 0
    """Most memory that an input took beyond its content's tenfold."""
    findings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": self.inputs, "read": self.read, "refused": dict(sorted(self.refused.items())), "places": self.places,
            "slowest_s": round(self.slowest_s, 2), "largest_bytes_beyond_content": self.largest_bytes,
            "findings": self.findings,
        }  # fmt: skip


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `Hang` after so much processor time."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


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
        content = len(data)
        tracemalloc.reset_peak()
        before, began = tracemalloc.get_traced_memory()[0], time.process_time()
        try:
            with limited(HANG_S):
                found = target.read(path)
            content += found
            report.read += 1
            outcome = f"read {found.bit_length()}"
        except MotionUnionError as error:
            reason = str(getattr(error, "reason", type(error).__name__))
            report.refused[reason] += 1
            outcome = f"{reason} {_place(error)}"
        except Hang:
            outcome = self.found(target, data, f"took more than {HANG_S} s of processor time")
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            outcome = self.found(target, data, f"{type(error).__name__} at {_place(error)}", str(error)[:200])
        report.slowest_s = max(report.slowest_s, time.process_time() - began)
        beyond = tracemalloc.get_traced_memory()[1] - before - CONTENT_FACTOR * content
        report.largest_bytes = max(report.largest_bytes, beyond)
        if beyond > FREE_BYTES:
            self.found(target, data, "took memory beyond ten times its content", f"{beyond:,} bytes")
        return outcome

    def found(self, target: Target, data: bytes, what: str, said: str = "") -> str:
        """Keep an input that must not have done what it did, once per kind of misdeed."""
        if what not in self.known[target.name]:
            self.known[target.name].add(what)
            self.reports[target.name].findings.append(f"{what}: {said}" if said else what)
            self.findings.mkdir(parents=True, exist_ok=True)
            (self.findings / f"{target.name}-{len(self.reports[target.name].findings)}{target.suffix}").write_bytes(
                data
            )
        return what


def _place(error: BaseException) -> str:
    """The innermost three lines of the package that an error passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(_PACKAGE)]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-3:]))


def _work(names: Sequence[str], seed: int, seconds: float, folder: Path, findings: Path, results: Any) -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_CEILING, _CEILING))
    tracemalloc.start()
    results.put(Fuzzer([TARGETS[name] for name in names], seed, folder, findings).run(seconds))


def fuzz(names: Sequence[str], seed: int, seconds: float, findings: Path) -> dict[str, Report]:
    """Try some kinds of files for some seconds, in a process of their own whose death is a finding too."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process = context.Process(target=_work, args=(names, seed, seconds, folder, findings, results))
        process.start()
        try:
            reports: dict[str, Report] = results.get(timeout=seconds + 120)
        except queue.Empty:
            process.kill()
            process.join()
            last = max(folder.iterdir(), key=lambda path: path.stat().st_ctime_ns)
            findings.mkdir(parents=True, exist_ok=True)
            shutil.copy(last, findings / f"fatal-{last.name}")
            reports = {
                last.stem: Report(findings=[f"the process ended with {process.exitcode} over fatal-{last.name}"])
            }
        process.join()
    return reports


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
