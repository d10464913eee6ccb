from __future__ import annotations

import errno
import os
import shutil
from collections import deque

import numpy as np
import pytest

import motionunion.ingest.outstanding as outstanding_module
import motionunion.ingest.plan as plan_module
from motionunion.engines.protocol import Done
from motionunion.engines.serial import Serial
from motionunion.errors import MissingInput, StoreError, UsageError
from motionunion.ingest.run import dry_run, ingest
from motionunion.store.check import check_store
from motionunion.store.storage import LocalStorage
from motionunion.store.store import open_store


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch):
    monkeypatch.setattr(plan_module, "_SMALLEST_TASK", 1 << 16)


def test_a_second_run_reads_nothing_and_commits_nothing(tmp_path, amass):
    source = amass(tmp_path / "amass")
    first = ingest([source], tmp_path / "store")
    second = ingest([source], tmp_path / "store")
    assert (second.commit, second.fingerprint) == (first.commit, first.fingerprint)
    assert second.clips == 0
    assert second.sources["amass_smplh"].up_to_date == 12
    assert second.read == 12


def test_asking_in_portions_what_is_known_makes_no_difference(tmp_path, amass, monkeypatch):
    source = amass(tmp_path / "amass")
    first = ingest([source], tmp_path / "store", executor=Serial())
    monkeypatch.setattr(outstanding_module, "_ASKED_AT_ONCE", 1)
    assert first.tasks > 1
    second = ingest([source], tmp_path / "store", executor=Serial())
    assert (second.tasks, second.sources["amass_smplh"].up_to_date, second.fingerprint) == (0, 12, first.fingerprint)
    amass(source, 1, seed=5)
    assert ingest([source], tmp_path / "store", executor=Serial()).tasks == 1


def test_a_shard_that_was_removed_is_made_again(tmp_path, amass, shards):
    source, store = amass(tmp_path / "amass", 4), tmp_path / "store"
    whole = ingest([source], store)
    before = shards(store)
    for name in before:
        if not name.startswith("receipts"):
            (store / "shards" / name).unlink()
    again = ingest([source], store)
    assert (again.commit, again.fingerprint, shards(store)) == (whole.commit, whole.fingerprint, before)
    assert check_store(store).sound


def test_a_moved_source_and_a_touched_file_change_nothing(tmp_path, amass, shards):
    source = amass(tmp_path / "here" / "amass")
    first = ingest([source], tmp_path / "store")
    moved = shutil.copytree(source, tmp_path / "there" / "elsewhere" / "amass")  # times are kept
    again = ingest([moved], tmp_path / "store")
    assert (again.commit, again.clips) == (first.commit, 0)
    for path in moved.rglob("*.npz"):
        os.utime(path, (1, 1))
    touched = ingest([moved], tmp_path / "store")
    assert touched.fingerprint == first.fingerprint
    before = {name for name in shards(tmp_path / "store") if name.startswith("clips")}
    third = ingest([moved], tmp_path / "store")
    assert (third.commit, third.clips) == (touched.commit, 0)
    assert {name for name in shards(tmp_path / "store") if name.startswith("clips")} == before
    fresh = ingest([moved], tmp_path / "other")
    assert fresh.fingerprint == first.fingerprint


def test_parts_in_any_order_make_the_same_store_as_the_whole(tmp_path, amass):
    whole = ingest([amass(tmp_path / "amass", 12)], tmp_path / "whole")
    amass(tmp_path / "part", 5)
    ingest([tmp_path / "part"], tmp_path / "grown")
    amass(tmp_path / "part", 7, first=5)
    assert ingest([tmp_path / "part"], tmp_path / "grown").fingerprint == whole.fingerprint


def test_a_changed_file_supersedes_its_clip_and_its_old_shard_goes(tmp_path, amass, shards):
    source = amass(tmp_path / "amass", 3)
    first = ingest([source], tmp_path / "store")
    old = set(shards(tmp_path / "store"))
    amass(source, 1, seed=9)
    second = ingest([source], tmp_path / "store")
    assert second.fingerprint != first.fingerprint
    assert not old & set(shards(tmp_path / "store"))
    store = open_store(tmp_path / "store")
    assert store.rows("SELECT count(*) FROM clips") == [(3,)]
    assert len(list(store.clips())) == 3
    assert ingest([source], tmp_path / "fresh").fingerprint == second.fingerprint


def test_a_reject_is_recorded_then_lifted_and_never_hides_an_earlier_clip(tmp_path, amass):
    source, store = amass(tmp_path / "amass", 3), tmp_path / "store"
    whole = ingest([source], tmp_path / "whole").fingerprint
    (path, *_) = sorted(source.rglob("*.npz"))
    good = path.read_bytes()
    path.write_bytes(good[:500])
    first = ingest([source], store)
    assert (first.clips, len(first.rejects)) == (2, 1)
    (reject,) = first.rejects
    assert reject["file"] == "CMU/00/00_00_poses.npz"
    assert reject["reason"] == "truncated"
    assert str(tmp_path) not in reject["message"]
    again = ingest([source], store)
    assert (again.commit, again.standing_rejects, again.read) == (first.commit, 1, 2)
    path.write_bytes(good)
    lifted = ingest([source], store)
    assert lifted.fingerprint == whole
    assert open_store(store).rows("SELECT count(*) FROM rejects") == [(0,)]
    path.write_bytes(good[:500])
    broken = ingest([source], store)
    assert broken.fingerprint not in (whole, first.fingerprint)
    opened = open_store(store)
    assert opened.rows("SELECT count(*) FROM rejects") == [(1,)]
    assert len(list(opened.clips())) == 3  # the clip that could once be read is still there
    path.write_bytes(good)
    assert ingest([source], store).fingerprint == whole


def test_a_sidecar_that_is_not_utf8_costs_its_captions_not_the_clip(tmp_path, amass):
    source = amass(tmp_path / "amass", 3)
    first, second, _ = sorted(source.rglob("*.npz"))
    first.with_suffix(".txt").write_bytes("läuft".encode("latin-1"))
    second.with_suffix(".txt").write_text("a person sways\n")
    result = ingest([source], tmp_path / "store")
    assert result.clips == 3
    assert [(row["file"], row["reason"]) for row in result.rejects] == [("CMU/00/00_00_poses.txt", "not_utf8")]
    store = open_store(tmp_path / "store")
    assert store.rows("SELECT text, layer FROM captions WHERE clip_id IS NOT NULL") == [("a person sways", "sidecar")]
    again = ingest([source], tmp_path / "store")
    assert (again.read, again.standing_rejects, again.rejects) == (3, 1, [])  # said again, though not read again
    first.with_suffix(".txt").write_text("a person walks\n")
    assert ingest([source], tmp_path / "store").rejects == []
    assert open_store(tmp_path / "store").rows("SELECT count(*) FROM rejects") == [(0,)]
    assert open_store(tmp_path / "store").rows("SELECT count(*) FROM captions") == [(2,)]


def test_a_file_that_kills_its_reader_costs_itself_alone(tmp_path, amass):
    source = amass(tmp_path / "amass", 6)

    class Deadly:
        def run(self, work, tasks):
            while tasks:
                task = tasks.popleft()
                if any("00_02" in listed.ref.path.name for listed in task.files):
                    yield Done(task, None, "signal SIGKILL")
                else:
                    yield Done(task, work(task))

    result = ingest([source], tmp_path / "store", executor=Deadly())
    assert result.clips == 5
    assert [(row["reason"], row["file"]) for row in result.rejects] == [("worker_died", "CMU/00/00_02_poses.npz")]
    # The reason lies outside the file: the next run tries again, and ends where an undisturbed one does.
    again = ingest([source], tmp_path / "store")
    assert again.fingerprint == ingest([source], tmp_path / "whole").fingerprint


def test_a_bug_in_a_reader_is_a_loud_reject(tmp_path, amass, monkeypatch):
    import motionunion.ingest.task as task_module

    def broken(raw):
        if "00_01" in raw.ref.path.name:
            raise ZeroDivisionError("made up")
        return normalise(raw)

    normalise = task_module.normalise
    monkeypatch.setattr(task_module, "normalise", broken)
    notes = []

    class Ears:
        def start(self, label, total, unit): ...
        def advance(self, amount, **figures): ...
        def finish(self): ...
        def note(self, message):
            notes.append(message)

    result = ingest([amass(tmp_path / "amass", 3)], tmp_path / "store", executor=Serial(), progress=Ears())
    assert result.clips == 2
    assert result.reasons == {"internal_error": 1}
    assert "ZeroDivisionError: made up" in result.rejects[0]["message"]
    assert [note for note in notes if "please report" in note and "ZeroDivisionError" in note] == notes[1:]
    assert len(notes) == 2


class Faulty(LocalStorage):
    """Fails at the n-th thing it is asked to write."""

    def __init__(self, root, at, error):
        super().__init__(root)
        self.at, self.error, self.writes = at, error, 0

    def _fail(self):
        self.writes += 1
        if self.writes == self.at:
            raise self.error

    def put(self, name, data):
        self._fail()
        super().put(name, data)

    def put_if_absent(self, name, data):
        self._fail()
        return super().put_if_absent(name, data)


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def _writes_of_a_run(source, store):
    open_store(store, create=True)
    counting = Faulty(store, -1, Killed())
    ingest([source], open_store(store, storage=counting), executor=Serial())
    return counting.writes


def test_killed_at_any_write_and_run_again_ends_in_the_same_store(tmp_path, amass, shards):
    source = amass(tmp_path / "amass", 5)
    (tmp_path / "amass" / "CMU" / "00" / "00_01_poses.npz").write_bytes(b"PK\x03\x04 broken")
    writes = _writes_of_a_run(source, tmp_path / "whole")
    assert writes >= 5
    whole = open_store(tmp_path / "whole").fingerprint(), shards(tmp_path / "whole")
    for at in range(1, writes + 1):
        store = tmp_path / f"killed{at}"
        open_store(store, create=True)
        with pytest.raises(Killed):
            ingest([source], open_store(store, storage=Faulty(store, at, Killed())), executor=Serial())
        assert check_store(store).sound
        assert ingest([source], store, executor=Serial()).fingerprint == whole[0], at
        assert shards(store) == whole[1], at


def test_a_full_disk_at_any_write_is_said_and_the_next_run_goes_on(tmp_path, amass):
    source = amass(tmp_path / "amass", 6)
    writes = _writes_of_a_run(source, tmp_path / "whole")
    whole = open_store(tmp_path / "whole").fingerprint()
    for at in range(1, writes + 1):
        store = tmp_path / f"full{at}"
        open_store(store, create=True)
        full = Faulty(store, at, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(StoreError, match=r"disk is full.*run the same command again"):
            ingest([source], open_store(store, storage=full), executor=Serial())
        assert check_store(store).sound
        assert ingest([source], store, executor=Serial()).fingerprint == whole


def test_no_permission_to_write_is_refused_before_anything_is_read(tmp_path, amass):
    source = amass(tmp_path / "amass", 1)
    store = tmp_path / "store"
    open_store(store, create=True)
    denied = Faulty(store, 1, PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(StoreError, match="no permission to write"):
        ingest([source], open_store(store, storage=denied), executor=Serial())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_store_in_a_folder_of_others_is_refused(tmp_path, amass):
    (tmp_path / "closed").mkdir(mode=0o555)
    with pytest.raises(StoreError, match="no permission"):
        ingest([amass(tmp_path / "amass", 1)], tmp_path / "closed" / "store")


def test_wrong_paths_sources_and_stores_are_refused(tmp_path, amass):
    with pytest.raises(MissingInput, match="no such file"):
        ingest([tmp_path / "nowhere"], tmp_path / "store")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInput):
        ingest([tmp_path / "empty"], tmp_path / "store")
    assert not (tmp_path / "store").exists()
    source = amass(tmp_path / "amass", 1)
    with pytest.raises(UsageError, match="no such source"):
        ingest([source], tmp_path / "store", source="nonsense")
    (tmp_path / "file").write_text("x")
    for store in ("file", "file/store"):
        for call in (ingest, dry_run):
            with pytest.raises(StoreError, match="file: is a file"):
                call([source], tmp_path / store)
    for call in (ingest, dry_run):
        with pytest.raises(StoreError, match="holds other files"):
            call([source], tmp_path / "amass")
    with pytest.raises(MissingInput, match="no such folder of body models"):
        ingest([source], tmp_path / "store", body_models=tmp_path / "models")
    with pytest.raises(MissingInput, match="no such folder of body models"):
        dry_run([source], tmp_path / "store", body_models=tmp_path / "models")
    assert not (tmp_path / "store").exists()


def test_a_dry_run_tells_and_writes_nothing(tmp_path, amass):
    source = amass(tmp_path / "amass", 5)
    plan = dry_run([source], tmp_path / "store")
    assert [(one.source, one.files, one.up_to_date) for one in plan.sources] == [("amass_smplh", 5, 0)]
    assert plan.sources[0].bytes == sum(path.stat().st_size for path in source.rglob("*.npz"))
    assert any("motionunion ingest HUMANML3D_FOLDER" in what for what in plan.missing)
    assert not (tmp_path / "store").exists()
    ingest([source], tmp_path / "store")
    known = dry_run([source], tmp_path / "store")
    assert (known.sources[0].up_to_date, known.sources[0].bytes, known.tasks) == (5, 0, 0)


def test_two_folders_with_the_same_key_give_one_clip_and_a_word_about_it(tmp_path, amass):
    sources = [amass(tmp_path / name, 2) for name in ("one", "two")]
    results = [ingest(order, tmp_path / f"store{n}") for n, order in enumerate((sources, sources[::-1]))]
    assert [result.clips for result in results] == [2, 2]
    assert results[0].fingerprint == results[1].fingerprint
    assert len(results[0].skipped) == 2
    assert all("has the same key as" in skip["reason"] for skip in results[0].skipped)
    assert dry_run(sources, tmp_path / "store2").skipped == results[0].skipped


def test_an_interrupt_commits_what_is_in_hand_and_leaves_the_rest(tmp_path, amass):
    """The first Ctrl-C: what is in hand is finished and committed, the rest is left for the next run."""
    import signal

    source = amass(tmp_path / "amass", 20)

    class Interrupting:
        def run(self, work, tasks: deque):
            first = True
            while tasks:
                task = tasks.popleft()
                if first:
                    signal.raise_signal(signal.SIGINT)
                    first = False
                yield Done(task, work(task))

    with pytest.raises(KeyboardInterrupt):
        ingest([source], tmp_path / "store", executor=Interrupting())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert 0 < open_store(tmp_path / "store").rows("SELECT count(*) FROM clips")[0][0] < 20
    whole = ingest([source], tmp_path / "whole", executor=Serial())
    assert ingest([source], tmp_path / "store", executor=Serial()).fingerprint == whole.fingerprint


def test_values_come_through_ingest_as_the_file_has_them(tmp_path, amass):
    source = amass(tmp_path / "amass", 1)
    ingest([source], tmp_path / "store")
    (clip,) = open_store(tmp_path / "store").clips()
    with np.load(next(source.rglob("*.npz")), allow_pickle=False) as file:
        poses = file["poses"]
    assert clip.frames == len(poses)
    # Local rotations of all joints but the root are the file's own.
    np.testing.assert_allclose(clip.rotvecs_T22x3[:, 1:], poses[:, 3:66].reshape(-1, 21, 3), atol=1e-6)
