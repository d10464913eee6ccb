"""Real Ray, on a cluster of its own."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
from collections import deque

import pytest

from motionunion.engines.memory import Memory
from motionunion.engines.protocol import OUT_OF_MEMORY
from motionunion.engines.ray_tasks import RayTasks, _running_cluster
from motionunion.errors import MissingExtra, MissingInput, SourceFormatError

MIB = 1 << 20


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'motionunion\[ray\]'"):
        next(RayTasks(1).run(math.factorial, deque([1])))


_PROGRAM = """
import sys
from collections import deque
from motionunion.engines.ray_tasks import RayTasks
if __name__ == "__main__":
    print([done.result for done in RayTasks(1).run(eval, deque(["1 + 1"]))])
    import ray
    print(ray.is_initialized())
"""


@pytest.mark.slow
def test_where_no_cluster_is_it_starts_one_and_stops_it(tmp_path):
    pytest.importorskip("ray")
    program = tmp_path / "alone.py"
    program.write_text(_PROGRAM)
    environment = os.environ | {"RAY_ADDRESS": "local"}
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, env=environment)
    assert done.stdout.split("\n") == ["[2]", "False", ""], done.stderr


_NO_NODE = """
from collections import deque
from motionunion.engines import ray_tasks
from motionunion.errors import MissingInput
if __name__ == "__main__":
    ray_tasks._works, ray_tasks._NO_NODE_S = lambda node: False, 0
    try:
        list(ray_tasks.RayTasks(1).run(eval, deque(["1 + 1"])))
    except MissingInput as error:
        import ray
        print("no node with a CPU" in str(error), ray.is_initialized())
"""


@pytest.mark.slow
def test_a_cluster_that_turns_out_to_have_no_node_is_left_again(tmp_path):
    pytest.importorskip("ray")
    program = tmp_path / "alone.py"
    program.write_text(_NO_NODE)
    environment = os.environ | {"RAY_ADDRESS": "local"}
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, env=environment)
    assert done.stdout == "True False\n", done.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense", "127.0.0.1:x"])
def test_a_cluster_that_does_not_answer_is_said(monkeypatch, address):
    ray = pytest.importorskip("ray")
    assert not ray.is_initialized()
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(MissingInput, match=f"RAY_ADDRESS={address}: no Ray cluster answers there"):
        next(RayTasks(1).run(math.factorial, deque([1])))


def test_what_ray_start_has_noted_counts_only_while_it_answers(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert _running_cluster() is None
    (tmp_path / "ray").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        assert _running_cluster() == address
        monkeypatch.setenv("RAY_ADDRESS", "auto")
        assert _running_cluster() == address
        monkeypatch.setenv("RAY_ADDRESS", "local")
        assert _running_cluster() is None
        monkeypatch.delenv("RAY_ADDRESS")
    assert _running_cluster() is None


@pytest.fixture(scope="module")
def cluster():
    """Ray for the whole module: an engine uses the one that its process is in, and leaves it running."""
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 * MIB, _memory=2000 * MIB,
             log_to_driver=False)  # fmt: skip
    yield ray
    ray.shutdown()


@pytest.mark.slow
class TestOnACluster:
    def test_every_task_is_done_once_and_the_cluster_is_left_as_it_was(self, cluster):
        done = list(RayTasks(2).run(math.factorial, deque(range(12))))
        assert sorted((one.task, one.result) for one in done) == [(n, math.factorial(n)) for n in range(12)]
        assert cluster.is_initialized()

    def test_no_more_are_in_hand_than_there_are_processors_or_jobs(self, cluster):
        for jobs, most in ((None, 2), (5, 2), (1, 1)):
            tasks = deque(range(20))
            for number, _ in enumerate(RayTasks(jobs).run(math.factorial, tasks), 1):
                assert 20 - len(tasks) - number < most

    def test_a_task_added_meanwhile_is_done_too_and_a_cleared_queue_ends_the_run(self, cluster):
        tasks, seen = deque(["1"]), []
        for done in RayTasks(1).run(eval, tasks):
            seen.append(done.result)
            if done.result < 4:
                tasks.append(f"{done.result} + 1")
        assert seen == [1, 2, 3, 4]
        tasks = deque(["1"] * 50)
        count = 0
        for _ in RayTasks(1).run(eval, tasks):
            tasks.clear()
            count += 1
        assert count == 1

    def test_the_death_of_a_worker_costs_one_task_after_two_tries(self, cluster, tmp_path):
        tally = tmp_path / "tries"
        deadly = f"(open({str(tally)!r}, 'a').write('x'), __import__('os').kill(__import__('os').getpid(), 9))"
        done = {one.task: one for one in RayTasks().run(eval, deque(["1 + 1", deadly, "2 + 2"]))}
        assert (done["1 + 1"].result, done["2 + 2"].result, done[deadly].result) == (2, 4, None)
        assert done[deadly].died == "Ray: WorkerCrashedError"
        assert tally.read_text() == "xx"

    def test_an_exception_of_the_work_is_raised_here(self, cluster):
        with pytest.raises(ZeroDivisionError):
            list(RayTasks().run(eval, deque(["1 / 0", "2", "3"])))
        raising = 'exec(\'from motionunion.errors import SourceFormatError\\nraise SourceFormatError("a.bvh", "bad", line=7)\')'
        with pytest.raises(SourceFormatError, match=r"a\.bvh:7: bad"):
            list(RayTasks().run(eval, deque([raising])))

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux holds a process to its private data")
    def test_a_task_that_runs_out_of_memory_gets_a_whole_node_and_then_ends(self, cluster):
        some, much = "len(bytearray(1300 << 20))", "len(bytearray(4000 << 20))"  # a share is 1000, a node has 2000
        memory = Memory(2000 * MIB, lambda task: 100 * MIB)
        done = {one.task: one for one in RayTasks(2, memory).run(eval, deque([some, "1", much]))}
        assert done[some].result == 1300 * MIB
        assert (done[much].died, done["1"].result) == (OUT_OF_MEMORY, 1)

    def test_a_need_that_no_node_has_takes_the_largest_one_and_does_not_wait_for_ever(self, cluster):
        memory = Memory(10**12, lambda task: 10**12)
        assert [one.result for one in RayTasks(2, memory).run(eval, deque(["1", "1"]))] == [1, 1]
