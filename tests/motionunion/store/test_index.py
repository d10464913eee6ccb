from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionunion.clip import Caption, Segment
from motionunion.digest import sha256_hex
from motionunion.errors import StoreError
from motionunion.store import index
from motionunion.store.commits import read_state, write_commit
from motionunion.store.index import KEPT_INDEXES, TABLES, find_index, index_in_memory, read_index, verify_index
from motionunion.store.shards import write_shard
from motionunion.store.store import open_store

KEYS = ("a", "b", "c")


def contents(connection) -> dict[str, Counter]:
    tables = {name: Counter(map(repr, connection.execute(f"FROM {name}").fetchall())) for name in TABLES}
    return {**tables, "holding": Counter(map(repr, connection.execute("FROM holding").fetchall()))}


def assert_as_built_anew(path: Path) -> None:
    """The index file of the newest commit says what one made from the shards alone says."""
    store = open_store(path)
    store.fingerprint()
    found = find_index(store.index_folder, store.head)
    with (
        contextlib.closing(read_index(found)) as written,
        contextlib.closing(index_in_memory(store.storage, store.state)) as fresh,
    ):
        assert contents(written) == contents(fresh)
    store.close()


# What a task may say of a key: nothing, a clip of one of two contents, captions alone, or a refusal.
READINGS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(("clip 1", "clip 2", "words", "refused")), min_size=1)


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(READINGS, min_size=2, max_size=5), data=st.data())
def test_an_index_made_from_an_earlier_one_equals_one_made_from_the_shards(
    desk, make_clip, tmp_path_factory, history, data
):
    desk = type(desk)(tmp_path_factory.mktemp("history") / "store")
    for step, readings in enumerate(history):
        desk.commit(task(desk, make_clip, readings, stamp=str(step)))
        if data.draw(st.booleans()):
            assert_as_built_anew(desk.path)
    assert_as_built_anew(desk.path)


def task(desk, make_clip, readings, stamp):
    clips = tuple(
        make_clip(key, frames=3, seed=int(how[-1]), official_split="test" if how == "clip 2" else None)
        for key, how in sorted(readings.items())
        if how.startswith("clip")
    )
    words = {
        key: (Caption(uid=f"made_up/{KEYS[0]}", text=f"{key} {stamp}", layer="mine"),)
        for key, how in readings.items()
        if how in ("words", "clip 1")
    }
    segments = {
        key: (Segment(uid=f"made_up/{KEYS[1]}", name=key, layer="mine", start_s=0, end_s=0.1, split="val"),)
        for key, how in readings.items()
        if how == "words"
    }
    refused = tuple((key, "truncated") for key, how in sorted(readings.items()) if how == "refused")
    return desk.receipt(clips=clips, captions=words, segments=segments, rejects=refused, stamp=stamp)


def test_an_earlier_index_is_not_built_upon_where_a_live_receipt_went_out(desk, make_clip, monkeypatch):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)), desk.receipt(clips=(make_clip("b"),)))
    store.fingerprint()
    gone = next(shard for shard in store.state.of_kind("receipts") if "a" in keys_of(store, shard))
    write_commit(store.storage, store.state, [], [gone.name], "without the receipt of a")
    assert_as_built_anew(desk.path)
    assert open_store(desk.path).rows('SELECT "key" FROM clips') == [("b",)]


def keys_of(store, shard) -> set[str]:
    return {key for (key,) in store.rows('SELECT "key" FROM receipts WHERE receipts_shard = ?', [shard.name])}


def test_rows_of_a_shard_that_went_out_are_not_taken_over(desk, make_clip):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)), desk.receipt(clips=(make_clip("b"),)))
    ((shard,),) = store.rows("SELECT shard FROM clips WHERE \"key\" = 'a'")
    write_commit(store.storage, store.state, [], [shard], "quarantined")
    assert_as_built_anew(desk.path)
    assert open_store(desk.path).rows('SELECT "key" FROM clips') == [("b",)]
    back = [store.state.shards[shard]]
    write_commit(store.storage, read_state(store.storage), back, [], "and back")
    assert_as_built_anew(desk.path)
    assert open_store(desk.path).rows('SELECT "key" FROM clips ORDER BY ALL') == [("a",), ("b",)]


def test_a_new_index_begins_with_an_earlier_one(desk, make_clip, monkeypatch):
    desk.commit(desk.receipt(clips=(make_clip("a"),))).fingerprint()
    read: list[str] = []
    from motionunion.store import index_tables, reading, receipt_tables

    def read_batches(storage, shards, columns):
        read.extend(shard.name for shard in shards)
        return reading.read_batches(storage, shards, columns)

    store = desk.commit(desk.receipt(clips=(make_clip("b"),)))
    for module in (index_tables, receipt_tables):
        monkeypatch.setattr(module, "read_batches", read_batches)
    store.fingerprint()
    assert read
    assert {store.state.since[name] for name in read} == {2}


def test_a_byte_turned_anywhere_in_an_index_is_found_and_never_built_upon(desk, make_clip):
    store = desk.commit(desk.receipt(clips=tuple(make_clip(f"clip {number}") for number in range(20))))
    store.fingerprint()
    store.close()
    assert verify_index(store.index_folder, store.head) is None
    path = find_index(store.index_folder, store.head)
    sound = path.read_bytes()
    for place in range(0, len(sound), len(sound) // 50):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert path.name in verify_index(store.index_folder, store.head)
    path.write_bytes(sound[:-100])
    assert "not those that were written" in verify_index(store.index_folder, store.head)
    desk.commit(desk.receipt(clips=(make_clip("one more"),)))
    assert_as_built_anew(desk.path)


@pytest.mark.parametrize("kind", ["captions", "receipts", "clips"])
def test_a_damaged_shard_does_not_enter_an_index(desk, make_clip, kind):
    clip = make_clip("a")
    said = {"a": (Caption(uid=clip.uid, text="a person walks to the left", layer="mine"),)}
    store = desk.commit(desk.receipt(clips=(clip,), captions=said))
    (shard,) = store.state.of_kind(kind)
    path = desk.path / "shards" / shard.name
    data = bytearray(path.read_bytes())
    if kind == "captions":
        # Uncompressed text in a page is not what decides here: the bytes of the file are.
        data[len(data) // 3] ^= 1
    else:
        data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match=shard.name):
        open_store(desk.path).stats()


def test_the_indexes_used_last_are_kept_and_no_more(desk, make_clip):
    for number in range(1, KEPT_INDEXES + 3):
        desk.commit(desk.receipt(clips=(make_clip(f"clip {number}"),))).fingerprint()
        early = desk.path / "index"
        for age, path in enumerate(sorted(early.glob("*.duckdb"), reverse=True)):
            os.utime(path, (1e9 - age, 1e9 - age))
        open_store(desk.path, at=1).fingerprint()  # made once, and then in use
    kept = sorted(int(path.name[:20]) for path in (desk.path / "index").glob("*.duckdb"))
    assert kept == [1, *range(KEPT_INDEXES, KEPT_INDEXES + 3)]


def test_leftovers_of_killed_builds_and_indexes_of_older_layouts_go(desk, make_clip):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)))
    folder = desk.path / "index"
    old = folder / ".tmp-0123.duckdb"
    old.write_bytes(b"half")
    spill = folder / ".tmp-0123.spill"
    spill.mkdir()
    young = folder / ".tmp-4567.duckdb"
    young.write_bytes(b"somebody is at work")
    for path in (old, spill):
        os.utime(path, (1e9, 1e9))
    for number in range(KEPT_INDEXES):
        (folder / f"{number:020d}-empty-v2.duckdb").write_bytes(b"")
    store.fingerprint()
    assert not old.exists()
    assert not spill.exists()
    assert young.exists()
    assert len(list(folder.glob("0*.duckdb"))) == KEPT_INDEXES


def test_an_index_that_needs_more_memory_gets_it(desk, make_clip, monkeypatch):
    tried: list[str] = []
    connect = index.connect_aside

    def meagre(path, memory):
        tried.append(memory)
        return connect(path, "1MiB" if len(tried) == 1 else memory)

    monkeypatch.setattr(index, "connect_aside", meagre)
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)))
    tried.clear()
    assert store.rows("SELECT count(*) FROM clips") == [(1,)]
    assert tried == list(index._BUILD_MEMORY[:2])
    assert [path.suffix for path in (desk.path / "index").iterdir()] == [".duckdb"]


READER = """
import sys
from motionunion import open_store
asked = 0
while True:
    with open_store(sys.argv[1]) as store:
        clips, receipts = store.rows("SELECT (SELECT count(*) FROM clips), (SELECT count(*) FROM receipts)")[0]
        assert clips == receipts == store.commit, (clips, receipts, store.commit)
        late = open_store(sys.argv[1], at=1)
        assert late.rows("SELECT count(*) FROM clips") == [(1,)]
        late.close()
    asked += 1
    if clips == int(sys.argv[2]):
        break
print(asked)
"""


@pytest.mark.slow
def test_processes_ask_while_another_one_ingests(desk, make_clip):
    last = 8
    desk.commit(desk.receipt(clips=(make_clip("clip 1"),)))
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, str(desk.path), str(last)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for number in range(2, last + 1):
        desk.commit(desk.receipt(clips=(make_clip(f"clip {number}"),)))
    for reader in readers:
        said, _ = reader.communicate(timeout=120)
        assert reader.returncode == 0
        assert int(said) >= 1


def test_two_builders_of_one_index_do_not_spoil_it(desk, make_clip):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)))
    one = index.write_index(store.index_folder, store.storage, store.state)
    two = index.write_index(store.index_folder, store.storage, store.state)
    assert verify_index(store.index_folder, store.head) is None
    assert {sha256_hex(path.read_bytes()) for path in (one, two)} == {path.stem[-64:] for path in (one, two)}


def test_a_receipts_shard_that_comes_back_is_newer_than_what_came_between(desk, make_clip):
    first = desk.receipt(clips=(make_clip("a", seed=1),))
    desk.commit(first).fingerprint()
    desk.commit(desk.receipt(clips=(make_clip("a", seed=2),))).fingerprint()
    again = desk.commit(first)
    assert again.rows("SELECT content FROM clips") == [(first.covered[0].content,)]
    assert_as_built_anew(desk.path)


def test_shards_that_nobody_wrote_a_receipt_for_say_nothing(desk, make_clip):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)))
    stray = write_shard(
        store.storage, "rejects", "x",
        [{"source": "x", "key": "x", "file": "x", "reason": "x", "message": "x", "line": None}],
    )  # fmt: skip
    write_commit(store.storage, store.state, [stray], [], "stray")
    assert open_store(desk.path).rows("SELECT count(*) FROM rejects") == [(0,)]
