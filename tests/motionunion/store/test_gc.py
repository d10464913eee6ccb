from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionunion.archives.scratch import scratch_folder
from motionunion.clip import Caption
from motionunion.digest import sha256_hex
from motionunion.errors import StoreError, UsageError
from motionunion.store.check import check_store
from motionunion.store.commits import LATEST, State, commit_name, read_commit, read_state, write_commit
from motionunion.store.gc import GcReport, collect_garbage
from motionunion.store.history import read_log
from motionunion.store.shards import Shard
from motionunion.store.storage import Entry, LocalStorage
from motionunion.store.store import open_store

DAY = 86400.0


class Interfered(LocalStorage):
    """Calls somebody before an operation that writes; counts them."""

    def __init__(self, root: Path, before: Callable[[str, str, int], None]) -> None:
        super().__init__(root)
        self.before, self.writes = before, 0

    def put(self, name: str, data: bytes) -> None:
        self._tell("put", name)
        super().put(name, data)

    def put_if_absent(self, name: str, data: bytes) -> bool:
        self._tell("put_if_absent", name)
        return super().put_if_absent(name, data)

    def delete(self, name: str) -> None:
        self._tell("delete", name)
        super().delete(name)

    def _tell(self, what: str, name: str) -> None:
        self.writes += 1
        self.before(what, name, self.writes)


def refuse(what: str, name: str, number: int) -> None:
    raise AssertionError(f"{what} {name}")


class Chain:
    """A store whose shards are any bytes, written and aged by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.storage = open_store(path, create=True).storage
        self.state = read_state(self.storage)
        self.states = {0: set[str]()}

    def shard(self, word: str, days: float = 100.0) -> Shard:
        data = word.encode()
        digest = sha256_hex(data)
        shard = Shard(name=f"rejects-x-{digest}.parquet", kind="rejects", rows=1, bytes=len(data), sha256=digest,
                      footer_sha256=digest)  # fmt: skip
        self.storage.put(f"shards/{shard.name}", data)
        self.age(f"shards/{shard.name}", days)
        return shard

    def age(self, name: str, days: float) -> None:
        then = time.time() - days * DAY
        os.utime(self.path / name, (then, then))

    def commit(self, added: str = "", removed: str = "", days: float = 100.0, shard_days: float | None = None) -> State:
        """A commit that adds and removes shards named by letters, made so many days ago."""
        shards = [self.shard(letter, days if shard_days is None else shard_days) for letter in added]
        gone = [f"rejects-x-{sha256_hex(letter.encode())}.parquet" for letter in removed]
        after = write_commit(self.storage, self.state, shards, gone, "made up")
        assert after is not None
        self.state = after
        self.age(commit_name(after.number), days)
        checkpoint = read_commit(self.storage, after.number)["checkpoint"]
        if checkpoint is not None:
            self.age(checkpoint["name"], days)
        self.states[after.number] = set(after.shards)
        return after

    def gc(self, grace_days: float = 14.0, storage: LocalStorage | None = None, dry_run: bool = False) -> GcReport:
        with open_store(self.path, storage=storage) as store:
            return collect_garbage(store, grace_days=grace_days, dry_run=dry_run)

    def files(self) -> set[str]:
        return {entry.name for prefix in ("shards/", "checkpoints/") for entry in self.storage.list(prefix)}

    def letters(self) -> str:
        return "".join(sorted((self.path / name).read_text() for name in self.files() if name.startswith("shards/")))

    def is_whole(self) -> None:
        """Every state that can be opened is what it was, and has all of its files."""
        newest = read_state(self.storage)
        for number in range(newest.horizon, newest.number + 1):
            state = read_state(self.storage, number)
            # A commit of gc's own has the state of the one before.
            assert set(state.shards) == self.states[max(known for known in self.states if known <= number)]
            assert {f"shards/{name}" for name in state.shards} <= self.files()


@pytest.fixture
def chain(tmp_path) -> Chain:
    return Chain(tmp_path / "store")


@pytest.fixture
def aged(chain) -> Chain:
    """a b | +c -a | +d -b | +e -c: the first states ended long ago, the third within the grace."""
    chain.commit("ab", days=60)
    chain.commit("c", "a", days=50)
    chain.commit("d", "b", days=40)
    chain.commit("e", "c", days=5)
    return chain


def test_a_state_that_ended_before_the_grace_is_given_up_and_what_only_it_needs_goes(aged):
    report = aged.gc()
    assert (report.given_up, report.horizon, report.commit) == ((1, 2), 3, 5)
    assert report.removed == {"rejects": {"files": 2, "bytes": 2}}
    assert aged.letters() == "cde"
    aged.is_whole()
    assert read_commit(aged.storage, 5)["note"] == "gc: give up the states before commit 3"
    with pytest.raises(StoreError, match="commit 2 was given up"):
        open_store(aged.path, at=2)
    assert set(open_store(aged.path, at=3).state.shards) == aged.states[3]


def test_no_grace_leaves_what_the_newest_state_needs_and_the_second_time_nothing_is_left_to_do(aged):
    first = aged.gc(grace_days=0)
    assert (aged.letters(), first.files, first.horizon) == ("de", 3, 4)
    second = aged.gc(grace_days=0)
    assert (second.files, second.commit, second.given_up) == (0, first.commit, None)


def test_states_are_not_given_up_for_nothing(chain):
    for letter in "abcd":
        chain.commit(letter, days=50)
    chain.shard("z", days=50)  # belongs to no state: goes without a horizon
    report = chain.gc()
    assert (report.files, report.given_up, report.commit) == (1, None, 4)
    assert chain.letters() == "abcd"
    assert open_store(chain.path, at=1).commit == 1


def test_a_file_that_no_state_needs_and_is_younger_than_the_grace_stays(chain):
    chain.commit("a", days=50)
    chain.shard("z", days=13.9)
    chain.shard("y", days=14.1)
    report = chain.gc()
    assert (report.files, report.spared, chain.letters()) == (1, 1, "az")


def test_ages_are_those_of_the_files_whatever_the_clocks_of_writers_said(chain, monkeypatch):
    from datetime import datetime

    import motionunion.store.commits as commits

    class Broken(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(1970, 1, 1, tzinfo=tz)

    monkeypatch.setattr(commits, "datetime", Broken)
    chain.commit("a", days=60)
    chain.commit("b", "a", days=5, shard_days=60)
    assert read_commit(chain.storage, 2)["time"] == "1970-01-01T00:00:00+00:00"
    assert chain.gc().files == 0
    assert chain.letters() == "ab"


def test_a_dry_run_writes_nothing_and_says_what_the_run_then_does(aged):
    (aged.path / "index" / f"{1:020d}-x.duckdb").write_bytes(b"old")
    (aged.path / "index" / f"{4:020d}-x.duckdb").write_bytes(b"new")
    before = {path: path.read_bytes() for path in aged.path.rglob("*") if path.is_file()}
    dry = aged.gc(storage=Interfered(aged.path, refuse), dry_run=True)
    assert {path: path.read_bytes() for path in aged.path.rglob("*") if path.is_file()} == before
    real = aged.gc()
    assert (dry.removed, dry.spared, dry.horizon, dry.given_up) == (
        real.removed,
        real.spared,
        real.horizon,
        real.given_up,
    )
    assert real.removed["index"] == {"files": 1, "bytes": 3}


def test_killed_at_every_write_and_run_again_it_ends_the_same(aged, tmp_path):
    def kill_at(deadline: int) -> Callable[[str, str, int], None]:
        def kill(what: str, name: str, number: int) -> None:
            if number == deadline:
                raise KeyboardInterrupt

        return kill

    writes = 0
    ends = set()
    for deadline in range(1, 100):
        copy = Chain.__new__(Chain)
        copy.path, copy.states = tmp_path / f"copy-{deadline}", aged.states
        shutil.copytree(aged.path, copy.path)  # with the ages of its files
        copy.storage = LocalStorage(copy.path)
        try:
            copy.gc(storage=Interfered(copy.path, kill_at(deadline)))
        except KeyboardInterrupt:
            writes += 1
            copy.is_whole()
            copy.gc()
        copy.is_whole()
        ends.add((copy.letters(), read_state(copy.storage).horizon, read_state(copy.storage).number))
        if deadline > writes:
            break
    assert writes == 5  # the hint, the commit with its hint, two shards
    assert ends == {("cde", 3, 5)}


def test_a_shard_that_a_writer_puts_again_in_between_stays(aged):
    def put_again(what: str, name: str, number: int) -> None:
        if name == commit_name(5):
            aged.shard("a", days=0)  # about to be committed by somebody

    report = aged.gc(storage=Interfered(aged.path, put_again))
    assert (aged.letters(), report.files, report.spared) == ("acde", 1, 1)


def test_a_writer_who_commits_first_is_built_upon_and_what_it_names_stays_though_it_is_old(aged):
    done = []

    def commit_first(what: str, name: str, number: int) -> None:
        if what == "put_if_absent" and not done:
            done.append(name)
            aged.commit("a", days=0, shard_days=60)

    report = aged.gc(storage=Interfered(aged.path, commit_first))
    assert done == [commit_name(5)]
    assert (report.commit, report.horizon, aged.letters()) == (6, 3, "acde")
    aged.is_whole()


def test_what_is_committed_while_files_are_being_deleted_is_read(aged):
    def commit_meanwhile(what: str, name: str, number: int) -> None:
        if name == LATEST and number == 3:  # the hint of the horizon commit: deleting comes next
            aged.state = read_state(aged.storage)
            aged.commit("ab", days=0, shard_days=60)

    report = aged.gc(storage=Interfered(aged.path, commit_meanwhile))
    assert (report.files, report.spared, aged.letters()) == (0, 2, "abcde")
    aged.is_whole()


def test_other_writers_who_always_win_are_an_error_after_which_nothing_is_lost(aged):
    class AlwaysLate(LocalStorage):
        def put_if_absent(self, name: str, data: bytes) -> bool:
            return False

    with pytest.raises(StoreError, match="other writers committed 100 times"):
        aged.gc(storage=AlwaysLate(aged.path))
    assert aged.letters() == "abcde"


@pytest.mark.parametrize("name", ["commits/0", "checkpoints/"])
def test_where_a_kept_commit_cannot_be_read_nothing_is_deleted(aged, name):
    broken = next(entry.name for entry in aged.storage.list(name))
    (aged.path / broken).write_bytes(b"{}")
    with pytest.raises(StoreError, match=r"0{19}1.*(\.json|\.parquet): damaged"):
        aged.gc()
    assert aged.letters() == "abcde"


def test_states_before_a_repair_are_kept_for_the_grace_and_a_shorter_one_gives_them_up(aged):
    (aged.path / commit_name(2)).write_bytes(b"damaged")
    aged.age(commit_name(2), 50)
    repaired = write_commit(aged.storage, aged.state, [], [], "repair", repaired=True)
    assert repaired is not None
    aged.age(commit_name(5), 3)
    with pytest.raises(StoreError, match=r"0002\.json: damaged.*Nothing was deleted.*shorter --grace"):
        aged.gc(grace_days=45)
    assert aged.letters() == "abcde"
    assert aged.gc(grace_days=2).given_up == (1, 4)
    assert aged.letters() == "de"


def test_checkpoints_that_no_kept_state_is_read_from_go_and_every_kept_state_opens(chain):
    for number in range(70):
        chain.commit("a" if number == 0 else "", days=100 - number)
    report = chain.gc(grace_days=33.5)  # commit 68 is 33 days old: state 67 ended within the grace
    assert (report.horizon, report.removed) == (67, {"checkpoint": {"files": 2, "bytes": report.bytes}})
    assert {int(name[12:32]) for name in chain.files() if name.startswith("checkpoints/")} == {64}
    chain.is_whole()


def test_what_somebody_else_put_there_is_left_alone(chain):
    chain.commit("a", days=50)
    others = ["shards/notes.txt", "shards/rejects-x.parquet", "checkpoints/readme", f"quarantine/x-{'0' * 64}.parquet"]
    for name in others:
        chain.storage.put(name, b"mine")
        chain.age(name, 100)
    assert chain.gc(grace_days=0).files == 0
    assert all((chain.path / name).exists() for name in others)


def test_temporary_files_go_after_hours_and_not_before(chain):
    chain.commit("a", days=50)
    for folder in ("", "commits/", "checkpoints/", "shards/", "index/"):
        for word, days in (("old", 0.5), ("young", 0.1)):
            path = chain.path / f"{folder}.tmp-{word}"
            path.write_bytes(b"half")
            chain.age(f"{folder}.tmp-{word}", days)
    assert chain.gc().removed == {"temporary": {"files": 5, "bytes": 20}}
    assert len(list(chain.path.rglob(".tmp-young"))) == 5


@pytest.mark.parametrize("grace", [-1.0, float("nan"), float("inf")])
def test_a_grace_that_is_no_number_of_days_is_refused(aged, grace):
    with pytest.raises(UsageError, match="number of days"):
        aged.gc(grace_days=grace)


def test_an_empty_store_has_nothing_to_give_up(chain):
    report = chain.gc(grace_days=0)
    assert (report.commit, report.files) == (0, 0)


def test_a_real_store_says_the_same_before_and_after_and_is_sound(desk, make_clip):
    desk.commit(desk.receipt(clips=(make_clip("a"), make_clip("b")), stamp="1"))
    desk.commit(desk.receipt(clips=(make_clip("a", seed=1), make_clip("b")), stamp="2"))
    with open_store(desk.path) as store:
        fingerprint = store.fingerprint()
        report = collect_garbage(store, grace_days=0)
    assert report.removed["clips"]["files"] == report.removed["receipts"]["files"] == 1
    with open_store(desk.path) as store:
        assert store.fingerprint() == fingerprint
        assert len(list(store.clips())) == 2
    checked = check_store(desk.path)
    assert (checked.sound, checked.dangling) == (True, [])


def test_a_reader_of_a_kept_state_reads_on_while_gc_removes_its_index(desk, make_clip):
    desk.commit(desk.receipt(clips=(make_clip("a"),), stamp="1"))
    desk.commit(desk.receipt(clips=(make_clip("a", seed=1),), stamp="2"))
    with open_store(desk.path) as newest, open_store(desk.path, at=1) as reader:
        newest.fingerprint()
        before = reader.fingerprint(), [clip.clip_id for clip in reader.clips()]
        report = collect_garbage(newest)
        assert report.removed["index"]["files"] == 1
        assert (reader.fingerprint(), [clip.clip_id for clip in reader.clips()]) == before
        reader.close()
        assert (reader.fingerprint(), [clip.clip_id for clip in reader.clips()]) == before


def test_features_of_another_state_go_after_the_grace(desk, make_clip):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)))
    folder = store.cache_dir / "hml263@20-compat-0123456789abcdef"
    folder.mkdir(parents=True)
    for path in (folder / "values.npy", folder):
        if path != folder:
            path.write_bytes(b"12345")
        os.utime(path, (time.time() - 15 * DAY,) * 2)
    assert collect_garbage(store, grace_days=16).files == 0
    store.close()
    shutil.rmtree(store.index_folder)
    before = sorted(store.storage.root.rglob("*"))
    assert collect_garbage(store, dry_run=True).removed["features"] == {"files": 1, "bytes": 5}
    assert sorted(store.storage.root.rglob("*")) == before
    assert collect_garbage(store).removed["features"] == {"files": 1, "bytes": 5}
    assert list(store.cache_dir.iterdir()) == []


def test_what_a_killed_gc_left_of_a_folder_goes_with_the_next(desk, make_clip):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)))
    left = store.cache_dir / ".tmp-0123"
    left.mkdir(parents=True)
    (left / "values.npy").write_bytes(b"12345")
    for path in (left / "values.npy", left):
        os.utime(path, (time.time() - DAY,) * 2)
    assert collect_garbage(store).removed == {"temporary": {"files": 1, "bytes": 5}}
    assert not left.exists()


def test_what_a_killed_ingest_unpacked_goes_and_that_of_one_at_work_stays(desk, make_clip):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)))
    below = store.cache_dir / "unpacked"
    (below / "dead-1").mkdir(parents=True)
    (below / "dead-1" / "a.npz").write_bytes(b"123")
    (below / "dead-1.lock").write_bytes(b"")
    with scratch_folder(below, "alive") as alive:
        (alive / "b.npz").write_bytes(b"12345")
        assert collect_garbage(store, grace_days=0).removed["unpacked"] == {"files": 2, "bytes": 3}
        assert (alive / "b.npz").exists()
        assert not (below / "dead-1").exists()


@st.composite
def histories(draw):
    """Commits with what they add and remove, each some days older than the next."""
    letters = st.sets(st.sampled_from("abcdefgh"), max_size=3)
    steps = draw(st.lists(st.tuples(letters, letters, st.integers(1, 20)), min_size=1, max_size=8))
    return steps, draw(st.integers(0, 60)), draw(st.dictionaries(st.sampled_from("abcdefghxyz"), st.integers(0, 60)))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories())
def test_what_goes_is_what_no_kept_state_needs_and_is_old(tmp_path, monkeypatch, history):
    monkeypatch.setattr("motionunion.digest.os.fsync", lambda handle: None)
    steps, grace, shard_ages = history
    grace += 0.5  # ages are whole days
    chain = Chain(Path(mkdtemp(dir=tmp_path)) / "store")
    days, ended, there = sum(step[2] for step in steps), {}, set()
    for number, (added, removed, until_next) in enumerate(steps, start=1):
        removed = (removed & there) - added
        chain.commit("".join(added), "".join(removed), days=days)
        there = (there - removed) | added
        ended[number - 1] = days
        days -= until_next
    ended[len(steps)] = -1
    for letter in "xyz":
        chain.shard(letter)
    age = {letter: shard_ages.get(letter, 100) for letter in chain.letters()}
    for letter, letter_days in age.items():
        chain.shard(letter, letter_days)
    named = {sha256_hex(letter.encode()): letter for letter in age}
    kept = {number for number in range(1, len(steps) + 1) if ended[number] < grace}
    needed = {named[name[10:74]] for number in kept for name in chain.states[number]}
    report = chain.gc(grace_days=grace)
    assert set(chain.letters()) == {letter for letter, old in age.items() if letter in needed or old < grace}
    assert set(range(report.horizon, len(steps) + 1)) >= kept
    if report.given_up is not None:
        assert report.horizon == min(kept)
    chain.is_whole()
    dangling: Iterator[Entry] = chain.storage.list("shards/")
    assert report.files == len(age) - len(list(dangling)) + report.removed.get("checkpoint", {"files": 0})["files"]


def test_gc_and_log_work_on_an_object_store(bucket):
    store = f"{bucket}/kept"
    with open_store(store, create=True) as opened:
        for text in ("walks", "runs"):
            said = [Caption(uid="x/a", text=text, layer="x")]
            opened.append({"captions": said}, source="x", key="a")
    with open_store(store) as opened:
        assert collect_garbage(opened).files == 0
        fingerprint = opened.fingerprint()
        report = collect_garbage(opened, grace_days=0)
    assert {kind: one["files"] for kind, one in report.removed.items()} == {"captions": 1, "receipts": 1}
    with open_store(store) as opened:
        assert opened.fingerprint() == fingerprint
        assert [entry.can_be_opened for entry in read_log(opened.storage, opened.head)] == [True, True, False]
    checked = check_store(store)
    assert (checked.sound, checked.dangling) == (True, [])
