"""BONES-SEED: the T-pose it is read with, its mirrors, its table of moves."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.spatial.transform import Rotation

from motionunion import rotation
from motionunion.clip import RawClip
from motionunion.errors import ClipError
from motionunion.formats.bvh import Bvh, read_bvh
from motionunion.kinematics import global_rotations, local_rotations
from motionunion.normalise import normalise
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.bones_seed import T_POSE
from motionunion.sources.detect import recognise

WALK = "walk_forward_001__A057"


@pytest.fixture
def upright(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    """A data set whose files have the T-pose at zero rotation."""
    write_tree("bones_seed", tmp_path / "upright")
    return tmp_path / "upright"


def along_bones(source: Path, target: Path, *, frames: slice = slice(None), quats: np.ndarray | None = None) -> None:
    """The same motion with every bone along local X at zero rotation, and each joint turned about its bone at random."""
    bvh = read_bvh(source)
    parents, offsets = bvh.skeleton.parents, bvh.skeleton.offsets_J3
    rng = np.random.default_rng(7)
    frame = np.tile([1.0, 0, 0, 0], (len(parents), 1))
    for joint in range(2, len(parents)):
        children = [child for child, parent in enumerate(parents) if parent == joint]
        bone = offsets[children[0]] if children else offsets[joint]
        arc = rotation.shortest_arc([[1.0, 0, 0]], bone[None])[0] if bone.any() else frame[0]
        frame[joint] = rotation.multiply(arc, rotation.from_rotvec([rng.uniform(-3, 3), 0, 0]))
    world = global_rotations(bvh.quats_TJ4() if quats is None else quats, parents)[frames]
    local = local_rotations(rotation.multiply(world, frame), parents)
    above = [max(parent, 0) for parent in parents]
    write(
        target,
        bvh,
        rotation.rotate(rotation.conjugate(frame[above]), offsets),
        local,
        bvh.translations_TJ3()[frames, 1],
    )


def write(path: Path, bvh: Bvh, offsets: np.ndarray, quats: np.ndarray, hips: np.ndarray) -> None:
    lines = ["HIERARCHY"]

    def add(joint: int) -> None:
        six = "6 Xposition Yposition Zposition" if joint < 2 else "3"
        lines.append(f"{'JOINT' if joint else 'ROOT'} {bvh.skeleton.names[joint]}\n{{")
        lines.append(f"OFFSET {' '.join(map(str, offsets[joint]))}\nCHANNELS {six} Zrotation Yrotation Xrotation")
        for child, parent in enumerate(bvh.skeleton.parents):
            if parent == joint:
                add(child)
        lines.append("}")

    add(0)
    with warnings.catch_warnings():  # SciPy remarks that at 90 degrees several angles say the same
        warnings.simplefilter("ignore", UserWarning)
        angles = Rotation.from_quat(quats[..., [1, 2, 3, 0]].reshape(-1, 4)).as_euler("ZYX", degrees=True)
    angles = angles.reshape(len(quats), -1, 3)
    rows = np.hstack([np.zeros((len(quats), 3)), angles[:, 0], hips, angles[:, 1:].reshape(len(quats), -1)])
    lines += ["MOTION", f"Frames: {len(rows)}", "Frame Time: 0.0083333"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, *(" ".join(f"{value:.6f}" for value in row) for row in rows), ""]))


def t_pose(upright: Path, target: Path, turn: float = 0.0) -> None:
    source = next(upright.rglob(f"{WALK}.bvh"))
    quats = np.tile([1.0, 0, 0, 0], (1, len(read_bvh(source).skeleton.names), 1))
    quats[:, 1] = rotation.from_rotvec([0.0, turn, 0.0])
    along_bones(source, target, frames=slice(0, 1), quats=quats)


def read_all(root: Path) -> dict[str, RawClip]:
    claims = [claim for claim in recognise([root]).claims if claim.source == "bones_seed"]
    source = SOURCES["bones_seed"]
    return {ref.key: source.read(ref, ReadOptions()) for claim in claims for ref in source.discover(claim)}


@pytest.mark.parametrize("turn", [0.0, np.pi / 2, np.pi])
def test_bones_along_x_and_a_t_pose_beside_give_the_same_clip(upright: Path, tmp_path: Path, turn: float) -> None:
    for path in upright.rglob("*.bvh"):
        along_bones(path, tmp_path / "seed" / path.relative_to(upright))
    t_pose(upright, tmp_path / "seed" / "soma_shapes" / "soma_base_rig" / T_POSE, turn)
    expected, found = read_all(upright), read_all(tmp_path / "seed")
    assert set(found) == set(expected) == {WALK, f"{WALK}_M"}
    for key, raw in expected.items():
        clip, again = normalise(raw), normalise(found[key])
        np.testing.assert_allclose(again.rotvecs_T22x3, clip.rotvecs_T22x3, atol=1e-4)
        np.testing.assert_allclose(again.offsets_22x3, clip.offsets_22x3, atol=1e-5)
        np.testing.assert_allclose(again.root_T3, clip.root_T3, atol=1e-5)
        assert again.provenance["skeleton_id"] == "soma"
        assert again.clip_id == clip.clip_id


def test_without_the_t_pose_the_file_is_refused_and_says_where_it_is(upright: Path, tmp_path: Path) -> None:
    along_bones(next(upright.rglob(f"{WALK}.bvh")), tmp_path / "alone" / f"{WALK}.bvh")
    with pytest.raises(ClipError, match="soma_shapes/soma_base_rig") as caught:
        read_all(tmp_path / "alone")
    assert caught.value.reason == "unknown_rest_pose"


def test_a_t_pose_that_is_none_is_refused(upright: Path, tmp_path: Path) -> None:
    source = next(upright.rglob(f"{WALK}.bvh"))
    along_bones(source, tmp_path / "bad" / f"{WALK}.bvh")
    names = read_bvh(source).skeleton.names
    quats = np.tile([1.0, 0, 0, 0], (1, len(names), 1))
    quats[:, names.index("LeftLeg")] = rotation.from_rotvec([1.5, 0.0, 0.0])
    along_bones(source, tmp_path / "bad" / T_POSE, frames=slice(0, 1), quats=quats)
    with pytest.raises(ClipError, match="is not the T-pose") as caught:
        read_all(tmp_path / "bad")
    assert caught.value.reason == "unknown_rest_pose"


def test_the_t_pose_itself_is_no_clip(upright: Path, tmp_path: Path) -> None:
    along_bones(next(upright.rglob(f"{WALK}.bvh")), tmp_path / "seed" / f"{WALK}.bvh")
    t_pose(upright, tmp_path / "seed" / T_POSE)
    found = recognise([tmp_path / "seed"])
    assert [path.name for claim in found.claims for path in claim.files] == [f"{WALK}.bvh"]
    assert [skip.reason for skip in found.skipped] == ["the T-pose of BONES-SEED"]


def test_mirrors_are_flagged_and_share_a_group_with_their_originals(upright: Path) -> None:
    raws = read_all(upright)
    assert {key: raw.flags for key, raw in raws.items()} == {WALK: (), f"{WALK}_M": ("mirrored",)}
    assert {raw.group for raw in raws.values()} == {"bones_seed/walk_forward_001__a057"}
    assert raws[WALK].labels == {"move": "walk_forward_001", "actor": "A057"}
    assert raws[WALK].captions == ()


def test_the_table_of_moves_gives_captions_and_labels(upright: Path) -> None:
    rows = {
        "filename": [WALK, f"{WALK}_M.bvh", "other__A001"],
        "content_natural_desc_1": ["A person walks.", None, "x"],
        "content_short_description": ["walk", "walk, mirrored", "y"],
        "package": ["Locomotion", "Locomotion", None],
    }
    (upright / "metadata").mkdir()
    parquet.write_table(pa.table(rows), upright / "metadata" / "seed_metadata.parquet")
    raws = read_all(upright)
    assert [raw.captions[0].text for raw in raws.values()] == ["A person walks.", "walk, mirrored"]
    assert raws[WALK].labels["package"] == "Locomotion"
    assert [path.name for path in raws[WALK].inputs] == [f"{WALK}.bvh", "seed_metadata.parquet"]


def test_a_broken_table_of_moves_costs_captions_not_clips(upright: Path) -> None:
    (upright / "metadata").mkdir()
    (upright / "metadata" / "seed.parquet").write_bytes(b"PAR1 and no more")
    raw = read_all(upright)[WALK]
    assert raw.captions == ()
    assert [fault.reason for fault in raw.faults] == ["bad_label"]
