"""Hostile and damaged arrays: an error with a reason, no code run, no memory taken on a header's word."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionunion.errors import SourceFormatError
from motionunion.formats import npy, npz
from motionunion.formats.npy import npy_head, read_npy
from motionunion.formats.npz import list_members, member_heads, read_npz

ARRAYS = hnp.arrays(
    dtype=st.sampled_from(
        [np.float32, np.float64, np.int64, np.uint8, np.bool_, np.dtype(">f8"), np.dtype("U5"), np.dtype("S3")]
    ),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)


class RunsCode:
    """Makes a folder where it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.proof),))


def write(path: Path, *, packed: bool = True, **arrays: Any) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


def refused(path: Path, *names: str) -> SourceFormatError:
    with pytest.raises(SourceFormatError) as caught:
        read_npz(path, names)
    assert str(path) in str(caught.value)
    return caught.value


def member(header: str, data: bytes) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@given(first=ARRAYS, second=ARRAYS, packed=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_plain_array_is_read_as_numpy_reads_it(
    tmp_path_factory: Any, first: Any, second: Any, packed: bool
) -> None:
    path = write(tmp_path_factory.mktemp("npz") / "a.npz", packed=packed, first=first, second=np.asfortranarray(second))
    read = read_npz(path, ["first"], ["second", "absent"])
    assert list(read) == ["first", "second"]
    with np.load(path) as reference:
        for name, array in read.items():
            assert array.dtype == reference[name].dtype
            np.testing.assert_array_equal(array, reference[name])
    assert list_members(path) == ("first", "second")
    assert member_heads(path)["first"].shape == first.shape


@given(array=ARRAYS)
@settings(max_examples=30, deadline=None)
def test_a_bare_npy_is_read_as_numpy_reads_it(tmp_path_factory: Any, array: Any) -> None:
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    np.save(path, array)
    np.testing.assert_array_equal(read_npy(path), np.load(path))
    assert npy_head(path).shape == array.shape


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_anywhere_is_refused_and_named_truncated(tmp_path: Path, packed: bool) -> None:
    whole = write(tmp_path / "whole.npz", packed=packed, poses=np.arange(300.0).reshape(50, 6)).read_bytes()
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        path = tmp_path / "cut.npz"
        path.write_bytes(whole[:length])
        assert refused(path, "poses").reason in {"truncated", "not_npz"}
        assert length < 2 or refused(path, "poses").reason == "truncated"


def test_a_bare_npy_cut_anywhere_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "whole.npy", np.arange(60.0))
    whole = (tmp_path / "whole.npy").read_bytes()
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        (tmp_path / "cut.npy").write_bytes(whole[:length])
        with pytest.raises(SourceFormatError) as caught:
            read_npy(tmp_path / "cut.npy")
        assert caught.value.reason == "truncated"


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_either_change_nothing_or_are_refused(tmp_path: Path, data: st.DataObject) -> None:
    values = np.arange(40.0)
    whole = bytearray(write(tmp_path / "whole.npz", packed=data.draw(st.booleans()), poses=values).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped.npz"
    path.write_bytes(whole)
    try:
        read = read_npz(path, ["poses"])
    except SourceFormatError:
        return
    np.testing.assert_array_equal(read["poses"], values)


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(1000000, 1000000)", "(99999999999999999999999,)"])
def test_a_header_that_promises_terabytes_allocates_nothing(tmp_path: Path, shape: str) -> None:
    lie = member(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}", b"\0" * 64)
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("poses.npy", lie)
    (tmp_path / "lie.npy").write_bytes(lie)
    tracemalloc.start()
    assert refused(tmp_path / "lie.npz", "poses").reason == "header_lies"
    with pytest.raises(SourceFormatError):
        read_npy(tmp_path / "lie.npy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_directory_that_promises_more_than_its_bytes_hold_allocates_nothing(tmp_path: Path) -> None:
    size = (1 << 31) - 1024
    header = member(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},)}}", b"")
    with zipfile.ZipFile(tmp_path / "lie.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("poses.npy", header + b"\0" * 1000)
    data = (tmp_path / "lie.npz").read_bytes()
    real = struct.pack("<I", len(header) + 1000)
    (tmp_path / "lie.npz").write_bytes(data.replace(real, struct.pack("<I", size + len(header))))
    tracemalloc.start()
    assert refused(tmp_path / "lie.npz", "poses").reason == "header_lies"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("header", ["(", "  x\n y", "{'descr': ','", "{[]: 1}", "(" * 2000, "{'descr': '<f8'}", "\0"])
def test_a_header_that_is_no_header_is_refused_however_numpy_takes_it(tmp_path: Path, header: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(48))
    for read in (npy_head, read_npy):
        with pytest.raises(SourceFormatError) as caught:
            read(path)
        assert caught.value.reason == "header_lies"


def test_a_member_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pöses.npy", b"")
    data = path.read_bytes()
    local, listed = data.split("pöses".encode())[0], data.split("pöses".encode(), 1)[1]
    path.write_bytes(local + b"p\xff\xffses" + listed)  # the name in front of the values; the directory's stays
    with pytest.raises(SourceFormatError) as caught:
        read_npz(path, ("pöses",))
    assert caught.value.reason == "corrupt"


def test_a_true_zip_bomb_is_too_large_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "bomb.npz", poses=np.zeros(1 << 20, dtype=np.uint8))
    monkeypatch.setattr(npy, "MAX_ARRAY_BYTES", (1 << 20) - 1)
    assert refused(tmp_path / "bomb.npz", "poses").reason == "too_large"
    monkeypatch.setattr(npy, "MAX_ARRAY_BYTES", 1 << 20)
    assert read_npz(tmp_path / "bomb.npz", ["poses"])["poses"].shape == (1 << 20,)


def test_a_pickle_that_is_needed_is_refused_and_never_run(tmp_path: Path) -> None:
    evil = np.array([RunsCode(tmp_path / "it_ran")], dtype=object)
    path = write(tmp_path / "evil.npz", poses=evil, trans=np.zeros((2, 3)))
    assert refused(path, "poses").reason == "pickled"
    assert not (tmp_path / "it_ran").exists()
    np.save(tmp_path / "evil.npy", evil, allow_pickle=True)
    with pytest.raises(SourceFormatError) as caught:
        read_npy(tmp_path / "evil.npy")
    assert caught.value.reason == "pickled"
    assert not (tmp_path / "it_ran").exists()


def test_a_pickle_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    path = write(
        tmp_path / "evil.npz", markers=np.array([RunsCode(tmp_path / "it_ran")], dtype=object), trans=np.ones(3)
    )
    np.testing.assert_array_equal(read_npz(path, ["trans"])["trans"], np.ones(3))
    assert member_heads(path)["markers"].pickled
    assert not (tmp_path / "it_ran").exists()


def test_a_record_array_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "record.npz", poses=np.zeros(3, dtype=[("x", "f4"), ("y", "f4")]))
    assert refused(path, "poses").reason == "bad_dtype"


def test_a_git_lfs_pointer_says_what_it_is(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n"
    for name in ("a.npz", "a.npy"):
        (tmp_path / name).write_bytes(pointer)
    assert refused(tmp_path / "a.npz", "poses").reason == "git_lfs_pointer"
    with pytest.raises(SourceFormatError, match="git lfs pull"):
        read_npy(tmp_path / "a.npy")


def test_the_real_git_lfs_pointer_is_recognised() -> None:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if folder is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: the real file is not here")
    with pytest.raises(SourceFormatError) as caught:
        read_npy(Path(folder) / "edge_cases/parser/git_lfs_pointer_instead_of.npy")
    assert caught.value.reason == "git_lfs_pointer"


def test_a_missing_array_names_those_that_are_there(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "a.npz", trans=np.ones(3)), "poses", "trans")
    assert error.reason == "missing_array"
    assert "'poses'" in str(error)
    assert "'trans'" in str(error)


def test_text_under_the_name_of_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("not an archive")
    assert refused(tmp_path / "a.npz", "poses").reason == "not_npz"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("poses.npy", "not an array")
    (tmp_path / "a.npz").write_bytes(buffer.getvalue())
    assert refused(tmp_path / "a.npz", "poses").reason == "not_npy"


def test_an_array_that_inflates_like_a_bomb_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "FREE_OF_RATIO", 1 << 20)
    path = write(tmp_path / "bomb.npz", poses=np.zeros(1 << 20), small=np.zeros(1 << 14))
    tracemalloc.start()
    assert refused(path, "poses").reason == "bomb"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert len(read_npz(path, ["small"])["small"]) == 1 << 14  # still hands pack as well as that


def test_a_directory_of_megabytes_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "many.npz", **{f"array_{number}": np.zeros(1) for number in range(50)})
    monkeypatch.setattr(npz, "_MAX_DIRECTORY", 1000)
    assert refused(path, "array_0").reason == "too_large"


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_packings_that_numpy_never_writes_are_refused(tmp_path: Path, method: int) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("poses.npy", buffer.getvalue())
    assert refused(tmp_path / "a.npz", "poses").reason == "unsupported"


@pytest.mark.parametrize("claimed", [1 << 40, 1 << 62])
def test_sizes_in_a_zip64_field_are_not_believed_either(tmp_path: Path, claimed: int) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    info = zipfile.ZipInfo("poses.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(info, buffer.getvalue())
        archive.filelist[0].file_size = claimed  # the directory is written from this when the archive is closed
    tracemalloc.start()
    assert refused(tmp_path / "a.npz", "poses").reason == "header_lies"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", [0xD800, 0xDFFF, 0x110000, 0xFFFFFFFF])
def test_text_of_no_characters_is_refused(tmp_path: Path, order: str, code: int) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array(["male", "female"], dtype=f"{order}U6"))
    assert read_npy(path).tolist() == ["male", "female"]
    good = np.array([ord("f")], dtype=f"{order}u4").tobytes()
    path.write_bytes(path.read_bytes().replace(good, np.array([code], dtype=f"{order}u4").tobytes()))
    with pytest.raises(SourceFormatError, match="holds no text") as caught:
        read_npy(path)
    assert caught.value.reason == "corrupt"
