from __future__ import annotations

import json

import pytest

from motionunion.clip import Caption, Segment
from motionunion.errors import UsageError
from motionunion.store.check import check_store
from motionunion.store.committer import Committer
from motionunion.store.compact import compact
from motionunion.store.drop import drop, undrop
from motionunion.store.store import open_store


def keys(store):
    return [key for (key,) in store.rows("SELECT key FROM clips ORDER BY key")]


def said(*names):
    return {name: (Caption(uid=f"made_up/{name}", text=f"{name} walks", layer="x"),) for name in names}


@pytest.fixture
def three(desk, make_clip):
    """A desk with clips a, b and c in one shard."""
    desk.commit(desk.receipt(clips=tuple(map(make_clip, "abc")), captions=said(*"abc")))
    return desk


def test_dropped_clips_are_gone_with_what_their_files_say_of_them(desk, make_clip):
    cut = {"a": (Segment(uid="made_up/a", name="s", layer="x", start_s=0, end_s=0.5),)}
    desk.commit(desk.receipt(clips=tuple(map(make_clip, "abc")), captions=said(*"abc"), segments=cut))
    before = {path.name for path in (desk.path / "shards").iterdir()}
    result = drop(desk.path, "key = 'a'")
    assert (result.clips, result.frames, result.sources["made_up"].clips) == (1, 20, 1)
    assert result.hours == pytest.approx(20 / 30 / 3600)
    store = open_store(desk.path)
    assert keys(store) == ["b", "c"]
    assert store.rows("SELECT text FROM captions ORDER BY text") == [("b walks",), ("c walks",)]
    assert store.rows("SELECT * FROM segments") == []
    assert [name.split("-")[0] for name in {path.name for path in (desk.path / "shards").iterdir()} - before] == [
        "receipts"
    ]
    assert check_store(desk.path).sound


def test_a_condition_may_end_in_a_comment(three):
    assert drop(three.path, "key = 'a' -- too short").clips == 1
    assert undrop(three.path, "key = 'a' -- not so short").clips == 1


def test_the_fingerprint_is_that_of_a_store_without_what_was_dropped(three, make_clip, tmp_path):
    drop(three.path, "key = 'b'")
    other = type(three)(tmp_path / "other")
    other.commit(other.receipt(clips=(make_clip("a"), make_clip("c")), captions=said("a", "c")))
    assert open_store(three.path).fingerprint() == open_store(other.path).fingerprint()


def test_dropped_stays_dropped_when_the_same_is_read_again(three, make_clip):
    drop(three.path, "key = 'a'")
    again = three.receipt(clips=tuple(map(make_clip, "abc")), captions=said(*"abc"))
    assert three.commit(again).commit == 2  # nothing new
    neighbour = three.receipt(clips=(make_clip("a"), make_clip("b"), make_clip("c", seed=1)), captions=said(*"abc"))
    assert keys(three.commit(neighbour)) == ["b", "c"]
    other_words = three.receipt(clips=(make_clip("a"),), captions={"a": said("b")["b"]})
    store = three.commit(other_words)
    assert keys(store) == ["b", "c"]
    assert store.rows("SELECT text FROM captions ORDER BY text") == [("b walks",), ("c walks",)]
    assert check_store(three.path).sound


def test_dropped_stays_dropped_over_a_reject_in_between(three, make_clip):
    drop(three.path, "key = 'a'")
    refused = three.commit(three.receipt(rejects=(("a", "unreadable"),), stamp="2"))
    assert refused.rows("SELECT key, reason FROM rejects") == [("a", "unreadable")]
    store = three.commit(three.receipt(clips=(make_clip("a"),), captions=said("a"), stamp="3"))
    assert keys(store) == ["b", "c"]
    assert store.rows("SELECT * FROM rejects") == []


def test_another_content_of_a_dropped_key_comes_in(three, make_clip):
    drop(three.path, "key = 'a'")
    store = three.commit(three.receipt(clips=(make_clip("a", seed=1),)))
    assert keys(store) == ["a", "b", "c"]
    back = three.commit(three.receipt(clips=(make_clip("a"),)))
    assert keys(back) == ["a", "b", "c"]  # what was dropped is history by now


def test_a_dropped_clip_does_not_rise_again_from_an_older_receipt(three, make_clip):
    drop(three.path, "key = 'a'")
    for name in "bc":
        three.commit(three.receipt(clips=(make_clip(name, seed=2),), captions=said(name)))
        store = open_store(three.path)
        committer = Committer(store.storage, "look")  # from disk
        live = committer.ledger.live([("made_up", "a")])["made_up", "a"]
        committer.close()
        assert live.holding.outcome == live.newest.outcome == "dropped"
        assert keys(store) == ["b", "c"]
    refused = three.commit(three.receipt(rejects=(("a", "truncated"),), stamp="2"))
    compact(three.path)
    for store in (refused, open_store(three.path)):
        assert keys(store) == ["b", "c"]
    assert keys(three.commit(three.receipt(clips=(make_clip("a"),), stamp="3"))) == ["b", "c"]
    assert check_store(three.path).sound


def test_a_clip_behind_a_reject_can_be_dropped_and_the_reject_stays(three):
    three.commit(three.receipt(rejects=(("a", "truncated"),), stamp="2"))
    drop(three.path, "key = 'a'")
    store = open_store(three.path)
    assert (keys(store), store.rows("SELECT key, reason FROM rejects")) == (["b", "c"], [("a", "truncated")])
    assert check_store(three.path).sound


def test_undrop_makes_the_next_ingest_read_the_file_again(three, make_clip):
    drop(three.path, "key <> 'c'", more_than_half=True)
    before = open_store(three.path)
    result = undrop(three.path, "source = 'made_up' and key = 'a'")
    assert (result.clips, list(result.sources)) == (1, ["made_up"])
    store = open_store(three.path)
    assert store.fingerprint() == before.fingerprint()  # until it is read
    receipt = three.receipt(clips=tuple(map(make_clip, "abc")), captions=said(*"abc"))
    committer = Committer(store.storage, "look")
    known = committer.ledger.up_to_date(receipt.covered)
    committer.close()
    assert sorted(key for _, key in known) == ["b", "c"]
    assert keys(three.commit(receipt)) == ["a", "c"]
    assert undrop(three.path, "key = 'a'").clips == 0
    assert check_store(three.path).sound


def test_what_was_undropped_stays_so_over_a_reject_in_between(three, make_clip):
    drop(three.path, "key = 'a'")
    undrop(three.path, "true")
    three.commit(three.receipt(rejects=(("a", "truncated"),), stamp="2"))
    assert keys(three.commit(three.receipt(clips=(make_clip("a"),), stamp="3"))) == ["a", "b", "c"]


def test_a_dry_run_counts_and_changes_nothing(three):
    result = drop(three.path, "true", dry_run=True)
    assert (result.clips, result.commit, open_store(three.path).commit) == (3, 1, 1)
    drop(three.path, "key = 'a'")
    assert undrop(three.path, "true", dry_run=True).clips == 1
    assert open_store(three.path).commit == 2


def test_more_than_half_of_a_store_is_not_dropped_by_mistake(three):
    with pytest.raises(UsageError, match=r"2 of the 3 clips.*--yes"):
        drop(three.path, "key <> 'a'")
    assert open_store(three.path).commit == 1
    assert drop(three.path, "key <> 'a'", more_than_half=True).clips == 2


@pytest.mark.parametrize("where", ["nonsense = 1", "key = 'a' order by", "select"])
def test_a_bad_condition_is_refused(three, where):
    for call in (drop, undrop):
        with pytest.raises(UsageError):
            call(three.path, where)
    assert open_store(three.path).commit == 1


def test_a_condition_reaches_no_file(three, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    drop(three.path, "key = 'a'")
    for call in (drop, undrop):
        with pytest.raises(UsageError):
            call(three.path, f"exists (from read_csv('{secret}'))")


def test_a_drop_beside_a_writer_takes_what_it_saw_and_nothing_newer(three, make_clip, monkeypatch):
    real, raced = Committer.amend, []

    def late(self, addresses, rule, shards=()):
        if not raced:
            raced.append(True)
            three.commit(three.receipt(clips=(make_clip("a", seed=1), make_clip("d"))))
        return real(self, addresses, rule, shards)

    monkeypatch.setattr(Committer, "amend", late)
    result = drop(three.path, "key in ('a', 'b')", more_than_half=True)
    assert (result.clips, result.changed_meanwhile) == (2, 1)
    assert keys(open_store(three.path)) == ["a", "c", "d"]
    assert check_store(three.path).sound


def test_the_command_drops_and_undoes(three, capsys):
    from cli.upkeep import drop as command

    command(where="key = 'a'", store=str(three.path), undo=False, dry_run=False, yes=False, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["clips"], shown["sources"]["made_up"]["frames"], shown["commit"]) == (1, 20, 2)
    command(where="true", store=str(three.path), undo=True, dry_run=False, yes=False, as_json=False)
    assert "wanted again" in capsys.readouterr().out
