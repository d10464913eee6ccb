from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from motionunion.clip import Caption, Segment
from motionunion.errors import UsageError
from motionunion.store.check import check_store
from motionunion.store.committer import Committer
from motionunion.store.compact import compact
from motionunion.store.drop import drop
from motionunion.store.regroup import regroup
from motionunion.store.shards import ROW_GROUP_BYTES, shard_path
from motionunion.store.store import open_store


def said(*names):
    return {name: (Caption(uid=f"made_up/{name}", text=f"{name} walks", layer="x"),) for name in names}


def cut(*names):
    return {
        name: tuple(
            Segment(uid=f"made_up/{name}", name=str(part), layer="x", start_s=part / 10, end_s=0.5) for part in range(3)
        )
        for name in names
    }


@pytest.fixture
def scattered(desk, make_clip, everything_clip):
    """A store of many small runs, with rejects, rows superseded, and a reject over a clip."""
    committer = Committer(open_store(desk.path).storage, "made up")
    runs = [
        desk.receipt(
            (make_clip(name),), captions=said(name), segments=cut(name), rejects=((f"{name} bad", "truncated"),)
        )
        for name in ["g", "a", "e", "c", "f", "b", "d"]
    ]
    for receipt in (
        *runs,
        desk.receipt((make_clip("a", seed=1), everything_clip), captions=said("a")),
        desk.receipt(rejects=(("b", "unreadable"),), stamp="2"),
        desk.receipt((make_clip("a", source="other"),), source="other"),
        desk.receipt((make_clip("b", source="other"),), source="other"),
    ):
        committer.add(receipt)
        committer.flush()
    committer.close()
    return desk


def count(store):
    return {kind: len(store.state.of_kind(kind)) for kind in ("clips", "captions", "segments", "rejects", "receipts")}


def values(store):
    return {clip.clip_id: clip for clip in store.clips()}


def test_compaction_makes_one_shard_of_each_kind_and_source_and_changes_no_answer(scattered):
    before = open_store(scattered.path)
    queries = (
        "SELECT source, key, text, clip_id FROM captions ORDER BY ALL",
        "SELECT source, key, name, start_s, clip_id FROM segments ORDER BY ALL",
        "SELECT source, key, file, reason FROM rejects ORDER BY ALL",
        "SELECT source, key, clip_id, content FROM clips ORDER BY ALL",
    )
    answers = [before.rows(query) for query in queries]
    clips = values(before)
    result = compact(scattered.path)
    after = open_store(scattered.path)
    assert result.after == {"clips": 2, "captions": 1, "segments": 1, "rejects": 1, "receipts": 2}
    assert after.fingerprint() == before.fingerprint()
    assert [after.rows(query) for query in queries] == answers
    assert sorted(values(after)) == sorted(clips)
    for clip_id, clip in values(after).items():
        assert clip.provenance == clips[clip_id].provenance
        if clip.root_T3 is not None:
            np.testing.assert_array_equal(clip.root_T3, clips[clip_id].root_T3)
    assert check_store(scattered.path).sound


def test_rows_of_a_compacted_shard_are_sorted_by_key(scattered):
    compact(scattered.path)
    store = open_store(scattered.path)
    for shard in store.state.shards.values():
        table = pq.read_table(scattered.path / shard_path(shard.name), columns=["key"])
        keys = table.column("key").to_pylist()
        assert keys == sorted(keys)


def test_compacting_twice_does_nothing_the_second_time(scattered):
    first = compact(scattered.path)
    second = compact(scattered.path)
    assert (second.commits, second.commit, second.after) == (0, first.commit, first.after)


def test_the_same_state_gives_the_same_shards(scattered, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(scattered.path, copy)
    compact(scattered.path)
    compact(copy)
    assert set(open_store(copy).state.shards) == set(open_store(scattered.path).state.shards)


def test_what_was_read_stays_read_and_refused_files_stay_refused(scattered, make_clip):
    receipt = scattered.receipt((make_clip("c"), make_clip("d")), captions=said("c", "d"), segments=cut("c", "d"))
    refused = scattered.receipt(rejects=(("b", "unreadable"),), stamp="2")
    compact(scattered.path)
    before = open_store(scattered.path).commit
    assert scattered.commit(receipt, refused).commit == before  # says nothing new
    committer = Committer(open_store(scattered.path).storage, "look")
    known = committer.ledger.up_to_date(receipt.covered)
    committer.close()
    assert sorted(key for _, key in known) == ["c", "d"]


def test_rows_superseded_and_dropped_are_left_behind(scattered):
    drop(scattered.path, "key = 'c'")
    compact(scattered.path)
    store = open_store(scattered.path)
    [clips] = [shard for shard in store.state.of_kind("clips") if "made_up" in shard.name]
    table = pq.read_table(scattered.path / shard_path(clips.name), columns=["key"])
    assert table.column("key").to_pylist() == ["a", "b", "d", "e", "f", "full", "g"]
    assert (
        sum(shard.rows for shard in store.state.of_kind("receipts"))
        == store.rows("SELECT count(*) FROM receipts")[0][0] + 1
    )


def test_a_lone_shard_is_left_alone_unless_rows_of_it_are_dead(desk, make_clip):
    desk.commit(desk.receipt(tuple(map(make_clip, "abc"))))
    assert compact(desk.path).commits == 0
    drop(desk.path, "key = 'a'")
    result = compact(desk.path)
    assert result.clips == 2
    assert [shard.rows for shard in open_store(desk.path).state.of_kind("clips")] == [2]
    assert compact(desk.path).commits == 0


def test_shards_are_cut_near_the_target_and_full_ones_are_not_touched(desk, make_clip):
    committer = Committer(open_store(desk.path).storage, "made up")
    for number in range(12):
        committer.add(desk.receipt((make_clip(f"k{number:02d}", frames=60),)))  # about 20 KB each
        committer.flush()
    committer.close()
    size = open_store(desk.path).state.of_kind("clips")[0].bytes
    target = max(3 * size, 64 << 10)
    compact(desk.path, target=target)
    shards = open_store(desk.path).state.of_kind("clips")
    assert 1 < len(shards) < 12
    assert all(shard.bytes <= 1.1 * target for shard in shards)
    assert sum(shard.bytes < target / 2 for shard in shards) <= 1
    assert compact(desk.path, target=target).commits == 0
    desk.commit(desk.receipt((make_clip("k99", frames=60),)))
    full = {shard.name for shard in shards if shard.bytes >= target / 2}
    compact(desk.path, target=target)
    assert full <= {shard.name for shard in open_store(desk.path).state.of_kind("clips")}
    assert check_store(desk.path).sound


def test_row_groups_of_a_compacted_shard_are_capped(desk, make_clip):
    frames = ROW_GROUP_BYTES // (4 * 69) // 2 + 1
    for name in "abcde":
        desk.commit(desk.receipt((make_clip(name, frames=frames),)))
    compact(desk.path)
    [shard] = open_store(desk.path).state.of_kind("clips")
    metadata = pq.read_metadata(desk.path / shard_path(shard.name))
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [2, 2, 1]
    assert [clip.key for clip in open_store(desk.path).clips()] == list("abcde")


def test_a_damaged_clip_stops_its_shard_alone_and_is_named(scattered):
    store = open_store(scattered.path)
    victim = store.rows("SELECT shard FROM clips WHERE key = 'c'")[0][0]
    path = scattered.path / shard_path(victim)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(bytes(data))
    result = compact(scattered.path)
    assert [one["file"] for one in result.damage] == [f"shards/{victim}"]
    after = open_store(scattered.path)
    assert after.fingerprint() == store.fingerprint()
    assert after.rows("SELECT shard FROM clips WHERE key = 'c'") == [(victim,)]
    assert count(after)["clips"] == 3
    assert compact(scattered.path).commits == 0


def test_a_clip_whose_content_is_not_its_hash_is_not_copied(scattered, monkeypatch):
    monkeypatch.setattr("motionunion.store.regroup.row_content", lambda row: "0" * 64)
    before = open_store(scattered.path)
    result = compact(scattered.path)
    assert len(result.damage) == count(before)["clips"] - 2  # of each source the last one is alone, and left as it is
    assert "is not what was written" in result.damage[0]["problem"]
    assert count(open_store(scattered.path))["clips"] == count(before)["clips"]


def test_a_shard_of_captions_with_one_flipped_bit_is_not_copied(scattered):
    store = open_store(scattered.path)
    victim = store.state.of_kind("captions")[0]
    path = scattered.path / shard_path(victim.name)
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(bytes(data))
    result = compact(scattered.path)
    assert [one["file"] for one in result.damage] == [shard_path(victim.name)]
    assert result.after["captions"] == 2


def test_a_shard_that_the_disk_does_not_give_is_left_alone_and_named(scattered):
    victim = open_store(scattered.path).state.of_kind("captions")[0]
    path = scattered.path / shard_path(victim.name)
    path.unlink()
    path.mkdir()  # read errors alike
    result = compact(scattered.path)
    assert [one["file"] for one in result.damage] == [shard_path(victim.name)]
    assert "cannot be read" in result.damage[0]["problem"]
    assert result.after["captions"] == 2


def test_sources_whose_names_differ_in_a_sign_alone_are_kept_apart(desk):
    for source in ("my words", "my-words", "my/words"):
        captions = [Caption(uid="made_up/a", text=f"{source} {number}", layer="x") for number in range(2)]
        open_store(desk.path).append({"captions": captions}, source=source, key="list.csv")
        before = open_store(desk.path).fingerprint()
        assert compact(desk.path).damage == []
        assert open_store(desk.path).fingerprint() == before
    assert count(open_store(desk.path))["captions"] == 3
    assert open_store(desk.path).rows("SELECT source, count(*) FROM captions GROUP BY ALL ORDER BY ALL") == [
        ("my words", 2),
        ("my-words", 2),
        ("my/words", 2),
    ]
    assert check_store(desk.path).sound


def test_a_newer_receipt_of_another_writer_is_never_overridden(scattered, make_clip, monkeypatch):
    raced = []

    def late(*arguments):
        shard = regroup(*arguments)
        if not raced:
            raced.append(True)
            scattered.commit(
                scattered.receipt((make_clip("c", seed=5), make_clip("new")), rejects=(("d", "truncated"),), stamp="9")
            )
            drop(scattered.path, "key = 'e'")
        return shard

    monkeypatch.setattr("motionunion.store.compact.regroup", late)
    compact(scattered.path)
    store = open_store(scattered.path)
    found = {clip.key: clip for clip in store.clips(where="source = 'made_up'")}
    assert sorted(found) == ["a", "b", "c", "d", "f", "full", "g", "new"]
    np.testing.assert_array_equal(found["c"].root_T3, make_clip("c", seed=5).root_T3)
    assert ("d", "truncated") in store.rows("SELECT key, reason FROM rejects")
    assert store.rows("SELECT text FROM captions WHERE key = 'c'") == []
    assert check_store(scattered.path).sound


@pytest.mark.parametrize(
    "commits", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_killed_between_its_commits_it_is_gone_on_with(scattered, commits, monkeypatch):
    before = open_store(scattered.path).fingerprint()
    real, left = Committer.amend, [commits]

    def killed(self, *arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(Committer, "amend", killed)
    with pytest.raises(KeyboardInterrupt):
        compact(scattered.path)
    assert open_store(scattered.path).fingerprint() == before
    monkeypatch.undo()
    compact(scattered.path)
    assert compact(scattered.path).commits == 0
    assert open_store(scattered.path).fingerprint() == before
    assert check_store(scattered.path).sound


def test_earlier_commits_and_open_readers_keep_their_shards(scattered):
    reader = open_store(scattered.path)
    seen = values(reader)
    compact(scattered.path)
    assert sorted(values(reader)) == sorted(seen)
    with open_store(scattered.path, at=reader.commit) as earlier:
        assert earlier.fingerprint() == reader.fingerprint()
        assert sorted(values(earlier)) == sorted(seen)


def test_an_empty_store_needs_no_compaction(desk):
    assert compact(desk.path).commits == 0


def test_a_silly_target_is_refused(desk):
    with pytest.raises(UsageError, match="at least 65536"):
        compact(desk.path, target=1000)


def test_the_command_tells_of_shards_and_of_damage(scattered, capsys):
    import typer

    from cli.upkeep import compact as command

    victim = open_store(scattered.path).rows("SELECT shard FROM clips WHERE key = 'c'")[0][0]
    (scattered.path / shard_path(victim)).write_bytes(b"x")
    with pytest.raises(typer.Exit) as left:
        command(store=str(scattered.path), target="1MiB", as_json=True)
    assert left.value.exit_code == 4
    shown = capsys.readouterr()
    assert json.loads(shown.out)["after"]["captions"] == 1
    assert victim in shown.err
    drop(scattered.path, "key = 'c'")
    command(store=str(scattered.path), target="1MiB", as_json=False)
    command(store=str(scattered.path), target="1MiB", as_json=False)
    assert "There was nothing to do" in capsys.readouterr().out
