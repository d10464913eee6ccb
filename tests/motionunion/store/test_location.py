from __future__ import annotations

from pathlib import Path

import pytest

from motionunion.errors import StoreError, UsageError
from motionunion.store.location import derived_folder, storage_at
from motionunion.store.object_storage import ObjectStorage
from motionunion.store.storage import LocalStorage

UUID = "6f2b8c1e-8f1c-4b57-9d0f-0a4f7c1f3a55"


@pytest.mark.parametrize("path", ["store", "a/b c", "s3", "s3/bucket", "C:\\store", "a:b", ".", "bucket//x"])
def test_what_is_no_url_is_a_folder(path):
    for one in (path, Path(path)):
        storage = storage_at(one)
        assert isinstance(storage, LocalStorage)
        assert storage.root == Path(path)


def test_a_folder_of_the_home_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert storage_at("~/store").url == str(tmp_path / "store")


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("s3://bucket/store", "s3://bucket/store"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("gs://my-bucket.example.org/store", "gs://my-bucket.example.org/store"),
        ("az://container/my störe", "az://container/my störe"),
    ],
)
def test_a_url_is_a_place_on_a_server(url, plain):
    storage = storage_at(url)
    assert isinstance(storage, ObjectStorage)
    assert storage.url == plain
    assert storage_at(storage.url).url == plain


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://host/store", "s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"),
        ("file:///store", "a store lies in a folder, or at"),
        ("S3://bucket/store", "a store lies in a folder, or at"),
        ("s3://", "write s3://BUCKET/PREFIX"),
        ("s3:///store", "a bucket is missing"),
        ("az://", "a container is missing"),
        ("s3://key:secret@bucket/store", "impossible name"),
        ("s3://bucket/a//b", "empty part"),
        ("s3://bucket/../b", "a dot"),
        ("s3://bucket/a\nb", "control character"),
        (Path("s3://bucket/store"), "two slashes"),
    ],
)
def test_a_url_that_names_no_place_is_refused_with_a_way_out(url, says):
    with pytest.raises(UsageError, match=says):
        storage_at(url)


def test_what_is_derived_from_a_folder_lies_in_it(tmp_path):
    assert derived_folder(LocalStorage(tmp_path), UUID) == tmp_path


def test_what_is_derived_from_a_server_lies_in_the_cache_of_this_machine(monkeypatch, tmp_path):
    storage = storage_at("s3://bucket/store")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("MOTIONUNION_CACHE", raising=False)
    assert derived_folder(storage, UUID) == tmp_path / ".cache" / "motionunion" / UUID
    monkeypatch.setenv("MOTIONUNION_CACHE", "~/elsewhere")
    assert derived_folder(storage, UUID) == tmp_path / "elsewhere" / UUID


@pytest.mark.parametrize("uuid", ["", "../../etc", "/etc", "a" * 5000])
def test_a_server_cannot_choose_a_path_of_this_machine(uuid):
    with pytest.raises(StoreError, match="uuid in store"):
        derived_folder(storage_at("s3://bucket/store"), uuid)


def test_a_home_folder_that_is_not_known_is_refused_in_words(monkeypatch):
    with pytest.raises(UsageError, match="~nobody-of-this-name/store: the home folder"):
        storage_at("~nobody-of-this-name/store")
    monkeypatch.setenv("MOTIONUNION_CACHE", "~nobody-of-this-name")
    with pytest.raises(UsageError, match=r"home folder .* MOTIONUNION_CACHE"):
        derived_folder(storage_at("s3://bucket/store"), UUID)
