from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from motionunion import feature_files
from motionunion.errors import StoreError
from motionunion.feature_files import (
    LEFT_ALONE_S,
    open_rows,
    read_pieces,
    read_sealed,
    stale_features,
    verify_features,
    write_rows,
    write_sealed,
)
from motionunion.features import FeatureSet

MakeSet = Callable[..., FeatureSet]
FINGERPRINT = "f" * 64


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


@pytest.fixture
def features(set_of: MakeSet, tmp_path: Path) -> FeatureSet:
    """Two spans on disk, with a normalised copy beside them."""
    features = set_of(tmp_path / "hml263@20-compat-0123456789abcdef", [(30, "train"), (20, "val")])
    features.normalised(features.statistics())
    return features


def test_a_whole_folder_has_no_problems(features: FeatureSet) -> None:
    assert len(files_of(features.path)) == 5
    assert verify_features(features.path) == []


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "remove"])
def test_every_damage_to_every_file_is_found(features: FeatureSet, damage: str) -> None:
    random = np.random.default_rng(1)
    for path in files_of(features.path):
        if damage == "remove" and path.suffix == ".json" and path.name.startswith("normalised"):
            continue  # without its JSON a copy is an unfinished one, which nothing reads
        whole = path.read_bytes()
        for place in {0, len(whole) - 1, *random.integers(len(whole), size=12).tolist()}:
            if damage == "flip":
                changed = bytearray(whole)
                changed[place] ^= 1 << int(random.integers(8))
                path.write_bytes(changed)
            elif damage == "cut":
                path.write_bytes(whole[:place])
            elif damage == "grow":
                path.write_bytes(whole + b"\0")
            else:
                path.unlink(missing_ok=True)
            problems = verify_features(features.path)
            assert problems, (path.name, damage, place)
            assert "delete" in problems[0]
        path.write_bytes(whole)
        assert verify_features(features.path) == []


def test_what_a_killed_process_left_is_no_problem(features: FeatureSet) -> None:
    (features.path / ".tmp-0123456789abcdef.npy").write_bytes(b"half of it")
    (features.path / "normalised-0123456789abcdef.npy").write_bytes(b"no word about it yet")
    assert verify_features(features.path) == []


def test_folders_of_other_things_have_no_problems_and_half_deleted_features_have(tmp_path: Path) -> None:
    for name in ("unpacked", ".building-hml263@20-compat-0123456789abcdef", "hml263@20-compat-0123456789abcdef"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "something.npz").write_bytes(b"of an archive")
    assert verify_features(tmp_path / "unpacked") == []
    assert verify_features(tmp_path / ".building-hml263@20-compat-0123456789abcdef") == []
    (problem,) = verify_features(tmp_path / "hml263@20-compat-0123456789abcdef")
    assert "features.json" in problem


def test_a_folder_of_an_older_format_says_so(features: FeatureSet) -> None:
    meta = read_sealed(features.path / "features.json")
    del meta["digest"]
    write_sealed(features.path / "features.json", meta | {"format": 1})
    (problem,) = verify_features(features.path)
    assert "format 1" in problem


def test_opening_finds_damage_that_costs_nothing_to_find(features: FeatureSet) -> None:
    """Size and header of the values; every byte of the rest."""
    for name, places in (("spans.parquet", (5, 300)), ("features.json", (5, 40)), ("values.npy", (2, 40))):
        path = features.path / name
        whole = path.read_bytes()
        for place in places:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(StoreError, match="delete the folder"):
                FeatureSet.load(features.path)
        path.write_bytes(whole[:-4])
        with pytest.raises(StoreError, match="delete the folder"):
            FeatureSet.load(features.path)
        path.write_bytes(whole + b"1234")
        with pytest.raises(StoreError, match="delete the folder"):
            FeatureSet.load(features.path)
        path.write_bytes(whole)


def test_a_header_that_lies_allocates_nothing(tmp_path: Path) -> None:
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 263), }"
    text = header.ljust(117) + "\n"
    (tmp_path / "values.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode())
    with pytest.raises(ValueError, match=r"values\.npy|size|length|large"):
        open_rows(tmp_path / "values.npy", (10**12, 263))


def test_rows_return_as_written_and_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_files, "PIECE_ROWS", 4)
    rows = np.random.default_rng(0).normal(size=(11, 3)).astype(np.float32)
    path = tmp_path / "rows.npy"
    stated = write_rows(path, (11, 3), [rows[:5], rows[5:5], rows[5:]])
    np.testing.assert_array_equal(open_rows(path, (11, 3)), rows)
    digest = hashlib.sha256()
    pieces = list(read_pieces(path, (11, 3), digest))
    assert [len(piece) for piece in pieces] == [4, 4, 3]
    np.testing.assert_array_equal(np.concatenate(pieces), rows)
    assert digest.hexdigest() == stated == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="10 rows"):
        write_rows(path, (11, 3), [rows[:10]])


def test_features_of_another_state_are_stale_and_those_of_this_one_are_not(
    set_of: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = set_of(tmp_path / "kept", [(30, "train")]).path
    other = set_of(tmp_path / "other", [(30, "train")], fingerprint="e" * 64).path
    other_parameters = set_of(tmp_path / "parameters", [(30, "train")], parameter_hash="another").path
    unknown = set_of(tmp_path / "unknown", [(30, "train")], representation="ms272@30").path
    damaged = shutil.copytree(kept, tmp_path / "damaged")
    (damaged / "features.json").write_text("{")
    building, left = tmp_path / ".building-new", tmp_path / ".building-left"
    for folder in (building, left):
        folder.mkdir()
        (folder / "000000.npz").write_bytes(b"part")
    long_ago = time.time() - LEFT_ALONE_S - 60
    for path in (left, left / "000000.npz", building):
        os.utime(path, (long_ago, long_ago))
    (tmp_path / "unpacked").mkdir()  # an archive that is being ingested
    (tmp_path / "hml263@20-compat-0123456789abcdef").mkdir()  # deleted by half
    (tmp_path / "a file").write_text("is no folder of features")
    assert stale_features(tmp_path, FINGERPRINT) == sorted(
        [other, other_parameters, unknown, damaged, left, tmp_path / "hml263@20-compat-0123456789abcdef"]
    )
    assert kept.is_dir()
    assert stale_features(tmp_path / "nowhere", FINGERPRINT) == []


def test_a_build_that_goes_away_while_it_is_looked_at_is_nobody_s_to_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    building = tmp_path / ".building-done"
    building.mkdir()
    listed = Path.iterdir

    def vanishing(path: Path) -> Iterator[Path]:
        yield from listed(path)
        if path == building:
            yield building / "000000.npz"  # listed, and removed by the builder before its time is asked for

    monkeypatch.setattr(Path, "iterdir", vanishing)
    assert stale_features(tmp_path, FINGERPRINT) == []


def test_sealed_json_carries_its_own_digest(tmp_path: Path) -> None:
    write_sealed(tmp_path / "about.json", {"rows": 3})
    assert read_sealed(tmp_path / "about.json")["rows"] == 3
    stated = json.loads((tmp_path / "about.json").read_bytes())
    (tmp_path / "about.json").write_text(json.dumps(stated | {"rows": 4}))
    with pytest.raises(ValueError, match="digest"):
        read_sealed(tmp_path / "about.json")
