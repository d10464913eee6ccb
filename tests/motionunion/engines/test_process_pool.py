from __future__ import annotations

import math
import os
from collections import deque

import pytest

from motionunion.engines.process_pool import ProcessPool
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
