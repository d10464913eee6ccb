from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from motionunion.errors import MissingInput, StoreError
from motionunion.store.commits import (
    CHECKPOINT_EVERY,
    LATEST,
    State,
    commit_name,
    latest_number,
    parse_hint,
    read_commit,
    read_commits,
    read_head,
    read_hint,
    read_state,
    seal,
    write_commit,
)
from motionunion.store.shards import Shard
from motionunion.store.storage import Entry, LocalStorage


def shard(name: str) -> Shard:
    return Shard(name=name, kind="clips", rows=1, bytes=1, sha256="0" * 64, footer_sha256="1" * 64)


@pytest.fixture(scope="module")
def seventy(tmp_path_factory) -> Path:
    """Seventy commits: each adds one shard, every third removes the one before."""
    folder = tmp_path_factory.mktemp("seventy")
    storage, state = LocalStorage(folder), State()
    for number in range(1, 71):
        removed = [f"s{number - 1:03d}"] if number % 3 == 0 else []
        after = write_commit(storage, state, [shard(f"s{number:03d}")], removed, "made up")
        assert after is not None
        state = after
    return folder


@pytest.fixture
def chain(seventy, tmp_path) -> LocalStorage:
    """The seventy commits, to be damaged."""
    return LocalStorage(shutil.copytree(seventy, tmp_path / "store"))


def rewrite(storage: LocalStorage, number: int, **changes: object) -> None:
    """A commit that says something else, sealed anew."""
    value = json.loads(storage.get(commit_name(number)))
    del value["digest"]
    storage.put(commit_name(number), seal({**value, **changes}))


class Recorded(LocalStorage):
    """Notes what is asked of it, and can stop at an operation that writes, as a killed process would."""

    def __init__(self, root: Path, stop_before: str = "") -> None:
        super().__init__(root)
        self.stop_before, self.asked = stop_before, []

    def get(self, name: str) -> bytes:
        self.asked.append(("get", name))
        return super().get(name)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        self.asked.append(("list", after))
        return super().list(prefix, after)

    def put(self, name: str, data: bytes) -> None:
        self._stop(name)
        super().put(name, data)

    def put_if_absent(self, name: str, data: bytes) -> bool:
        self._stop(name)
        return super().put_if_absent(name, data)

    def _stop(self, name: str) -> None:
        if self.stop_before and name.startswith(self.stop_before):
            raise KeyboardInterrupt(name)


def test_the_state_read_back_is_the_state_that_was_written_at_every_commit(chain):
    for number in (1, 2, CHECKPOINT_EVERY - 1, CHECKPOINT_EVERY, CHECKPOINT_EVERY + 1, 70):
        state = read_state(chain, number)
        expected = {f"s{n:03d}" for n in range(1, number + 1)} - {f"s{n - 1:03d}" for n in range(3, number + 1, 3)}
        assert set(state.shards) == expected
        assert state.since == {name: int(name[1:]) for name in expected}
        assert state.number == number
        assert state.digest == read_commit(chain, number)["digest"]


@pytest.mark.parametrize("stale", [b"3\n", b"00000000000000000003", seal({"number": 3, "commit": "x"})])
def test_the_highest_number_is_the_store_whatever_the_hint_says(chain, stale):
    assert read_hint(chain) == 70
    chain.put(LATEST, stale)
    assert read_hint(chain) == 3
    assert latest_number(chain) == 70


@pytest.mark.parametrize("damaged", [None, b"", b"\xff\xfe", b"{}", b"-4", seal({"other": 1}), seal({"number": "70"})])
def test_a_hint_that_is_lost_or_cannot_be_read_costs_a_listing_and_nothing_else(chain, damaged):
    chain.delete(LATEST) if damaged is None else chain.put(LATEST, damaged)
    assert (read_hint(chain), latest_number(chain), read_state(chain).number) == (0, 70, 70)
    if damaged is not None:
        with pytest.raises(StoreError, match="_latest"):
            parse_hint(damaged)


@pytest.mark.parametrize("format_1", [False, True])
def test_a_hint_that_names_a_commit_which_is_gone_tells_of_the_loss(chain, format_1):
    if format_1:
        chain.put(LATEST, b"70\n")
    for number in (70, 69):
        chain.delete(commit_name(number))
    with pytest.raises(StoreError, match=r"0070\.json: missing.*go on from commit 68"):
        latest_number(chain)


def test_any_changed_byte_of_a_hint_is_found(chain):
    data = chain.get(LATEST)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(StoreError):
            parse_hint(bytes(damaged))


def test_opening_reads_the_hint_and_one_commit_and_lists_from_the_hint_on(chain):
    recorded = Recorded(chain.root)
    assert read_head(recorded).number == 70
    assert recorded.asked == [("get", LATEST), ("list", commit_name(69)), ("get", commit_name(70))]


def test_a_state_is_read_from_the_last_checkpoint_on(chain):
    recorded = Recorded(chain.root)
    read_state(recorded, 70)
    names = [name for _, name in recorded.asked]
    assert names == [commit_name(number) for number in range(70, 63, -1)] + [
        read_commit(chain, 64)["checkpoint"]["name"]
    ]
    chain.path(commit_name(5)).unlink()
    assert read_state(chain).number == 70
    with pytest.raises(StoreError, match="missing"):
        read_state(chain, 20)


def test_a_number_that_is_taken_is_not_taken_again(chain):
    before = chain.get(commit_name(70))
    assert write_commit(chain, read_state(chain, 69), [shard("other")], [], "late") is None
    assert chain.get(commit_name(70)) == before


@pytest.mark.parametrize(("stop_before", "newest"), [("checkpoints/", 63), ("commits/0", 63), (LATEST, 64)])
def test_a_writer_killed_between_its_writes_leaves_the_old_state_or_the_new_one(chain, stop_before, newest):
    for number in range(64, 71):
        chain.delete(commit_name(number))
    chain.put(LATEST, seal({"number": 63, "commit": read_commit(chain, 63)["digest"]}))
    before = read_state(chain)
    with pytest.raises(KeyboardInterrupt):
        write_commit(Recorded(chain.root, stop_before), before, [shard("new")], ["s001"], "killed")
    state = read_state(chain)
    assert state.number == newest
    assert ("new" in state.shards) is (newest == 64)
    after = write_commit(chain, state, [shard("newer")], [], "next")
    assert after is not None
    assert read_state(chain) == after
    assert read_hint(chain) == newest + 1


def test_a_hint_written_late_by_a_slower_writer_hides_nothing(chain):
    late = chain.get(LATEST)
    state = write_commit(chain, read_state(chain), [shard("71")], [], "the faster one")
    chain.put(LATEST, late)
    assert read_state(chain) == state


def test_any_changed_byte_of_a_commit_is_found(chain):
    data = chain.get(commit_name(70))
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 1
        chain.put(commit_name(70), bytes(damaged))
        with pytest.raises(StoreError):
            read_state(chain)


def test_a_checkpoint_that_is_damaged_or_gone_is_named(chain):
    name = read_commit(chain, 64)["checkpoint"]["name"]
    data = bytearray(chain.get(name))
    data[len(data) // 2] ^= 1
    chain.put(name, bytes(data))
    with pytest.raises(StoreError, match=f"{name}: damaged"):
        read_state(chain)
    chain.delete(name)
    with pytest.raises(StoreError, match=f"{name}: missing"):
        read_state(chain)


def test_a_commit_of_another_chain_is_found(chain, tmp_path):
    other = LocalStorage(tmp_path / "other")
    state = State()
    for _ in range(66):
        state = write_commit(other, state, [], [], "another store")  # type: ignore[assignment]
    chain.put(commit_name(66), other.get(commit_name(66)))
    with pytest.raises(StoreError, match="does not follow"):
        read_state(chain)


def test_a_newer_format_is_refused_by_its_number_with_what_this_version_reads(chain):
    rewrite(chain, 70, format=3)
    for read in (read_state, read_head):
        with pytest.raises(StoreError, match="format 3; this version reads up to 2"):
            read(chain)


def test_a_commit_under_another_number_is_refused(chain):
    chain.put(commit_name(71), chain.get(commit_name(70)))
    with pytest.raises(StoreError, match="says that it is commit 70"):
        read_head(chain)


def test_a_commit_that_the_disk_does_not_give_is_an_error_that_names_it(chain):
    chain.delete(commit_name(70))
    chain.path(commit_name(70)).mkdir()
    with pytest.raises(StoreError, match=r"0070\.json: cannot be read \(Is a directory\)"):
        read_commit(chain, 70)


def test_many_commits_come_in_the_order_asked_for_and_a_damaged_one_stops_none(chain):
    chain.put(commit_name(40), b"{}")
    found = list(read_commits(chain, range(70, 0, -1)))
    assert [one["number"] for one in found if isinstance(one, dict)] == [n for n in range(70, 0, -1) if n != 40]
    assert isinstance(found[30], StoreError)


def test_states_below_the_horizon_cannot_be_opened_and_the_horizon_never_falls(chain):
    state = write_commit(chain, read_state(chain), [], [], "gc", horizon=60)
    assert state is not None
    assert read_head(chain).horizon == 60
    with pytest.raises(StoreError, match="commit 59 was given up by `motionunion gc`; the oldest that is kept is 60"):
        read_head(chain, 59)
    assert read_head(chain, 60).number == 60
    after = write_commit(chain, state, [], [], "lower", horizon=3)
    assert after is not None
    assert read_head(chain).horizon == after.horizon == 60


@pytest.mark.parametrize("at", [0, -1, 71])
def test_a_commit_that_is_not_there_is_missing_input(chain, at):
    with pytest.raises(MissingInput, match="there are 1 to 70"):
        read_head(chain, at)


def test_a_repaired_commit_needs_nothing_before_it(chain):
    state = write_commit(chain, read_state(chain), [], ["s001"], "repair", repaired=True)
    for number in range(1, 71):
        chain.delete(commit_name(number))
    assert read_state(chain) == state
    assert read_commit(chain, 71)["repaired"] is True


class History(RuleBasedStateMachine):
    """Random writers over one store, beside a model that keeps every state in memory."""

    names = st.sets(st.sampled_from([f"shard-{letter}" for letter in "abcdefghij"]), max_size=4)

    @initialize()
    def begin(self):
        self.storage = LocalStorage(Path(mkdtemp(dir=self.root)))
        self.state, self.model, self.horizon = State(), [dict[str, int]()], 1

    @rule(added=names, removed=names, repaired=st.booleans())
    def commit(self, added, removed, repaired):
        removed = removed & set(self.state.shards)
        self._keep(write_commit(self.storage, self.state, [shard(name) for name in added], sorted(removed), "",
                                repaired=repaired), added, removed)  # fmt: skip

    @rule(added=names)
    def fill_up_to_the_next_checkpoint(self, added):
        while len(self.model) % CHECKPOINT_EVERY:
            self._keep(write_commit(self.storage, self.state, [shard(name) for name in added], [], ""), added, set())

    @precondition(lambda self: len(self.model) > 1)
    @rule(data=st.data())
    def give_up(self, data):
        self.horizon = max(self.horizon, data.draw(st.integers(1, len(self.model) - 1)))
        self._keep(write_commit(self.storage, self.state, [], [], "", horizon=self.horizon), set(), set())

    @precondition(lambda self: len(self.model) > 1)
    @rule(data=st.data(), added=names)
    def a_writer_on_top_of_an_older_state_is_refused(self, data, added):
        older = read_state(self.storage, data.draw(st.integers(1, len(self.model) - 1)))
        if older.number < self.state.number:
            assert write_commit(self.storage, older, [shard(name) for name in added], [], "late") is None

    @rule(hint=st.sampled_from(["lost", "stale", "unreadable", "format 1"]))
    def the_hint_goes_wrong(self, hint):
        newest = len(self.model) - 1
        if hint == "lost" or newest == 0:
            self.storage.delete(LATEST)
        else:
            self.storage.put(LATEST, {"stale": b"1\n", "unreadable": b"{", "format 1": b"%d\n" % newest}[hint])

    @rule(data=st.data())
    def any_state_reads_as_the_model_says(self, data):
        number = data.draw(st.integers(0, len(self.model) - 1))
        state = read_state(self.storage, number)
        assert (state.since, set(state.shards)) == (self.model[number], set(self.model[number]))

    @rule()
    def the_newest_is_the_newest(self):
        assert read_head(self.storage) == self.state.head
        assert (self.state.number, self.state.horizon) == (len(self.model) - 1, self.horizon)
        assert read_state(self.storage) == self.state

    def _keep(self, after, added, removed):
        assert after is not None
        self.state = after
        kept = {name: since for name, since in self.model[-1].items() if name not in removed}
        self.model.append({**kept, **dict.fromkeys(added, len(self.model))})


def test_states_equal_a_model_whatever_writers_do(tmp_path, monkeypatch):
    monkeypatch.setattr(History, "root", tmp_path, raising=False)
    monkeypatch.setattr("motionunion.digest.os.fsync", lambda handle: None)
    machine = settings(max_examples=30, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(History, settings=machine)
