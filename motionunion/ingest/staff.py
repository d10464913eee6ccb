"""Who does the tasks of a run, how many at once, and with how much memory."""

from __future__ import annotations

import os
from collections.abc import Sequence

from motionunion.engines.memory import Memory, machine_memory
from motionunion.engines.process_pool import ProcessPool
from motionunion.engines.protocol import Executor
from motionunion.engines.ray_tasks import RayTasks, ray_module
from motionunion.engines.serial import Serial
from motionunion.errors import UsageError
from motionunion.ingest.plan import Task
from motionunion.progress import Progress

ENGINES = ("pool", "ray")
_WORTH_A_WORKER = 2 << 20
"""Bytes of input below which reading takes less time than starting a process."""

_PARENT = 400 << 20
"""What the process takes that lists, hands out and commits."""
_PER_FILE = 1500
"""What that process takes besides for each file that is yet to be read: its name, its state, its place in a task."""
_WORKER = 160 << 20
"""What a worker takes that has read nothing yet, and small change."""
_SMALLEST_SHARE = 384 << 20
"""A worker that gets less would run most tasks alone."""
# Peak resident memory over a worker's own, in bytes per byte of the largest file: 12 and 5 were measured with files of 30
# to 120 MB. Text becomes float64 and its parts; an archive may be deflated; features are kept as they are.
_OF_A_FILE = {".bvh": 15, ".npz": 10, ".npy": 8}
_OF_ANOTHER_FILE = 12
# Per byte of all files: rows wait as a compressed shard until the task ends, and are copied when it is written.
_OF_ALL = {".bvh": 1, ".npz": 2, ".npy": 5}
_OF_ALL_OTHERS = 3


def need(task: Task) -> int:
    """Bytes that a process is thought to need for a task: for its largest file, and for the shards of all."""
    suffix = task.files[0].ref.path.suffix.lower()
    largest = max(
        listed.size * _OF_A_FILE.get(listed.ref.path.suffix.lower(), _OF_ANOTHER_FILE) for listed in task.files
    )
    return _WORKER + largest + _OF_ALL.get(suffix, _OF_ALL_OTHERS) * task.size


class Staff:
    """What a person chose, checked before anything is read.

    Args:
        engine: `pool`, `ray`, or None: what the tasks are worth.
        jobs: Processes at most; None = as many as there are cores, or as the cluster has.
        memory: Bytes that all may take together; None = half of the machine's.

    Raises:
        UsageError: No such engine, or too little memory to run anything.
        MissingExtra: Ray is not installed.
    """

    def __init__(self, engine: str | None, jobs: int | None, memory: int | None) -> None:
        if engine not in (None, *ENGINES):
            raise UsageError(f"--engine {engine}: no such engine; there are {', '.join(ENGINES)}")
        if engine == "ray":
            ray_module()
        limit = (memory if memory is not None else machine_memory() // 2) - _PARENT
        if memory is not None and limit < _SMALLEST_SHARE:
            least = (_PARENT + _SMALLEST_SHARE) / 1e6
            raise UsageError(
                f"--memory of {memory:,} bytes is too little to read anything; {least:.0f}MB is the least (a number without a unit is one of bytes: write 8GB)"
            )
        self._engine, self._jobs, self._limit = engine, jobs, limit

    def executor(self, tasks: Sequence[Task], progress: Progress) -> Executor:
        """Who does some tasks; `progress` hears where memory makes it fewer than asked for."""
        files = sum(len(task.files) for task in tasks)
        memory = Memory(max(self._limit - _PER_FILE * files, _SMALLEST_SHARE), need)
        if self._engine == "ray":
            return RayTasks(self._jobs, memory)
        if self._engine is None and self._jobs is None and sum(task.size for task in tasks) < _WORTH_A_WORKER:
            return Serial(memory)
        wanted = max(1, min(self._jobs or os.cpu_count() or 1, len(tasks)))
        workers = max(1, min(wanted, memory.limit // _SMALLEST_SHARE))
        if workers < wanted:
            progress.note(f"{workers} of {wanted} processes: {memory.limit / 1e9:.1f} GB of memory are not enough for "
                          "more (--memory)")  # fmt: skip
        return ProcessPool(workers, memory)
