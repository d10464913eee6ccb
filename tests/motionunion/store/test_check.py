from __future__ import annotations

import errno

import numpy as np
import pytest

from motionunion.clip import Caption
from motionunion.digest import sha256_file
from motionunion.errors import MissingInput, StoreError
from motionunion.store.check import check_store
from motionunion.store.shards import write_shard
from motionunion.store.storage import LocalStorage
from motionunion.store.store import open_store


@pytest.fixture
def filled(desk, make_clip):
    """A store of two commits with every kind of file in it."""
    said = {"a": (Caption(uid="made_up/a", text="walks", layer="x"),)}
    desk.commit(desk.receipt(clips=(make_clip("a"), make_clip("b", frames=200)), captions=said))
    desk.commit(desk.receipt(clips=(make_clip("c"),), rejects=(("d", "truncated"),)))
    open_store(desk.path).fingerprint()
    return desk.path


def test_a_sound_store_is_sound(filled):
    report = check_store(filled)
    assert report.sound, report.damage
    assert (report.commits, report.clips, report.dangling) == (2, 3, [])
    assert report.shards == len(list((filled / "shards").iterdir()))


@pytest.mark.parametrize("folder", ["commits", "shards", "store.json"])
def test_a_flipped_byte_and_a_cut_tail_are_found_anywhere(filled, folder):
    random = np.random.default_rng(3)
    paths = [filled / folder] if (filled / folder).is_file() else sorted((filled / folder).iterdir())
    for path in (path for path in paths if path.name != "_latest"):
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[random.integers(len(whole))] ^= 1 << random.integers(8)
        for damaged in (bytes(flipped), whole[: random.integers(len(whole))]):
            path.write_bytes(damaged)
            report = check_store(filled)
            assert any(path.name in damage["file"] for damage in report.damage), path.name
        path.write_bytes(whole)
    assert check_store(filled).sound


def test_a_missing_shard_and_a_missing_commit_are_found(filled):
    shard = next((filled / "shards").glob("clips-*"))
    commit = filled / "commits" / f"{1:020d}.json"
    for path in (shard, commit):
        data = path.read_bytes()
        path.unlink()
        assert check_store(filled).damage[0]["file"].endswith(path.name)
        path.write_bytes(data)


def test_a_file_that_no_commit_names_is_listed_and_no_damage(filled):
    shard = write_shard(
        open_store(filled).storage, "rejects", "x",
        [{"source": "x", "key": "y", "file": "z", "reason": "r", "message": "m", "line": None}],
    )  # fmt: skip
    report = check_store(filled)
    assert report.sound
    assert report.dangling == [f"shards/{shard.name}"]


def test_an_index_that_differs_from_the_shards_is_found(filled):
    import duckdb

    (path,) = (filled / "index").glob("*.duckdb")
    with duckdb.connect(path) as index:
        index.execute("UPDATE clips SET frames = frames + 1 WHERE key = 'a'")
    (damage,) = check_store(filled).damage
    assert path.name in damage["file"]
    assert "bytes" in damage["problem"]
    # One that was written so, as its name says:
    lying = path.rename(path.with_name(f"{path.stem.rpartition('-')[0]}-{sha256_file(path)}.duckdb"))
    (damage,) = check_store(filled).damage
    assert lying.name in damage["file"]
    assert "clips" in damage["problem"]
    lying.unlink()
    assert check_store(filled).sound


def test_a_clip_whose_values_are_not_those_of_its_content_hash_is_found(desk, make_clip, monkeypatch):
    import motionunion.store.schema as schema

    receipt = desk.receipt(clips=(make_clip("a"),))
    monkeypatch.setattr(schema, "row_content", lambda row: "0" * 64)
    lying = desk.receipt(clips=(make_clip("b"),))
    monkeypatch.undo()
    desk.commit(receipt, lying)
    (damage,) = check_store(desk.path).damage
    assert "content hash" in damage["problem"]
    store = open_store(desk.path)
    (clip_id,) = store.rows("SELECT clip_id FROM clips WHERE key = 'b'")[0]
    with pytest.raises(StoreError, match="not what was written"):
        store.clip(clip_id)


def test_no_store_is_said_to_be_none(tmp_path):
    with pytest.raises(MissingInput):
        check_store(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a file"):
        check_store(tmp_path / "file")


def test_everything_that_was_verified_is_counted_by_kind(filled):
    report = check_store(filled)
    files = {kind: one.files for kind, one in report.verified.items()}
    assert files == {
        "store.json": 1, "hint": 1, "commits": 2, "checkpoints": 1, "clips": 2, "captions": 1, "rejects": 1, "receipts": 2, "index": 1,
    }  # fmt: skip
    folders = ("commits", "checkpoints", "shards", "index")
    on_disk = [path for folder in folders for path in (filled / folder).iterdir()] + [filled / "store.json"]
    assert report.bytes == sum(path.stat().st_size for path in on_disk)
    assert report.verified["clips"].rows == 3


def test_a_stray_file_is_named_and_no_damage(filled):
    for name in ("notes.txt", "shards/copy of something.parquet", "commits/00000000000000000002 (1).json"):
        (filled / name).write_text("x")
    report = check_store(filled)
    assert report.sound
    assert report.strays == [
        "commits/00000000000000000002 (1).json",
        "notes.txt",
        "shards/copy of something.parquet",
    ]


def test_files_of_states_that_were_given_up_are_not_missed(desk, make_clip):
    from motionunion.store.commits import read_state, write_commit

    for seed in range(2):
        desk.commit(desk.receipt(clips=(make_clip("a", seed=seed),), stamp=str(seed)))
    (old,) = {path.name for path in (desk.path / "shards").glob("clips-*")} - set(open_store(desk.path).state.shards)
    (desk.path / "shards" / old).unlink()
    assert [one["file"] for one in check_store(desk.path).damage] == [f"shards/{old}"]
    storage = open_store(desk.path).storage
    write_commit(storage, read_state(storage), [], [], "gc", horizon=2)
    report = check_store(desk.path)
    assert report.sound, report.damage
    assert len(report.dangling) == 1  # the receipts of that state


def test_a_receipt_that_promises_other_rows_than_there_are_is_found(desk, make_clip):
    from dataclasses import replace

    receipt = desk.receipt(
        clips=(make_clip("a"),), captions={"a": (Caption(uid="made_up/a", text="walks", layer="x"),)}
    )
    (covered,) = receipt.covered
    for lie in ({"captions": 2}, {"content": "0" * 64}):
        desk.commit(replace(receipt, covered=(replace(covered, **lie, captions_digest=str(lie)),)))
        problems = [one["problem"] for one in check_store(desk.path).damage]
        assert any("disagree" in problem for problem in problems), lie


@pytest.mark.parametrize("name", ["values.npy", "spans.parquet", "features.json"])
def test_damaged_features_are_found(filled, name):
    from motionunion.features import build_features

    with open_store(filled) as store:
        folder = build_features(store, "hml263@20/compat", jobs=1).path
    assert check_store(filled).verified["features"].files == 3
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    (damage,) = check_store(filled).damage
    assert damage["file"] == f"cache/{folder.name}"


def test_what_cannot_be_read_for_want_of_permission_is_said_so(filled, monkeypatch):
    from motionunion.store.storage import LocalStorage

    get = LocalStorage.get

    def closed(self, name):
        if name.startswith("shards/clips"):
            raise PermissionError(13, "Permission denied")
        return get(self, name)

    monkeypatch.setattr(LocalStorage, "get", closed)
    assert {one["kind"] for one in check_store(filled).damage} == {"no access"}


def test_a_folder_that_the_disk_does_not_give_is_told_in_words(desk, make_clip, monkeypatch):
    desk.commit(desk.receipt(clips=(make_clip("a"),)))

    def refuse(storage, prefix, after=""):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(LocalStorage, "list", refuse)
    with pytest.raises(StoreError, match="no permission to read"):
        check_store(desk.path)
