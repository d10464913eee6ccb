"""One motion, brought by several data sets: whatever names it, all that was made of one file is on one side of every split."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from motionunion.ingest.run import ingest
from motionunion.store.store import open_store

INDEX = """source_path,start_frame,end_frame,new_name
./pose_data/KIT/3/walk00_poses.npy,0,20,000021.npy
./pose_data/KIT/3/walk00_poses.npy,10,30,000012.npy
./pose_data/KIT/3/walk00_poses.npy,5,25,000004.npy
./pose_data/KIT/3/walk01_poses.npy,0,30,000005.npy
"""


@pytest.mark.slow
def test_what_others_made_of_humanml3d_s_ids_never_lies_across_a_split_from_the_amass_file(
    tmp_path: Path, write_tree: Callable[[str, Path], Any]
) -> None:
    """AMASS and HumanML3D's index, and the same ids as Motion-X, MotionHub and 272 features have them."""
    for name in ("amass_smplh", "motion_x", "motionhub", "motionstreamer_272"):
        write_tree(name, tmp_path / name)
    index = tmp_path / "HumanML3D"
    (index / "texts").mkdir(parents=True)
    (index / "index.csv").write_text(INDEX)
    for number in (21, 12, 4, 5):
        (index / "texts" / f"{number:06d}.txt").write_text("a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\n")
    (index / "train.txt").write_text("000021\n000012\n000004\n")
    (index / "test.txt").write_text("000005\n")
    others = [tmp_path / name for name in ("motion_x", "motionhub", "motionstreamer_272")]
    ingest([*others, tmp_path / "amass_smplh"], tmp_path / "store")
    ingest([index], tmp_path / "store")
    with open_store(tmp_path / "store") as store:
        found = store.rows("SELECT source, key, split FROM clips WHERE \"group\" = 'amass/kit/3/walk00' ORDER BY ALL")
        apart = store.rows("SELECT key, split FROM clips WHERE \"group\" = 'amass/kit/3/walk01'")
    assert found == [
        ("amass_smplh", "KIT/3/walk00_poses", "test"),
        ("motion_x", "humanml/000021", "test"),
        ("motion_x", "humanml/M000021", "test"),
        ("motionhub", "HumanML3D_AMASS/M000/M000012", "test"),
        ("motionstreamer_272", "humanml3d/000004", "test"),
        ("motionstreamer_272", "humanml3d/M000004", "test"),
    ]
    assert apart == [("KIT/3/walk01_poses", "test")]


@pytest.mark.slow
def test_kit_s_ids_and_the_amass_files_that_the_unifier_names_for_them_share_a_group(
    tmp_path: Path, write_tree: Callable[[str, Path], Any]
) -> None:
    """Features that lie without the map of their ids, and another person's annotations of the same ids."""
    write_tree("kitml", tmp_path / "both")
    features = tmp_path / "both" / "KIT-ML"
    entry = {"seg_id": "03950_0", "text": "A person walks.", "start": 0.0, "end": 2.0}
    (tmp_path / "kitml.json").write_text(
        json.dumps({"03950": {"path": "KIT/4/Walking05_poses", "duration": 2.0, "annotations": [entry]}})
    )
    ingest([features], tmp_path / "store")
    ingest([tmp_path / "kitml.json"], tmp_path / "store")
    with open_store(tmp_path / "store") as store:
        assert store.rows('SELECT key, "group", own_group FROM clips') == [
            ("03950", "amass/kit/4/walking05", "kitml/03950")
        ]
