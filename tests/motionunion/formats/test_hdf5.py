"""HDF5 files: what is read, and what is refused before it can allocate or reach anything."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from motionunion.errors import SourceFormatError
from motionunion.formats.hdf5 import hdf5_heads, read_hdf5, read_hdf5_attribute


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.h5"
    with h5py.File(path, "w") as out:
        out["a/values"] = np.arange(12.0).reshape(4, 3)
        out["a"].attrs["dt"] = 0.05
        out.create_dataset("packed", data=np.ones((1000, 3), np.float32), compression="gzip")
    return path


def reason_of(path: Path, name: str) -> str:
    with pytest.raises(SourceFormatError) as caught:
        read_hdf5(path, name)
    assert str(path) in str(caught.value)
    return caught.value.reason


def test_arrays_are_listed_and_read_by_their_paths(file: Path) -> None:
    heads = hdf5_heads(file)
    assert {name: head.shape for name, head in heads.items()} == {"a/values": (4, 3), "packed": (1000, 3)}
    np.testing.assert_array_equal(read_hdf5(file, "a/values"), np.arange(12.0).reshape(4, 3))
    assert read_hdf5(file, "packed").dtype == np.float32
    assert read_hdf5_attribute(file, "a", "dt") == 0.05
    assert reason_of(file, "a") == "missing_array"
    assert reason_of(file, "a/other") == "missing_array"
    with pytest.raises(SourceFormatError, match="no attribute 'fps'"):
        read_hdf5_attribute(file, "", "fps")


def test_nothing_outside_the_file_is_reached(file: Path, tmp_path: Path) -> None:
    np.arange(300.0).tofile(tmp_path / "secret.bin")
    with h5py.File(file, "a") as out:
        out["soft"] = h5py.SoftLink("/a/values")
        out["away"] = h5py.ExternalLink("other.h5", "/a")
        out.create_dataset("raw", (300,), "f8", external=[(str(tmp_path / "secret.bin"), 0, 2400)])
        layout = h5py.VirtualLayout((4, 3), "f8")
        layout[:] = h5py.VirtualSource("other.h5", "a/values", (4, 3))
        out.create_virtual_dataset("virtual", layout)
    assert {"soft", "away"}.isdisjoint(hdf5_heads(file))
    assert {reason_of(file, name) for name in ("soft", "away", "away/values", "raw", "virtual")} == {"outside_data"}


def test_links_in_circles_end(file: Path) -> None:
    with h5py.File(file, "a") as out:
        out["a/round"] = out["a"]
        out["a/top"] = out
    assert list(hdf5_heads(file)) == ["a/values", "packed"]


def test_an_array_that_was_never_written_does_not_allocate(tmp_path: Path) -> None:
    path = tmp_path / "empty.h5"
    with h5py.File(path, "w") as out:
        out.create_dataset("much", (30_000_000,), "f4", chunks=(1024,))
        out.create_dataset("more", (1 << 40,), "f4", chunks=(1024,))
        out.create_dataset("words", data=["a", "b"])
    assert [reason_of(path, name) for name in ("much", "more", "words")] == ["bomb", "too_large", "bad_dtype"]


def test_what_is_no_hdf5_or_half_of_one_is_refused(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "text.h5"
    other.write_text("not HDF5")
    assert reason_of(other, "a") == "not_hdf5"
    assert reason_of(tmp_path / "gone.h5", "a") == "unreadable"
    file.write_bytes(file.read_bytes()[:1500])
    assert reason_of(file, "a/values") in {"truncated", "corrupt"}


def test_damage_of_every_byte_of_the_structure_is_refused_or_read(file: Path) -> None:
    """HDF5's library has errors of many kinds; none but ours may leave."""
    whole = file.read_bytes()
    reasons = set()
    for place in range(8, min(len(whole), 2500), 5):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            for name in hdf5_heads(file):
                read_hdf5(file, name)
            reasons.add("read")
        except SourceFormatError as error:
            reasons.add(error.reason)
    assert {"read", "corrupt"} <= reasons
