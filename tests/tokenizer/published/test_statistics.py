from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motionunion.errors import MissingInput
from tokenizer.published.statistics import find_statistics


def save(folder: Path, mean: object, std: object, names: tuple[str, str] = ("mean.npy", "std.npy")) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, (mean, std), strict=True):
        np.save(folder / name, np.asarray(array))
    return folder


@pytest.mark.parametrize("place", ["model", "meta", "elsewhere"])
@pytest.mark.parametrize("names", [("mean.npy", "std.npy"), ("Mean.npy", "Std.npy")])
def test_statistics_are_found_beside_the_weights_in_meta_or_where_they_are_said_to_be(tmp_path, place, names) -> None:
    save(tmp_path / place, [1.0, 2.0], [3.0, 4.0], names)
    given = tmp_path / place if place == "elsewhere" else None
    mean, std = find_statistics(tmp_path / "model" / "net_best_fid.tar", given)
    assert mean.dtype == std.dtype == np.float32
    assert (mean.tolist(), std.tolist()) == ([1.0, 2.0], [3.0, 4.0])


def test_a_folder_that_is_given_is_the_only_one_looked_at(tmp_path: Path) -> None:
    save(tmp_path / "model", [1.0], [1.0])
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInput, match=r"no mean\.npy and std\.npy in \S*empty: "):
        find_statistics(tmp_path / "model" / "x.pth", tmp_path / "empty")


def test_weights_without_statistics_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"or name their folder with --statistics"):
        find_statistics(tmp_path / "model" / "x.pth", None)


@pytest.mark.parametrize(
    ("mean", "std", "match"),
    [
        ([1.0, 2.0], [1.0], "2 numbers and .* 1: they do not belong together"),
        ([1.0, 2.0], [1.0, 0.0], "a deviation must be positive, and number 1 is not"),
        ([1.0, np.nan], [1.0, 1.0], "not finite"),
        ([1.0, 1e300], [1.0, 1.0], "or too large"),
        ([1.0, 1.0], [1.0, 1e300], "or too large"),
        ([[1.0, 2.0]], [1.0, 1.0], "not one row"),
        ([1, 2], [1.0, 1.0], "not one row of floating-point"),
        ([], [], "not one row"),
        (np.zeros(1 << 18), [1.0], "more than any row"),
        (np.array([{"a": 1}], dtype=object), [1.0], "cannot be used as statistics"),
    ],
)
def test_what_can_be_no_statistics_is_refused(tmp_path: Path, mean, std, match: str) -> None:
    save(tmp_path, mean, std)
    with pytest.raises(MissingInput, match=match):
        find_statistics(tmp_path / "x.pth", None)


def test_a_header_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    save(tmp_path, [1.0], [1.0])
    with (tmp_path / "mean.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(8))
    with pytest.raises(MissingInput, match="cannot be used as statistics"):
        find_statistics(tmp_path / "x.pth", None)
