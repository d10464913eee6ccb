"""What ingest says of files that are no motion, or not what they claim, and that nothing else is lost by them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from motionunion import open_store

BIN = Path(sys.executable).parent
UNKNOWN = "skeleton that is not known"
# Every file of the data folder's edge cases: exit code and what must be said of it.
EDGE_CASES = {
    "nonhuman/biped_rig_dog_walk.bvh": (4, UNKNOWN),
    "nonhuman/mann_dog_D1_010_KAN01_002.bvh": (4, UNKNOWN),
    "parser/Geno_bind_two_frames.bvh": (4, UNKNOWN),
    "parser/azure_malformed_offsets.bvh": (4, "bad_hierarchy"),
    "parser/git_lfs_pointer_instead_of.npy": (4, "git lfs pointer"),
    "parser/hand_only_lhand.bvh": (4, UNKNOWN),
    "parser/rest_one_frame.bvh": (4, "too_short"),
    "parser/rotation_first_root.bvh": (4, UNKNOWN),
    "parser/simple_bvh_nn_test.bvh": (4, "without a readable hierarchy"),
}


def ingest(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    line = [str(BIN / "motionunion"), "ingest", "--jobs", "1", *map(str, words)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def edge_cases() -> Path:
    data = os.environ.get("MOTIONUNION_TEST_DATA")
    if data is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: the edge cases are real files")
    return Path(data) / "edge_cases"


def test_every_edge_case_has_an_outcome(edge_cases: Path) -> None:
    found = {path.relative_to(edge_cases).as_posix() for path in edge_cases.rglob("*") if path.is_file()}
    assert found == set(EDGE_CASES)


@pytest.mark.parametrize(("name", "outcome"), EDGE_CASES.items(), ids=list(EDGE_CASES))
def test_ingest_of_an_edge_case(name: str, outcome: tuple[int, str], edge_cases: Path, tmp_path: Path) -> None:
    done = ingest(edge_cases / name, folder=tmp_path)
    assert done.returncode == outcome[0]
    assert outcome[1] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    subprocess.run([BIN / "motionunion", "sample", folder, "--clips", "24"], check=True, capture_output=True)
    return folder


def test_bad_npz_and_bad_captions_are_refused_and_the_rest_is_kept(sample: Path, tmp_path: Path) -> None:
    done = ingest(sample / "amass", folder=tmp_path)
    assert done.returncode == 3
    for reason in ("truncated", "pickled", "non_finite", "no_frame_rate", "not_utf8"):
        assert reason in done.stderr
    store = open_store(tmp_path / "motionunion-store")
    # `unreadable_captions` is a sound motion; only the text file that speaks of it is refused.
    good = [
        path
        for path in (sample / "amass").rglob("*_poses.npz")
        if "Broken" not in str(path) or path.stem == "unreadable_captions_poses"
    ]
    assert store.rows("select count(*) from clips") == [(len(good),)]


def test_a_bvh_whose_header_lies_by_a_million_is_refused_in_little_memory(sample: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows does not tell the memory of a child")
    shutil.copytree(sample / "bvh", tmp_path / "bvh")
    liar = sorted((tmp_path / "bvh").glob("*.bvh"))[0]
    lines = liar.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Frames:"))
    declared = int(lines[at].split()[1])
    lines[at] = f"Frames: {declared * 10**6}"
    liar.write_text("\n".join(lines) + "\n", encoding="utf-8")

    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = ingest("bvh", folder=tmp_path)
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert done.returncode == 3
    assert liar.name in done.stderr
    # The figure is the largest of all children so far: it only says something where this one raised it.
    assert peak_kib == before or peak_kib < 2**20
    others = len(list((tmp_path / "bvh").glob("*.bvh"))) - 1
    assert open_store(tmp_path / "motionunion-store").rows("select count(*) from clips") == [(others,)]


def test_a_folder_without_motion_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = ingest("empty", folder=tmp_path)
    assert done.returncode == 4
    assert "found no motion" in done.stderr
    assert "AMASS" in done.stderr
    assert not (tmp_path / "motionunion-store").exists()


def test_a_store_path_that_is_a_file_is_named(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"not a store")
    done = ingest(sample / "bvh", "--store", "store", folder=tmp_path)
    assert done.returncode == 4
    assert "store: is a file" in done.stderr
    assert (tmp_path / "store").read_bytes() == b"not a store"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="a folder's mode binds neither root nor Windows")
def test_no_permission_to_write_is_named(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    done = ingest(sample / "bvh", "--store", "locked/store", folder=tmp_path)
    assert done.returncode == 4
    assert "no permission to write" in done.stderr


def test_training_on_motion_without_captions_names_what_is_missing(sample: Path, tmp_path: Path) -> None:
    shutil.copytree(sample / "amass", tmp_path / "amass", ignore=shutil.ignore_patterns("HumanML3D", "*Broken*"))
    assert ingest("amass", folder=tmp_path).returncode == 0

    def scamo(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(BIN / "scamo"), *words], cwd=tmp_path, capture_output=True, text=True)

    assert scamo("tokenize", "--codebook", "65536", "--preset", "tiny").returncode == 0
    for words in (("train-ar",), ("eval", "humanml3d")):
        done = scamo(*words)
        assert done.returncode == 4, done.stderr
        assert "motionunion" in done.stderr
        assert "HumanML3D" in done.stderr


def test_nan_beside_good_numbers_names_the_frame(tmp_path: Path) -> None:
    poses = np.zeros((30, 156))
    poses[17, 3] = np.nan
    (tmp_path / "CMU" / "01").mkdir(parents=True)
    np.savez(
        tmp_path / "CMU" / "01" / "01_01_poses.npz",
        poses=poses, trans=np.zeros((30, 3)), betas=np.zeros(16), gender="male", mocap_framerate=120.0,
    )  # fmt: skip
    done = ingest("CMU", folder=tmp_path)
    assert done.returncode == 4
    assert "first in frame 17" in done.stderr
