"""How much memory tasks may take: sizes as people write them, what the machine has, and what a process is held to.

Every task in hand holds a reservation: what it is thought to need, at least an equal share. All reservations together
stay below the limit, and on Linux the kernel holds a worker to its own (`RLIMIT_DATA`), so that a wrong guess costs a
`MemoryError` and a second try, not the machine.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionunion.errors import UsageError

_UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 1 << 10,
    "mi": 1 << 20,
    "gi": 1 << 30,
    "ti": 1 << 40,
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", re.IGNORECASE)
_SCRATCH = 64 << 20
"""A process can always take so much more than it has: without it, it could not even say what went wrong."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What all tasks in hand may take together, and what each is thought to need, in bytes."""

    limit: int
    need: Callable[[Any], int]

    def reservation(self, task: Any, workers: int) -> int:
        """What a task in hand is counted with: its need, at least an equal share, at most everything."""
        return min(max(self.need(task), self.limit // workers), self.limit)


def parse_size(text: str) -> int:
    """Bytes of a size as people write it: `8GB`, `512 MiB`, `1.5g`, `1000000`.

    Raises:
        UsageError: Not a size, or none at all.
    """
    match = _SIZE.fullmatch(text)
    if match is None or match[2].lower() not in _UNITS or float(match[1]) == 0:
        raise UsageError(f"{text!r} is not a size of memory; write 8GB, 512MiB or a number of bytes")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def machine_memory(process: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process may take at most: the machine's memory, or what its control group (a container, a batch
    job) leaves of it. The paths are Linux's own."""
    return min([_physical_memory(), *_group_limits(process, groups)])


def own_data() -> int:
    """Bytes of private data that this process has mapped; 0 where the system does not tell (only Linux does)."""
    try:
        with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - read for every task
            for line in status:
                if line.startswith(b"VmData:"):
                    return int(line.split()[1]) << 10
    except OSError:
        return 0
    return 0


@contextlib.contextmanager
def data_limit(may_take: int | None) -> Iterator[None]:
    """Within, this process gets a `MemoryError` where its private data would grow beyond `may_take` bytes.

    Nothing happens for None, or where the system knows no such limit (all but Linux).
    """
    if may_take is None or not sys.platform.startswith("linux"):
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [one for one in (max(may_take, own_data() + _SCRATCH), hard) if one != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _physical_memory() -> int:
    if sys.platform == "win32":
        import ctypes

        kilobytes = ctypes.c_ulonglong(0)
        ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
        return kilobytes.value << 10
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _group_limits(process: Path, groups: Path) -> Iterator[int]:
    """Limits of the control groups that the process is in, and of those above them; version 2 and version 1."""
    try:
        lines = process.read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # not Linux
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            root, file = groups, "memory.max"
        elif "memory" in controllers.split(","):
            root, file = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = root / name.lstrip("/")
        # In a container the path may be the host's, and only the root is to be seen.
        for folder in (group, *group.parents):
            with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
                yield int((folder / file).read_text(encoding="ascii"))
            if folder == root:
                break
