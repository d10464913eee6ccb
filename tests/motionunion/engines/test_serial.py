from __future__ import annotations

import sys
from collections import deque

import pytest

from motionunion.engines.memory import Memory
from motionunion.engines.protocol import OUT_OF_MEMORY, first, take
from motionunion.engines.serial import Serial


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux holds a process to its private data")
def test_a_task_that_wants_more_than_there_is_ends_and_the_next_goes_on():
    memory = Memory(200 << 20, lambda task: 0)
    done = list(Serial(memory).run(eval, deque(["len(bytearray(1 << 30))", "1 + 1"])))
    assert [(one.result, one.died) for one in done] == [(None, OUT_OF_MEMORY), (2, None)]


def test_a_queue_that_is_emptied_at_any_moment_is_just_empty():
    assert (first(deque()), take(deque())) == (None, None)
    tasks = deque([1, 2])
    assert (first(tasks), take(tasks), list(tasks)) == (1, 1, [2])
