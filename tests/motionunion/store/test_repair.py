"""What `check --repair` makes of each kind of damage: a store that opens, lies about nothing, and can be made whole again."""

from __future__ import annotations

import itertools
import json
import shutil

import numpy as np
import pytest

from motionunion.clip import Caption, Segment
from motionunion.errors import StoreError
from motionunion.store.check import check_store
from motionunion.store.commits import commit_name, read_state
from motionunion.store.repair import repair_store
from motionunion.store.schema import SCHEMAS
from motionunion.store.storage import LocalStorage
from motionunion.store.store import open_store

KEYS = ("a", "b", "c")


class Sources:
    """Three tasks of one clip each, with captions, segments and a reject: ingested as often as wanted, always the same."""

    def __init__(self, desk, make_clip):
        self.desk, self.make_clip = desk, make_clip

    def receipt(self, key, stamp="1", seed=0):
        uid = f"made_up/{key}"
        return self.desk.receipt(
            clips=(self.make_clip(key, seed=seed),),
            captions={key: (Caption(uid=uid, text=f"{key} walks", layer="x"),)},
            segments={key: (Segment(uid=uid, name=f"part of {key}", layer="x", start_s=0.0, end_s=0.5),)},
            rejects=((f"{key}_bad", "truncated"),),
            stamp=stamp,
        )

    def ingest(self, stamp="1", seed=0):
        for key in KEYS:
            self.desk.commit(self.receipt(key, stamp, seed))


@pytest.fixture
def sources(desk, make_clip):
    return Sources(desk, make_clip)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Where the first test puts the store that all of them begin with."""
    return tmp_path_factory.mktemp("template") / "store"


@pytest.fixture
def store(sources, template):
    """Three commits, each with a shard of every kind, and an index."""
    path = sources.desk.path
    if not template.exists():
        sources.ingest()
        open_store(path).fingerprint()
        shutil.copytree(path, template)
    shutil.rmtree(path)
    shutil.copytree(template, path)
    return path


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def remove(path):
    path.unlink()


def said(path):
    """Everything that a store says, read to the last value."""
    with open_store(path) as opened:
        clips = {clip.key: clip.rotvecs_T22x3.tobytes() for clip in opened.clips()}
        texts = opened.rows("SELECT key, text FROM captions ORDER BY ALL")
        parts = opened.rows("SELECT key, name FROM segments ORDER BY ALL")
        rejects = opened.rows("SELECT file, reason FROM rejects ORDER BY ALL")
        return clips, texts, parts, rejects, opened.fingerprint()


def live_shards(path):
    return set(read_state(LocalStorage(path)).shards)


def of_kind(path, kind):
    return sorted((path / "shards").glob(f"{kind}-*"))


def assert_sound(path):
    report = check_store(path)
    assert report.sound, report.damage


@pytest.mark.parametrize(("kind", "harm"), list(zip(SCHEMAS, (flip, cut, remove, flip, remove), strict=True)))
def test_after_repair_and_ingest_a_store_is_what_it_was(store, sources, kind, harm):
    before, shards = said(store), live_shards(store)
    shutil.rmtree(store / "index")
    victim = of_kind(store, kind)[1]
    harm(victim)
    assert any(victim.name in one["file"] for one in check_store(store).damage)
    report = repair_store(store)
    assert report.commit == 4
    assert_sound(store)
    after = said(store)
    if kind == "receipts":
        assert after[:4] == before[:4]  # an intact clip does not go because its receipt did
    else:
        assert sum(len(one) for one in after[:4]) == 11
    assert all(before[0][key] == values for key, values in after[0].items())
    assert report.next
    sources.ingest()
    assert said(store) == before
    assert live_shards(store) == shards
    assert_sound(store)
    assert check_store(store).awaited == []


def test_receipts_that_an_index_knows_are_made_again_to_the_byte(store):
    whole = {path: path.read_bytes() for path in of_kind(store, "receipts")}
    for harm, path in zip((flip, cut, remove), whole, strict=True):
        harm(path)
    report = repair_store(store)
    assert (report.commit, report.next, report.lost) == (None, [], [])
    assert {path: path.read_bytes() for path in of_kind(store, "receipts")} == whole
    assert_sound(store)


def test_what_was_dropped_stays_dropped_where_an_index_knows_of_it(store):
    from motionunion.store.drop import drop

    drop(store, "key = 'a'")
    before = said(store)
    assert set(before[0]) == {"b", "c"}
    for number, path in enumerate(of_kind(store, "receipts")):
        (flip, cut, remove)[number % 3](path)
    report = repair_store(store)
    assert (report.next, report.lost) == ([], [])
    assert said(store) == before
    assert_sound(store)


def test_a_reject_that_came_later_stays_the_newer_one_when_older_receipts_are_lost(store, sources):
    desk = sources.desk
    desk.commit(desk.receipt(rejects=(("a", "truncated"),), stamp="2"))
    before = said(store)
    assert ("a", "truncated") in before[3]
    for keep_index in (True, False):
        if not keep_index:
            shutil.rmtree(store / "index")
        victim = next(
            p for p in of_kind(store, "receipts") if p.name in live_shards(store) and _covers(store, p, "a", 2)
        )
        flip(victim)
        repair_store(store)
        assert said(store) == before, keep_index
        assert_sound(store)


def _covers(store, path, key, rows):
    from motionunion.store.shards import read_columns

    state = read_state(LocalStorage(store))
    keys = read_columns(LocalStorage(store), state.shards[path.name], ["key"])["key"].to_pylist()
    return key in keys and len(keys) == rows


def test_several_shards_at_once_even_all_of_them(store, sources):
    before, shards = said(store), live_shards(store)
    for number, path in enumerate(sorted((store / "shards").iterdir())):
        (flip, cut, remove)[number % 3](path)
    repair_store(store)
    assert_sound(store)
    assert said(store)[:4] == ({}, [], [], [])
    sources.ingest()
    assert said(store) == before
    assert live_shards(store) == shards
    assert_sound(store)


def test_what_is_damaged_is_set_aside_and_not_destroyed(store):
    victim = of_kind(store, "clips")[0]
    flip(victim)
    damaged = victim.read_bytes()
    repair_store(store)
    assert not victim.exists()
    assert (store / "quarantine" / "shards" / victim.name).read_bytes() == damaged
    assert check_store(store).quarantined == [f"quarantine/shards/{victim.name}"]


def test_a_sound_store_is_left_untouched(store):
    said(store)
    files = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    report = repair_store(store)
    assert (report.commit, report.done, report.lost) == (None, [], [])
    assert files == {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_check_alone_writes_nothing(store):
    for path in (of_kind(store, "clips")[0], store / "commits" / "_latest", store / commit_name(2)):
        flip(path)
    files = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    assert not check_store(store).sound
    assert files == {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


@pytest.mark.parametrize("harm", [flip, cut, remove])
def test_a_damaged_hint_costs_nothing(store, harm):
    harm(store / "commits" / "_latest")
    repair_store(store)
    assert_sound(store)
    assert open_store(store).commit == 3


@pytest.mark.parametrize("harm", [flip, remove])
def test_a_damaged_store_json_costs_the_uuid(store, harm):
    before, uuid = said(store), open_store(store).uuid
    harm(store / "store.json")
    with pytest.raises(Exception):  # noqa: B017 - missing and damaged are told apart elsewhere
        open_store(store)
    report = repair_store(store)
    assert open_store(store).uuid != uuid
    assert any("uuid" in words for words in report.lost)
    assert said(store) == before
    assert_sound(store)


def test_a_checkpoint_is_made_again_to_the_byte(store):
    (checkpoint,) = (store / "checkpoints").iterdir()
    whole = checkpoint.read_bytes()
    for harm in (flip, cut, remove):
        harm(checkpoint)
        with pytest.raises(StoreError):
            live_shards(store)
        report = repair_store(store)
        assert report.commit is None
        assert checkpoint.read_bytes() == whole
        assert_sound(store)


def test_a_checkpoint_of_another_parquet_writer_is_replaced_by_a_commit(store, monkeypatch):
    import motionunion.store.repair as repair

    before, shards = said(store), live_shards(store)
    (checkpoint,) = (store / "checkpoints").iterdir()
    flip(checkpoint)
    monkeypatch.setattr(repair, "encode_checkpoint", lambda shards, since: b"other bytes")
    report = repair_store(store)
    assert report.commit == 4
    assert said(store) == before
    assert live_shards(store) == shards
    assert_sound(store)
    assert check_store(store).history == [f"checkpoints/{checkpoint.name}"]


@pytest.mark.parametrize(
    ("numbers", "harm"),
    [((1,), flip), ((2,), remove), ((3,), cut), ((3,), remove), ((2, 3), flip), ((1, 3), cut), ((1, 2, 3), flip)],
)
def test_what_unreadable_commits_added_is_found_again(store, numbers, harm):
    before, shards = said(store), live_shards(store)
    for number in numbers:
        harm(store / commit_name(number))
    assert not check_store(store).sound
    report = repair_store(store)
    assert report.commit == 4
    assert_sound(store)
    assert said(store) == before
    assert live_shards(store) == shards
    assert report.lost


def test_a_commit_that_a_later_checkpoint_covers_costs_history_alone(store, sources, monkeypatch):
    import motionunion.store.commits as commits

    monkeypatch.setattr(commits, "CHECKPOINT_EVERY", 2)
    sources.ingest(stamp="2", seed=1)  # commits 4 to 6, of which 4 and 6 hold checkpoints
    before, shards = said(store), live_shards(store)
    flip(store / commit_name(3))
    report = repair_store(store)
    assert report.commit == 7
    assert said(store) == before
    assert live_shards(store) == shards
    assert_sound(store)
    assert check_store(store).history == [commit_name(3)]
    with pytest.raises(StoreError):
        open_store(store, at=3)
    assert open_store(store, at=2).fingerprint()


def test_a_later_reading_stays_the_later_one_when_its_commits_are_lost(store, sources):
    sources.ingest(stamp="2", seed=1)
    before, shards = said(store), live_shards(store)
    for number in (4, 5, 6):
        flip(store / commit_name(number))
    repair_store(store)
    assert said(store) == before
    assert live_shards(store) == shards


def test_what_a_killed_run_left_is_not_taken_for_a_lost_commit(store, sources):
    import os

    stale = sources.receipt("a", stamp="0", seed=9)
    storage = LocalStorage(store)
    from motionunion.store.shards import write_shard

    left = write_shard(storage, "receipts", "made_up", (one.to_row() for one in stale.covered))
    for shard in (*stale.shards, left):
        os.utime(store / "shards" / shard.name, (1, 1))
    before = said(store)
    flip(store / commit_name(3))
    repair_store(store)
    assert said(store) == before


def test_shards_that_only_older_states_need_are_given_up_in_words(store, sources):
    sources.desk.commit(sources.receipt("a", "2", 1))
    old = [path for path in of_kind(store, "clips") if path.name not in live_shards(store)]
    before = said(store)
    flip(old[0])
    assert [one["file"] for one in check_store(store).damage] == [f"shards/{old[0].name}"]
    report = repair_store(store)
    assert said(store) == before
    assert_sound(store)
    assert check_store(store).history == [f"shards/{old[0].name}"]
    assert any(old[0].name in words for words in report.lost)


def test_a_second_damage_to_what_came_back_is_damage_again(store, sources):
    victim = of_kind(store, "clips")[1]
    flip(victim)
    repair_store(store)
    sources.ingest()
    assert_sound(store)
    assert check_store(store).history == []
    cut(victim)
    assert not check_store(store).sound
    repair_store(store)
    assert_sound(store)
    assert len(check_store(store).quarantined) == 2


def test_an_index_is_removed_and_built_again(store):
    before = said(store)
    (index,) = (store / "index").glob("*.duckdb")
    index.write_bytes(b"no database at all")
    report = repair_store(store)
    assert report.commit is None
    assert not index.exists()
    assert said(store) == before
    assert_sound(store)


def test_a_store_of_a_newer_version_is_not_repaired(store):
    from motionunion.store.commits import seal, unseal

    path = store / commit_name(3)
    value = unseal("x", path.read_bytes())
    value.pop("digest")
    path.write_bytes(seal({**value, "format": 99}))
    with pytest.raises(StoreError, match="format 99"):
        repair_store(store)


def test_a_shard_that_may_not_be_read_is_not_taken_for_damaged(store, monkeypatch):
    victim = of_kind(store, "clips")[0].name
    get = LocalStorage.get

    def closed(self, name):
        if name.endswith(victim):
            raise PermissionError(13, "Permission denied")
        return get(self, name)

    monkeypatch.setattr(LocalStorage, "get", closed)
    assert not check_store(store).sound
    with pytest.raises(StoreError, match="permissions"):
        repair_store(store)
    monkeypatch.undo()
    assert_sound(store)


class Killed(BaseException):
    pass


@pytest.mark.slow
def test_killed_at_any_write_and_run_again_a_repair_ends_the_same(store, sources, tmp_path, monkeypatch):
    for path in (of_kind(store, "clips")[0], of_kind(store, "receipts")[1], of_kind(store, "captions")[2]):
        flip(path)
    for name in (commit_name(2), "commits/_latest"):
        flip(store / name)
    counted = itertools.count()
    deadline = None

    def killing(operation):
        real = getattr(LocalStorage, operation)

        def call(self, *words):
            if deadline is not None and next(counted) == deadline:
                raise Killed
            return real(self, *words)

        monkeypatch.setattr(LocalStorage, operation, call)

    for operation in ("put", "put_if_absent", "delete"):
        killing(operation)
    ends = set()
    for deadline in itertools.count():
        copy = tmp_path / f"copy-{deadline}"
        shutil.copytree(store, copy)
        counted = itertools.count()
        try:
            repair_store(copy)
            finished = True
        except Killed:
            finished = False
        counted = itertools.count(10**9)
        repair_store(copy)
        assert_sound(copy)
        ends.add(json.dumps([sorted(live_shards(copy)), said(copy)[4]]))
        if finished:
            break
    assert len(ends) == 1
    assert deadline > 8


def test_a_remote_store_is_repaired_like_a_folder(sources, bucket):
    url = f"{bucket}/store"
    Sources(type(sources.desk)(url), sources.make_clip).ingest()
    before = said(url)
    storage = open_store(url).storage
    clips, receipts = (
        next(f"shards/{name}" for name in sorted(open_store(url).state.shards) if name.startswith(kind))
        for kind in ("clips", "receipts")
    )
    damaged = storage.get(clips)[:-3]
    storage.put(clips, damaged)
    storage.delete(receipts)
    storage.put("commits/_latest", b"no number")
    assert {one["file"] for one in check_store(url).damage} == {clips, receipts, "commits/_latest"}
    repair_store(url)
    assert_sound(url)
    assert storage.get(f"quarantine/{clips}") == damaged
    assert len(said(url)[0]) == 2
    Sources(type(sources.desk)(url), sources.make_clip).ingest()
    assert said(url) == before
    assert_sound(url)


def test_without_any_commit_an_index_tells_that_there_were_some(store):
    truth = said(store)
    shutil.rmtree(store / "commits")
    with pytest.raises(StoreError, match="commits/ is empty, though there is an index of commit 3"):
        open_store(store)
    assert {one["file"] for one in check_store(store).damage} == {commit_name(number) for number in (1, 2, 3)}
    repair_store(store)
    assert_sound(store)
    assert said(store) == truth


def test_a_stray_commit_of_an_absurd_number_is_named_and_not_counted_up_to(store):
    (store / commit_name(10**19)).write_text("{}")
    with pytest.raises(StoreError, match=f"if {commit_name(10**19)} is none of this store's, move it away"):
        check_store(store)


@pytest.mark.parametrize("there", [True, False])
def test_an_index_that_cannot_be_read_is_damage_and_one_that_goes_away_is_none(store, there, monkeypatch):
    from motionunion.store import check_rows

    (index,) = store.glob("index/*.duckdb")

    def refuse(path):
        raise PermissionError(13, "Permission denied") if there else FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(check_rows, "sha256_file", refuse)
    told = [one["problem"] for one in check_store(store).damage if one["file"] == f"index/{index.name}"]
    assert told == (["cannot be read (Permission denied)"] if there else [])


@pytest.mark.slow
def test_whatever_is_damaged_no_intact_clip_goes_and_no_damaged_one_is_served(store, sources, tmp_path):
    """Random damage to random files of the store: every clip whose own shard is whole is there, with its true values."""
    truth, shards = said(store), live_shards(store)
    holder = dict(open_store(store).rows("SELECT key, shard FROM clips"))
    shutil.rmtree(store / "index")
    random = np.random.default_rng(5)
    files = [path.relative_to(store) for path in sorted(store.rglob("*")) if path.is_file()]
    for turn in range(12):
        copy = tmp_path / f"copy-{turn}"
        shutil.copytree(store, copy)
        hurt = random.choice(len(files), size=random.integers(1, 6), replace=False)
        for number in hurt:
            (flip, cut, remove)[random.integers(3)](copy / files[number])
        names = {files[number].as_posix() for number in hurt}
        repair_store(copy)
        assert_sound(copy)
        clips, *_ = said(copy)
        assert all(truth[0][key] == values for key, values in clips.items()), names
        commits = {name for name in names if name.startswith("commits/0")}
        receipts = {name for name in names if name.startswith("shards/receipts")}
        if not (commits and receipts):  # both at once: nothing is left that says a shard was committed
            assert {key for key, shard in holder.items() if f"shards/{shard}" not in names} == set(clips), names
        sources_copy = Sources(type(sources.desk)(copy), sources.make_clip)
        sources_copy.ingest()
        assert said(copy) == truth, names
        assert live_shards(copy) == shards, names
