"""In worker processes, one task in hand for each: a death costs one task."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from motionunion.engines.protocol import ATTEMPTS, Done, R, T

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class ProcessPool:
    """In worker processes, one task in hand for each, so that memory stays bounded and a death costs one task."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def run(self, work: Callable[[T], R], tasks: deque[T]) -> Iterator[Done[T, R]]:
        workers: list[_Worker] = []
        again: deque[tuple[Any, int]] = deque()
        try:
            while tasks or again or any(worker.busy for worker in workers):
                self._hand_out(work, tasks, again, workers)
                for ready in wait([worker.connection for worker in workers if worker.busy]):
                    worker = next(one for one in workers if one.connection is ready)
                    task, attempt = worker.task, worker.attempt
                    try:
                        result, error = worker.receive()
                    except (EOFError, OSError):
                        workers.remove(worker)
                        how = worker.bury()
                        if attempt < ATTEMPTS:
                            again.append((task, attempt + 1))
                        else:
                            yield Done(task, None, how)
                        continue
                    if error is not None:
                        raise error
                    yield Done(task, result)
        finally:
            for worker in workers:
                worker.dismiss()

    def _hand_out(
        self, work: Callable[[T], R], tasks: deque[T], again: deque[tuple[Any, int]], workers: list[_Worker]
    ) -> None:
        idle = [worker for worker in workers if not worker.busy]
        while tasks or again:
            if not idle:
                if len(workers) == self.jobs:
                    return
                workers.append(_Worker(work))
                idle.append(workers[-1])
            task, attempt = again.popleft() if again else (tasks.popleft(), 1)
            if not idle[-1].give(task, attempt):  # it died while idle: nothing is lost
                again.appendleft((task, attempt))
                workers.remove(idle[-1])
                idle[-1].bury()
            idle.pop()


class _Worker:
    """One worker process and the task that it has in hand."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")  # no forked locks, the same on every system
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # from here on, the worker's death closes the pipe
        self._work: Callable[[Any], Any] | None = work
        self.task: Any = None
        self.attempt = 0
        self.busy = False

    def give(self, task: Any, attempt: int) -> bool:
        """Hand over a task; False where the worker is gone."""
        try:
            if self._work is not None:
                self.connection.send(self._work)
                self._work = None
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            return False
        self.task, self.attempt, self.busy = task, attempt, True
        return True

    def receive(self) -> tuple[Any, Exception | None]:
        """Result or error of the task in hand. Raises `EOFError` or `OSError` where the worker died."""
        answer: tuple[Any, Exception | None] = self.connection.recv()
        self.task, self.busy = None, False
        return answer

    def bury(self) -> str:
        """See a dead worker off; says how it died."""
        self.connection.close()
        self._process.join()
        code = self._process.exitcode or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def dismiss(self) -> None:
        """End a worker: an idle one goes by itself when its pipe closes, a busy one is stopped."""
        self.connection.close()
        if self.busy:
            self._process.kill()
        self._process.join()


def _serve(connection: Connection) -> None:
    """A worker's life: take a task, do it, answer, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process of a terminal; the parent decides
    for name in _THREADS:
        os.environ.setdefault(name, "1")  # before numpy loads: as many threads as workers would fight each other
    try:
        work = connection.recv()
        while True:
            connection.send(_attempt(work, connection.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is done with us, or gone


def _attempt(work: Callable[[Any], Any], task: Any) -> tuple[Any, Exception | None]:
    try:
        return work(task), None
    except Exception as error:  # noqa: BLE001 - it is raised again on the other side
        return None, _portable(error)


def _portable(error: Exception) -> Exception:
    """The error, if it survives the way to the parent; else its text."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - an exception's constructor may do anything
        return RuntimeError("".join(traceback.format_exception(error)))
    error.add_note("".join(traceback.format_exception(error)))
    return error
