from __future__ import annotations

import errno

import pytest

from motionunion.clip import Caption
from motionunion.errors import StoreError
from motionunion.store.check import check_store
from motionunion.store.committer import Committer
from motionunion.store.storage import LocalStorage
from motionunion.store.store import open_store
from motionunion.store.trouble import storage_trouble


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


class Failing(LocalStorage):
    """A folder whose writes of some names fail, before or after they are done."""

    def __init__(self, root, names, *, after=False):
        super().__init__(root)
        self.names, self.after, self.left = names, after, 1

    def _write(self, write, name, data):
        hit = name.startswith(self.names) and self.left > 0
        self.left -= hit
        if hit and not self.after:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = write(name, data)
        if hit:
            raise OSError(errno.EIO, "Input/output error")
        return done

    def put(self, name, data):
        return self._write(super().put, name, data)

    def put_if_absent(self, name, data):
        return self._write(super().put_if_absent, name, data)


@pytest.mark.parametrize("names", ["commits/0", "commits/_latest", "checkpoints/", "shards/receipts"])
@pytest.mark.parametrize("after", [False, True])
def test_receipts_outlive_a_commit_that_fails(desk, make_clip, names, after):
    receipts = [desk.receipt(clips=(make_clip(name),), rejects=((f"{name} bad", "truncated"),)) for name in "ab"]
    storage = Failing(desk.path, names, after=after)
    committer = Committer(storage, "failing")
    for receipt in receipts:
        committer.add(receipt)
    with pytest.raises(StoreError, match=r"(disk is full|Input/output error).*commit 0 is safe"):
        committer.flush()
    committer.flush()
    committer.close()
    store = open_store(desk.path)
    assert (store.commit, keys(store)) == (1, ["a", "b"])
    assert check_store(desk.path).sound


def test_of_two_receipts_of_one_file_the_later_one_is_newer(desk, make_clip):
    store = desk.commit(
        desk.receipt(clips=(make_clip("a"), make_clip("b"))),
        desk.receipt(clips=(make_clip("a", seed=1),)),
        desk.receipt(rejects=(("b", "truncated"),)),
    )
    assert store.commit == 2
    assert store.clip(make_clip("a").clip_id).root_T3.tolist() == make_clip("a", seed=1).root_T3.tolist()
    assert (keys(store), store.rows("SELECT key FROM rejects")) == (["a", "b"], [("b",)])


def test_a_shard_that_was_deleted_before_it_is_committed_costs_its_task_alone(desk, make_clip):
    lost, kept = desk.receipt(clips=(make_clip("a"),)), desk.receipt(clips=(make_clip("b"),))
    (desk.path / "shards" / lost.shards[0].name).unlink()
    committer = Committer(open_store(desk.path).storage, "beside gc")
    committer.add(lost)
    committer.add(kept)
    with pytest.raises(StoreError, match=f"{lost.shards[0].name}: was removed before it was committed"):
        committer.flush()
    committer.flush()
    assert keys(open_store(desk.path)) == ["b"]
    assert keys(desk.commit(desk.receipt(clips=(make_clip("a"),)))) == ["a", "b"]
    assert check_store(desk.path).sound


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x"])
def test_a_shard_of_another_length_is_not_committed(desk, make_clip, change):
    receipt = desk.receipt(clips=(make_clip("a"),))
    path = desk.path / "shards" / receipt.shards[0].name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(StoreError, match="was removed before it was committed"):
        desk.commit(receipt)
    assert open_store(desk.path).commit == 0


def test_what_lost_its_shard_comes_in_again_though_nothing_new_is_said(desk, make_clip):
    receipt = desk.receipt(clips=(make_clip("a"), make_clip("b")))
    before = desk.commit(receipt)
    alone = desk.commit(desk.receipt(clips=(make_clip("a"),), stamp="2"))
    (desk.path / "shards" / before.state.of_kind("clips")[0].name).unlink()
    assert alone.commit == 2
    again = desk.commit(desk.receipt(clips=(make_clip("a"),)), desk.receipt(clips=(make_clip("b"),)))
    assert sorted(clip.key for clip in again.clips()) == ["a", "b"]
    assert not {shard.name for shard in before.state.of_kind("clips")} & set(again.state.shards)


def test_a_rule_is_asked_again_when_another_writer_was_first(desk, make_clip):
    desk.commit(desk.receipt(clips=(make_clip("a"), make_clip("b"))))
    committer = Committer(open_store(desk.path).storage, "amend")
    seen = []

    def rule(address, live):
        if not seen:
            desk.commit(desk.receipt(clips=(make_clip("b", seed=1),)))
        seen.append((address[1], live.holding.content))
        return [live.holding.dropped()] if address[1] == "a" else None

    said = committer.amend([("made_up", "a"), ("made_up", "b")], rule)
    committer.close()
    assert [one.key for one in said] == ["a"]
    assert [key for key, _ in seen] == ["a", "b", "a", "b"]
    assert seen[1] != seen[3]
    assert keys(open_store(desk.path)) == ["b"]


def test_trouble_of_a_remote_store_gives_no_advice_about_disks():
    message = str(storage_trouble("s3://bucket/store", PermissionError(errno.EACCES, "Permission denied"), 7))
    assert message == (
        "s3://bucket/store: Permission denied. Everything up to commit 7 is safe; run the same command again to go on from "
        "there."
    )
    assert "the disk is full" in str(storage_trouble("/store", OSError(errno.ENOSPC, "No space left on device"), 7))
