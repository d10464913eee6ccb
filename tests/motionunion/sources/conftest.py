"""Files as sources publish them, made here; and the folder of real ones, where there is one."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.joint_maps import JOINT_MAPS, plain_names
from motionunion.kinematics import forward_kinematics, global_rotations, local_rotations
from motionunion.sample.locomotion import Gait, go
from motionunion.sample.performer import Performer
from motionunion.sample.posing import pose_body
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS
from motionunion.world_frame import TO_Y_UP

TREES = Path(__file__).parent / "trees"
IDENTITY = np.tile([1.0, 0.0, 0.0, 0.0], (1, 22, 1))
DIRECTIONS = {
    "left": (1, 0, 0), "right": (-1, 0, 0), "up": (0, 1, 0), "down": (0, -1, 0), "front": (0, 0, 1), "back": (0, 0, -1),
}  # fmt: skip


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if folder is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: real files are not here")
    return Path(folder)


def _write_npz(path: Path, arrays: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.fixture
def write_smplh() -> Callable[..., Path]:
    """Write an AMASS SMPL-H file; keyword arguments replace arrays, None leaves one out."""

    def write(path: Path, frames: int = 12, **changes: Any) -> Path:
        rng = np.random.default_rng(frames)
        arrays = {
            "poses": rng.normal(0, 0.3, (frames, 156)),
            "trans": rng.normal(0, 1, (frames, 3)),
            "betas": rng.normal(0, 1, 16),
            "dmpls": np.zeros((frames, 8)),
            "gender": "male",
            "mocap_framerate": 120.0,
        }
        return _write_npz(path, arrays | changes)

    return write


@pytest.fixture
def write_smplx() -> Callable[..., Path]:
    """Write an AMASS SMPL-X file; keyword arguments replace arrays, None leaves one out."""

    def write(path: Path, frames: int = 12, **changes: Any) -> Path:
        rng = np.random.default_rng(frames)
        arrays = {
            "root_orient": rng.normal(0, 1, (frames, 3)),
            "pose_body": rng.normal(0, 0.3, (frames, 63)),
            "pose_hand": rng.normal(0, 0.3, (frames, 90)),
            "pose_jaw": rng.normal(0, 0.1, (frames, 3)),
            "pose_eye": rng.normal(0, 0.1, (frames, 6)),
            "trans": rng.normal(0, 1, (frames, 3)),
            "betas": rng.normal(0, 1, 16),
            "gender": "neutral",
            "mocap_frame_rate": 60.0,
            "markers_latent_vids": np.array([{"a": 1}], dtype=object),
        }
        return _write_npz(path, arrays | changes)

    return write


@pytest.fixture
def write_humanml3d() -> Callable[..., Path]:
    """Write a HumanML3D folder: `index` rows, `features` and `joints` by id, `texts` by id, `splits` by name."""

    def write(
        root: Path,
        *,
        index: list[tuple[str, int, int, str]] | None = None,
        features: dict[str, np.ndarray] | None = None,
        joints: dict[str, np.ndarray] | None = None,
        texts: dict[str, str | bytes] | None = None,
        splits: dict[str, list[str]] | None = None,
    ) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        if index is not None:
            rows = [f"./pose_data/{path}.npy,{start},{end},{name}.npy\n" for path, start, end, name in index]
            (root / "index.csv").write_text("source_path,start_frame,end_frame,new_name\n" + "".join(rows))
        for folder, arrays in (("new_joint_vecs", features), ("new_joints", joints)):
            for name, array in (arrays or {}).items():
                (root / folder).mkdir(exist_ok=True)
                np.save(root / folder / f"{name}.npy", array)
        for name, text in (texts or {}).items():
            (root / "texts").mkdir(exist_ok=True)
            (root / "texts" / f"{name}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
        for name, ids in (splits or {}).items():
            (root / f"{name}.txt").write_text("\n".join(ids) + "\n")
        return root

    return write


class Walked(NamedTuple):
    """A person who walks: +Y up, metres, SMPL-22 order, heading +Z."""

    joints_T22x3: npt.NDArray[np.float64]
    quats_T22x4: npt.NDArray[np.float64]
    root_T3: npt.NDArray[np.float64]
    offsets_22x3: npt.NDArray[np.float64]

    @property
    def rotvecs_T22x3(self) -> npt.NDArray[np.float64]:
        return rotation.to_rotvec(self.quats_T22x4)

    def write_bvh(
        self,
        path: Path,
        skeleton_id: str,
        tree: str,
        *,
        fps: float,
        unit_m: float,
        order: str = "ZYX",
        carrier: int = 0,
        every_joint: bool = False,
        places: dict[str, str] | None = None,
    ) -> None:
        """The walk on a known skeleton, with its local axes as its map says they point in a T-pose.

        `tree` has a line per limb, `parent joint joint ...`, the root's parent being `-`; joints that stand for no SMPL joint
        lie on their parents, or where `places` says. Where the map has an End Site for a joint, it is written there. `carrier` is the joint that has the travel, `every_joint` gives all of them position channels.
        """
        joint_map = JOINT_MAPS[skeleton_id]
        assert joint_map.axes is not None
        limbs = [line.split() for line in tree.strip().splitlines()]
        names, above = zip(*((limb[k], limb[k - 1]) for limb in limbs for k in range(1, len(limb))), strict=True)
        parents = [-1 if parent == "-" else names.index(parent) for parent in above]
        plain = plain_names(names)
        places = {p.start: n for n, p in zip(SMPL22_NAMES, joint_map.places, strict=True) if not p.fraction} | (
            places or {}
        )
        placed = forward_kinematics(np.zeros((1, 3)), IDENTITY, self.offsets_22x3, SMPL22_PARENTS)[0]
        rest = np.zeros((len(names), 3))
        for joint, parent in enumerate(parents):
            known = places.get(plain[joint])
            rest[joint] = placed[SMPL22_NAMES.index(known)] if known else rest[max(parent, 0)]
        pointing = [[DIRECTIONS[w] for w in joint_map.axes.get(name, "left up").split()] for name in plain]
        x, y = np.moveaxis(np.array(pointing, dtype=float), 1, 0)
        t_pose = rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=-1))
        smpl = global_rotations(self.quats_T22x4, SMPL22_PARENTS)
        turning = dict(zip(joint_map.rotation_joints(names)[::-1], range(21, -1, -1), strict=True))
        world = np.zeros((len(self.root_T3), len(names), 4))
        world[..., 0] = 1.0
        last: dict[int, int | None] = {-1: None}
        for joint, parent in enumerate(parents):
            last[joint] = turning.get(joint, last[parent])
            if last[joint] is not None:
                world[:, joint] = rotation.multiply(smpl[:, last[joint]], t_pose[joint])
        to_file = rotation.conjugate(TO_Y_UP[joint_map.up or "y"])
        world, root = rotation.multiply(to_file, world), rotation.rotate(to_file, self.root_T3)
        bones = rest - np.where(np.array(parents)[:, None] < 0, 0.0, rest[np.maximum(parents, 0)])
        turned = np.array([t_pose[p] if last[p] is not None else (1.0, 0.0, 0.0, 0.0) for p in parents])
        offsets = rotation.rotate(rotation.conjugate(turned), bones) / unit_m
        local = local_rotations(world, tuple(parents))
        with warnings.catch_warnings():  # SciPy remarks that at 90 degrees several angles say the same
            warnings.simplefilter("ignore", UserWarning)
            angles = np.stack(
                [
                    Rotation.from_quat(local[:, j, [1, 2, 3, 0]]).as_euler(order, degrees=True)
                    for j in range(len(names))
                ],
                axis=1,
            )
        positions = np.broadcast_to(offsets, (len(world), *offsets.shape)).copy()
        positions[:, carrier] = root / unit_m
        numbers = [
            np.hstack([positions[:, j], angles[:, j]]) if every_joint or j <= carrier else angles[:, j]
            for j in range(len(names))
        ]
        turns = " ".join(f"{axis}rotation" for axis in order)
        lines = ["HIERARCHY"]

        def add(joint: int, depth: int) -> None:
            lines.append(f"{'JOINT' if depth else 'ROOT'} {names[joint]}\n{{\nOFFSET {_row(offsets[joint])}")
            six = every_joint or joint <= carrier
            lines.append(f"CHANNELS {'6 Xposition Yposition Zposition' if six else '3'} {turns}")
            children = [child for child, parent in enumerate(parents) if parent == joint]
            for child in children:
                add(child, depth + 1)
            if not children:
                end = places.get(f"{plain[joint]}.end")
                site = np.zeros(3) if end is None else placed[SMPL22_NAMES.index(end)] - rest[joint]
                site = rotation.rotate(rotation.conjugate(t_pose[joint]), site) / unit_m
                lines.append(f"End Site\n{{\nOFFSET {_row(site)}\n}}")
            lines.append("}")

        add(0, 0)
        rows = [_row(row) for row in np.hstack(numbers)]
        lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps:.7f}", *rows, ""]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))


def _row(values: npt.NDArray[np.float64]) -> str:
    return " ".join(f"{value:.4f}" for value in values)


@cache
def _walk(fps: float, seconds: float, seed: int) -> Walked:
    random = np.random.default_rng(seed)
    who = Performer.draw(random)
    score = who.choreography(random)
    go(score, Gait(forward=1.1, cadence=1.9), 0.2, seconds + 0.5, random, who.swing)
    posed = pose_body(score, np.arange(round(fps * seconds)) / fps, seconds, TEMPLATE.offsets_22x3)
    joints = forward_kinematics(posed.root_T3, posed.quats_T22x4, TEMPLATE.offsets_22x3, SMPL22_PARENTS)
    return Walked(joints, posed.quats_T22x4, posed.root_T3, TEMPLATE.offsets_22x3)


def walked(fps: float, seconds: float = 2.0, seed: int = 0) -> Walked:
    """Somebody on the way, as joints and as rotations."""
    return _walk(float(fps), seconds, seed)


def write_small_copy(name: str, root: Path) -> Any:
    """Write what `trees/kitml.py` says a small copy of that data set looks like; returns the module.

    Such a file has `write(root, walk)`, which writes two clips or annotations at least, and where it needs them `BESIDE`
    (sources that are in the same tree) and `DAMAGED` (endings of files that the contract test may cut short; those of
    motion files if it has none).
    """
    spec = importlib.util.spec_from_file_location(f"tree_{name}", TREES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root.mkdir(parents=True, exist_ok=True)
    module.write(root, walked)
    return module


@pytest.fixture(scope="session")
def walk() -> Callable[..., Walked]:
    """`walk(fps, seconds=2.0, seed=0)`: somebody on the way."""
    return walked


@pytest.fixture(scope="session")
def write_tree() -> Callable[[str, Path], Any]:
    """`write_tree("kitml", root)`: a small copy of a data set."""
    return write_small_copy
