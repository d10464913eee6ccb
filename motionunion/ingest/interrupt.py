"""Ctrl-C: the first one lets the tasks in hand finish, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections import deque
from types import FrameType, TracebackType
from typing import Any

from motionunion.progress import Progress


class Interrupt:
    """A context in which Ctrl-C empties a queue of tasks before it raises anything."""

    def __init__(self, queue: deque[Any], progress: Progress) -> None:
        self._queue, self._progress = queue, progress
        self.asked = False
        self._at_once = False
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        # Only the main thread of a program may handle signals; elsewhere its owner decides what Ctrl-C does.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if isinstance(error, Exception):
            self.stop_if_told()

    def stop_if_told(self) -> None:
        """Raise what the second Ctrl-C raised, where a library (DuckDB does) made another error of it."""
        if self._at_once:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self._at_once = True
            raise KeyboardInterrupt
        self.asked = True
        self._queue.clear()
        self._progress.note("interrupted: finishing and committing the tasks in hand; Ctrl-C again stops at once")
