"""An archive gives what its folder gives, is opened once, and costs nothing but what is wrong with it."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.archives import unpack as unpack_module
from motionunion.archives.unpack import Unpacked, unpack
from motionunion.clip import SYNTHETIC
from motionunion.engines.serial import Serial
from motionunion.errors import MissingInput, SourceFormatError
from motionunion.ingest import archives as archives_module
from motionunion.ingest import run as run_module
from motionunion.ingest.result import IngestResult
from motionunion.ingest.run import dry_run, ingest
from motionunion.store.check import check_store
from motionunion.store.store import open_store

WriteAmass = Callable[..., Path]


def pack(folder: Path, archive: Path) -> Path:
    """Pack a folder under its own name, as data sets are published."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path in sorted(folder.rglob("*")):
                packed.write(path, path.relative_to(folder.parent))
    else:
        kind = archive.suffix.removeprefix(".")
        with tarfile.open(archive, "w" if kind == "tar" else f"w:{kind}") as packed:
            packed.add(folder, folder.name)
    return archive


def read(paths: list[Path], store: Path, **options: Any) -> IngestResult:
    return ingest(paths, store, executor=Serial(), **options)


@pytest.fixture
def source(amass: WriteAmass, tmp_path: Path) -> Path:
    folder = amass(tmp_path / "source", 8) / "CMU"
    (folder / "LICENSE.txt").write_text("theirs")
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the archives that are unpacked, as they are."""
    names: list[str] = []

    def watched(archive: Path, *arguments: Any) -> Unpacked:
        names.append(archive.name)
        return unpack(archive, *arguments)

    monkeypatch.setattr(archives_module, "unpack", watched)
    return names


@pytest.mark.parametrize("ending", ["tar.bz2", "tar", "tar.gz", "tar.xz", "zip"])
def test_an_archive_gives_the_fingerprint_of_its_folder(tmp_path: Path, source: Path, ending: str) -> None:
    folder = read([source], tmp_path / "folder")
    archive = pack(source, tmp_path / "downloads" / f"CMU.{ending}")
    packed = read([archive.parent], tmp_path / "packed")
    alone = read([archive], tmp_path / "alone")
    assert folder.clips == packed.clips == alone.clips == 8
    assert folder.fingerprint == packed.fingerprint == alone.fingerprint
    assert not (tmp_path / "packed" / "cache" / "unpacked").exists()
    assert check_store(tmp_path / "packed").sound


def test_names_of_bvh_files_are_those_of_the_folder_too(tmp_path: Path) -> None:
    from motionunion.sample import write_sample

    write_sample(tmp_path / "sample", clips=12)
    folder = read([tmp_path / "sample"], tmp_path / "folder")
    packed = read([pack(tmp_path / "sample", tmp_path / "sample.zip")], tmp_path / "packed")
    assert (packed.fingerprint, packed.clips) == (folder.fingerprint, folder.clips)


def test_an_archive_that_was_read_is_not_opened_again(tmp_path: Path, source: Path, opened: list[str]) -> None:
    archive = pack(source, tmp_path / "downloads" / "CMU.tar.gz")
    first = read([archive.parent], tmp_path / "store")
    again = read([archive.parent], tmp_path / "store")
    assert opened == ["CMU.tar.gz"]
    assert (again.commit, again.fingerprint) == (first.commit, first.fingerprint)
    assert (again.clips, again.read, again.sources["amass_smplh"].up_to_date) == (0, 8, 8)
    moved = shutil.copytree(archive.parent, tmp_path / "elsewhere")  # times are kept
    read([moved], tmp_path / "store")
    assert opened == ["CMU.tar.gz"]
    archive.touch()
    touched = read([archive.parent], tmp_path / "store")
    assert opened == ["CMU.tar.gz"] * 2
    assert (touched.clips, touched.fingerprint) == (0, first.fingerprint)


def test_members_that_a_changed_archive_keeps_are_not_read_again(
    tmp_path: Path, source: Path, amass: WriteAmass
) -> None:
    archive = pack(source, tmp_path / "downloads" / "CMU.tar.gz")
    read([archive], tmp_path / "store")
    amass(source.parent, 40, first=20)
    pack(source, archive)
    grown = read([archive], tmp_path / "store")
    assert grown.sources["amass_smplh"].files == 48
    assert grown.fingerprint == read([source], tmp_path / "folder").fingerprint


def test_a_removed_shard_makes_the_archive_be_opened_again(tmp_path: Path, source: Path, opened: list[str]) -> None:
    archive, store = pack(source, tmp_path / "downloads" / "CMU.tar.gz"), tmp_path / "store"
    first = read([archive], store)
    for path in (store / "shards").glob("clips-*"):
        path.unlink()
    again = read([archive], store)
    assert opened == ["CMU.tar.gz"] * 2
    assert again.fingerprint == first.fingerprint
    assert check_store(store).sound


@pytest.mark.parametrize("place", ["unpack", "run_task", "write_shard"])
def test_a_run_that_dies_anywhere_is_gone_on_with(
    tmp_path: Path, source: Path, amass: WriteAmass, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    downloads = tmp_path / "downloads"
    pack(source, downloads / "CMU.tar.gz")
    pack(amass(tmp_path / "other", 5, seed=1) / "CMU", downloads / "Z.zip")
    whole = read([downloads], tmp_path / "whole")
    module = run_module if place == "run_task" else archives_module
    real, calls = getattr(module, place), 0

    def dies(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == deadly:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(module, place, dies)
    for deadly in (1, 2):
        store, calls = tmp_path / f"store-{deadly}", 0
        try:
            read([downloads], store)
        except KeyboardInterrupt:
            assert not (store / "cache" / "unpacked").exists()
        calls = 10
        assert read([downloads], store).fingerprint == whole.fingerprint


def test_of_a_truncated_archive_what_came_whole_is_read_and_a_whole_one_heals_it(
    tmp_path: Path, source: Path, opened: list[str]
) -> None:
    archive = pack(source, tmp_path / "downloads" / "CMU.tar")
    data = archive.read_bytes()
    archive.write_bytes(data[: len(data) // 2])
    cut = read([archive.parent], tmp_path / "store")
    assert 0 < cut.clips < 8
    assert [(row["source"], row["file"], row["reason"]) for row in cut.rejects] == [("archive", "CMU.tar", "truncated")]
    again = read([archive.parent], tmp_path / "store")
    assert (again.standing_rejects, again.refused) == (1, 0)
    assert opened == ["CMU.tar"]
    with open_store(tmp_path / "store") as store:
        assert store.rows("SELECT source, reason FROM rejects") == [("archive", "truncated")]
    archive.write_bytes(data)
    healed = read([archive.parent], tmp_path / "store")
    assert healed.fingerprint == read([source], tmp_path / "folder").fingerprint
    assert check_store(tmp_path / "store").sound


def test_members_that_are_refused_are_rows_and_the_rest_is_read(tmp_path: Path, source: Path) -> None:
    archive = tmp_path / "CMU.tar"
    with tarfile.open(archive, "w") as packed:
        packed.add(source, "CMU")
        link = tarfile.TarInfo("CMU/link.npz")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
        packed.addfile(tarfile.TarInfo("../evil\x1b[2J.npz"))
        packed.addfile(tarfile.TarInfo("CMU/inner.zip"))
    result = read([archive], tmp_path / "store")
    assert result.clips == 8
    assert result.reasons == {"unsafe_member": 2, "nested_archive": 1}
    with open_store(tmp_path / "store") as store:
        rows = store.rows("SELECT file, reason FROM rejects ORDER BY file")
    assert rows == [
        ("CMU.tar/../evil\\x1b[2J.npz", "unsafe_member"),
        ("CMU.tar/CMU/inner.zip", "nested_archive"),
        ("CMU.tar/CMU/link.npz", "unsafe_member"),
    ]
    assert read([archive], tmp_path / "store").standing_rejects == 1  # one receipt


def test_what_a_full_disk_prevented_is_tried_again(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(source, tmp_path / "CMU.tar")
    monkeypatch.setattr(unpack_module, "KEPT_FREE", 1 << 60)
    refused = read([archive], tmp_path / "store")
    assert refused.reasons == {"unreadable": 1}
    assert "make room" in refused.rejects[0]["message"]
    monkeypatch.undo()
    assert read([archive], tmp_path / "store").fingerprint == read([source], tmp_path / "folder").fingerprint


def changed(source: Path, to: Path, value: float) -> Path:
    """The same files with another motion in the first of them."""
    shutil.copytree(source, to)
    path = sorted(to.rglob("*.npz"))[0]
    arrays = dict(np.load(path))
    arrays["trans"] = arrays["trans"] + value
    np.savez_compressed(path, **arrays)
    return to


def test_whose_a_motion_is_does_not_depend_on_who_was_read_when(tmp_path: Path, source: Path) -> None:
    downloads = tmp_path / "downloads"
    pack(changed(source, tmp_path / "b" / "CMU", 1.0), downloads / "b.tar")
    pack(changed(source, tmp_path / "a" / "CMU", 2.0), downloads / "a.tar")
    only_a = read([downloads / "a.tar"], tmp_path / "only_a").fingerprint
    both = read([downloads], tmp_path / "both")
    assert both.fingerprint == only_a
    reasons = [skip["reason"] for skip in both.skipped if "same key" in skip["reason"]]
    assert reasons == ["has the same key as a file of a.tar, which is read"] * 8
    one, other = tmp_path / "one", tmp_path / "other"
    read([downloads / "b.tar"], one)
    read([downloads / "a.tar"], other)
    for store in (one, other):
        for _ in range(2):
            assert read([downloads], store).fingerprint == only_a
    shutil.copytree(source, downloads / "CMU")
    folder = read([source], tmp_path / "folder").fingerprint
    for store in (one, tmp_path / "new"):
        for _ in range(2):
            assert read([downloads], store).fingerprint == folder


def test_shares_of_the_work_unpack_each_archive_once(
    tmp_path: Path, source: Path, amass: WriteAmass, opened: list[str]
) -> None:
    downloads = tmp_path / "downloads"
    pack(source, downloads / "CMU.tar")
    for number in range(4):
        pack(amass(tmp_path / f"more-{number}", 2, first=100 + 2 * number) / "CMU", downloads / f"more-{number}.zip")
    shutil.copytree(amass(tmp_path / "open", 3, first=200), downloads / "open")
    whole = read([downloads], tmp_path / "whole")
    opened.clear()
    for share in ("1/3", "0/3", "2/3"):
        read([downloads], tmp_path / "shared", shard=share)
    assert sorted(opened) == ["CMU.tar", *(f"more-{number}.zip" for number in range(4))]
    assert read([downloads], tmp_path / "shared").fingerprint == whole.fingerprint
    assert whole.clips == 19


def test_on_error_fail_stops_at_the_first_refused_member(tmp_path: Path, source: Path) -> None:
    archive = tmp_path / "CMU.tar"
    with tarfile.open(archive, "w") as packed:
        packed.addfile(tarfile.TarInfo("../evil.npz"))
        packed.add(source, "CMU")
    with pytest.raises(SourceFormatError, match="leads out"):
        read([archive], tmp_path / "store", on_error="fail")
    read([archive], tmp_path / "store")
    with pytest.raises(SourceFormatError, match="earlier run"):
        read([archive], tmp_path / "store", on_error="fail")


def test_on_error_fail_names_a_member_by_its_archive(tmp_path: Path, source: Path) -> None:
    """The folder it was unpacked to is gone by then."""
    bad = source / "01" / "01_05_poses.npz"
    bad.write_bytes(bad.read_bytes()[:-20])
    archive = pack(source, tmp_path / "downloads" / "CMU.tar")
    with pytest.raises(SourceFormatError) as caught:
        read([archive], tmp_path / "store", on_error="fail")
    assert caught.value.path == archive / "CMU" / "01" / "01_05_poses.npz"
    with pytest.raises(SourceFormatError, match="earlier run") as caught:  # the archive was not read to its end
        read([archive], tmp_path / "store", on_error="fail")
    assert caught.value.path == archive / "CMU" / "01" / "01_05_poses.npz"


def test_a_dry_run_names_archives_and_opens_none(tmp_path: Path, source: Path, opened: list[str]) -> None:
    archive = pack(source, tmp_path / "downloads" / "CMU.tar")
    plan = dry_run([archive.parent], tmp_path / "store")
    assert [(one["path"], one["reason"][:7]) for one in plan.skipped] == [(str(archive), "archive")]
    assert not opened
    assert not (tmp_path / "store").exists()


def test_an_archive_without_motion_is_said_to_hold_none(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    (tmp_path / "photos" / "notes.txt").write_bytes(b"x")
    result = read([pack(tmp_path / "photos", tmp_path / "photos.zip")], tmp_path / "store")
    assert (result.read, result.refused) == (0, 0)
    assert {(Path(skip["path"]).name, skip["reason"][:4]) for skip in result.skipped} == {
        ("notes.txt", "text"), ("photos.zip", "pict")
    }  # fmt: skip


def test_an_archive_beside_a_marker_is_synthetic_too(tmp_path: Path, source: Path) -> None:
    archive = pack(source, tmp_path / "downloads" / "CMU.tar")
    (archive.parent / "SYNTHETIC.txt").touch()
    read([archive.parent], tmp_path / "store")
    with open_store(tmp_path / "store") as store:
        assert store.rows(f"SELECT DISTINCT list_contains(flags, '{SYNTHETIC}') FROM clips") == [(True,)]


def test_scratch_lies_where_it_is_wanted(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def watched(archive: Path, folder: Path, *more: Any) -> Unpacked:
        seen.append(folder)
        return unpack(archive, folder, *more)

    monkeypatch.setattr(archives_module, "unpack", watched)
    read([pack(source, tmp_path / "CMU.tar")], tmp_path / "store", scratch=tmp_path / "fast")
    assert seen[0].is_relative_to(tmp_path / "fast")
    assert not (tmp_path / "fast").exists()


def test_two_archives_of_one_name_are_two(tmp_path: Path, source: Path, amass: WriteAmass, opened: list[str]) -> None:
    pack(source, tmp_path / "x" / "data.tar")
    pack(amass(tmp_path / "other", 3, first=50) / "CMU", tmp_path / "y" / "data.tar")
    paths = [tmp_path / "x", tmp_path / "y"]
    assert read(paths, tmp_path / "store").clips == 11
    assert read(paths[::-1], tmp_path / "store").read == 11
    assert len(opened) == 2


def test_no_path_with_neither_motion_nor_archive_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.7z").touch()
    with pytest.raises(MissingInput, match="packed in a way"):
        read([tmp_path], tmp_path / "store")
