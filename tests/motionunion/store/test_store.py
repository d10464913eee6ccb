from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from motionunion.clip import Caption, Segment
from motionunion.errors import MissingInput, StoreError, UsageError
from motionunion.store.check import check_store
from motionunion.store.store import open_store


def assert_same(one, other):
    for field in dataclasses.fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, field.name
            np.testing.assert_array_equal(left, right, err_msg=field.name)
        elif field.name == "face":
            assert left.keys() == right.keys()
            for part in left:
                np.testing.assert_array_equal(left[part], right[part])
        elif field.name == "shipped" and left is not None:
            assert left.representation == right.representation
            assert left.features_TD.dtype == right.features_TD.dtype
            assert left.features_TD.tobytes() == right.features_TD.tobytes()
        else:
            assert left == right, field.name


def test_every_field_of_a_clip_comes_back_bit_for_bit(desk, everything_clip):
    store = desk.commit(desk.receipt(clips=(everything_clip,)))
    assert_same(everything_clip, store.clip(everything_clip.clip_id))


def test_a_clip_of_joints_comes_back(desk, make_clip):
    clip = make_clip("joints", joints=True)
    store = desk.commit(desk.receipt(clips=(clip,)))
    assert_same(clip, store.clip(clip.clip_id))
    assert store.clip(clip.clip_id).kind == "joints"


def test_clips_are_found_across_row_groups_and_filtered(desk, make_clip):
    clips = tuple(make_clip(f"walk{number:03d}", frames=4000) for number in range(9))
    store = desk.commit(desk.receipt(clips=clips))
    assert store.rows("SELECT max(row_group) FROM clips")[0][0] >= 3
    assert [clip.key for clip in store.clips(where="key >= 'walk005'")] == [f"walk{n:03d}" for n in range(5, 9)]
    wanted = [clips[7].clip_id, clips[2].clip_id]
    for read, made in zip(store.read_clips(wanted), (clips[2], clips[7]), strict=True):
        assert_same(read, made)
    by_split = [clip.key for split in ("train", "val", "test") for clip in store.clips(split=split)]
    assert sorted(by_split) == [clip.key for clip in clips]


def test_unknown_clip_and_bad_queries_are_refused_with_a_reason(desk, make_clip):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)))
    with pytest.raises(MissingInput, match="no clip of this id"):
        store.clip("f" * 32)
    with pytest.raises(UsageError, match="no_such_column"):
        store.sql("SELECT no_such_column FROM clips")
    with pytest.raises(UsageError, match="read-only"):
        store.sql("DELETE FROM clips")
    with pytest.raises(UsageError):
        store.sql("SELECT * FROM read_csv('/etc/passwd')")
    for nothing in ("", ";", "-- no more"):
        with pytest.raises(UsageError, match="gives no rows"):
            store.rows(nothing)
    with pytest.raises(UsageError, match="cast it"):
        store.sql("SELECT [INTERVAL 1 DAY]")
    with pytest.raises(UsageError, match="split"):
        next(store.clips(split="dev"))


def test_a_reader_keeps_its_commit_while_others_are_made(desk, make_clip):
    desk.commit(desk.receipt(clips=(make_clip("a"),)))
    reader = open_store(desk.path)
    assert reader.rows("SELECT count(*) FROM clips") == [(1,)]
    late = open_store(desk.path)  # has not opened its index yet
    desk.commit(desk.receipt(clips=(make_clip("b"),))).stats()
    assert reader.rows("SELECT count(*) FROM clips") == [(1,)]
    assert late.rows("SELECT count(*) FROM clips") == [(1,)]
    assert open_store(desk.path).rows("SELECT count(*) FROM clips") == [(2,)]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files to stand for a full disk")
@pytest.mark.parametrize("room", [0, 30_000])
def test_without_room_for_the_index_the_store_answers_and_leaves_no_half_of_one(desk, make_clip, room):
    desk.commit(desk.receipt(clips=(make_clip("a"),)))
    asked = (
        "import resource, sys, duckdb, polars; from motionunion import open_store; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room})); "
        "print(open_store(sys.argv[1]).rows('SELECT count(*) FROM clips'))"
    )
    done = subprocess.run([sys.executable, "-c", asked, str(desk.path)], capture_output=True, text=True)
    assert done.stdout == "[(1,)]\n", done.stderr
    assert list((desk.path / "index").iterdir()) == []


def test_the_index_is_rebuilt_when_deleted_or_damaged(desk, make_clip):
    store = desk.commit(desk.receipt(clips=(make_clip("a"),)))
    fingerprint = store.fingerprint()
    store.close()
    (index,) = (desk.path / "index").glob("*.duckdb")
    index.unlink()
    assert open_store(desk.path).fingerprint() == fingerprint
    (index,) = (desk.path / "index").glob("*.duckdb")
    index.write_bytes(b"no database")
    assert open_store(desk.path).fingerprint() == fingerprint


def test_captions_find_their_clip_whichever_comes_first(desk, make_clip):
    clip = make_clip("a")
    caption = Caption(uid=clip.uid, text="a person walks", layer="mine")
    segment = Segment(uid=clip.uid, name="000001", layer="mine", start_s=0.0, end_s=0.5, split="test")
    store = open_store(desk.path)
    store.append({"captions": [caption], "segments": [segment]}, source="mine", key="captions.csv")
    before = open_store(desk.path)
    assert before.rows("SELECT clip_id, text FROM captions") == [(None, "a person walks")]
    after = desk.commit(desk.receipt(clips=(clip,)))
    assert after.rows("SELECT clip_id, text FROM captions") == [(clip.clip_id, "a person walks")]
    assert after.rows("SELECT clip_id, name, split FROM segments") == [(clip.clip_id, "000001", "test")]
    assert after.rows("SELECT split, official_split FROM clips") == [("test", None)]


def test_appending_again_supersedes_and_the_same_again_commits_nothing(desk):
    def said(*texts: str) -> dict:
        return {"captions": [Caption(uid="x", text=text, layer="mine") for text in texts]}

    store = open_store(desk.path)
    assert store.append(said("one", "two"), source="mine", key="f") == 1
    assert store.append(said("one", "two"), source="mine", key="f") == 1
    assert store.append(said("three"), source="mine", key="f") == 2
    assert open_store(desk.path).rows("SELECT text FROM captions") == [("three",)]
    assert store.append({}, source="mine", key="f") == 3
    assert open_store(desk.path).rows("SELECT text FROM captions") == []
    with pytest.raises(ValueError, match="clips"):
        store.append({"clips": []}, source="mine", key="f")


def test_what_is_no_store_is_refused_with_the_command_that_helps(tmp_path: Path):
    with pytest.raises(MissingInput, match="motionunion ingest"):
        open_store(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    for create in (False, True):
        with pytest.raises(StoreError, match="is a file"):
            open_store(tmp_path / "file", create=create)
        with pytest.raises(StoreError, match=r"cannot be read .*too long"):
            open_store(tmp_path / ("x" * 300), create=create)
    with pytest.raises(StoreError, match="holds other files"):
        open_store(tmp_path, create=True)
    with pytest.raises(UsageError, match="s3://"):
        open_store("ftp://bucket/store")


def test_an_empty_store_answers_everything(desk):
    store = open_store(desk.path)
    assert store.commit == 0
    assert list(store.clips()) == []
    assert store.rows("SELECT count(*) FROM captions") == [(0,)]
    assert store.sql("SELECT * FROM rejects").height == 0
    assert len(store.fingerprint()) == 64


def test_a_damaged_clip_is_never_served(desk, make_clip):
    clip = make_clip("a", frames=2000)
    store = desk.commit(desk.receipt(clips=(clip,)))
    store.fingerprint()
    (path,) = (desk.path / "shards").glob("clips-*")
    data = bytearray(path.read_bytes())
    path.chmod(0o644)
    for place in np.random.default_rng(0).integers(4, len(data) - 8, size=40):
        damaged = data.copy()
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        try:
            read = store.clip(clip.clip_id)
        except StoreError:
            continue
        assert_same(read, clip)  # the byte was one that no value depends on


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: data[: len(data) // 2] + b"U" * (len(data) // 2)]
)
def test_an_index_that_is_damaged_beyond_its_head_is_built_anew(desk, make_clip, damage):
    desk.commit(desk.receipt(clips=tuple(make_clip(f"clip {number}") for number in range(40)))).stats()
    (index,) = (desk.path / "index").glob("*.duckdb")
    index.write_bytes(damage(index.read_bytes()))
    assert len(open_store(desk.path).rows("SELECT * FROM clips JOIN receipts USING (key)")) == 40
    (index,) = (desk.path / "index").glob("*.duckdb")
    index.write_bytes(damage(index.read_bytes()))
    assert open_store(desk.path).sql("SELECT * FROM clips JOIN receipts USING (key)").height == 40


def test_a_newest_commit_that_went_missing_is_not_passed_over(desk, make_clip):
    desk.commit(desk.receipt(clips=(make_clip("a"),)))
    desk.commit(desk.receipt(clips=(make_clip("b"),)))
    (desk.path / "commits" / f"{2:020d}.json").unlink()
    with pytest.raises(StoreError, match="_latest names it"):
        open_store(desk.path)
    assert [one["file"] for one in check_store(desk.path).damage] == ["commits/_latest"]
    (desk.path / "commits" / "_latest").unlink()
    assert open_store(desk.path).commit == 1
    (desk.path / "commits" / "_latest").write_text("no number")
    assert open_store(desk.path).commit == 1


def test_a_start_that_was_killed_before_store_json_is_begun_again(tmp_path):
    for name in ("commits", "shards"):
        (tmp_path / "store" / name).mkdir(parents=True)
    (tmp_path / "store" / ".tmp-0123").write_bytes(b"half a file")
    assert open_store(tmp_path / "store", create=True).commit == 0


def test_a_folder_of_other_things_named_like_ours_is_left_alone(tmp_path):
    (tmp_path / "store" / "cache").mkdir(parents=True)
    (tmp_path / "store" / "cache" / "photo.jpg").write_bytes(b"")
    with pytest.raises(StoreError, match="holds other files"):
        open_store(tmp_path / "store", create=True)


def test_a_folder_named_like_a_url_is_a_folder(desk, make_clip, tmp_path, monkeypatch):
    desk.commit(desk.receipt(clips=(make_clip("a"),)))
    desk.path.rename(tmp_path / "s3:x")
    monkeypatch.chdir(tmp_path)
    with open_store("s3:x") as store:
        assert [clip.key for clip in store.clips()] == ["a"]
