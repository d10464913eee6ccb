"""Tars of every kind are read as they are; those that lie, lead out or blow up lose what is wrong with them, no more."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionunion.archives import decoding
from motionunion.archives import unpack as unpack_module
from motionunion.archives.decoding import Decoded
from motionunion.archives.member import Broken
from motionunion.archives.unpack import unpack

Open = Callable[[Path | bytes], Any]
Tar = Callable[..., bytes]
Entry = Callable[..., bytes]
END = b"\0" * 1024
PACK = {"": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def some(count: int = 6, size: int = 3000) -> dict[str, bytes]:
    generator = random.Random(count)
    return {f"ACCAD/s1/walk_{number}_poses.npz": generator.randbytes(size + number) for number in range(count)}


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_and_packing_gives_the_same_files(tar_of: Tar, open_up: Open, packing: str, form: int) -> None:
    long = "a" * 90 + "/" + "b" * 60 + ".npz"
    files = {**some(), long: b"long", "empty.txt": b"", "über.bvh": b"umlaut"}
    found = open_up(tar_of(files, f"w:{packing}", format=form))
    assert found.files == dict(sorted(files.items()))
    assert (found.report.whole, found.report.refused) == (True, [])


@pytest.mark.parametrize("name", ["PKU-MMD/a.npz", "BZhao/a.npz"])
def test_a_tar_whose_first_name_looks_like_a_signature_is_read(tar_of: Tar, open_up: Open, name: str) -> None:
    assert open_up(tar_of({name: b"1"})).files == {name: b"1"}


def test_members_lost_behind_zeros_are_told_of(tar_of: Tar, open_up: Open) -> None:
    """A file that got its length before its content: what was not downloaded is zeros."""
    data = bytearray(tar_of(some()))
    data[2 * 3584 : 3 * 3584] = bytes(3584)  # two members of 7 blocks each are whole, and the third is not there
    found = open_up(bytes(data))
    assert (found.reasons, found.report.whole, list(found.files)) == (["corrupt"], False, sorted(some())[:2])
    found = open_up(tar_of(some()) + bytes(2 << 20))
    assert (found.reasons, found.report.whole, len(found.files)) == (["corrupt"], False, 6)
    assert open_up(tar_of(some()) + b"noise" * 1000).reasons == []


def test_a_name_beyond_two_hundred_bytes_is_read_from_its_extension(tar_of: Tar, open_up: Open) -> None:
    files = {"/".join(["d" * 100] * 5) + "/x.npz": b"deep"}
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert open_up(tar_of(files, format=form)).files == files


def test_times_are_those_of_the_headers(tar_of: Tar, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of({"a.npz": b"1"}, mtime=1_234_567_890))
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "out" / "a.npz").stat().st_mtime_ns == 1_234_567_890 * 10**9


def test_only_what_a_source_could_read_is_unpacked(tar_of: Tar, open_up: Open) -> None:
    found = open_up(tar_of({"a.npz": b"1", "film.mp4": b"2" * 5000, "mesh.OBJ": b"3", "._a.npz": b"4", "notes": b"5"}))
    assert list(found.files) == ["a.npz"]
    assert found.report.passed == {".mp4": 1, ".obj": 1, "": 1}


@pytest.mark.parametrize("packing", PACK)
def test_streams_that_follow_one_another_are_one_archive(tar_of: Tar, open_up: Open, packing: str) -> None:
    whole = tar_of(some())
    third = len(whole) // 3
    parts = (whole[:third], whole[third : 2 * third], whole[2 * third :])
    assert open_up(b"".join(PACK[packing](part) for part in parts)).files == dict(sorted(some().items()))


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_of_an_archive_cut_short_what_came_whole_is_kept(
    tar_of: Tar, open_up: Open, packing: str, share: float
) -> None:
    data = tar_of(some(60, 40_000), f"w:{packing}")
    found = open_up(data[: int(len(data) * share)])
    assert found.reasons == ["truncated"]
    assert not found.report.whole
    assert found.files.items() <= some(60, 40_000).items()
    assert len(found.files) > 60 * (share - 0.4)  # a block of bzip2 holds 22 of them


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damaged_file_is_taken_for_whole_where_there_are_checksums(
    tar_of: Tar, open_up: Open, packing: str, data: st.DataObject
) -> None:
    packed = bytearray(tar_of(some(), f"w:{packing}"))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= 1 << data.draw(st.integers(0, 7))
    found = open_up(bytes(packed))
    assert found.files.items() <= some().items()
    assert found.files == dict(sorted(some().items())) or found.report.refused


def test_damage_in_bzip2_costs_the_blocks_behind_it_and_none_before(tar_of: Tar, open_up: Open) -> None:
    files = some(60, 40_000)
    packed = bytearray(tar_of(files, "w:bz2"))
    packed[-200_000] ^= 1
    found = open_up(bytes(packed))
    assert found.reasons == ["corrupt"]
    assert 20 < len(found.files) < 60
    assert found.files.items() <= files.items()


def test_text_and_noise_under_the_name_of_a_tar_are_no_tar(open_up: Open) -> None:
    for data in (b"hello", b"x" * 5000, random.Random(0).randbytes(5000), bz2.compress(b"hello " * 1000)):
        assert open_up(data).reasons == ["not_tar"]
    assert open_up(b"").reasons == ["truncated"]
    assert open_up(b"version https://git-lfs.github.com/spec/v1\noid sha256:0").reasons == ["git_lfs_pointer"]


NAMES = [
    b"../evil.npz", b"a/../../evil.npz", b"/etc/evil.npz", b"//evil.npz", b"C:/evil.npz", b"c:evil.npz", b"a/C:evil.npz",
    b"..\\evil.npz", b"a\\b.npz", b"\\\\server\\evil.npz", b"a/\x01b.npz", b"a\nb.npz", b"a/\xff\xfe.npz", b"NUL", b"a/con.npz",
    b"a/COM1.npz", b"/".join([b"d"] * 40) + b"/a.npz",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_out_or_nowhere_is_refused(open_up: Open, entry: Entry, name: bytes) -> None:
    found = open_up(entry(name, b"evil") + entry(b"good.npz", b"good") + END)
    assert found.files == {"good.npz": b"good"}
    assert found.reasons == ["unsafe_member"]
    assert all(letter.isprintable() for refused in found.report.refused for letter in refused.problem)


def test_a_name_that_this_disk_does_not_take_is_refused(tar_of: Tar, open_up: Open) -> None:
    long = "/".join(["d" * 200] * 20) + "/x.npz"  # 4,026 bytes, and those of the folder it is unpacked to
    found = open_up(tar_of({"a.npz": b"1", long: b"long", "b.npz": b"2"}))
    assert (found.files, found.reasons) == ({"a.npz": b"1", "b.npz": b"2"}, ["unsafe_member"])


def test_a_nul_in_an_extended_name_is_refused(open_up: Open, entry: Entry) -> None:
    record = b"24 path=a.npz\0/../evil.x\n"
    assert len(record) == 25
    extended = entry(b"x", b"25" + record[2:], b"x")
    assert open_up(extended + entry(b"a.npz", b"evil") + END).reasons == ["unsafe_member"]


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"6", b"Z"])
@pytest.mark.parametrize("target", [b"/etc/passwd", b"good.npz", b"../../.."])
def test_links_and_devices_are_refused(open_up: Open, entry: Entry, kind: bytes, target: bytes) -> None:
    evil = entry(b"link.npz", kind=kind, link=target) + entry(b"link.npz/inner.npz", b"through")
    found = open_up(evil + entry(b"good.npz", b"good") + END)
    assert found.files == {"good.npz": b"good", "link.npz/inner.npz": b"through"}
    assert found.reasons == ["unsafe_member"]


def test_the_same_name_again_is_refused_unless_it_holds_the_same(open_up: Open, entry: Entry) -> None:
    data = b"".join(entry(name, text) for name, text in (
        (b"a/x.npz", b"one"), (b"a/x.npz", b"one"), (b"./a//x.npz", b"two"), (b"A/X.npz", b"one"), (b"a/\xc3\xa9.npz", b"one"),
        (b"a/e\xcc\x81.npz", b"two"), (b"a", b"a folder is there"), (b"a/x.npz/y.npz", b"a file is there"),
    ))  # fmt: skip
    found = open_up(data + END)
    assert found.files == {"a/x.npz": b"one", "a/é.npz": b"one"}
    # "a" has no suffix that a source wants; it is passed over before it could do harm.
    assert found.reasons == ["duplicate_member"] * 4


def test_archives_in_archives_are_named_and_never_opened(open_up: Open, tar_of: Tar) -> None:
    bomb = gzip.compress(bytes(10 << 20))
    found = open_up(tar_of({"inner.zip": bomb, "b/inner.tar.bz2": bomb, "c.gz": bomb, "d.7z": b"", "a.npz": b"1"}))
    assert found.files == {"a.npz": b"1"}
    assert found.reasons == ["nested_archive"] * 4


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (b"\x80" + (8 << 30).to_bytes(11, "big"), "too_large"),
        (b"77777777777\0", "too_large"),
        (b"\x80" + (1 << 20).to_bytes(11, "big"), "truncated"),
        (b"\xff" * 12, "header_lies"),
        (b"\x80" + b"\xff" * 11, "header_lies"),
        (b"-0000000001\0", "header_lies"),
        (b"not a size\0\0", "header_lies"),
    ],
)
def test_a_size_that_is_a_lie_takes_no_memory_and_no_disk(
    open_up: Open, entry: Entry, size: bytes, reason: str
) -> None:
    tracemalloc.start()
    found = open_up(entry(b"good.npz", b"good") + entry(b"evil.npz", b"short", size=size))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.files == {"good.npz": b"good"}
    assert found.reasons[0] == reason
    assert peak < 8 << 20


def test_extended_headers_of_megabytes_are_passed_over_with_their_member(open_up: Open, entry: Entry) -> None:
    for kind in (b"x", b"L"):
        huge = entry(b"h", b"1" * (3 << 20), kind)
        found = open_up(huge + entry(b"evil.npz", b"evil") + entry(b"good.npz", b"good") + END)
        assert found.files == {"good.npz": b"good"}
        assert found.reasons == ["header_lies"]


@pytest.mark.parametrize(
    "record", [b"11 size=-1\n", b"99 path=a\n", b"path=a\n", b"8 path=\xff", b"30 size=99999999999999999999999\n"]
)
def test_broken_extended_headers_end_the_reading(open_up: Open, entry: Entry, record: bytes) -> None:
    found = open_up(entry(b"good.npz", b"good") + entry(b"x", record, b"x") + entry(b"evil.npz", b"evil") + END)
    assert found.files == {"good.npz": b"good"}
    assert found.reasons == ["header_lies"]


def test_sparse_files_are_refused_and_what_follows_is_read(open_up: Open, entry: Entry) -> None:
    old = entry(b"old.npz", b"data", b"S", tail=b"\0" * (482 - 265) + b"\1")
    more = b"\0" * 504 + b"\1" + b"\0" * 7 + b"\0" * 512
    head, data = old[:512], old[512:]
    pax = b"22 GNU.sparse.major=1\n"
    assert len(pax) == 22
    found = open_up(
        head + more + data + entry(b"x", pax, b"x") + entry(b"new.npz", b"data") + entry(b"good.npz", b"good") + END
    )
    assert found.files == {"good.npz": b"good"}
    assert found.reasons == ["unsupported", "unsupported"]


def test_headers_without_a_member_come_to_an_end(open_up: Open, entry: Entry) -> None:
    for kind in (b"g", b"x", b"K"):
        found = open_up(lzma.compress(entry(b"good.npz", b"good") + entry(b"h", b"", kind) * 1_000))
        assert found.files == {"good.npz": b"good"}
        assert found.reasons == ["header_lies"]


def test_the_label_of_a_tar_is_no_member(open_up: Open, entry: Entry) -> None:
    found = open_up(entry(b"backup", kind=b"V") + entry(b"good.npz", b"good") + END)
    assert (found.files, found.reasons) == ({"good.npz": b"good"}, [])


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
def test_a_bomb_is_put_out_by_what_it_becomes(
    open_up: Open, entry: Entry, packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "FREE_OF_RATIO", 4 << 20)
    inner = entry(b"good.npz", b"good") + entry(b"zero.npz", bytes(40 << 20)) + entry(b"next.npz", b"next") + END
    packed = PACK[packing](inner)
    tracemalloc.start()
    found = open_up(packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.files == {"good.npz": b"good"}
    assert found.reasons == ["bomb"]
    assert peak < 32 << 20


def test_a_bomb_of_a_member_that_nobody_wants_is_put_out_too(
    open_up: Open, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "FREE_OF_RATIO", 4 << 20)
    assert open_up(bz2.compress(entry(b"zero.mp4", bytes(40 << 20)) + END)).reasons == ["bomb"]


def test_an_xz_that_asks_for_gigabytes_of_memory_is_refused(open_up: Open, entry: Entry) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(entry(b"a.npz", b"a") + END, filters=filters))
    place = packed.index(b"\x21\x01") + 2  # filter id, size of its properties, then the dictionary's size code
    packed[place] = 40  # 4 GiB - 1
    import zlib

    header = packed[12 : 12 + (packed[12] + 1) * 4]
    header[-4:] = zlib.crc32(bytes(header[:-4])).to_bytes(4, "little")
    packed[12 : 12 + len(header)] = header
    assert open_up(bytes(packed)).reasons == ["too_large"]


def test_limits_on_members_and_bytes_end_the_reading(
    open_up: Open, tar_of: Tar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack_module, "MAX_MEMBERS", 4)
    found = open_up(tar_of(some()))
    assert (len(found.files), found.reasons) == (4, ["too_large"])
    monkeypatch.undo()
    monkeypatch.setattr(unpack_module, "MAX_ARCHIVE_BYTES", 7000)
    assert open_up(tar_of(some())).reasons == ["too_large"]
    monkeypatch.undo()
    monkeypatch.setattr(unpack_module, "MAX_REFUSALS", 3)
    found = open_up(tar_of({f"../{number}.npz": b"" for number in range(10)}))
    assert found.reasons == ["unsafe_member"] * 3 + ["more_refused"]


def test_a_disk_that_would_fill_up_is_said_before_it_does(
    tar_of: Tar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack_module, "KEPT_FREE", 1 << 60)
    (tmp_path / "a.tar").write_bytes(tar_of(some()))
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="are free"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert list((tmp_path / "out").rglob("*.npz")) == []


def test_an_archive_whose_disk_fails_keeps_what_came_before(
    tar_of: Tar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of(some(20, 100_000)))
    (tmp_path / "out").mkdir()
    real = Path.open

    def fails(self: Path, *arguments: Any, **named: Any) -> Any:
        file = real(self, *arguments, **named)
        if self.name != "a.tar":
            return file

        class Fails(io.BufferedReader):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() > 1 << 20:
                    raise OSError(5, "Input/output error")
                return super().read(size)

        return Fails(file.detach())

    monkeypatch.setattr(Path, "open", fails)
    report = unpack(tmp_path / "a.tar", tmp_path / "out")
    assert [refused.reason for refused in report.refused] == ["unreadable"]
    assert 10 <= report.files <= 12  # reads are of 256 KiB


def test_an_archive_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    report = unpack(tmp_path / "nowhere.tar", tmp_path / "out")
    assert [refused.reason for refused in report.refused] == ["unreadable"]


@pytest.mark.slow
def test_very_many_members_take_little_memory(tmp_path: Path, entry: Entry) -> None:
    template = entry(b"a/%07d.mp4" % 0, b"")
    plain = template[:148] + b" " * 8 + template[156:]
    with gzip.open(tmp_path / "many.tar.gz", "wb", compresslevel=1) as file:
        for number in range(40_000):
            block = (b"a/%07d.txt" % number if number % 10 == 0 else b"a/%07d.mp4" % number) + plain[13:]
            file.write(block[:148] + b"%06o\0 " % sum(block[:512]) + block[156:])
        file.write(END)
    (tmp_path / "out").mkdir()
    tracemalloc.start()
    report = unpack(tmp_path / "many.tar.gz", tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (report.files, report.passed[".mp4"]) == (4_000, 36_000)
    assert peak < 16 << 20  # pathlib keeps every name of a file; a kilobyte a member would be 40 MB


@given(data=st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_changed_never_lead_out_and_never_raise(tar_of: Tar, open_up: Open, data: st.DataObject) -> None:
    whole = bytearray(tar_of(some(3, 700), format=data.draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(
            st.sampled_from([0, 46, 47, 48, 50, 53, 88, 120, 255])
        )
    cut = bytes(whole[: data.draw(st.integers(1, len(whole)))])
    open_up(PACK[data.draw(st.sampled_from(sorted(PACK)))](cut))


@given(data=st.binary(max_size=2000), packing=st.sampled_from(["gz", "bz2", "xz"]))
@settings(max_examples=100, deadline=None)
def test_what_is_decoded_is_what_was_packed(data: bytes, packing: str) -> None:
    stream = Decoded(io.BytesIO(PACK[packing](data) + b"\0" * 20))
    assert b"".join(iter(lambda: stream.read(7), b"")) == data
    assert stream.position == len(data)


def test_a_packing_that_ends_early_is_truncated() -> None:
    for packing in ("gz", "bz2", "xz"):
        stream = Decoded(io.BytesIO(PACK[packing](os.urandom(5000))[:-1]))
        with pytest.raises(Broken) as caught:
            stream.read(10_000)
        assert caught.value.reason == "truncated"
