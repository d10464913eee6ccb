"""GRAB: two takes of one person as the site has them, with pickled parts, and the shape fitted to her mesh."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation
from motionunion.body import SMPLX_TEMPLATE


def write(root: Path, walk: Callable[..., Any]) -> None:
    folder, meshes = root / "grab" / "s2", root / "tools" / "subject_meshes" / "female"
    folder.mkdir(parents=True)
    meshes.mkdir(parents=True)
    np.save(meshes / "s2_betas.npy", np.linspace(-1, 1, 10)[None])
    turn = rotation.from_rotvec([np.pi / 2, 0.0, 0.0])
    for number, name in enumerate(("airplane_fly_1", "mug_drink_2")):
        walked = walk(120.0, seed=number)
        frames = len(walked.root_T3)
        full = np.zeros((frames, 55, 3))
        full[:, :22] = walked.rotvecs_T22x3
        full[:, 0] = rotation.to_rotvec(rotation.multiply(turn, walked.quats_T22x4[:, 0]))
        full[:, 25:] = np.random.default_rng(number).normal(0, 0.1, (frames, 30, 3))
        params = {
            "transl": (rotation.rotate(turn, walked.root_T3) - SMPLX_TEMPLATE.pelvis_3).astype(np.float32),
            "global_orient": full[:, 0].astype(np.float32),
            "body_pose": full[:, 1:22].reshape(frames, 63).astype(np.float32),
            "left_hand_pose": np.zeros((frames, 24), dtype=np.float32),
            "fullpose": full.reshape(frames, 165).astype(np.float32),
            "expression": np.zeros((frames, 10), dtype=np.float32),
        }
        thing: Any = {"params": {"transl": params["transl"]}, "object_mesh": "tools/object_meshes/x.ply"}
        body: Any = {"params": params, "vtemp": "tools/subject_meshes/female/s2.ply"}
        contact: Any = {"object": np.zeros((frames, 4), dtype=np.int8)}
        np.savez(
            folder / f"{name}.npz", gender="female", sbj_id="s2", obj_name=name.split("_")[0], motion_intent="use",
            framerate=120.0, n_frames=frames, n_comps=24, object=thing, lhand=thing, rhand=thing,
            body=body, contact=contact,
        )  # fmt: skip
