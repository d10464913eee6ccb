"""What a store relies on, for every storage alike: a folder, and objects of a server."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionunion.store.location import storage_at

KINDS = ("folder", "objects")
NAMES = (
    "store.json",
    "commits/0",
    "commits/1",
    "commits/_latest",
    "shards/clips-ä b.parquet",
    "shards/captions-1",
    "commits-old/0",
)


@pytest.fixture(params=KINDS)
def place(request, tmp_path):
    """Path or URL of an empty place for a storage; called with a name for one more."""
    if request.param == "folder":
        return lambda name="a store": str(tmp_path / name)
    bucket = request.getfixturevalue("bucket")
    return lambda name="a store": f"{bucket}/{name}"


@pytest.fixture
def storage(place):
    return storage_at(place())


class TestStorage:
    def test_what_is_put_is_got(self, storage):
        storage.put("a/one", b"12345")
        storage.put("a/one", b"67890")
        storage.put("two", b"")
        assert (storage.get("a/one"), storage.get("two")) == (b"67890", b"")

    def test_a_missing_file_is_told_from_every_other_trouble(self, storage):
        storage.put("a/one", b"1")
        for read in (lambda: storage.get("a/none"), lambda: storage.get_range("a/none", 0, 5),
                     lambda: storage.get_range("none", 3, 0)):  # fmt: skip
            with pytest.raises(FileNotFoundError):
                read()

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [(0, 5, b"01234"), (2, 2, b"23"), (3, 99, b"34"), (5, 1, b""), (77, 5, b""), (1, 0, b""), (0, 99, b"01234")],
    )
    def test_a_range_ends_where_the_file_ends(self, storage, start, length, expected):
        storage.put("a/file", b"01234")
        assert storage.get_range("a/file", start, length) == expected

    def test_every_range_of_an_empty_file_is_empty(self, storage):
        storage.put("empty", b"")
        assert [storage.get_range("empty", start, 8) for start in (0, 4)] == [b"", b""]

    def test_a_name_that_is_taken_stays_what_it_is(self, storage):
        assert storage.put_if_absent("commits/1", b"first")
        assert not storage.put_if_absent("commits/1", b"second")
        assert storage.get("commits/1") == b"first"
        storage.delete("commits/1")
        assert storage.put_if_absent("commits/1", b"third")

    def test_a_listing_is_sorted_by_name_and_knows_sizes_and_times(self, storage):
        began = time.time()
        names = [f"shards/{name}" for name in ("b", "B", "a-1", "a.1", "a_1", "a1", "ä", "zz", "0")]
        for size, name in enumerate(names):
            storage.put(name, bytes(size))
        entries = list(storage.list("shards/"))
        assert [entry.name for entry in entries] == sorted(names)
        assert {entry.name: entry.size for entry in entries} == {name: size for size, name in enumerate(names)}
        assert all(began - 3 < entry.modified < time.time() + 3 for entry in entries)  # whole seconds, on a server

    def test_a_prefix_need_not_be_a_folder(self, storage):
        for name in ("shards/clips-1", "shards/clips-2", "shards/captions-1", "shards/clip", "shards-old/clips-3"):
            storage.put(name, b"x")
        listed = {prefix: [entry.name for entry in storage.list(prefix)] for prefix in ("shards/clips-", "shards", "shards/", "x", "x/y/")}  # fmt: skip
        assert listed["shards/clips-"] == ["shards/clips-1", "shards/clips-2"]
        assert sorted(listed["shards"]) == sorted(listed["shards/"] + ["shards-old/clips-3"])
        assert len(listed["shards/"]) == 4
        assert listed["x"] == listed["x/y/"] == []

    def test_a_listing_begins_behind_a_name_whether_it_is_there_or_not(self, storage):
        for number in (1, 2, 3, 10):
            storage.put(f"commits/{number:05d}", b"x")
        for after, expected in (("commits/00002", [3, 10]), ("commits/00004", [10]), ("commits/00010", []),
                                ("commits/", [1, 2, 3, 10]), ("a", [1, 2, 3, 10]), ("x", [])):  # fmt: skip
            assert [int(one.name[-5:]) for one in storage.list("commits/", after=after)] == expected

    @pytest.mark.slow
    def test_a_listing_longer_than_a_page_of_a_server_is_whole(self, storage):
        names = [f"n/{number:04d}" for number in range(1100)]
        for name in names:
            storage.put(name, b"")
        assert [entry.name for entry in storage.list("n/")] == names

    def test_temporary_files_are_not_listed(self, storage):
        storage.put("shards/.tmp-123", b"half")
        storage.put("shards/whole", b"whole")
        assert [entry.name for entry in storage.list("shards/")] == ["shards/whole"]

    def test_deleting_twice_is_deleting_once(self, storage):
        storage.put("a/one", b"1")
        storage.put("a/two", b"2")
        for _ in range(2):
            storage.delete("a/one")
        storage.delete("never/there")
        assert [entry.name for entry in storage.list("")] == ["a/two"]

    def test_it_crosses_a_process_border(self, storage):
        storage.put("a", b"1")
        again = pickle.loads(pickle.dumps(storage))  # noqa: S301 - its own bytes
        assert (again.url, again.get("a")) == (storage.url, b"1")

    def test_two_storages_of_one_place_see_the_same(self, place):
        one, other, elsewhere = storage_at(place()), storage_at(place() + "/"), storage_at(place("a store next door"))
        one.put("a", b"1")
        assert other.get("a") == b"1"
        assert list(elsewhere.list("")) == []

    def test_of_many_threads_that_write_one_name_exactly_one_wins(self, storage):
        for turn in range(8):
            barrier, won = threading.Barrier(6), []

            def write(number, name=f"commits/{turn}", barrier=barrier, won=won):
                barrier.wait()
                if storage.put_if_absent(name, bytes([number]) * 1000):
                    won.append(number)

            threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(won) == 1
            assert storage.get(f"commits/{turn}") == bytes([won[0]]) * 1000

    def test_of_two_processes_that_write_one_name_exactly_one_wins(self, place, storage):
        writers = [
            subprocess.Popen([sys.executable, "-c", _WRITER, place(), str(number)], stdout=subprocess.PIPE, text=True)
            for number in range(2)
        ]
        won = Counter(name for writer in writers for name in writer.communicate(timeout=60)[0].split())
        assert [writer.returncode for writer in writers] == [0, 0]
        assert won == {f"commits/{turn}": 1 for turn in range(25)}

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_it_does_what_a_dictionary_does(self, place, data):
        storage = storage_at(place(f"example {next(_EXAMPLES)}"))
        model: dict[str, bytes] = {}
        for number in range(data.draw(st.integers(1, 12))):
            name = data.draw(st.sampled_from(NAMES))
            body = bytes([number]) * data.draw(st.integers(1, 40))
            match data.draw(st.sampled_from(["put", "create", "delete", "range", "list"])):
                case "put":
                    storage.put(name, body)
                    model[name] = body
                case "create":
                    assert storage.put_if_absent(name, body) == (name not in model)
                    model.setdefault(name, body)
                case "delete":
                    storage.delete(name)
                    model.pop(name, None)
                case "range":
                    start, length = data.draw(st.integers(0, 50)), data.draw(st.integers(0, 50))
                    if name in model:
                        assert storage.get_range(name, start, length) == model[name][start : start + length]
                case "list":
                    prefix, after = data.draw(st.sampled_from(["", "c", "commits/", "shards/c", name])), data.draw(st.sampled_from(["", *NAMES]))  # fmt: skip
                    expected = {
                        (one, len(held)) for one, held in model.items() if one.startswith(prefix) and one > after
                    }
                    assert {(entry.name, entry.size) for entry in storage.list(prefix, after)} == expected
        assert {name: storage.get(name) for name in model} == model


_EXAMPLES = iter(range(10**9))

_WRITER = """
import sys, time
from motionunion.store.location import storage_at

storage, own = storage_at(sys.argv[1]), sys.argv[2]
storage.put(f"ready/{own}", b"")
while len(list(storage.list("ready/"))) < 2:
    time.sleep(0.01)
for turn in range(25):
    if storage.put_if_absent(f"commits/{turn}", own.encode() * 100):
        print(f"commits/{turn}")
"""
