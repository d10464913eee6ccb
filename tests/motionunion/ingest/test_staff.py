from __future__ import annotations

import sys
from pathlib import Path

import pytest

import motionunion.ingest.staff as staff_module
from motionunion.clip import ClipRef
from motionunion.engines.process_pool import ProcessPool
from motionunion.engines.ray_tasks import RayTasks
from motionunion.engines.serial import Serial
from motionunion.errors import MissingExtra, UsageError
from motionunion.ingest.plan import Listed, Task
from motionunion.ingest.staff import Staff, need
from motionunion.progress import SILENT
from motionunion.sources import ReadOptions
from motionunion.store.storage import LocalStorage

MB, GB = 10**6, 10**9


def task_of(*sizes: int, suffix: str = ".bvh") -> Task:
    root = Path("somewhere")
    files = [
        Listed(
            ClipRef(source="lafan1", key=f"{n}", path=root / f"{n}{suffix}", root=root, uid=""),
            size,
            1,
            "",
            "",
        )
        for n, size in enumerate(sizes)
    ]
    return Task(tuple(files), ReadOptions(), LocalStorage(Path("store")))


def staff(engine, jobs, memory, tasks, progress):
    return Staff(engine, jobs, memory).executor(tasks, progress)


class Heard:
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


@pytest.fixture(autouse=True)
def _eight_processors(monkeypatch):
    monkeypatch.setattr(staff_module.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(staff_module, "machine_memory", lambda: 32 * GB)


def test_few_bytes_are_not_worth_a_process_unless_some_are_asked_for():
    assert isinstance(staff(None, None, None, [task_of(MB)], SILENT), Serial)
    assert isinstance(staff(None, 1, None, [task_of(MB)], SILENT), ProcessPool)
    assert isinstance(staff("pool", None, None, [task_of(MB)], SILENT), ProcessPool)
    pool = staff(None, None, None, [task_of(3 * MB)] * 20, SILENT)
    assert isinstance(pool, ProcessPool)
    assert pool.jobs == 8
    assert pool.memory is not None
    assert 15 * GB < pool.memory.limit < 16 * GB


def test_there_are_never_more_processes_than_tasks():
    assert [staff("pool", 5, None, [task_of(MB)] * count, SILENT).jobs for count in (0, 1, 3, 9)] == [1, 1, 3, 5]


def test_processes_for_which_there_is_no_memory_are_not_started_and_it_is_said():
    heard = Heard()
    pool = staff(None, None, 2 * GB, [task_of(3 * MB)] * 20, heard)
    assert pool.jobs == 3
    assert heard.notes == ["3 of 8 processes: 1.6 GB of memory are not enough for more (--memory)"]
    assert staff(None, 2, 2 * GB, [task_of(3 * MB)] * 20, heard).jobs == 2
    assert len(heard.notes) == 1


def test_too_little_memory_and_an_unknown_engine_are_wrong_usage():
    with pytest.raises(
        UsageError, match=r"--memory of 500,000,000 bytes is too little to read anything; 822MB is the least"
    ):
        staff(None, None, 500 * MB, [], SILENT)
    assert staff("pool", 4, 823 * MB, [task_of(MB)] * 4, Heard()).jobs == 1
    with pytest.raises(UsageError, match="there are pool, ray"):
        staff("slurm", None, None, [], SILENT)


def test_a_machine_with_hardly_any_memory_still_runs_one_process(monkeypatch):
    monkeypatch.setattr(staff_module, "machine_memory", lambda: 500 * MB)
    assert staff("pool", None, None, [task_of(MB)] * 4, Heard()).jobs == 1


def test_ray_is_asked_for_by_name_and_said_to_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'motionunion\[ray\]'"):
        staff("ray", None, None, [], SILENT)


def test_ray_gets_jobs_and_memory():
    pytest.importorskip("ray")
    engine = staff("ray", 3, 8 * GB, [task_of(MB)], SILENT)
    assert isinstance(engine, RayTasks)
    assert (engine.jobs, engine.memory.limit) == (3, 8 * GB - staff_module._PARENT - staff_module._PER_FILE)


def test_the_need_of_a_task_grows_with_its_largest_file_first_and_with_all_of_them_a_little():
    small, many, large = need(task_of(MB)), need(task_of(*[MB] * 100)), need(task_of(100 * MB))
    assert small < many < large
    assert large > 1000 * MB  # text becomes float64, and parts of it
    assert need(task_of(100 * MB, suffix=".NPZ")) < large
    assert need(task_of(100 * MB, suffix=".unheard-of")) > need(task_of(100 * MB, suffix=".npz"))


def test_what_the_listing_takes_is_not_given_to_the_workers():
    few, many = (staff("pool", 2, 4 * GB, [task_of(*[1] * files)] * 2, SILENT).memory.limit for files in (1, 10_000))
    assert few - many == 2 * 9_999 * staff_module._PER_FILE
