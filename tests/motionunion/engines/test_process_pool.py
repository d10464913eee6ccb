from __future__ import annotations

import math
import os
import sys
import threading
from collections import deque
from pathlib import Path

import pytest

from motionunion.engines.memory import Memory
from motionunion.engines.process_pool import ProcessPool
from motionunion.engines.protocol import OUT_OF_MEMORY
from motionunion.engines.serial import Serial
from motionunion.errors import SourceFormatError

# The workers are new processes that import nothing of this file, so the work is a builtin: `eval` does anything.


@pytest.mark.parametrize("engine", [Serial(), ProcessPool(2)])
def test_every_task_is_done_once(engine):
    done = list(engine.run(math.factorial, deque(range(12))))
    assert sorted(one.task for one in done) == list(range(12))
    assert all(one.result == math.factorial(one.task) for one in done)


def test_a_task_added_meanwhile_is_done_too_and_a_cleared_queue_ends_the_run():
    tasks = deque(["1"])
    seen = []
    for done in ProcessPool(1).run(eval, tasks):
        seen.append(done.result)
        if done.result < 4:
            tasks.append(f"{done.result} + 1")
    assert seen == [1, 2, 3, 4]
    tasks = deque(str(number) for number in range(50))
    count = 0
    for _ in Serial().run(eval, tasks):
        tasks.clear()
        count += 1
    assert count == 1


def test_the_death_of_a_worker_costs_one_task_after_two_tries(tmp_path):
    tally = tmp_path / "tries"
    deadly = f"(open({str(tally)!r}, 'a').write('x'), __import__('os')._exit(3))"
    by_signal = "__import__('os').kill(__import__('os').getpid(), 9)"
    tasks = ["1 + 1", deadly, "2 + 2", by_signal, "3 + 3"]
    done = {one.task: one for one in ProcessPool(2).run(eval, deque(tasks))}
    assert [done[task].result for task in ("1 + 1", "2 + 2", "3 + 3")] == [2, 4, 6]
    assert done[deadly].died == "exit code 3"
    assert done[by_signal].died == "signal SIGKILL"
    assert tally.read_text() == "xx"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="real-time signals are Linux's")
def test_a_death_by_a_signal_without_a_name_is_a_death_like_others():
    (done,) = ProcessPool(1).run(eval, deque(["__import__('os').kill(__import__('os').getpid(), 40)"]))
    assert done.died == "signal 40"


def test_a_worker_that_dies_once_is_replaced_and_its_task_done(tmp_path):
    flag = tmp_path / "died"
    once = (
        f"42 if __import__('os').path.exists({str(flag)!r}) else (open({str(flag)!r}, 'w'), __import__('os')._exit(1))"
    )
    (done,) = ProcessPool(1).run(eval, deque([once]))
    assert (done.result, done.died) == (42, None)


def test_an_exception_of_the_work_is_raised_here_and_ends_the_run():
    with pytest.raises(ZeroDivisionError):
        list(ProcessPool(2).run(eval, deque(["1 / 0", "2", "3"])))
    raising = (
        'exec(\'from motionunion.errors import SourceFormatError\\nraise SourceFormatError("a.bvh", "bad", line=7)\')'
    )
    with pytest.raises(SourceFormatError, match=r"a\.bvh:7: bad") as caught:
        list(ProcessPool(1).run(eval, deque([raising])))
    assert caught.value.line == 7


def test_an_exception_that_cannot_travel_arrives_as_its_text():
    raising = (
        "exec('from motionunion.errors import MissingExtra\\nclass Odd(Exception): pass\\nraise Odd(\"odd one\")')"
    )
    with pytest.raises(RuntimeError, match="odd one"):
        list(ProcessPool(1).run(eval, deque([raising])))


def test_leaving_the_run_stops_the_workers():
    run = ProcessPool(1).run(eval, deque(["__import__('os').getpid()", "__import__('time').sleep(600)"]))
    pid = next(run).result
    assert pid != os.getpid()
    run.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
MIB = 1 << 20

# A task that leaves its name in a folder while it holds memory, and looks how many others do, until it has seen enough.
_HOLDING = """
import os, time
path = os.path.join({folder!r}, str(os.getpid()))
held = b"x" * {size}
open(path, "w").close()
most = 0
for _ in range(50):
    most = max(most, len(os.listdir({folder!r})))
    if most >= {enough}:
        break
    time.sleep(0.01)
os.unlink(path)
print(most, file=open({tally!r}, "a"))
"""

_MEETING = """
import os, time
open(os.path.join({folder!r}, str(os.getpid())), "w").close()
while len(os.listdir({folder!r})) < 3:
    time.sleep(0.01)
"""


def holding(tmp_path, size, *, enough):
    """An expression for `eval` that holds some bytes for a while, and writes down how many did at most."""
    (tmp_path / "now").mkdir(exist_ok=True)
    folder, tally = str(tmp_path / "now"), str(tmp_path / "tally")
    code = _HOLDING.format(folder=folder, tally=tally, size=size, enough=enough)
    return f"exec({code!r})"


def most_at_once(tmp_path):
    return max(int(line) for line in (tmp_path / "tally").read_text().split())


def test_tasks_in_hand_never_reserve_more_than_there_is(tmp_path):
    task = holding(tmp_path, 0, enough=3)
    needs = Memory(1000 * MIB, lambda task: 400 * MIB)
    assert len(list(ProcessPool(4, needs).run(eval, deque([task] * 8)))) == 8
    assert most_at_once(tmp_path) == 2


def test_a_task_that_needs_everything_runs_alone(tmp_path):
    task = holding(tmp_path, 0, enough=2)
    done = list(ProcessPool(3, Memory(1000 * MIB, lambda task: 5000 * MIB)).run(eval, deque([task] * 3)))
    assert [one.died for one in done] == [None] * 3
    assert most_at_once(tmp_path) == 1


def test_tasks_within_their_share_run_at_once(tmp_path):
    """Each waits for all three to have begun."""
    folder = tmp_path / "begun"
    folder.mkdir()
    code = _MEETING.format(folder=str(folder))
    meet = f"exec({code!r})"
    assert len(list(ProcessPool(3, Memory(1000 * MIB, lambda task: 300 * MIB)).run(eval, deque([meet] * 3)))) == 3


@linux
def test_the_memory_of_all_workers_stays_below_the_limit(tmp_path):
    """Twelve tasks of 150 MiB, four workers, 700 MiB: two or three at once, whatever the others would like."""
    task = holding(tmp_path, 150 * MIB, enough=3)
    limit = 700 * MIB
    others = set(children())  # of tests that went before in this process
    seen = [0]
    stop = threading.Event()

    def watch():
        while not stop.wait(0.005):
            seen.append(sum(resident(pid) for pid in children() if pid not in others))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = list(ProcessPool(4, Memory(limit, lambda task: 220 * MIB)).run(eval, deque([task] * 12)))
    finally:
        stop.set()
        watcher.join()
    assert all(one.died is None for one in done)
    assert 300 * MIB < max(seen) < limit  # it was used, and kept


def children():
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def resident(pid):
    """Bytes of a worker. (Between its start and its own program, a child counts the pages of the one that started it.)"""
    try:
        if b"multiprocessing.spawn" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return 0
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has just ended


@linux
def test_a_task_that_runs_out_of_memory_is_tried_once_more_with_all_there_is(tmp_path):
    tally = tmp_path / "tries"
    takes = f"(open({str(tally)!r}, 'a').write('x'), len(bytearray({{size}} << 20)))[1]"
    some, much = takes.format(size=500), takes.format(size=2000)
    done = {
        one.task: one for one in ProcessPool(4, Memory(1000 * MIB, lambda task: 0)).run(eval, deque([some, "1", much]))
    }
    assert done[some].result == 500 * MIB  # more than a share of 250
    assert (done[much].result, done[much].died) == (None, OUT_OF_MEMORY)
    assert done["1"].result == 1
    assert tally.read_text() == "x" * 4
    (done,) = ProcessPool(1).run(eval, deque(["exec('raise MemoryError')"]))
    assert done.died == OUT_OF_MEMORY


def test_a_queue_that_is_cleared_while_a_large_task_waits_ends_the_run(tmp_path):
    large = "'large'"
    tasks = deque(["1", large, large])
    seen = []
    for done in ProcessPool(2, Memory(1000 * MIB, lambda task: 5000 * MIB if task == large else 0)).run(eval, tasks):
        seen.append(done.result)
        tasks.clear()
    assert seen == [1]
