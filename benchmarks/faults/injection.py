"""Faults on purpose: a storage that fails at its n-th operation, and a process that dies at its n-th call to the disk.

Used by `benchmarks.crash_sweep` and by the tests. Counting is exact: a run without a fault says how many places there are.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["none", "stop", "kill", "full", "read_error", "reset"]
WRITES = ("put", "put_if_absent", "delete")
READS = ("get", "get_range", "list")
_WRITES_A_FILE = ("put", "put_if_absent")


class Stopped(BaseException):
    """The process is dead, as far as the code under test can tell: nothing that catches errors catches this."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong, and at which of the operations that it concerns."""

    kind: Kind = "none"
    at: int = 0
    """Number of the operation, from 1; 0 = never."""
    after: bool = False
    """The operation has happened when the fault strikes: its answer is lost, not its effect."""
    lasting: bool = False
    """Everything later that the fault concerns fails too, as with a disk that stays full."""
    seen: list[str] = field(default_factory=list)
    """Every operation that the fault concerns, in order: `put shards/...`."""

    def concerns(self, operation: str) -> bool:
        """Whether this fault may strike such an operation."""
        if self.kind == "full":
            return operation in _WRITES_A_FILE
        return operation in READS if self.kind == "read_error" else True

    def wrap(self, operation: str, name: str, act: Callable[[], Any]) -> Any:
        """Do an operation, or fail instead, or do it and fail then."""
        if not self.concerns(operation):
            return act()
        self.seen.append(f"{operation} {name}")
        place = len(self.seen)
        # The dead do nothing more; other faults pass, if they are not lasting.
        if not (place == self.at or (0 < self.at < place and (self.lasting or self.kind == "stop"))):
            return act()
        if self.after and place == self.at:
            act()
        raise self._error(f"{operation} {name}")

    def _error(self, what: str) -> BaseException:
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "full":
            return OSError(errno.ENOSPC, "No space left on device", what)
        if self.kind == "read_error":
            return OSError(errno.EIO, "Input/output error", what)
        if self.kind == "reset":
            return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer", what)
        return Stopped(what)


def faulty(storage: Any, fault: Fault) -> Any:
    """The same storage, whose operations pass through a fault. Still an instance of its class."""

    class Faulty(type(storage)):  # type: ignore[misc]
        def get(self, name: str) -> bytes:
            return bytes(fault.wrap("get", name, lambda: storage.get(name)))

        def get_range(self, name: str, start: int, length: int) -> bytes:
            return bytes(fault.wrap("get_range", name, lambda: storage.get_range(name, start, length)))

        def put(self, name: str, data: bytes) -> None:
            fault.wrap("put", name, lambda: storage.put(name, data))

        def put_if_absent(self, name: str, data: bytes) -> bool:
            return bool(fault.wrap("put_if_absent", name, lambda: storage.put_if_absent(name, data)))

        def list(self, prefix: str, after: str = "") -> Any:
            return iter(fault.wrap("list", prefix, lambda: [*storage.list(prefix, after)]))

        def delete(self, name: str) -> None:
            fault.wrap("delete", name, lambda: storage.delete(name))

    made = Faulty.__new__(Faulty)
    made.__dict__.update(storage.__dict__)
    return made


_AUDITED = {"open": 0, "os.link": 1, "os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.utime": 0}
"""Audit events that change or open files, and which argument names the file."""


def watch_disk(root: Path, fault: Fault) -> None:
    """Let a fault strike this process at its n-th opening, linking, renaming, removing, fsync of a file below `root`.

    For the rest of the process's life: audit hooks cannot be taken back. DuckDB and Arrow read files past Python, so what
    they do is not counted.
    """
    inside = str(root) + os.sep

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        where = _AUDITED.get(event)
        if where is None or len(arguments) <= where or not isinstance(arguments[where], str | os.PathLike):
            return
        path = os.fspath(arguments[where])
        if isinstance(path, str) and path.startswith(inside):
            writes = event != "open" or _writes(arguments)
            if fault.kind != "full" or writes:
                fault.wrap("put" if writes else "get", f"{event} {path.removeprefix(inside)}", lambda: None)

    flush = os.fsync

    def fsync(handle: int) -> None:
        fault.wrap("put", "fsync", lambda: flush(handle))

    os.fsync = fsync
    sys.addaudithook(hook)


def _writes(arguments: tuple[Any, ...]) -> bool:
    """Whether an audited `open` (path, mode, flags) may change the file; `os.open` gives no mode."""
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
