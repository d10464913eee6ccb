"""The files: the same bytes for the same seed, the real formats' layout, and a note in every folder."""

from __future__ import annotations

import csv
import hashlib
import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cli.sample import sample as sample_command
from motionunion.clip import SYNTHETIC_MARKER
from motionunion.errors import MissingInput, UsageError
from motionunion.sample import write_sample
from motionunion.sample.bvh import write_bvh


def digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_with_one_worker_and_with_two(tmp_path, sample):
    write_sample(tmp_path / "again", seed=3, clips=24, jobs=2)
    assert digests(tmp_path / "again") == digests(sample.root)


def test_another_seed_gives_other_motions(tmp_path, root):
    for path in write_bvh(tmp_path, 4):
        assert path.read_bytes() != (root / "bvh" / path.name).read_bytes()


def test_writing_again_changes_nothing_and_another_seed_is_not_mixed_in(tmp_path):
    write_sample(tmp_path, seed=0, clips=12, jobs=1)
    before = digests(tmp_path)
    write_sample(tmp_path, seed=0, clips=12, jobs=1)
    with pytest.raises(UsageError, match="another seed or size"):
        write_sample(tmp_path, seed=1, clips=12, jobs=1)
    assert digests(tmp_path) == before


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "amass").mkdir()
    (tmp_path / "amass" / "mine.npz").write_bytes(b"precious")
    with pytest.raises(UsageError, match="not a sample"):
        write_sample(tmp_path, clips=12, jobs=1)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mine.npz"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MissingInput, match="cannot write the sample"):
        write_sample(tmp_path / "file", clips=12, jobs=1)


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("motionunion.sample.bvh.write_bvh", full)
    monkeypatch.setattr("motionunion.sample.amass.write_amass", lambda *_: ([], []))
    with pytest.raises(MissingInput, match=r"somewhere: cannot write the sample there \(No space left"):
        write_sample(tmp_path, clips=12, jobs=1)


@pytest.mark.parametrize(("seed", "clips"), [(0, 5), (-1, 24)])
def test_impossible_wishes_are_refused(tmp_path, seed, clips):
    with pytest.raises(UsageError):
        write_sample(tmp_path, seed=seed, clips=clips, jobs=1)


def test_every_folder_and_every_npz_says_that_it_is_synthetic(root):
    for name in ("amass", "bvh", "smplx", "humanml3d"):
        assert "synthetic" in (root / name / SYNTHETIC_MARKER).read_text(encoding="utf-8")
    for path in [*root.glob("amass/Synthetic_G*/*/*.npz"), *root.glob("smplx/*/*/*.npz")]:
        with np.load(path, allow_pickle=False) as archive:
            assert archive["synthetic"] == np.True_
    assert all(path.name.startswith("Synthetic_") for path in root.glob("bvh/*.bvh"))


def test_smplh_files_have_the_arrays_of_amass(root):
    rates = set()
    for path in root.glob("amass/Synthetic_[EG]*/*/*_poses.npz"):
        with np.load(path, allow_pickle=False) as archive:
            frames = len(archive["poses"])
            assert archive["poses"].shape == (frames, 156)
            assert archive["trans"].shape == (frames, 3)
            assert archive["dmpls"].shape == (frames, 8)
            assert archive["betas"].shape == (16,)
            assert archive["poses"].dtype == archive["trans"].dtype == np.float64
            assert str(archive["gender"]) in {"male", "female"}
            rates.add(float(archive["mocap_framerate"]))
    assert rates == {100.0, 120.0}


def test_smplx_poses_are_the_parts_in_order(root):
    paths = list(root.glob("smplx/*/*/*_stageii.npz"))
    assert paths
    for path in paths:
        with np.load(path, allow_pickle=False) as archive:
            parts = [archive[key] for key in ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")]
            np.testing.assert_array_equal(np.concatenate(parts, axis=1), archive["poses"])
            assert archive["poses"].shape[1] == 165


@pytest.mark.parametrize("folder", ["amass/HumanML3D", "humanml3d"])
def test_index_texts_and_splits_name_the_same_clips(root, sample, folder):
    base = root / folder
    rows = list(csv.DictReader((base / "index.csv").open(encoding="utf-8")))
    assert list(rows[0]) == ["source_path", "start_frame", "end_frame", "new_name"]
    names = [row["new_name"].removesuffix(".npy") for row in rows]
    splits = {split: (base / f"{split}.txt").read_text().split() for split in ("train", "val", "test")}
    assert (
        sorted(name for members in splits.values() for name in members)
        == names
        == (base / "all.txt").read_text().split()
    )
    assert (base / "train_val.txt").read_text().split() == sorted(splits["train"] + splits["val"])
    assert sorted(path.stem for path in (base / "texts").glob("*.txt")) == names
    # The parts of one file never lie on two sides.
    side = {name: split for split, members in splits.items() for name in members}
    sides = {}
    for row, name in zip(rows, names, strict=True):
        sides.setdefault(row["source_path"], set()).add(side[name])
    assert all(len(found) == 1 for found in sides.values())


def test_segments_lie_inside_their_files(root):
    for row in csv.DictReader((root / "amass/HumanML3D/index.csv").open(encoding="utf-8")):
        address = row["source_path"].removeprefix("./pose_data/").removesuffix(".npy")
        with np.load(root / "amass" / f"{address}.npz", allow_pickle=False) as archive:
            stride = int(archive["mocap_framerate"] / 20)
            strided = len(archive["trans"][::stride])
        assert 0 <= int(row["start_frame"]) < int(row["end_frame"]) <= strided


def test_shipped_joints_have_the_bones_of_the_uniform_skeleton(root):
    # Right thigh and shin of HumanML3D's target skeleton (docs/representations.md).
    for path in root.glob("humanml3d/new_joints/*.npy"):
        joints = np.load(path, allow_pickle=False)
        np.testing.assert_allclose(np.linalg.norm(joints[:, 5] - joints[:, 2], axis=-1), 0.390188, atol=1e-3)
        np.testing.assert_allclose(np.linalg.norm(joints[:, 8] - joints[:, 5], axis=-1), 0.425643, atol=1e-3)


def test_the_result_counts_what_is_there(root, sample):
    assert sum(sample.splits.values()) == 24
    named = {folder.name: folder for folder in sample.folders}
    assert named["amass"].files == len(list(root.glob("amass/*/*/*.npz")))
    assert named["humanml3d"].clips == len(list(root.glob("humanml3d/new_joint_vecs/*.npy")))
    assert len(sample.bad) == 5
    assert all((root / path).is_file() for path in sample.bad)


def test_the_command_prints_one_json_object(tmp_path):
    app = typer.Typer()
    app.command()(sample_command)
    result = CliRunner().invoke(app, [str(tmp_path / "raw"), "--clips", "12", "--jobs", "1", "--json"])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed["synthetic"] is True
    assert printed["splits"]["train"] + printed["splits"]["val"] + printed["splits"]["test"] == 12
