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
_WORKER = 160 << 20
"""What a worker takes that has read nothing yet, and small change."""
_SMALLEST_SHARE = 384 << 20
"""A worker that gets less would run most tasks alone."""
# Peak resident memory over a worker's own, in bytes per byte of the file: measured with files of 30 to 120 MB, and a
# quarter added. Text becomes float64 and its parts; AMASS archives may be deflated; features are kept as they are.
_OF_A_FILE = {".bvh": 15, ".npz": 10, ".npy": 8}
_OF_ANOTHER_FILE = 12
_OF_WHAT_IS_KEPT = 4
"""Rows wait as a shard that is written when the task ends: compressed bytes, and copies of them."""


def need(task: Task) -> int:
    """Bytes that a process is thought to need for a task: for its largest file, and for the shards of all."""
    largest = max(listed.size * _of_a_file(listed.ref.path.suffix) for listed in task.files)
    return _WORKER + largest + _OF_WHAT_IS_KEPT * task.size


def staff(
    engine: str | None, jobs: int | None, memory: int | None, tasks: Sequence[Task], progress: Progress
) -> Executor:
    """The engine for some tasks: `pool`, `ray`, or what they are worth where None.

    Raises:
        UsageError: No such engine, or too little memory to run anything.
        MissingExtra: Ray is not installed.
    """
    if engine not in (None, *ENGINES):
        raise UsageError(f"--engine {engine}: no such engine; there are {', '.join(ENGINES)}")
    limit = (memory if memory is not None else machine_memory() // 2) - _PARENT
    if memory is not None and limit < _SMALLEST_SHARE:
        least = (_PARENT + _SMALLEST_SHARE) / 1e6
        raise UsageError(f"--memory {memory / 1e6:.0f}MB is too little to read anything; {least:.0f}MB is the least")
    bounds = Memory(max(limit, _SMALLEST_SHARE), need)
    if engine == "ray":
        ray_module()
        return RayTasks(jobs, bounds)
    if engine is None and jobs is None and sum(task.size for task in tasks) < _WORTH_A_WORKER:
        return Serial(bounds)
    wanted = max(1, min(jobs or os.cpu_count() or 1, len(tasks)))
    workers = max(1, min(wanted, bounds.limit // _SMALLEST_SHARE))
    if workers < wanted:
        progress.note(f"{workers} of {wanted} processes: {bounds.limit / 1e9:.1f} GB of memory are not enough for more "
                      "(--memory)")  # fmt: skip
    return ProcessPool(workers, bounds)


def _of_a_file(suffix: str) -> int:
    return _OF_A_FILE.get(suffix.lower(), _OF_ANOTHER_FILE)
