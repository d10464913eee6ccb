"""As tasks of a Ray cluster: more than one machine, one of which may be lost on the way.

Ray places tasks by CPU and memory, one CPU each; trying again is decided here, as in the process pool, so that a file
that kills its reader ends as it does there.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from motionunion.engines.memory import Memory, own_data
from motionunion.engines.protocol import ATTEMPTS, OUT_OF_MEMORY, Done, R, T, first, take
from motionunion.engines.worker import attempt, settle_in
from motionunion.errors import MissingExtra, MissingInput

_LOOK_AGAIN_S = 5.0
"""Nodes come and go; so often it is asked how many CPUs there are."""
_OBJECT_STORE_BYTES = 100 << 20
"""Of a cluster of our own: tasks and receipts are small, the files do not pass through it."""
_NO_NODE_S = 60.0
_KNOCK_S = 5.0


class RayTasks:
    """On the cluster that this process is connected to, that `RAY_ADDRESS` names or that `ray start` made of this machine;
    where there is none, on one of its own, which it stops at the end.

    `jobs` bounds the tasks in hand; there are never more than the cluster has CPUs. `memory` bounds a cluster of its own;
    one that was there has its own bounds (`ray start --memory`), and a task is placed where its need is free.
    """

    def __init__(self, jobs: int | None = None, memory: Memory | None = None) -> None:
        self.jobs, self.memory = jobs, memory

    def run(self, work: Callable[[T], R], tasks: deque[T]) -> Iterator[Done[T, R]]:
        """See `Executor.run`.

        Raises:
            MissingExtra: Ray is not installed.
            MissingInput: There is no cluster at `RAY_ADDRESS`, or it has lost all its nodes.
        """
        ray = ray_module()
        joined = _connect(ray, self.jobs, self.memory)
        try:
            shift = _Shift(ray, self.jobs, self.memory, work)
            try:
                while tasks or shift.again or shift.in_hand:
                    shift.hand_out(tasks)
                    yield from shift.collect()
            finally:
                shift.end()
        finally:
            if joined:
                ray.shutdown()


def ray_module() -> Any:
    """Ray, where it is installed. Raises `MissingExtra`."""
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray", "ray") from error
    return ray


def _connect(ray: Any, jobs: int | None, memory: Memory | None) -> bool:
    """Join a cluster, or start one; False where this process is in one already."""
    if ray.is_initialized():
        return False
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": False}
    address = _running_cluster()
    if address is not None:
        ray.init(address=address, **quiet)
        return True
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster of ours reports to nobody
    ray.init(
        address="local",
        num_cpus=jobs or os.cpu_count() or 1,
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        _memory=None if memory is None else memory.limit,
        **quiet,
    )
    return True


def _running_cluster() -> str | None:
    """Address of the cluster that `RAY_ADDRESS` names, else of the one that `ray start` has noted on this machine.

    Ray's own search (`auto`) would also join a cluster that another program has started for itself, and end with it; and
    Ray ends the whole process where nobody answers, hence a knock first.
    """
    named = os.environ.get("RAY_ADDRESS", "")
    if named == "local":
        return None
    if named not in ("", "auto"):
        if not _answers(named):
            raise MissingInput(
                f"RAY_ADDRESS={named}: no Ray cluster answers there; start it (`ray start --head`), or unset the variable "
                "to run on this machine alone"
            )
        return named
    note = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir()), "ray", "ray_current_cluster")
    try:
        address = note.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return address if _answers(address) else None


def _answers(address: str) -> bool:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


class _Shift:
    """The tasks in hand of one run."""

    def __init__(self, ray: Any, jobs: int | None, memory: Memory | None, work: Callable[[Any], Any]) -> None:
        self._ray, self._jobs, self._memory, self._work = ray, jobs, memory, pickle.dumps(work)
        self._remote = ray.remote(_do)
        self.in_hand: dict[Any, tuple[Any, int]] = {}
        """Task and number of the try, by Ray's reference."""
        self.again: deque[tuple[Any, int, bool]] = deque()
        """Second tries: task, number, and whether it needs a node for itself."""
        self._cluster = _Cluster(ray)

    def hand_out(self, tasks: deque[Any]) -> None:
        """Submit as many tasks as the cluster has CPUs for: what waits in our queue can still be called off."""
        at_once = min(self._cluster.cpus(), self._jobs or self._cluster.cpus())
        while len(self.in_hand) < at_once:
            if self.again:
                task, number, alone = self.again.popleft()
            elif first(tasks) is not None and (taken := take(tasks)) is not None:
                task, number, alone = taken, 1, False
            else:
                return
            reserved = self._reserve(task, alone)
            # Over all nodes from the first task on: what tasks wait for is the disk and the network of their node.
            options = {"num_cpus": 1, "max_retries": 0, "scheduling_strategy": "SPREAD"}
            options |= {} if reserved is None else {"memory": reserved}
            reference = self._remote.options(**options).remote(self._work, pickle.dumps(task), reserved)
            self.in_hand[reference] = task, number

    def collect(self) -> Iterator[Done[Any, Any]]:
        """Wait until some task has ended, or it is time to look at the cluster again."""
        if not self.in_hand:
            return
        ready, _ = self._ray.wait(list(self.in_hand), num_returns=1, timeout=_LOOK_AGAIN_S)
        errors = self._ray.exceptions
        for reference in ready:
            task, number = self.in_hand.pop(reference)
            try:
                result, error = self._ray.get(reference)
            except errors.OutOfMemoryError:
                yield from self._died(task, number, OUT_OF_MEMORY)
            except errors.RayTaskError:
                raise  # our own code around the work has failed
            except errors.RayError as death:
                # The worker or its node is gone, or the node that had the result.
                yield from self._died(task, number, f"Ray: {type(death).__name__}")
            else:
                if isinstance(error, MemoryError):
                    yield from self._died(task, number, OUT_OF_MEMORY)
                elif error is not None:
                    raise error
                else:
                    yield Done(task, result)

    def end(self) -> None:
        for reference in self.in_hand:
            with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
                self._ray.cancel(reference, force=True)

    def _died(self, task: Any, number: int, how: str) -> Iterator[Done[Any, Any]]:
        self._cluster.look()  # it may be that a node is gone
        if number == ATTEMPTS:
            yield Done(task, None, how)
        else:
            self.again.append((task, number + 1, how == OUT_OF_MEMORY))

    def _reserve(self, task: Any, alone: bool) -> int | None:
        """What Ray shall find free on a node for the task; more than any node has would wait for ever."""
        if self._memory is None:
            return None
        largest = self._cluster.largest_memory
        return largest if alone else min(max(self._memory.need(task), self._cluster.share), largest)


class _Cluster:
    """What there is to run on, looked at now and then."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._looked = 0.0
        self._cpus, self.largest_memory, self.share = 0, 0, 0
        self.look()

    def cpus(self) -> int:
        if time.monotonic() - self._looked > _LOOK_AGAIN_S:
            self.look()
        return self._cpus

    def look(self) -> None:
        """Count the nodes that are alive. Raises `MissingInput` where none comes for a minute."""
        began = time.monotonic()
        while not (nodes := [node["Resources"] for node in self._ray.nodes() if _works(node)]):
            if time.monotonic() - began > _NO_NODE_S:
                raise MissingInput(
                    "the Ray cluster has no node with a CPU (any more); start some and run the same command again"
                )
            time.sleep(1)
        self._looked = time.monotonic()
        self._cpus = int(sum(node["CPU"] for node in nodes))
        self.largest_memory = int(max(node.get("memory", 0) for node in nodes))
        self.share = int(min(node.get("memory", 0) / node["CPU"] for node in nodes))


def _works(node: dict[str, Any]) -> bool:
    return bool(node["Alive"]) and node["Resources"].get("CPU", 0) >= 1


def _do(work: bytes, task: bytes, reserved: int | None) -> tuple[Any, Exception | None]:
    """On a worker. Work and task come as bytes, so that nothing is imported before the process has settled in."""
    settle_in()
    # Ray's own threads have mapped much and use little: the reservation comes on top.
    may_take = None if reserved is None else own_data() + reserved
    return attempt(pickle.loads(work), pickle.loads(task), may_take)  # noqa: S301 - our own bytes
