"""AMASS as downloaded, never unpacked by hand: archives of both releases beside a HumanML3D checkout."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from motionunion.engines.serial import Serial
from motionunion.ingest.result import IngestResult
from motionunion.ingest.run import ingest
from motionunion.store.check import check_store
from motionunion.store.store import Store, open_store

WriteAmass = Callable[..., Path]


def read(paths: list[Path], store: Path) -> IngestResult:
    return ingest(paths, store, executor=Serial())


@pytest.fixture
def downloads(amass: WriteAmass, tmp_path: Path) -> Path:
    """`KIT.tar.bz2` of both releases, with licence and body shapes in it, and HumanML3D's texts, index and splits."""
    smplh = amass(tmp_path / "made", 4, frames=400) / "CMU"
    smplh = smplh.rename(smplh.with_name("MPI_HDM05"))
    (smplh / "LICENSE.txt").write_text("theirs")
    np.savez(smplh / "00/shape.npz", betas=np.zeros(16), gender="neutral")
    smplx = tmp_path / "made_x" / "HDM05"
    for path in sorted(smplh.rglob("*_poses.npz")):
        with np.load(path) as arrays:
            poses = arrays["poses"]
            other = smplx / path.parent.name / path.name.replace("_poses", "_stageii")
            other.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(
                other, root_orient=poses[:, :3], pose_body=poses[:, 3:66], pose_hand=poses[:, 66:], trans=arrays["trans"],
                betas=np.zeros(16), gender="neutral", mocap_frame_rate=120.0,
            )  # fmt: skip
    folder = tmp_path / "downloads"
    for source, name in ((smplh, "smplh/MPI_HDM05.tar.bz2"), (smplx, "smplx/HDM05.tar.bz2")):
        (folder / name).parent.mkdir(parents=True)
        with tarfile.open(folder / name, "w:bz2") as packed:
            packed.add(source, source.name)
    annotations = folder / "HumanML3D"
    (annotations / "texts").mkdir(parents=True)
    rows = ["source_path,start_frame,end_frame,new_name"]
    rows += [f"./pose_data/MPI_HDM05/00/00_{n:02d}_poses.npy,0,6,00000{n}.npy" for n in range(2)]
    (annotations / "index.csv").write_text("\n".join(rows) + "\n")
    for number in range(2):
        (annotations / f"texts/00000{number}.txt").write_text(
            f"somebody sways {number}#somebody/NOUN sway/VERB#0.0#0.0\n"
        )
    (annotations / "train.txt").write_text("000000\n")
    (annotations / "test.txt").write_text("000001\n")
    return folder


def test_amass_is_read_from_its_archives_with_humanml3ds_words_for_both_releases(
    tmp_path: Path, downloads: Path
) -> None:
    result = read([downloads], tmp_path / "store")
    assert (result.clips, result.refused) == (8, 0)
    with open_store(tmp_path / "store") as store:
        rows = store.rows(
            "SELECT source, uid, split, valid_start, frames, fps FROM clips WHERE uid IN "
            "('amass/hdm05/00/00_00', 'amass/hdm05/00/00_01') ORDER BY source, uid"
        )
        # 3 s of T-pose at 120 frames a second lie outside of what is valid
        assert [row[:4] for row in rows] == [
            ("amass_smplh", "amass/hdm05/00/00_00", "train", 360), ("amass_smplh", "amass/hdm05/00/00_01", "test", 360),
            ("amass_smplx", "amass/hdm05/00/00_00", "train", 360), ("amass_smplx", "amass/hdm05/00/00_01", "test", 360),
        ]  # fmt: skip
        assert {row[5] for row in rows} == {120.0}
        assert store.rows("SELECT DISTINCT name, start_s, end_s, split FROM segments ORDER BY name") == [
            ("000000", 3.0, 3.3, "train"), ("000001", 3.0, 3.3, "test"),
        ]  # fmt: skip
        assert _texts(store) == {
            ("amass/hdm05/00/00_00", "somebody sways 0"),
            ("amass/hdm05/00/00_01", "somebody sways 1"),
        }
    assert check_store(tmp_path / "store").sound
    assert not (tmp_path / "store" / "cache" / "unpacked").exists()


def _texts(store: Store) -> set[tuple[str, str]]:
    return {(str(uid), str(text)) for uid, text in store.rows("SELECT uid, text FROM captions")}
