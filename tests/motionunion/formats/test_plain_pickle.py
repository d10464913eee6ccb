"""Pickles of plain data are read; a pickle that wants anything else is refused before it runs."""

from __future__ import annotations

import builtins
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from motionunion.errors import SourceFormatError
from motionunion.formats.plain_pickle import read_object_array, read_plain_pickle


class Runs:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def dump(path: Path, value: Any, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


def reason(path: Path) -> str:
    with pytest.raises(SourceFormatError) as caught:
        read_plain_pickle(path)
    return caught.value.reason


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_scalars_text_and_sparse_matrices_come_back(tmp_path: Path, protocol: int) -> None:
    dense = np.arange(12.0).reshape(3, 4)
    value = {"dense": dense, "one": np.float32(2.5), "text": "male", "bytes": b"\xff\0", "sparse": csc_matrix(dense),
             "rows": csr_matrix(dense), "list": [1, 2.0, (3, None)], b"key": {4}}  # fmt: skip
    read = read_plain_pickle(dump(tmp_path / "a.pkl", value, protocol))
    np.testing.assert_array_equal(read["dense"], dense)
    np.testing.assert_array_equal(read["sparse"].toarray(), dense)
    np.testing.assert_array_equal(read["rows"].toarray(), dense)
    assert read["one"] == np.float32(2.5)
    assert (read["text"], read["bytes"], read["list"], read["key"]) == ("male", b"\xff\0", [1, 2.0, (3, None)], {4})


@pytest.mark.parametrize(
    "evil",
    [
        lambda proof: Runs(os.mkdir, proof),
        lambda proof: Runs(os.system, f"mkdir {proof}"),
        lambda proof: Runs(builtins.eval, f"__import__('os').mkdir({proof!r})"),
        lambda proof: Runs(builtins.getattr, "text", "upper"),
        lambda proof: np.array([Runs(os.mkdir, proof)], dtype=object),
    ],
)
def test_a_pickle_that_calls_a_function_is_refused_before_it_does(tmp_path: Path, evil: Any) -> None:
    proof = tmp_path / "it_ran"
    assert reason(dump(tmp_path / "evil.pkl", {"a": evil(str(proof))})) == "pickled"
    assert not proof.exists()


def test_chumpy_objects_are_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "old.pkl").write_bytes(b"cchumpy.ch\nCh\n.")
    with pytest.raises(SourceFormatError, match="chumpy"):
        read_plain_pickle(tmp_path / "old.pkl")


def test_an_array_that_begins_with_a_huge_shape_allocates_nothing(tmp_path: Path) -> None:
    (tmp_path / "huge.pkl").write_bytes(
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L1000000000000L\ntS'b'\ntR."
    )
    assert reason(tmp_path / "huge.pkl") == "pickled"


def test_damaged_pickles_and_other_things_are_refused(tmp_path: Path) -> None:
    whole = pickle.dumps({"a": np.arange(100.0), "b": "text"}, protocol=2)
    for length in range(0, len(whole), 7):
        (tmp_path / "cut.pkl").write_bytes(whole[:length])
        assert reason(tmp_path / "cut.pkl") in {"truncated", "corrupt"}
    (tmp_path / "text.pkl").write_text("hello")
    assert reason(tmp_path / "text.pkl") in {"corrupt", "truncated"}
    assert reason(dump(tmp_path / "list.pkl", [1, 2])) == "bad_format"


def test_the_real_motions_of_aist_are_plain() -> None:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if folder is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: the real files are not here")
    files = sorted(Path(folder, "aistpp").rglob("*.pkl"))
    assert files
    for path in files:
        for array in read_plain_pickle(path).values():
            assert isinstance(array, np.ndarray | float)


def test_the_pickled_member_of_a_real_amass_file_is_plain() -> None:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if folder is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: the real files are not here")
    path = Path(folder, "amass", "smplx", "140_02_stageii.npz")
    assert isinstance(read_object_array(path, "markers_latent_vids").item(), dict)
