"""Every way in which a pickle can be more than data: refused, nothing run, nothing imported, no memory taken on its word."""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionunion.errors import SourceFormatError
from motionunion.formats import pickle_machine, pickle_parts
from motionunion.formats.plain_pickle import read_object_array, read_plain_pickle

MOST = 64 << 20


@contextmanager
def little_memory(most: int = MOST) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


def refused(path: Path, data: bytes) -> SourceFormatError:
    path.write_bytes(data)
    with little_memory(), pytest.raises(SourceFormatError) as caught:
        read_plain_pickle(path)
    assert str(path) in str(caught.value)
    return caught.value


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def name(module: str, attribute: str) -> bytes:
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + b"(" + b"".join(arguments) + b"tR"


NDARRAY, DTYPE = name("numpy", "ndarray"), name("numpy", "dtype")
F8 = call("numpy", "dtype", text("f8"), b"\x89", b"\x88")
OBJECTS = call("numpy", "dtype", text("O8"), b"\x89", b"\x88")
EMPTY = call("numpy.core.multiarray", "_reconstruct", NDARRAY, b"K\0\x85", b"C\1b")
CALLS = {
    "os.system": call("os", "system", text("touch {proof}")),
    "posix.system": call("posix", "system", text("touch {proof}")),
    "nt.system": call("nt", "system", text("touch {proof}")),
    "subprocess": call("subprocess", "check_output", text("touch {proof}")),
    "eval": call("builtins", "eval", text("__import__('os').mkdir('{proof}')")),
    "python 2 eval": call("__builtin__", "eval", text("__import__('os').mkdir('{proof}')")),
    "exec": call("builtins", "exec", text("__import__('os').mkdir('{proof}')")),
    "getattr": call("builtins", "getattr", text("a"), text("upper")),
    "__import__": call("builtins", "__import__", text("os")),
    "open": call("builtins", "open", text("{proof}"), text("w")),
    "a dotted name": b"\x80\x04" + text("builtins") + text("str.format") + b"\x93" + text("a") + b"\x85R",
    "a name below a known one": b"\x80\x04" + text("numpy") + text("ndarray.tofile") + b"\x93" + text("a") + b"\x85R",
    "numpy.load": call("numpy", "load", text("{proof}")),
    "numpy.fromfile": call("numpy", "fromfile", text("/etc/passwd")),
    "numpy.frombuffer": call("numpy", "frombuffer", b"C\1a"),
    "numpy.memmap": call("numpy", "memmap", text("{proof}")),
    "numpy.testing": call("numpy.testing._private.utils", "runstring", text("1"), b"}"),
    "ctypes": call("ctypes", "CDLL", text("libc.so.6")),
    "pickle in a pickle": call("pickle", "loads", b"C\1N"),
    "codecs with another codec": call("_codecs", "encode", text("a"), text("rot13")),
    "copyreg of a class": call("copyreg", "_reconstructor", name("builtins", "list"), name("builtins", "object"), b"N"),
    "copyreg.add_extension": call("copyreg", "add_extension", text("os"), text("system"), b"K\1"),
    "functools.partial": call("functools", "partial", name("os", "system")),
    "sparse, unknown class": call("scipy.sparse", "load_npz", text("{proof}")),
    "sparse lookalike module": call("scipy.sparse_evil", "csc_matrix"),
    "scalar of objects": call("numpy.core.multiarray", "scalar", OBJECTS, b"C\x08aaaaaaaa"),
    "scalar of too few bytes": call("numpy.core.multiarray", "scalar", F8, b"C\1a"),
    "scalar of no dtype": call("numpy.core.multiarray", "scalar", text("f8"), b"C\1a"),
    "array with a shape at once": call(
        "numpy.core.multiarray", "_reconstruct", NDARRAY, b"L1000000000000L\n\x85", b"C\1b"
    ),
    "array of another class": call("numpy.core.multiarray", "_reconstruct", name("builtins", "list"), b"K\0\x85", b"C\1b"),
    "buffer of objects": call("numpy.core.numeric", "_frombuffer", b"C\x08aaaaaaaa", OBJECTS, b"K\1\x85", text("C")),
    "buffer of a false shape": call("numpy.core.numeric", "_frombuffer", b"C\x08aaaaaaaa", F8, b"K\2\x85", text("C")),
    "a call of text": text("os.system") + text("touch {proof}") + b"\x85R",
    "a call of a known class as such": call("numpy", "ndarray", b"L1000000000000L\n\x85"),
    "bytes of a length": call("builtins", "bytes", b"J\xff\xff\xff\x7f"),
    "bytearray of a length": call("builtins", "bytearray", b"J\xff\xff\xff\x7f"),
    "list of a range": call("builtins", "list", call("builtins", "range", b"J\xff\xff\xff\x7f")),
    "int of text": call("builtins", "int", text("9" * 50)),
    "new of a class": name("builtins", "list") + b")\x81",
    "new of a matrix with arguments": name("scipy.sparse", "csc_matrix") + b"K\1\x85\x81",
    "structured dtype": F8 + b"(K\3" + text("<") + b"N" + text("a") + b"\x85}NJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb",
    "dtype of records": call("numpy", "dtype", text("f8,i4")),
    "dtype of a huge text": call("numpy", "dtype", text("U999999999")),
    "state of a dictionary": b"}}b",
    "state with __class__": b"]}" + text("__class__") + b"Nsb",
    "__setstate__ of a name": name("numpy", "ndarray") + b"}b",
    "state of text": text("a") + b"}" + text("__dict__") + b"}sb",
    "array twice": EMPTY + (b"(K\1K\1\x85" + F8 + b"\x89C\x08aaaaaaaatb") * 2,
    "array with a huge shape": EMPTY + b"(K\1L1000000000000L\n\x85" + F8 + b"\x89C\x08aaaaaaaatb",
    "array with a negative shape": EMPTY + b"(K\1J\xff\xff\xff\xff\x85" + F8 + b"\x89C\x08aaaaaaaatb",
    "array of very many dimensions": EMPTY + b"(K\1(" + b"K\1" * 70 + b"t" + F8 + b"\x89C\x08aaaaaaaatb",
    "array of objects from bytes": EMPTY + b"(K\1K\1\x85" + OBJECTS + b"\x89C\x08aaaaaaaatb",
    "array of objects with too few": EMPTY + b"(K\1L1000000000000L\n\x85" + OBJECTS + b"\x89]tb",
    "array that is never filled": EMPTY,
    "INST": b"(" + text("touch {proof}") + b"ios\nsystem\n",
    "OBJ": b"(" + name("os", "system") + text("touch {proof}") + b"o",
    "NEWOBJ_EX": name("builtins", "list") + b")}\x92",
    "persistent id": b"Pevil\n",
    "persistent id on the stack": text("evil") + b"Q",
    "extension 1": b"\x82\1",
    "extension 2": b"\x83\1\1",
    "extension 4": b"\x84\1\1\1\1",
    "next buffer": b"\x97",
    "read-only buffer": b"N\x98",
    "protocol 9": b"\x80\x09N",
    "name as a value": DTYPE,
    "dtype as a value": F8,
    "ten to the ninth values, of lists": b"](" + b"N" * 3 + b"e"
    + b"".join(b"q%c(" % n + b"h%c" % n * 10 + b"l" for n in range(9)),
    "ten to the thirtieth values, of tuples": b")" + b"".join(b"q%c(" % n + b"h%c" % n * 10 + b"t" for n in range(30)),
    "a key that takes for ever to hash": b"}" + b")" + b"".join(b"q%c" % n + b"h%c\x86" % n for n in range(60)) + b"Ns",
    "a set that takes for ever to hash": b"\x8f(" + b")" + b"".join(b"q%c" % n + b"h%c\x86" % n for n in range(60)) + b"\x90",
    "a key that is a list": b"}]Ns",
    "a key that is an array": b"}" + EMPTY + b"Ns",
    "a list that holds itself": b"]q\0h\0a",
    "a dictionary that holds itself": b"}q\0" + text("a") + b"h\0s",
    "a list a thousand deep": b"]" * 1000 + b"a" * 999,
    "a tuple a hundred thousand deep": b")" + b"\x85" * 100_000,
    "integer of two gigabytes": b"\x8b\xff\xff\xff\x7f",
    "integer of many bytes": b"\x8b\x00\x10\x00\x00" + b"\1" * 4096,
    "integer of many digits": b"L" + b"9" * 5000 + b"L\n",
}  # fmt: skip


@pytest.mark.parametrize("attack", CALLS)
def test_a_pickle_that_is_more_than_data_is_refused_and_nothing_is_run(tmp_path: Path, attack: str) -> None:
    proof = tmp_path / "it_ran"
    body = CALLS[attack].replace(b"{proof}", str(proof).encode().ljust(7))
    # Lengths of text were those of the placeholder.
    for line in (b"touch {proof}", b"{proof}", b"__import__('os').mkdir('{proof}')"):
        real = line.replace(b"{proof}", str(proof).encode())
        body = body.replace(struct.pack("<I", len(line)) + real, struct.pack("<I", len(real)) + real)
    for wrapped in (body + b".", b"\x80\x04}" + text("a") + body + b"s."):
        assert refused(tmp_path / "evil.pkl", wrapped).reason in {"pickled", "truncated", "corrupt"}
    assert not proof.exists()


@pytest.mark.parametrize("code", [b"\x8e", b"\x96", b"\x8d", b"B", b"X", b"T"])
def test_a_length_beyond_the_file_takes_no_memory(tmp_path: Path, code: bytes) -> None:
    width = 8 if code in (b"\x8e", b"\x96", b"\x8d") else 4
    error = refused(tmp_path / "long.pkl", code + (2 ** (8 * width - 1) - 1).to_bytes(width, "little") + b"abc.")
    assert error.reason == "truncated"


def test_the_attack_that_the_test_builds_would_have_run(tmp_path: Path) -> None:
    proof = tmp_path / "it_ran"
    pickle.loads(call("os", "mkdir", text(str(proof))) + b".")  # noqa: S301
    assert proof.is_dir()


@pytest.mark.parametrize("code", [b"\x8f", b"]", b"}", b"N", b"G\0\0\0\0\0\0\0\0", b"\x8f2"])
def test_a_file_of_nothing_but_values_takes_no_multiple_of_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: bytes
) -> None:
    limit = pickle_machine.MAX_VALUES
    monkeypatch.setattr(pickle_machine, "MAX_VALUES", limit // 50)
    (tmp_path / "many.pkl").write_bytes(b"(" + code * (limit // 40) + b"l.")
    with little_memory((100 << 20) // 50), pytest.raises(SourceFormatError) as caught:
        read_plain_pickle(tmp_path / "many.pkl")
    assert caught.value.reason == "pickled"


def test_remembering_one_value_over_and_over_takes_no_multiple_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickle_machine, "MAX_VALUES", 10_000)
    (tmp_path / "memo.pkl").write_bytes(b"}" + b"\x94" * 200_000 + b".")
    with little_memory(4 << 20), pytest.raises(SourceFormatError) as caught:
        read_plain_pickle(tmp_path / "memo.pkl")
    assert caught.value.reason == "pickled"


def test_memo_numbers_take_no_memory(tmp_path: Path) -> None:
    (tmp_path / "memo.pkl").write_bytes(b"}r\xff\xff\xff\x7f" + text("a") + b"K\1s.")
    with little_memory(1 << 20):
        assert read_plain_pickle(tmp_path / "memo.pkl") == {"a": 1}


def test_sparse_matrices_that_would_lead_scipy_out_of_bounds_are_refused(tmp_path: Path) -> None:
    from scipy.sparse import csc_matrix

    matrix = csc_matrix(np.eye(3))
    for broken in ({"indices": np.array([0, 1, 99], np.int32)}, {"indptr": np.array([0, 1, 2, 9999], np.int32)}):
        evil = csc_matrix(np.eye(3))
        for part, values in broken.items():
            setattr(evil, part, values)
        assert refused(tmp_path / "sparse.pkl", pickle.dumps({"a": evil}, 4)).reason == "corrupt"
    huge = pickle.dumps({"a": matrix}, 4).replace(b"K\x03K\x03\x86", b"J\0\0\0\x40J\0\0\0\x40\x86")
    assert refused(tmp_path / "sparse.pkl", huge).reason == "pickled"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers() | st.binary(), inner, max_size=4)
    | st.tuples(inner, inner) | st.sets(st.integers() | st.text(), max_size=4) | st.frozensets(st.integers(), max_size=3),
    max_leaves=20,
)  # fmt: skip


@given(value=st.dictionaries(st.text(), PLAIN, max_size=4), protocol=st.integers(0, 5))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_plain_data_comes_back_as_python_reads_it(tmp_path: Path, value: dict[str, Any], protocol: int) -> None:
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(value, protocol))
    assert read_plain_pickle(tmp_path / "plain.pkl") == value


def rich() -> dict[str, Any]:
    shared = np.arange(6.0).reshape(2, 3)
    ragged = np.empty(3, dtype=object)
    ragged[:] = [np.arange(3), {"a": [1, None]}, "text"]
    return {
        **{f"array {code}": np.arange(12).reshape(3, 4).astype(code)
           for code in ("f2", "f4", "f8", ">f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16")},
        **{f"scalar {code}": np.dtype(code).type(1) for code in ("f2", "f4", "f8", "i4", "i8", "u1", "?")},
        "fortran": np.asfortranarray(shared), "text": np.array(["male", "f"]), "bytes": np.array([b"ab", b"c"]),
        "empty": np.zeros((0, 3)), "none": np.float64(2)[()], "zero d": np.array(5.0), "ragged": ragged,
        "objects": np.array([[1, "a"], [None, 2.5]], dtype=object), "one object": np.array({"a": shared}, dtype=object),
        "shared": [shared, shared], "ordered": OrderedDict(a=1, b=shared), "set": {1, 2}, "bytearray": bytearray(b"ab"),
    }  # fmt: skip


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        equal = one.shape == other.shape and one.dtype == other.dtype
        if one.dtype == object:
            return equal and all(same(a, b) for a, b in zip(one.ravel(), other.ravel(), strict=True))
        return equal and bool(np.array_equal(one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other) and type(one) is type(other)


@pytest.mark.parametrize("protocol", range(6))
def test_everything_that_the_field_pickles_comes_back(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "rich.pkl").write_bytes(pickle.dumps(rich(), protocol))
    read = read_plain_pickle(tmp_path / "rich.pkl")
    for key, value in rich().items():
        assert same(value, read[key]), key
    assert read["shared"][0] is read["shared"][1]


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
def test_module_names_of_both_numpys_are_known(tmp_path: Path, module: str) -> None:
    data = pickle.dumps({"a": np.arange(3.0), "b": np.float32(1)}, 2).replace(b"cnumpy._core.", b"cnumpy.core.")
    assert b"cnumpy.core.multiarray" in data
    (tmp_path / "a.pkl").write_bytes(data.replace(b"numpy.core", module.encode()))
    assert read_plain_pickle(tmp_path / "a.pkl")["a"].tolist() == [0, 1, 2]


def test_pickles_of_python_2_are_read(tmp_path: Path) -> None:
    raw = np.arange(2.0).tobytes().decode("latin1").encode("unicode_escape")
    data = (
        b"(dp0\nS'poses'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n"
        b"(I1\n(I2\ntp8\ncnumpy\ndtype\np9\n(S'f8'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\n"
        b"S'" + raw + b"'\np15\ntp16\nbsS'gender'\np17\nS'm\\xe4le'\np18\nsS'n'\nL5L\nsS'yes'\nI01\ns."
    )
    (tmp_path / "old.pkl").write_bytes(data)
    read = read_plain_pickle(tmp_path / "old.pkl")
    assert read["poses"].tolist() == [0, 1]
    assert (read["gender"], read["n"], read["yes"]) == ("m\xe4le", 5, True)


def test_limits_are_where_they_are_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep: Any = 1
    for _ in range(pickle_parts.MAX_DEPTH - 1):
        deep = [deep]
    (tmp_path / "deep.pkl").write_bytes(pickle.dumps({"a": deep}, 2))
    assert read_plain_pickle(tmp_path / "deep.pkl")["a"] == deep
    assert refused(tmp_path / "deep.pkl", pickle.dumps({"a": [[deep]]}, 2)).reason == "pickled"
    monkeypatch.setattr(pickle_machine, "MAX_VALUES", 50)
    assert refused(tmp_path / "many.pkl", pickle.dumps({"a": list(range(50))}, 2)).reason == "pickled"


class Makes:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.folder),))


def test_pickled_members_of_an_npz_are_read_where_they_are_plain(tmp_path: Path) -> None:
    body = {"params": {"transl": np.arange(6.0).reshape(2, 3)}, "vtemp": "a.ply"}
    np.savez_compressed(tmp_path / "grab.npz", body=np.array(body, dtype=object), frames=np.arange(3), evil=np.array(
        [Makes(tmp_path / "it_ran")], dtype=object))  # fmt: skip
    read = read_object_array(tmp_path / "grab.npz", "body")
    assert same(body, read.item())
    for name_, reason in (("evil", "pickled"), ("frames", "bad_dtype"), ("other", "missing_array")):
        with pytest.raises(SourceFormatError) as caught:
            read_object_array(tmp_path / "grab.npz", name_)
        assert caught.value.reason == reason
    assert not (tmp_path / "it_ran").exists()


def test_a_member_whose_header_and_pickle_disagree_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", body=np.array([1, "a"], dtype=object))
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        data = archive.read("body.npy")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("body.npy", data.replace(b"(2,)", b"(3,)"))
    with pytest.raises(SourceFormatError) as caught:
        read_object_array(tmp_path / "b.npz", "body")
    assert caught.value.reason == "header_lies"


WHOLE = {protocol: pickle.dumps(rich(), protocol) for protocol in (0, 2, 4, 5)}


@given(data=st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_or_cut_pickle_is_read_or_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    pickled = bytearray(WHOLE[data.draw(st.sampled_from(sorted(WHOLE)))])
    for _ in range(data.draw(st.integers(1, 4))):
        pickled[data.draw(st.integers(0, len(pickled) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "flipped.pkl").write_bytes(pickled[: data.draw(st.integers(0, len(pickled)))])
    with contextlib.suppress(SourceFormatError):
        read_plain_pickle(tmp_path / "flipped.pkl")


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "any.pkl").write_bytes(data)
    with contextlib.suppress(SourceFormatError):
        read_plain_pickle(tmp_path / "any.pkl")
