from __future__ import annotations

from motionunion.clip import Caption
from motionunion.store.check import check_store
from motionunion.store.committer import Committer
from motionunion.store.store import open_store


def keys(store):
    return [key for (key,) in store.rows("SELECT key FROM clips ORDER BY key")]


def test_two_writers_at_once_lose_nothing(desk, make_clip):
    storage = open_store(desk.path).storage
    one, two = (Committer(storage, name) for name in ("one", "two"))
    one.add(desk.receipt(clips=(make_clip("a"), make_clip("b"))))
    two.add(desk.receipt(clips=(make_clip("c"),)))
    one.flush()
    two.flush()
    assert (one.state.number, two.state.number) == (1, 2)
    store = open_store(desk.path)
    assert keys(store) == ["a", "b", "c"]
    assert check_store(desk.path).sound


def test_two_writers_of_the_same_work_commit_it_once(desk, make_clip):
    storage = open_store(desk.path).storage
    receipt = desk.receipt(clips=(make_clip("a"),))
    one, two = (Committer(storage, name) for name in ("one", "two"))
    for writer in (one, two):
        writer.add(receipt)
        writer.flush()
    assert (one.commits, two.commits) == ([1], [])
    assert open_store(desk.path).commit == 1


def test_commits_are_made_at_most_every_thirty_seconds_and_at_the_end(desk, make_clip):
    now = [0.0]
    committer = Committer(open_store(desk.path).storage, "slow", clock=lambda: now[0])
    for number in range(8):
        now[0] += 10
        committer.add(desk.receipt(clips=(make_clip(f"c{number}"),)))
    assert committer.commits == [1, 2]
    assert len(keys(open_store(desk.path))) == 6
    committer.flush()
    assert committer.commits == [1, 2, 3]
    assert len(keys(open_store(desk.path))) == 8


def test_a_superseded_shard_goes_only_when_all_its_rows_are_covered(desk, make_clip):
    desk.commit(desk.receipt(clips=(make_clip("a"), make_clip("b"))))
    old = {shard.name for shard in open_store(desk.path).state.of_kind("clips")}
    half = desk.commit(desk.receipt(clips=(make_clip("a", seed=1),)))
    assert old <= set(half.state.shards)
    assert keys(half) == ["a", "b"]
    whole = desk.commit(desk.receipt(clips=(make_clip("b", seed=1),)))
    assert not old & set(whole.state.shards)
    assert keys(whole) == ["a", "b"]


def test_going_back_to_an_earlier_content_makes_it_the_newest_again(desk, make_clip):
    first = desk.receipt(clips=(make_clip("a"), make_clip("b")))
    at_first = desk.commit(first).fingerprint()
    changed = desk.commit(desk.receipt(clips=(make_clip("a", seed=1),)))
    assert changed.fingerprint() != at_first
    back = desk.commit(first)
    assert back.fingerprint() == at_first
    assert back.rows("SELECT DISTINCT commit_number FROM clips") == [(3,)]
    assert check_store(desk.path).sound


def test_the_fingerprint_does_not_depend_on_order_layout_or_number_of_commits(desk, make_clip, tmp_path):
    from pathlib import Path

    clips = [make_clip(name) for name in "abcd"]
    together = desk.commit(desk.receipt(clips=tuple(clips), rejects=(("x", "bad_format"),))).fingerprint()
    other = type(desk)(Path(tmp_path / "other"))
    other.commit(other.receipt(rejects=(("x", "bad_format"),)))
    for clip in reversed(clips):
        other.commit(other.receipt(clips=(clip,), stamp="other time"))
    assert open_store(other.path).fingerprint() == together


def test_the_fingerprint_tells_apart_values_captions_and_rejects(desk, make_clip):
    said = {"a": (Caption(uid="made_up/a", text="walks", layer="x"),)}
    other = {"a": (Caption(uid="made_up/a", text="walks.", layer="x"),)}
    seen = [
        desk.commit(receipt).fingerprint()
        for receipt in (
            desk.receipt(clips=(make_clip("a"),)),
            desk.receipt(clips=(make_clip("a"),), captions=said),
            desk.receipt(clips=(make_clip("a"),), captions=other),
            desk.receipt(clips=(make_clip("a", gender="male"),), captions=other),
            desk.receipt(rejects=(("z", "truncated"),)),
        )
    ]
    assert len(set(seen)) == 5


def test_a_reject_of_a_clip_keeps_the_clip_and_its_captions(desk, make_clip):
    said = {"a": (Caption(uid="made_up/a", text="walks", layer="x"),)}
    desk.commit(desk.receipt(clips=(make_clip("a"),), captions=said))
    store = desk.commit(desk.receipt(rejects=(("a", "truncated"),), stamp="2"))
    assert keys(store) == ["a"]
    assert store.rows("SELECT text FROM captions") == [("walks",)]
    assert store.rows("SELECT key, reason FROM rejects") == [("a", "truncated")]
    again = desk.commit(desk.receipt(clips=(make_clip("a"),), stamp="3"))
    assert again.rows("SELECT * FROM rejects") == []
    assert again.rows("SELECT text FROM captions") == []  # the newest reading says nothing
