from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from motionunion.errors import StoreError
from motionunion.store.storage import LocalStorage


def names(storage: LocalStorage, prefix: str, after: str = "") -> list[str]:
    return [entry.name for entry in storage.list(prefix, after)]


def test_what_is_put_is_got_and_listed(tmp_path):
    storage = LocalStorage(tmp_path)
    storage.put("a/one", b"12345")
    storage.put("a/one", b"67890")
    assert storage.get("a/one") == b"67890"
    storage.put("a/b/two", b"")
    assert names(storage, "a/") == ["a/b/two", "a/one"]
    assert names(storage, "a/", after="a/b/two") == ["a/one"]
    assert names(storage, "a/o") == ["a/one"]
    assert names(storage, "nothing/") == []
    assert [entry.size for entry in storage.list("a/")] == [0, 5]
    assert storage.get_range("a/one", 1, 3) == b"789"
    assert storage.get_range("a/one", 3, 100) == b"90"
    storage.delete("a/one")
    storage.delete("a/one")
    assert names(storage, "a/") == ["a/b/two"]
    with pytest.raises(FileNotFoundError):
        storage.get("a/three")


def test_of_many_writers_of_one_name_exactly_one_wins_and_its_bytes_stay(tmp_path):
    storage = LocalStorage(tmp_path)
    for round_number in range(20):
        barrier, won = threading.Barrier(8), []

        def write(number, name=f"commits/{round_number}", barrier=barrier, won=won):
            barrier.wait()
            if storage.put_if_absent(name, bytes([number]) * 1000):
                won.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert storage.get(f"commits/{round_number}") == bytes([won[0]]) * 1000
    assert not list(tmp_path.rglob(".tmp-*"))


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    storage = LocalStorage(tmp_path)
    storage.put("kept", b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (storage.put, storage.put_if_absent):
        with pytest.raises(OSError, match="No space"):
            write("new", b"x")
    with pytest.raises(OSError, match="No space"):
        storage.put("kept", b"new")
    assert storage.get("kept") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_only_old_temporary_files_are_cleaned_and_none_is_listed(tmp_path):
    storage = LocalStorage(tmp_path)
    storage.put("shards/one", b"1")
    for folder in ("shards", "checkpoints"):
        for name, age_s in (("old", 10 * 3600), ("young", 60)):
            path = tmp_path / folder / f".tmp-{name}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"half")
            os.utime(path, (path.stat().st_mtime - age_s,) * 2)
    assert names(storage, "") == ["shards/one"]
    assert storage.clean_temporary() == 2
    assert (tmp_path / "shards" / ".tmp-young").exists()


def test_two_may_clean_the_same_temporary_files(tmp_path, monkeypatch):
    storage = LocalStorage(tmp_path)
    path = tmp_path / ".tmp-old"
    path.write_bytes(b"half")
    os.utime(path, (path.stat().st_mtime - 10 * 3600,) * 2)
    looked_at = Path.is_file

    def removed_right_after(one):
        there = looked_at(one)
        one.unlink(missing_ok=True)
        return there

    monkeypatch.setattr(Path, "is_file", removed_right_after)
    assert storage.clean_temporary() == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows moves files without links")
def test_a_link_that_was_made_though_the_answer_was_lost_counts_as_made(tmp_path, monkeypatch):
    storage, link = LocalStorage(tmp_path), os.link

    def sent_twice(source, target):
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", sent_twice)
    assert storage.put_if_absent("commits/1", b"x")
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert not storage.put_if_absent("commits/1", b"x")


@pytest.mark.skipif(os.name == "nt", reason="Windows moves files without links")
def test_a_file_system_without_links_is_refused_with_a_word(tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(StoreError, match="hard links"):
        LocalStorage(tmp_path).put_if_absent("commits/1", b"x")


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_files_are_readable_as_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        LocalStorage(tmp_path).put("shared", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o640
