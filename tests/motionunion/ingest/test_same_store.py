"""One fingerprint, whoever runs the tasks, in how many parts, in what order and from where."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import motionunion.ingest.plan as plan_module
from motionunion.engines import ray_tasks
from motionunion.engines.process_pool import ProcessPool
from motionunion.engines.protocol import Done
from motionunion.engines.serial import Serial
from motionunion.ingest.result import IngestResult
from motionunion.ingest.run import ingest
from motionunion.store.check import check_store
from motionunion.store.merge import merge
from motionunion.store.store import open_store

MIB = 1 << 20


@pytest.fixture(autouse=True, scope="module")
def _small_tasks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "_SMALLEST_TASK", 1 << 16)
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory, write_source) -> Path:
    return write_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def write_source():
    """Motion, captions, two files that cannot be read, and one whose captions cannot."""

    def write(folder: Path, count: int = 24) -> Path:
        for number in range(count):
            rng = np.random.default_rng(number)
            times = np.arange(40 + number)[:, None] / 120
            poses = np.zeros((len(times), 156))
            poses[:, 0] = np.pi / 2
            poses[:, 3:66] = 0.2 * np.sin(times + rng.uniform(0, 6, size=63))
            path = folder / "CMU" / f"{number // 4:02d}" / f"{number // 4:02d}_{number:02d}_poses.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, poses=poses, trans=np.hstack([times, 0 * times, 0.95 + 0 * times]), betas=np.zeros(16),
                     gender="neutral", mocap_framerate=120.0)  # fmt: skip
            if number % 3 == 0:
                path.with_suffix(".txt").write_text(f"a person sways {number} times\n")
        paths = sorted(folder.rglob("*.npz"))
        paths[5].write_bytes(paths[5].read_bytes()[:700])
        paths[16].write_bytes(b"PK\x03\x04 broken")
        paths[9].with_suffix(".txt").write_bytes(b"\xff\xfe no text")
        return folder

    return write


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory, _small_tasks) -> IngestResult:
    """The run whose fingerprint all others must have."""
    result = ingest([source], tmp_path_factory.mktemp("whole") / "store", executor=Serial())
    assert (result.clips, result.reasons) == (22, {"not_utf8": 1, "truncated": 2})
    return result


class Shuffled:
    """Runs the tasks in any order."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def run(self, work, tasks):
        while tasks:
            tasks.rotate(self.random.randrange(len(tasks)))
            task = tasks.popleft()
            yield Done(task, work(task))


@pytest.mark.parametrize(
    "how", [ProcessPool(2), ProcessPool(7), Shuffled(1), Shuffled(2)], ids=lambda how: type(how).__name__
)
def test_processes_and_order_make_no_difference(source, whole, tmp_path, how, shards):
    result = ingest([source], tmp_path / "store", executor=how)
    assert result.fingerprint == whole.fingerprint
    assert shards(tmp_path / "store") == shards(Path(whole.store))
    assert result.tasks >= 7
    again = ingest([source], tmp_path / "store")
    assert (again.fingerprint, again.commit, again.tasks) == (whole.fingerprint, result.commit, 0)


@pytest.mark.slow
def test_options_make_no_difference(source, whole, tmp_path):
    for number, options in enumerate(
        ({"engine": "pool", "jobs": 2}, {"jobs": 1}, {"memory": 1000 * MIB}, {"jobs": 8, "memory": 900 * MIB})
    ):
        assert ingest([source], tmp_path / str(number), **options).fingerprint == whole.fingerprint, options


def test_the_order_of_paths_and_a_moved_folder_make_no_difference(source, whole, tmp_path):
    moved = shutil.copytree(source, tmp_path / "some" / "where" / "else")
    assert ingest([moved], tmp_path / "moved", executor=Serial()).fingerprint == whole.fingerprint
    shutil.move(moved / "CMU" / "03", tmp_path / "rest" / "CMU" / "03")
    for name, paths in {"forth": [moved, tmp_path / "rest"], "back": [tmp_path / "rest", moved]}.items():
        assert ingest(paths, tmp_path / name, executor=Serial()).fingerprint == whole.fingerprint
    assert ingest([source], tmp_path / "back", executor=Serial()).fingerprint == whole.fingerprint


def test_all_shares_into_one_store_are_one_run(source, whole, tmp_path):
    order = (2, 0, 1)
    results = [ingest([source], tmp_path / "store", shard=f"{index}/3", executor=Serial()) for index in order]
    assert results[-1].fingerprint == whole.fingerprint
    assert [result.shard for result in results] == [f"{index}/3" for index in order]
    assert sum(result.clips for result in results) == 22
    assert sum(result.tasks for result in results) == whole.tasks
    assert sum(one.files for result in results for one in result.sources.values()) == 24
    assert len({result.fingerprint for result in results}) == 3  # each did something
    assert ingest([source], tmp_path / "store").tasks == 0


def test_shares_in_three_stores_merged_are_one_run(source, whole, tmp_path):
    for index in range(3):
        ingest([source], tmp_path / str(index), shard=f"{index}/3", executor=Serial())
    merged = tmp_path / "merged"
    merge([tmp_path / "2", tmp_path / "0", tmp_path / "1"], merged)
    assert open_store(merged).fingerprint() == whole.fingerprint
    assert check_store(merged).sound
    assert ingest([source], merged).tasks == 0


def test_a_file_that_comes_between_two_shares_changes_no_other_task(write_source, tmp_path):
    """The shares are dealt by what a task begins with: those that did not change stay where they are."""
    folder = write_source(tmp_path / "source")
    done = ingest([folder], tmp_path / "store", shard="0/2", executor=Serial())
    late = folder / "CMU" / "99" / "99_01_poses.npz"
    late.parent.mkdir()
    shutil.copyfile(folder / "CMU" / "00" / "00_00_poses.npz", late)
    ingest([folder], tmp_path / "store", shard="1/2", executor=Serial())
    last = ingest([folder], tmp_path / "store", shard="0/2", executor=Serial())
    assert last.tasks <= 1 < done.tasks
    assert last.fingerprint == ingest([folder], tmp_path / "whole", executor=Serial()).fingerprint


def test_shares_at_once_into_one_store_lose_nothing(source, whole, tmp_path):
    threads = [
        threading.Thread(
            target=ingest, args=([source], tmp_path / "store"), kwargs={"shard": f"{n}/3", "executor": Serial()}
        )
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert open_store(tmp_path / "store").fingerprint() == whole.fingerprint
    assert check_store(tmp_path / "store").sound


class Assassin:
    """Kills the first worker that it sees at work."""

    def __init__(self, jobs):
        self.pool = ProcessPool(jobs)
        self.killed = 0

    def run(self, work, tasks):
        thread = threading.Thread(target=self._kill)
        thread.start()
        yield from self.pool.run(work, tasks)
        thread.join()

    def _kill(self):
        deadline = time.monotonic() + 30
        while not self.killed and time.monotonic() < deadline:
            for task in Path("/proc/self/task").iterdir():
                for pid in (task / "children").read_text().split():
                    if "multiprocessing.spawn" in Path(f"/proc/{pid}/cmdline").read_text():
                        os.kill(int(pid), signal.SIGKILL)
                        self.killed += 1
                        return


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers in /proc")
def test_a_worker_killed_at_work_costs_nothing_but_a_second_try(source, whole, tmp_path):
    assassin = Assassin(2)
    result = ingest([source], tmp_path / "store", executor=assassin)
    assert (assassin.killed, result.fingerprint) == (1, whole.fingerprint)


@pytest.mark.slow
def test_a_ray_cluster_makes_no_difference(source, whole, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    result = ingest([source], tmp_path / "store", engine="ray", jobs=2)
    assert result.fingerprint == whole.fingerprint
    assert check_store(tmp_path / "store").sound


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers in /proc")
def test_a_run_on_two_nodes_survives_the_loss_of_one(source, whole, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 100 * MIB, "memory": 2000 * MIB}
    cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    try:
        second = cluster.add_node(**small)
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, log_to_driver=False)
        at_work = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(second.node_id, soft=False)
        ray.get(
            ray.remote(lambda: None).options(num_cpus=1, scheduling_strategy=at_work).remote()
        )  # it has a worker now
        losing = Losing(cluster, second)
        died = ray_tasks._Shift._died
        monkeypatch.setattr(ray_tasks._Shift, "_died", lambda *words: losing.deaths.append(words[3]) or died(*words))
        watcher = threading.Thread(target=losing.watch)
        watcher.start()
        try:
            result = ingest([source], tmp_path / "store", engine="ray", progress=losing)
        finally:
            losing.over.set()
            watcher.join()
        assert not second.any_processes_alive()
        assert losing.deaths
        assert losing.done == result.tasks
        assert result.fingerprint == whole.fingerprint
        assert check_store(tmp_path / "store").sound
    finally:
        ray.shutdown()
        cluster.shutdown()


class Losing:
    """Progress that halts a worker of a node, and takes the node away three tasks later.

    A worker that was halted when it had just answered gets another task by then, and keeps it.
    """

    def __init__(self, cluster, node):
        self.cluster, self.node = cluster, node
        self.done = 0
        self.halted, self.over = threading.Event(), threading.Event()
        self.done_since = 0
        self.deaths = []

    def start(self, label, total, unit): ...
    def finish(self): ...
    def note(self, message): ...

    def advance(self, amount, **figures):
        self.done += 1
        self.done_since += self.halted.is_set()
        if self.done_since == 3:
            self.cluster.remove_node(self.node, allow_graceful=False)
            self.done_since += 1

    def watch(self):
        """Ray names a worker's process after what it does."""
        while not self.over.wait(0.001):
            for process in self.node.all_processes["raylet"]:
                children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children").read_text()
                for pid in (int(word) for word in children.split()):
                    if at_work(pid):
                        os.kill(pid, signal.SIGSTOP)
                        if at_work(pid):
                            self.halted.set()
                            return
                        os.kill(pid, signal.SIGCONT)  # it was just done


def at_work(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(f"ray::{ray_tasks._do.__name__}".encode())
