"""In worker processes, one task in hand for each: a death costs one task, and memory is handed out, not hoped for."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from motionunion.engines.memory import Memory
from motionunion.engines.protocol import ATTEMPTS, OUT_OF_MEMORY, Done, R, T, first, take
from motionunion.engines.worker import attempt, settle_in


class ProcessPool:
    """`jobs` processes at most, started when there is work for them.

    With `memory`, a task starts when its reservation fits beside those of the tasks in hand, and one that is too large
    for its share runs with fewer others, or alone. A task that runs out of memory gets its second try alone.
    """

    def __init__(self, jobs: int, memory: Memory | None = None) -> None:
        self.jobs, self.memory = jobs, memory

    def run(self, work: Callable[[T], R], tasks: deque[T]) -> Iterator[Done[T, R]]:
        shift = _Shift(self.jobs, self.memory, work)
        try:
            shift.begin(tasks)
            while tasks or shift.again or shift.busy:
                shift.hand_out(tasks)
                yield from shift.collect()
        finally:
            shift.end()


class _Shift:
    """The workers of one run."""

    def __init__(self, jobs: int, memory: Memory | None, work: Callable[[Any], Any]) -> None:
        self._jobs, self._memory, self._work = jobs, memory, work
        self._workers: list[_Worker] = []
        self.again: deque[_Errand] = deque()
        """Second tries."""

    @property
    def busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.errand is not None]

    def begin(self, tasks: deque[Any]) -> None:
        """Start the workers that will be needed: the first task is handed over only when its worker has come up."""
        errand = self._next(tasks)
        if errand is not None and not self._beyond_share(errand):
            for _ in range(min(self._jobs, len(tasks))):
                self._add_worker()

    def hand_out(self, tasks: deque[Any]) -> None:
        """Give out as many tasks as there are workers and memory for."""
        while (errand := self._next(tasks)) is not None:
            busy = self.busy
            if len(busy) == self._jobs or (busy and not self._fits(errand, busy)):
                return
            if self.again:
                self.again.popleft()
            elif take(tasks) is None:
                return
            if not self._hire(errand).give(errand):  # it died while idle: nothing is lost
                self.again.appendleft(errand)
                self._bury_the_dead()

    def collect(self) -> Iterator[Done[Any, Any]]:
        """Wait until some worker has answered or died."""
        for ready in wait([worker.connection for worker in self.busy]):
            worker = next(one for one in self._workers if one.connection is ready)
            errand = worker.errand
            assert errand is not None  # only busy ones were waited for
            try:
                result, error = worker.receive()
            except (EOFError, OSError):
                self._workers.remove(worker)
                yield from self._died(errand, worker.bury())
                continue
            if isinstance(error, MemoryError):
                self._retire(worker)
                yield from self._died(errand, OUT_OF_MEMORY)
                continue
            if error is not None:
                raise error
            if self._beyond_share(errand):
                self._retire(worker)  # what it took it may still hold, and the next one counts on an equal share
            yield Done(errand.task, result)

    def end(self) -> None:
        for worker in self._workers:
            worker.dismiss()
        for worker in self._workers:
            worker.join()

    def _next(self, tasks: deque[Any]) -> _Errand | None:
        if self.again:
            return self.again[0]
        task = first(tasks)
        return None if task is None else _Errand(task, self._reserve(task))

    def _died(self, errand: _Errand, how: str) -> Iterator[Done[Any, Any]]:
        if errand.attempt == ATTEMPTS:
            yield Done(errand.task, None, how)
            return
        alone = self._memory is not None and how == OUT_OF_MEMORY
        reserved = self._memory.limit if self._memory is not None and alone else errand.reserved
        self.again.append(_Errand(errand.task, reserved, errand.attempt + 1))

    def _reserve(self, task: Any) -> int:
        return 0 if self._memory is None else self._memory.reservation(task, self._jobs)

    def _fits(self, errand: _Errand, busy: list[_Worker]) -> bool:
        if self._memory is None:
            return True
        held = sum(worker.errand.reserved for worker in busy if worker.errand is not None)
        return held + errand.reserved <= self._memory.limit

    def _beyond_share(self, errand: _Errand) -> bool:
        return self._memory is not None and errand.reserved > self._memory.limit // self._jobs

    def _hire(self, errand: _Errand) -> _Worker:
        """An idle worker, or a new one."""
        idle = [worker for worker in self._workers if worker.errand is None]
        if self._beyond_share(errand):
            for worker in idle:  # what they still hold is counted on
                self._retire(worker)
            idle = []
        if idle:
            return idle[0]
        return self._add_worker()

    def _add_worker(self) -> _Worker:
        self._workers.append(_Worker(self._work, bounded=self._memory is not None))
        return self._workers[-1]

    def _retire(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.dismiss()
        worker.join()

    def _bury_the_dead(self) -> None:
        for worker in [one for one in self._workers if not one.alive]:
            self._workers.remove(worker)
            worker.bury()


class _Errand:
    """A task, what is reserved for it, and which try this is."""

    def __init__(self, task: Any, reserved: int, attempt: int = 1) -> None:
        self.task, self.reserved, self.attempt = task, reserved, attempt


class _Worker:
    """One worker process and the errand that it is on."""

    def __init__(self, work: Callable[[Any], Any], *, bounded: bool) -> None:
        context = multiprocessing.get_context("spawn")  # no forked locks, the same on every system
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # from here on, the worker's death closes the pipe
        self._work: Callable[[Any], Any] | None = work
        self._bounded = bounded
        self.alive = True
        self.errand: _Errand | None = None

    def give(self, errand: _Errand) -> bool:
        """Hand over a task; False where the worker is gone."""
        try:
            if self._work is not None:
                self.connection.send(self._work)
                self._work = None
            self.connection.send((errand.task, errand.reserved if self._bounded else None))
        except (BrokenPipeError, ConnectionResetError):
            self.alive = False
            return False
        self.errand = errand
        return True

    def receive(self) -> tuple[Any, Exception | None]:
        """Result or error of the task in hand. Raises `EOFError` or `OSError` where the worker died."""
        answer: tuple[Any, Exception | None] = self.connection.recv()
        self.errand = None
        return answer

    def bury(self) -> str:
        """See a dead worker off; says how it died."""
        self.connection.close()
        self._process.join()
        code = self._process.exitcode or 0
        if code >= 0:
            return f"exit code {code}"
        named = {int(one): one.name for one in signal.Signals}  # most real-time signals have no name
        return f"signal {named.get(-code, -code)}"

    def dismiss(self) -> None:
        """End a worker: an idle one goes by itself when its pipe closes, a busy one is stopped."""
        self.connection.close()
        if self.errand is not None:
            self._process.kill()

    def join(self) -> None:
        """Wait until a dismissed worker is gone."""
        self._process.join()


def _serve(connection: Connection) -> None:
    """A worker's life: take a task, do it, answer, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process of a terminal; the parent decides
    settle_in()
    try:
        work = connection.recv()
        while True:
            task, may_take = connection.recv()
            connection.send(attempt(work, task, may_take))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is done with us, or gone
