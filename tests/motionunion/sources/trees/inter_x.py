"""Inter-X: a take as fits with its skeletons beside, one as skeletons alone, and one in the HDF5 files for training."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from motionunion.body import SMPLX_TEMPLATE
from motionunion.joint_maps import JOINT_MAPS

FITTED, CAPTURED, TRAINING = "G001T000A001R000", "G001T000A003R016", "G059T005A037R023"
SENTENCES = "Two people shake hands.\nThe first one walks up, the other waits.\n"


def write(root: Path, walk: Callable[..., Any]) -> None:
    for person in (1, 2):
        walked = walk(120.0, 1.0, person)
        frames = len(walked.root_T3)
        away = np.array([0.0, 0.0, person - 1.0])
        fit = root / "motions" / FITTED / f"P{person}.npz"
        fit.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            fit, root_orient=walked.rotvecs_T22x3[:, 0], pose_body=walked.rotvecs_T22x3[:, 1:],
            pose_lhand=np.random.default_rng(person).normal(0, 0.2, (frames, 15, 3)),
            pose_rhand=np.zeros((frames, 15, 3)), trans=walked.root_T3 + away - SMPLX_TEMPLATE.pelvis_3,
            betas=np.linspace(-1, 1, 10)[None], gender=np.array("female" if person == 1 else "male"),
        )  # fmt: skip
        for take in (FITTED, CAPTURED):
            joints = root / "skeletons" / take / f"P{person}.npy"
            joints.parent.mkdir(parents=True, exist_ok=True)
            np.save(joints, skeleton_of(walked.joints_T22x3 + away))
    for folder in ("texts", "splits", "annots", "processed_data/motions", "processed_data/texts_processed"):
        (root / folder).mkdir(parents=True)
    (root / "texts" / f"{FITTED}.txt").write_text(SENTENCES)
    (root / "splits" / "train.txt").write_text(f"{CAPTURED}\n")
    (root / "splits" / "test.txt").write_text(f"{FITTED}\n")
    (root / "annots" / "interaction_order.pkl").write_bytes(pickle.dumps({FITTED: 1, CAPTURED: 0}))
    slow = [walk(30.0, 1.0, person) for person in (1, 2)]
    values = np.zeros((len(slow[0].root_T3), 56, 6), dtype=np.float32)
    for person, walked in enumerate(slow):
        values[:, :22, 3 * person : 3 * person + 3] = walked.rotvecs_T22x3
        values[:, 25:55, 3 * person : 3 * person + 3] = 0.1 * (person + 1)
        values[:, 55, 3 * person : 3 * person + 3] = walked.root_T3 - slow[0].root_T3[0]
    with h5py.File(root / "processed_data" / "motions" / "val.h5", "w") as file:
        file.create_dataset(TRAINING, data=values)
    words = "two people walk#two/NUM people/NOUN walk/VERB#0.0#0.0\n"
    (root / "processed_data" / "texts_processed" / f"{TRAINING}.txt").write_text(words)


def skeleton_of(joints_T22x3: np.ndarray) -> np.ndarray:
    """The 64 joints whose places are known from 22: the rest lie on the wrists, heads and toes that they belong to."""
    from motionunion.skeleton import SMPL22_NAMES

    joint_map = JOINT_MAPS["inter_x_optitrack"]
    names = joint_map.names[0]
    known = {place.start: name for name, place in zip(SMPL22_NAMES, joint_map.places, strict=True) if not place.masked}
    joints = np.zeros((len(joints_T22x3), len(names), 3))
    for index, name in enumerate(names):
        nearest = next(part for part in (name, name.split("_")[0], f"{name.split('Hand')[0]}Hand") if part in known)
        joints[:, index] = joints_T22x3[:, SMPL22_NAMES.index(known[nearest])]
    return joints
