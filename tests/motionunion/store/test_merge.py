from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.clip import Caption
from motionunion.errors import MissingInput, UsageError
from motionunion.store.check import check_store
from motionunion.store.commits import write_commit
from motionunion.store.committer import Committer
from motionunion.store.compact import compact
from motionunion.store.drop import drop, undrop
from motionunion.store.merge import merge
from motionunion.store.merge_rules import decide
from motionunion.store.receipts import Covered, Live
from motionunion.store.shards import shard_path
from motionunion.store.store import open_store


def keys(store):
    return [key for (key,) in store.rows("SELECT key FROM clips ORDER BY key")]


def said(*names):
    return {name: (Caption(uid=f"made_up/{name}", text=f"{name} walks", layer="x"),) for name in names}


@pytest.fixture
def desks(desk, tmp_path):
    """Empty stores `ours`, `one`, `two`."""
    return type(desk)(tmp_path / "ours"), type(desk)(tmp_path / "one"), type(desk)(tmp_path / "two")


def test_three_parts_merged_have_the_fingerprint_of_one_run(desk, desks, make_clip, tmp_path):
    names = [f"k{number:02d}" for number in range(9)]
    for part, other in enumerate(desks):
        mine = names[part::3]
        receipt = (tuple(map(make_clip, mine)), ((f"bad {part}", "truncated"),), said(*mine))
        other.commit(other.receipt(*receipt))
        desk.commit(desk.receipt(*receipt))
    result = merge([other.path for other in desks], tmp_path / "all")
    store = open_store(tmp_path / "all")
    assert store.fingerprint() == open_store(desk.path).fingerprint()
    assert set(open_store(desk.path).state.of_kind("clips")) == set(store.state.of_kind("clips"))  # byte for byte
    assert (result.clips, result.rejects, result.copied, result.rewritten, result.conflicts) == (9, 3, 9, 0, 0)
    assert check_store(tmp_path / "all").sound


def test_merging_twice_does_nothing_the_second_time(desks, make_clip):
    ours, one, two = desks
    ours.commit(ours.receipt((make_clip("a"), make_clip("b")), (("r", "truncated"),)))
    one.commit(one.receipt((make_clip("b", seed=1), make_clip("c")), (("r", "unreadable"), ("s", "truncated"))))
    two.commit(two.receipt((make_clip("b", seed=2), make_clip("d")), captions=said("d")))
    first = merge([one.path, two.path], ours.path)
    assert (first.clips, first.conflicts) == (3, 1)
    second = merge([one.path, two.path], ours.path)
    assert (second.commit, second.clips, second.rejects, second.bytes) == (first.commit, 0, 0, 0)
    assert second.conflicts == 1


def test_equal_work_is_dropped_and_only_what_is_new_is_copied(desks, make_clip):
    ours, one, _ = desks
    ours.commit(ours.receipt((make_clip("a"), make_clip("b"))))
    one.commit(one.receipt((make_clip("a"), make_clip("b"), make_clip("c")), captions=said("c")))
    result = merge([one.path], ours.path)
    store = open_store(ours.path)
    assert (result.clips, result.equal, result.copied, result.rewritten) == (1, 2, 1, 1)
    assert keys(store) == ["a", "b", "c"]
    assert sum(shard.rows for shard in store.state.of_kind("clips")) == 3
    assert sorted(clip.key for clip in store.clips()) == ["a", "b", "c"]
    assert check_store(ours.path).sound


def test_a_store_merged_into_an_empty_one_says_the_same(desks, make_clip):
    ours, one, _ = desks
    one.commit(one.receipt(tuple(map(make_clip, "abcd")), (("r", "truncated"),), said(*"abcd")))
    one.commit(one.receipt((make_clip("b", seed=1),), (("c", "unreadable"),), said("b"), stamp="2"))
    drop(one.path, "key = 'd'")
    merge([one.path], ours.path)
    store = open_store(ours.path)
    assert store.fingerprint() == open_store(one.path).fingerprint()
    assert store.rows("SELECT key, reason FROM rejects ORDER BY key") == [("c", "unreadable"), ("r", "truncated")]
    # It is up to date with the same files, and keeps dropped what was.
    again = ours.receipt((make_clip("a"), make_clip("d")), captions=said("a", "d"))
    assert ours.commit(again).commit == store.commit
    assert check_store(ours.path).sound


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_the_later_named_store_wins_a_conflict_and_takes_its_captions_along(desks, make_clip, order):
    ours, one, two = desks
    named = {"one": one, "two": two}
    ours.commit(ours.receipt((make_clip("a"),)))
    one.commit(one.receipt((make_clip("a", seed=1),), captions=said("a")))
    two.commit(two.receipt((make_clip("a", seed=2),)))
    result = merge([named[name].path for name in order], ours.path)
    [clip] = open_store(ours.path).clips()
    winner = 1 if order[-1] == "one" else 2
    np.testing.assert_array_equal(clip.root_T3, make_clip("a", seed=winner).root_T3)
    assert len(open_store(ours.path).rows("SELECT * FROM captions")) == (winner == 1)
    assert (result.conflicts, result.clips) == (1, 1)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("made_up/9 normalise/2 schema/1", "made_up/10 normalise/1 schema/1"),
        ("made_up/1 normalise/2 schema/1 body/template", "made_up/1 normalise/3 schema/1 body/template"),
        ("append", "made_up/1 normalise/1"),
    ],
)
def test_the_newer_reader_wins_whatever_the_order_of_stores(desks, make_clip, older, newer):
    ours, one, two = desks
    for desk, seed, config in ((one, 1, newer), (two, 2, older)):
        receipt = desk.receipt((make_clip("a", seed=seed),))
        desk.commit(replace(receipt, covered=tuple(replace(row, config=config) for row in receipt.covered)))
    merge([one.path, two.path], ours.path)
    [clip] = open_store(ours.path).clips()
    np.testing.assert_array_equal(clip.root_T3, make_clip("a", seed=1).root_T3)


def test_a_reject_hides_no_clip_on_either_side(desks, make_clip):
    ours, one, two = desks
    ours.commit(ours.receipt((make_clip("a"),), (("b", "truncated"),)))
    one.commit(one.receipt((make_clip("b"),), (("a", "truncated"),)))
    two.commit(two.receipt((), (("a", "unreadable"), ("b", "unreadable"))))
    merge([one.path, two.path], ours.path)
    store = open_store(ours.path)
    assert (keys(store), store.rows("SELECT * FROM rejects")) == (["a", "b"], [])
    assert check_store(ours.path).sound


@pytest.mark.parametrize("dropped_in", ["ours", "one", "both"])
def test_dropped_stays_dropped(desks, make_clip, dropped_in):
    ours, one, _ = desks
    for desk, extra in ((ours, "b"), (one, "c")):
        desk.commit(desk.receipt((make_clip("a"), make_clip(extra)), captions=said("a")))
        if dropped_in in (desk.path.name, "both"):
            drop(desk.path, "key = 'a'")
    merge([one.path], ours.path)
    store = open_store(ours.path)
    assert keys(store) == ["b", "c"]
    assert store.rows("SELECT * FROM captions") == []
    before = store.commit
    assert merge([one.path], ours.path).commit == before
    assert keys(ours.commit(ours.receipt((make_clip("a"),), captions=said("a")))) == ["b", "c"]


def test_another_content_of_what_was_dropped_comes_in(desks, make_clip):
    ours, one, _ = desks
    ours.commit(ours.receipt((make_clip("a"), make_clip("b"))))
    drop(ours.path, "key = 'a'")
    one.commit(one.receipt((make_clip("a", seed=1),)))
    merge([one.path], ours.path)
    assert keys(open_store(ours.path)) == ["a", "b"]


def test_what_was_undropped_here_comes_in_from_another_store(desks, make_clip):
    ours, one, _ = desks
    for desk in (ours, one):
        desk.commit(desk.receipt((make_clip("a"), make_clip("b"))))
    drop(ours.path, "key = 'a'")
    undrop(ours.path, "true")
    merge([one.path], ours.path)
    assert keys(open_store(ours.path)) == ["a", "b"]
    undrop(one.path, "true")
    assert merge([one.path], ours.path).clips == 0


def test_a_damaged_shard_of_another_store_costs_what_it_holds(desks, make_clip):
    ours, one, two = desks
    for name in "abc":
        one.commit(one.receipt((make_clip(name),), captions=said(name)))
    two.commit(two.receipt((make_clip("d"), make_clip("a", seed=3))))
    two.commit(two.receipt((make_clip("a"),), captions=said("a")))  # d is now in a shard that is live in part
    for desk, key in ((one, "b"), (two, "d")):
        [(victim,)] = open_store(desk.path).rows(f"SELECT shard FROM clips WHERE key = '{key}'")
        path = desk.path / shard_path(victim)
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 0xFF
        path.write_bytes(bytes(data))
    result = merge([one.path, two.path], ours.path)
    store = open_store(ours.path)
    assert keys(store) == ["a", "c"]
    assert len(result.damage) == 2
    assert store.rows("SELECT key FROM receipts ORDER BY key") == [("a",), ("c",)]
    assert check_store(ours.path).sound


def test_what_the_disk_of_another_store_does_not_give_is_no_trouble_of_ours(desks, make_clip):
    ours, one, _ = desks
    one.commit(one.receipt((make_clip("a"),)), one.receipt((make_clip("b"),)))
    [(victim,)] = open_store(one.path).rows("SELECT shard FROM clips WHERE key = 'a'")
    path = one.path / shard_path(victim)
    path.unlink()
    path.mkdir()  # read errors alike
    result = merge([one.path], ours.path)
    assert [one["file"] for one in result.damage] == [str(path)]
    assert "cannot be read" in result.damage[0]["problem"]
    assert keys(open_store(ours.path)) == ["b"]


def set_aside(desk, key):
    """Take the shard of a clip out of the list, as a repair does with one that is damaged."""
    store = open_store(desk.path)
    [(victim,)] = store.rows(f"SELECT shard FROM clips WHERE key = '{key}'")
    write_commit(store.storage, store.state, [], [victim], "made up", repaired=True)


def test_what_a_repair_set_aside_comes_back_from_another_store(desks, make_clip):
    ours, one, _ = desks
    for desk in (ours, one):
        desk.commit(desk.receipt((make_clip("a"),), captions=said("a")), desk.receipt((make_clip("b"),)))
    before = open_store(ours.path).fingerprint()
    set_aside(ours, "a")
    result = merge([one.path], ours.path)
    assert (result.clips, result.equal, result.awaited) == (1, 1, 0)
    assert open_store(ours.path).fingerprint() == before
    assert check_store(ours.path).sound


def test_what_a_repair_of_another_store_set_aside_is_counted_and_left_out(desks, make_clip):
    ours, one, _ = desks
    one.commit(one.receipt((make_clip("a"),), captions=said("a")), one.receipt((make_clip("b"),)))
    set_aside(one, "a")
    result = merge([one.path], ours.path)
    assert (result.clips, result.awaited, result.damage) == (1, 1, [])
    assert keys(open_store(ours.path)) == ["b"]
    assert check_store(ours.path).sound


@pytest.mark.parametrize("keys_at_once", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_killed_at_any_commit_it_is_gone_on_with(desks, make_clip, monkeypatch, keys_at_once):
    monkeypatch.setattr("motionunion.store.merge._KEYS_AT_ONCE", keys_at_once)
    ours, one, two = desks
    one.commit(one.receipt(tuple(map(make_clip, "ace")), (("r", "truncated"),), said(*"ace")))
    two.commit(two.receipt(tuple(map(make_clip, "bdf")), captions=said("b")))
    real, left = Committer.amend, [0]

    def killed(self, *arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(Committer, "amend", killed)
    for allowed in range(20):
        left[0] = allowed
        try:
            merge([one.path, two.path], ours.path)
            break
        except KeyboardInterrupt:
            assert set(keys(open_store(ours.path))) <= set("abcdef")
    store = open_store(ours.path)
    assert keys(store) == list("abcdef")
    assert len(store.state.of_kind("clips")) == 2
    assert check_store(ours.path).sound


def test_a_writer_beside_a_merge_loses_nothing(desks, make_clip, monkeypatch):
    ours, one, _ = desks
    one.commit(one.receipt(tuple(map(make_clip, "abc"))))
    real, raced = Committer.amend, []

    def late(self, *arguments):
        if not raced:
            raced.append(True)
            receipt = ours.receipt((make_clip("a", seed=1), make_clip("z")))
            newer = tuple(replace(row, config="made_up/2") for row in receipt.covered)
            ours.commit(replace(receipt, covered=newer))
        return real(self, *arguments)

    monkeypatch.setattr(Committer, "amend", late)
    merge([one.path], ours.path)
    store = open_store(ours.path)
    found = {clip.key: clip for clip in store.clips()}
    assert sorted(found) == ["a", "b", "c", "z"]
    np.testing.assert_array_equal(found["a"].root_T3, make_clip("a", seed=1).root_T3)
    assert check_store(ours.path).sound


def test_a_copy_that_went_its_own_way_and_a_compacted_store_merge(desk, make_clip, tmp_path):
    for name in "abcd":
        desk.commit(desk.receipt((make_clip(name),), captions=said(name)))
    copy = tmp_path / "copy"
    shutil.copytree(desk.path, copy)
    compact(copy)
    assert merge([copy], desk.path).clips == 0
    drop(copy, "key = 'b'")
    merge([copy], desk.path)
    assert keys(open_store(desk.path)) == ["a", "c", "d"]


@pytest.mark.slow
def test_stores_merge_into_one_on_an_object_store_and_back(desks, make_clip, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("MOTIONUNION_CACHE", str(tmp_path / "cache"))
    ours, one, _ = desks
    one.commit(one.receipt((make_clip("a"), make_clip("b")), (("r", "truncated"),), said("a")))
    ours.commit(ours.receipt((make_clip("b"), make_clip("c")), captions=said("b")))
    place = f"{bucket}/all"
    merge([one.path, ours.path], place)
    merge([place], ours.path)
    assert open_store(place).fingerprint() == open_store(ours.path).fingerprint()
    assert keys(open_store(place)) == ["a", "b", "c"]
    assert compact(place).clips == 3
    assert check_store(place).sound


def test_a_store_is_not_merged_into_itself_nor_one_that_is_not_there(desks):
    ours, one, _ = desks
    with pytest.raises(UsageError, match="into itself"):
        merge([one.path, ours.path], ours.path)
    with pytest.raises(MissingInput):
        merge([ours.path / "nothing"], ours.path)


def test_the_command_counts_what_came_in(desks, make_clip, capsys):
    from cli.upkeep import merge as command

    ours, one, _ = desks
    ours.commit(ours.receipt((make_clip("a"),)))
    one.commit(one.receipt((make_clip("a", seed=1), make_clip("b"))))
    command(stores=[str(one.path)], store=str(ours.path), as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["clips"], shown["conflicts"], shown["damage"]) == (2, 1, [])
    one.commit(one.receipt((make_clip("a", seed=2),)))
    command(stores=[str(one.path)], store=str(ours.path), as_json=False)
    assert "Conflicts: the stores" in capsys.readouterr().out


def rows():
    def covered(outcome, content, version):
        clip = outcome in ("clip", "dropped")
        return Covered(
            source="s",
            key="k",
            size=1,
            mtime_ns=1,
            stamp="1",
            config=f"s/{version} normalise/1 schema/1",
            outcome=outcome,
            clip_id="id" if clip else None,
            content=content if clip else None,
            reason="truncated" if outcome == "reject" else None,
        )

    return st.builds(
        covered, st.sampled_from(["clip", "annotation", "dropped", "reject"]), st.sampled_from("xyz"), st.integers(1, 2)
    )


@st.composite
def lives(draw):
    newest = draw(rows())
    if newest.outcome != "reject":
        return Live(newest=newest, holding=newest)
    holding = draw(st.none() | rows().filter(lambda row: row.outcome != "reject"))
    return Live(newest=newest, holding=holding)


@settings(deadline=None)
@given(st.lists(st.none() | lives(), min_size=2, max_size=4))
def test_a_verdict_stands_when_it_is_given_again(stores):
    verdict = decide(stores)
    assert (verdict is None) == (not any(stores))
    if verdict is None:
        return
    outcomes = {row.outcome for row in verdict.rows}
    if any(live.holding and live.holding.outcome in ("clip", "annotation") for live in stores if live):
        assert outcomes & {"clip", "annotation", "dropped"}
    [newest] = verdict.rows[-1:]
    merged = Live(newest=newest, holding=None if verdict.rows[0].outcome == "reject" else verdict.rows[0])
    again = decide([merged, *stores[1:]])
    assert again is not None
    assert (again.rows, again.news) == (verdict.rows, False)
