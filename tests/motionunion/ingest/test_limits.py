"""`--on-error fail` and `--memory`, over real files."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import motionunion.ingest.plan as plan_module
import motionunion.ingest.staff as staff_module
from motionunion.engines.memory import Memory
from motionunion.engines.process_pool import ProcessPool
from motionunion.engines.serial import Serial
from motionunion.errors import SourceFormatError, UsageError
from motionunion.ingest.run import dry_run, ingest
from motionunion.store.check import check_store
from motionunion.store.store import open_store

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux holds a process to its private data"
)
MIB = 1 << 20


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch):
    monkeypatch.setattr(plan_module, "_SMALLEST_TASK", 1 << 16)


def count(store):
    return open_store(store).rows("SELECT count(*) FROM clips")[0][0]


def test_fail_stops_at_the_first_refusal_names_it_and_commits_what_is_done(tmp_path, amass):
    source, store = amass(tmp_path / "amass", 24), tmp_path / "store"
    bad = source / "CMU" / "00" / "00_02_poses.npz"
    good = bad.read_bytes()
    bad.write_bytes(good[:-20])  # as large as the others: whatever runs first
    with pytest.raises(
        SourceFormatError, match=r"00_02_poses\.npz: .*\(--on-error fail\)\. \d+ tasks were not begun"
    ) as caught:
        ingest([source], store, executor=Serial(), on_error="fail")
    assert (caught.value.path, caught.value.exit_code) == (bad, 4)
    assert check_store(store).sound
    assert open_store(store).rows("SELECT file FROM rejects") == [("CMU/00/00_02_poses.npz",)]
    before = count(store)
    with pytest.raises(SourceFormatError, match=r"00_02_poses\.npz: was refused by an earlier run"):
        ingest([source], store, executor=Serial(), on_error="fail")
    assert count(store) == before < 23
    bad.write_bytes(good)
    repaired = ingest([source], store, executor=Serial(), on_error="fail")
    assert repaired.fingerprint == ingest([source], tmp_path / "whole", executor=Serial()).fingerprint


def test_fail_with_processes_finishes_what_is_in_hand(tmp_path, amass):
    source, store = amass(tmp_path / "amass", 24), tmp_path / "store"
    for bad in source.rglob("*_1?_poses.npz"):
        bad.write_bytes(bad.read_bytes()[:-20])
    with pytest.raises(SourceFormatError, match="on-error fail"):
        ingest([source], store, executor=ProcessPool(2), on_error="fail")
    assert check_store(store).sound
    assert 0 < open_store(store).rows("SELECT count(*) FROM receipts")[0][0] < 24


def test_fail_without_a_refusal_is_a_run_like_any_other(tmp_path, amass):
    source = amass(tmp_path / "amass", 4)
    assert ingest([source], tmp_path / "store", on_error="fail").clips == 4


def test_wrong_options_are_refused_before_a_store_is_made(tmp_path, amass):
    source = amass(tmp_path / "amass", 1)
    with pytest.raises(UsageError, match="either continue or fail"):
        ingest([source], tmp_path / "store", on_error="ignore")
    for call in (ingest, dry_run):
        with pytest.raises(UsageError, match="from 0 to N-1"):
            call([source], tmp_path / "store", shard="3/3")
    assert not (tmp_path / "store").exists()


def test_a_dry_run_of_a_share_tells_of_the_share(tmp_path, amass):
    source = amass(tmp_path / "amass", 24)
    plans = [dry_run([source], tmp_path / "store", shard=f"{n}/2") for n in range(2)]
    whole = dry_run([source], tmp_path / "store")
    assert sum(plan.tasks for plan in plans) == whole.tasks
    assert sum(plan.sources[0].files for plan in plans) == 24
    assert sum(plan.sources[0].bytes for plan in plans) == whole.sources[0].bytes


def write_large(path, frames):
    """A motion of 1,272 bytes a frame; reading it takes about five times as much."""
    np.savez(path, poses=np.zeros((frames, 156)), trans=np.zeros((frames, 3)), betas=np.zeros(16), gender="neutral",
             mocap_framerate=120.0)  # fmt: skip


@linux
@pytest.mark.parametrize("bounded", [Serial, lambda memory: ProcessPool(2, memory)], ids=["serial", "pool"])
def test_a_file_that_needs_more_than_there_is_costs_itself_alone(tmp_path, amass, bounded):
    source, store = amass(tmp_path / "amass", 6), tmp_path / "store"
    large = source / "CMU" / "00" / "00_02_poses.npz"
    good = large.read_bytes()
    write_large(large, 60_000)
    result = ingest([source], store, executor=bounded(Memory(200 * MIB, staff_module.need)))
    assert (result.clips, result.reasons) == (5, {"out_of_memory": 1})
    assert "more memory than a run may take (--memory)" in result.rejects[0]["message"]
    again = ingest([source], store, executor=bounded(Memory(200 * MIB, staff_module.need)))
    assert again.reasons == {"out_of_memory": 1}  # tried again: there may be more memory now
    large.write_bytes(good)
    assert ingest([source], store).fingerprint == ingest([source], tmp_path / "whole").fingerprint


def test_what_other_nodes_are_given_is_found_from_any_folder(tmp_path, amass, monkeypatch):
    pytest.importorskip("ray")
    amass(tmp_path / "amass", 2)
    monkeypatch.chdir(tmp_path)
    given = []

    class Recorder(Serial):
        def run(self, work, tasks):
            given.extend(tasks)
            return super().run(work, tasks)

    ingest(["amass"], "store", engine="ray", executor=Recorder())
    assert given
    for task in given:
        assert task.storage.root == tmp_path / "store"
        assert all(listed.ref.path.is_absolute() and listed.ref.root.is_absolute() for listed in task.files)
