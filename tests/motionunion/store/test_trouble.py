"""What refuses while a store is opened, asked or written is told in words."""

from __future__ import annotations

import errno

import duckdb
import pytest

from motionunion.errors import StoreError
from motionunion.store import committer, index
from motionunion.store.committer import Committer
from motionunion.store.storage import LocalStorage
from motionunion.store.store import open_store


def refuse(error: Exception):
    def call(*arguments: object, **named: object) -> object:
        raise error

    return call


@pytest.mark.parametrize("operation", ["get", "list"])
def test_a_disk_that_does_not_give_the_store_is_named(desk, monkeypatch, operation):
    desk.commit(desk.receipt(rejects=(("bad", "truncated"),)))
    monkeypatch.setattr(LocalStorage, operation, refuse(OSError(errno.EIO, "made up")))
    for opening in (lambda: Committer(LocalStorage(desk.path), "made up"), lambda: open_store(desk.path)):
        with pytest.raises(StoreError, match=r"cannot be read \(made up\)"):
            opening()


def test_a_full_disk_for_temporary_tables_is_no_wrong_question_and_no_bug(desk, monkeypatch):
    store = desk.commit(desk.receipt(rejects=(("bad", "truncated"),)))
    full = refuse(duckdb.OutOfMemoryException("failed to offload data"))
    monkeypatch.setattr(index, "write_index", full)
    monkeypatch.setattr(index, "index_in_memory", full)
    for path in (desk.path / "index").iterdir():
        path.unlink()
    with pytest.raises(StoreError, match=r"index cannot be made.*TMPDIR"):
        store.sql("select 1")
    monkeypatch.setattr(committer, "Ledger", full)
    with pytest.raises(StoreError, match="TMPDIR"):
        Committer(store.storage, "made up")


def test_a_link_in_circles_in_place_of_a_shard_is_listed(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "loop").symlink_to("loop")
    storage = LocalStorage(tmp_path)
    assert [entry.name for entry in storage.list("shards/")] == ["shards/loop"]
    with pytest.raises(OSError, match="loop"):
        storage.get("shards/loop")
