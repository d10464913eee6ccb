"""Zips are read as they are; a directory that lies, entries that overlap, and members that blow up cost themselves."""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionunion.archives import zip_directory, zip_member, zip_recovery, zips
from motionunion.archives.unpack import unpack

Open = Callable[[Path | bytes], Any]


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, **more: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, **more) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 5, 17, 10, 30, 20)), data, method)
    return buffer.getvalue()


def some(count: int = 6, size: int = 3000) -> dict[str, bytes]:
    generator = random.Random(count)
    return {f"ACCAD/s1/walk_{number}_poses.npz": generator.randbytes(size + number) for number in range(count)}


def raw(*members: tuple[bytes, bytes], **changes: Any) -> bytes:
    """A zip of stored members as bytes; changes are of the last one: `flags`, `size`, `packed`, `crc`, `start`, `mode`,
    `local_name`, `method`, `local_method`, `extra`."""
    body, directory = b"", b""
    for number, (name, data) in enumerate(members):
        change = changes if number == len(members) - 1 else {}
        flags, method = change.get("flags", 0), change.get("method", 0)
        crc, size = change.get("crc", zlib.crc32(data)), change.get("size", len(data))
        packed, start = change.get("packed", len(data)), change.get("start", len(body))
        local, extra = change.get("local_name", name), change.get("extra", b"")
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, flags, change.get("local_method", method), 0, 0x5000, crc, packed, size,
                            len(local), 0) + local + data  # fmt: skip
        directory += struct.pack("<4s4B4H3L5H2L", b"PK\1\2", 20, 3, 20, 0, flags, method, 0, 0x5000, crc, packed, size, len(name),
                                 len(extra), 0, 0, 0, change.get("mode", 0o100644) << 16, start) + name + extra  # fmt: skip
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + end


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_every_packing_gives_the_same_files(open_up: Open, method: int) -> None:
    files = {**some(), "über.bvh": b"umlaut", "empty.txt": b"", "a/b/": b""}
    found = open_up(zip_of(files, method))
    assert found.files == {name: data for name, data in sorted(files.items()) if not name.endswith("/")}
    assert (found.report.whole, found.report.refused) == (True, [])


def test_names_of_old_writers_are_read_as_utf8_or_as_their_code_page(open_up: Open) -> None:
    found = open_up(raw(("über.npz".encode(), b"1"), ("\xfcber.npz".encode("cp437"), b"2")))
    assert found.files == {"über.npz": b"1"}  # one name, in two spellings
    assert found.reasons == ["duplicate_member"]
    assert open_up(raw((b"\xff\xfe.npz", b"1"), flags=1 << 11)).reasons == ["unsafe_member"]


class Pipe(io.RawIOBase):
    """What cannot be sought in: sizes and checksums are written behind each member."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)


def test_a_zip_that_was_written_as_a_stream_is_read(open_up: Open) -> None:
    stream = Pipe()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in some().items():
            archive.writestr(name, data)
    assert open_up(stream.data).files == dict(sorted(some().items()))
    cut = open_up(stream.data[: stream.data.index(b"PK\1\2") - 10])
    assert (cut.files, cut.reasons) == (dict(sorted(some().items())[:5]), ["truncated"])


def test_a_zip64_is_read(open_up: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    data = zip_of(some())
    assert b"PK\6\6" in data
    assert open_up(data).files == dict(sorted(some().items()))


def test_times_do_not_depend_on_where_the_machine_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of({"a.npz": b"1"}))
    times = []
    for zone in ("Asia/Tokyo", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        (tmp_path / zone.replace("/", "-")).mkdir()
        unpack(tmp_path / "a.zip", tmp_path / zone.replace("/", "-"))
        times.append((tmp_path / zone.replace("/", "-") / "a.npz").stat().st_mtime)
    monkeypatch.delenv("TZ")
    time.tzset()
    assert times == [1589711420, 1589711420]
    (tmp_path / "odd.zip").write_bytes(raw((b"a.npz", b"1")).replace(b"\0\x50", b"\xff\xff"))
    (tmp_path / "odd").mkdir()
    unpack(tmp_path / "odd.zip", tmp_path / "odd")
    assert (tmp_path / "odd" / "a.npz").stat().st_mtime == 0


NAMES = [
    b"../evil.npz", b"a/../../evil.npz", b"/etc/evil.npz", b"C:/evil.npz", b"c:evil.npz", b"..\\evil.npz", b"a\\b.npz",
    b"\\\\server\\evil.npz", b"a\0.npz", b"good.npz\0/../evil.npz", b"a/\x1b[2J.npz", b"nul.npz", b"x" * 300 + b".npz",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_out_or_nowhere_is_refused(open_up: Open, name: bytes) -> None:
    found = open_up(raw((b"good.npz", b"good"), (name, b"evil")))
    assert found.files == {"good.npz": b"good"}
    assert found.reasons == ["unsafe_member"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(open_up: Open, kind: int) -> None:
    found = open_up(raw((b"good.npz", b"good"), (b"link.npz", b"/etc/passwd"), mode=kind | 0o777))
    assert found.files == {"good.npz": b"good"}
    assert found.reasons == ["unsafe_member"]


def test_the_same_name_again_is_refused_unless_it_holds_the_same(open_up: Open) -> None:
    found = open_up(raw((b"a.npz", b"1"), (b"a.npz", b"1"), (b"A.NPZ", b"1"), (b"a.npz", b"2")))
    assert found.files == {"a.npz": b"1"}
    assert found.reasons == ["duplicate_member"] * 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"flags": 1}, "encrypted"),
        ({"flags": 1 << 6 | 1}, "encrypted"),
        ({"method": 9}, "unsupported"),
        ({"method": 99}, "unsupported"),
        ({"crc": 0}, "corrupt"),
        ({"size": 3}, "header_lies"),
        ({"size": 5}, "header_lies"),
        ({"size": 0xFFFFFFFE}, "header_lies"),
        ({"packed": 3, "size": 3}, "corrupt"),
        ({"packed": 1000, "size": 1000}, "header_lies"),
        ({"start": 1}, "header_lies"),
        ({"start": 0}, "header_lies"),
        ({"start": 0xFFFFFFF0}, "header_lies"),
        ({"local_name": b"../x.npz"}, "header_lies"),
        ({"local_method": 8}, "header_lies"),
        ({"method": 8}, "corrupt"),
        ({"size": 0xFFFFFFFF, "extra": struct.pack("<HHQ", 1, 8, 1 << 62)}, "too_large"),
        ({"size": 0xFFFFFFFF, "extra": struct.pack("<HHQ", 1, 8, 5 << 30)}, "too_large"),
        ({"size": 0xFFFFFFFF, "extra": struct.pack("<HHQ", 1, 8, 1 << 30)}, "header_lies"),
        ({"size": 0xFFFFFFFF}, "header_lies"),
        ({"start": 0xFFFFFFFF, "extra": struct.pack("<HHQ", 1, 8, (1 << 64) - 1)}, "header_lies"),
    ],
)
def test_a_directory_that_lies_is_not_believed(open_up: Open, changes: dict[str, Any], reason: str) -> None:
    tracemalloc.start()
    found = open_up(raw((b"good.npz", b"good"), (b"evil.npz", b"evil"), **changes))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(found.reasons) == {reason}
    assert set(found.files.items()) <= {("good.npz", b"good")}
    assert peak < 4 << 20


def test_members_that_share_their_bytes_are_refused(open_up: Open) -> None:
    """The better zip bomb: many entries of the directory, one body."""
    body = raw((b"evil.npz", b"x" * 1000))
    at = body.index(b"PK\1\2")
    entry = body[at : body.index(b"PK\5\6")]
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1000, 1000, 1000 * len(entry), at, 0)
    found = open_up(body[:at] + entry * 1000 + end)
    assert found.files == {}
    assert set(found.reasons) == {"header_lies"}
    good = raw((b"good.npz", b"good"), (b"one.npz", b"1" * 500), (b"two.npz", b"2"), start=100)
    assert open_up(good).files == {"good.npz": b"good"}


def test_bombs_are_put_out_by_what_they_become(open_up: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (zips, zip_member):
        monkeypatch.setattr(module, "FREE_OF_RATIO", 4 << 20)
    zeros = bytes(16 << 20)
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        tracemalloc.start()
        found = open_up(zip_of({"good.npz": b"good", "zero.npz": zeros, "next.npz": b"next"}, method))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.files.items() >= {"good.npz": b"good"}.items()
        assert found.reasons[0] == "bomb"
        assert peak < 48 << 20  # bzip2's own tables, and the bomb that the test makes
    many = open_up(zip_of({f"{number}.npz": bytes(3 << 20) for number in range(20)}))
    assert many.reasons == ["bomb"]
    assert len(many.files) <= 5  # 200 times the bytes of the whole


def test_zips_in_zips_are_named_and_never_opened(open_up: Open) -> None:
    inner = zip_of({"x.npz": bytes(1 << 20)})
    for _ in range(3):
        inner = zip_of({f"{number}.zip": inner for number in range(4)})
    found = open_up(inner)
    assert (found.files, found.reasons) == ({}, ["nested_archive"] * 4)


@pytest.mark.parametrize("cut", [10, 100, 1500])
def test_a_zip_cut_short_keeps_what_came_whole(open_up: Open, cut: int) -> None:
    data = zip_of(some())
    found = open_up(data[: data.index(b"PK\1\2") - cut])
    assert found.reasons == ["truncated"]
    assert found.files == dict(sorted(some().items())[:5])
    assert open_up(data[:-10]).files == dict(sorted(some().items()))


def test_a_directory_of_a_false_length_or_place_is_refused(open_up: Open) -> None:
    data = zip_of(some())
    end = data.rindex(b"PK\5\6")
    for place, value in ((12, 0xFFFFFF), (16, 0xFFFFFF), (16, 5)):
        evil = bytearray(data)
        struct.pack_into("<L", evil, end + place, value)
        assert open_up(bytes(evil)).reasons == ["header_lies"]
    evil = bytearray(data)
    for claim in (60_000, 1, 0):  # with fewer, the others would be lost without a word
        struct.pack_into("<2H", evil, end + 8, claim, claim)
        assert open_up(bytes(evil)).reasons == ["header_lies"]


@pytest.mark.slow
def test_a_zip_of_more_members_than_its_directory_can_count_is_read_to_its_end(open_up: Open) -> None:
    """macOS counts them modulo 65,536, without zip64."""
    folders = {f"{number}/": b"" for number in range((1 << 16) - 2)}
    data = bytearray(zip_of({**folders, "a.npz": b"1", "b.npz": b"2", "c.npz": b"3"}, zipfile.ZIP_STORED))
    end = data.rindex(b"PK\5\6")
    wide = data.rindex(b"PK\6\6", 0, end)
    places = struct.unpack_from("<2Q", data, wide + 40)
    data[wide:] = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, *places, 0)
    found = open_up(bytes(data))
    assert (found.files, found.report.refused) == ({"a.npz": b"1", "b.npz": b"2", "c.npz": b"3"}, [])


def test_a_bomb_in_a_zip_without_its_directory_is_put_out(open_up: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_recovery, "FREE_OF_RATIO", 4 << 20)
    stream = Pipe()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.npz", b"good")
        archive.writestr("film.mp4", bytes(32 << 20))
        archive.writestr("next.npz", b"next")
    found = open_up(stream.data[: stream.data.index(b"PK\1\2")])
    assert (found.reasons, found.files) == (["bomb"], {"good.npz": b"good"})


def test_a_claim_of_too_many_members_is_refused_before_they_are_counted(
    open_up: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_directory, "MAX_MEMBERS", 5)
    assert open_up(zip_of(some())).reasons == ["too_large"]


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_changed_never_lead_out_never_raise_and_never_pass_for_whole(
    open_up: Open, data: st.DataObject
) -> None:
    method = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    whole = bytearray(zip_of(some(3, 300), method))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found = open_up(bytes(whole[: data.draw(st.integers(2, len(whole)))]))
    known = set(some(3, 300).values())
    assert all(content in known for content in found.files.values())


def test_a_member_that_another_program_made_for_dos_is_no_link(open_up: Open) -> None:
    data = bytearray(raw((b"a.npz", b"1"), mode=stat.S_IFLNK))
    data[data.index(b"PK\1\2") + 5] = 0  # made by MS-DOS: attributes are not those of Unix
    assert open_up(bytes(data)).files == {"a.npz": b"1"}


def test_real_randomness_is_unpacked_bit_for_bit(open_up: Open) -> None:
    big = {"big.npz": os.urandom(1 << 20)}
    assert open_up(zip_of(big)).files == big
