"""What both fuzzers watch while a reader has a damaged input in hand: what it raises, how long it takes, how much memory."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import sys
import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from motionunion.errors import MotionUnionError

FREE_BYTES = 64 << 20
CONTENT_FACTOR = 10
_CEILING = 4 << 30  # what the process may take at all; a finding, not the machine's end
_PACKAGE = str(Path(__file__).parents[2] / "motionunion")


class Hang(BaseException):
    """Raised from a timer, and no `except Exception` of a parser catches it."""


@dataclass(slots=True)
class Report:
    """What happened to the inputs of one kind."""

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to."""

    kind: str
    """Alike for inputs that went the same way."""
    misdeeds: tuple[tuple[str, str], ...] = ()
    """What must not have happened, and what was said."""
    content: int = 0
    """Bytes of content that were read; 0 where nothing was."""


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


def attempt(read: Callable[[], int], size: int, report: Report, most_s: float) -> Outcome:
    """Call a reader that says how many bytes of content it gave, and count what comes of it.

    Args:
        read: The reader. It may raise an error of ours; anything else is a misdeed.
        size: Bytes of its input.
        report: Where it is counted.
        most_s: Processor time that it may take.
    """
    tracemalloc.reset_peak()
    before, began = tracemalloc.get_traced_memory()[0], time.process_time()
    misdeeds: list[tuple[str, str]] = []
    content = 0
    try:
        with limited(most_s):
            content = read()
        report.read += 1
        kind = f"read {content.bit_length()}"
    except MotionUnionError as error:
        reason = str(getattr(error, "reason", type(error).__name__))
        report.refused[reason] += 1
        kind = f"{reason} {place_of(error)}"
    except Hang:
        kind = f"took more than {most_s} s of processor time"
        misdeeds.append((kind, ""))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        kind = f"{type(error).__name__} at {place_of(error)}"
        misdeeds.append((kind, str(error)[:200]))
    report.slowest_s = max(report.slowest_s, time.process_time() - began)
    beyond = tracemalloc.get_traced_memory()[1] - before - CONTENT_FACTOR * (size + content)
    report.largest_bytes = max(report.largest_bytes, beyond)
    if beyond > FREE_BYTES:
        misdeeds.append(("took memory beyond ten times its content", f"{beyond:,} bytes"))
    return Outcome(kind, tuple(misdeeds), content)


def place_of(error: BaseException) -> str:
    """The innermost three lines of the package that an error passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(_PACKAGE)]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-3:]))


def in_a_process(work: Callable[..., dict[str, Report]], *given: Any, most_s: float) -> dict[str, Report] | int | None:
    """What `work(*given)` gives in a process of its own with little memory; where it died, its exit code."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_work, args=(work, given, results))
    process.start()
    end = time.monotonic() + most_s
    while time.monotonic() < end:
        alive = process.is_alive()  # asked before: what it sent last is still to be had
        try:
            reports: dict[str, Report] = results.get(timeout=1)
        except queue.Empty:
            if not alive:
                break
            continue
        process.join()
        return reports
    process.kill()
    process.join()
    return process.exitcode


def _work(work: Callable[..., dict[str, Report]], given: tuple[Any, ...], results: Any) -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_CEILING, _CEILING))
    tracemalloc.start()
    results.put(work(*given))
