"""Bodies: the template as its BVH states it, and joints of model files as the smplx package computes them."""

from __future__ import annotations

import os
import pickle
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE, body_of, offsets_of
from motionunion.body_models import JOINTS, VERTICES, find_model, load_body_model, model_gender
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, MissingInput, SourceFormatError
from motionunion.kinematics import forward_kinematics
from motionunion.skeleton import SMPL22_MIRROR_PAIRS, SMPL22_NAMES, SMPL22_PARENTS
from motionunion.sources.amass import Amass
from motionunion.sources.base import ReadOptions

FINGERS = [hand if knuckle == 0 else 22 + 15 * side + 3 * finger + knuckle - 1
           for side, hand in enumerate((20, 21)) for finger in range(5) for knuckle in range(3)]  # fmt: skip


def tree(family: str) -> list[int]:
    """Parents of a family's joints; the root's as the files write it."""
    body = [4294967295, *SMPL22_PARENTS[1:]]
    if family == "smpl":
        return [*body, 20, 21]
    if family == "smplh":
        return body + FINGERS
    return [*body, 15, 15, 15, *(parent if parent < 22 else parent + 3 for parent in FINGERS)]


def model_arrays(family: str, seed: int, shapes: int = 16) -> dict[str, Any]:
    """Arrays of a made-up body model in the layout of the real files."""
    rng = np.random.default_rng(seed)
    vertices, joints = VERTICES[family], JOINTS[family]
    regressor = np.zeros((joints, vertices))
    for row in regressor:
        row[rng.choice(vertices, 6, replace=False)] = rng.dirichlet(np.ones(6))
    return {
        "v_template": rng.normal(0, 0.4, (vertices, 3)),
        "shapedirs": rng.normal(0, 0.02, (vertices, 3, shapes)),
        "J_regressor": regressor,
        "kintree_table": np.array([tree(family), range(joints)], dtype=np.uint32),
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of made-up models as people lay them out."""
    folder = tmp_path_factory.mktemp("models")
    for name, family, seed in (("smplh/SMPLH_MALE.npz", "smplh", 1), ("smplh/female/model.npz", "smplh", 2),
                               ("smplx/SMPLX_NEUTRAL.npz", "smplx", 3)):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.savez(folder / name, **model_arrays(family, seed))
    return folder


def amass_file(folder: Path, *, layout: str, gender: str, frames: int = 5, seed: int = 0) -> RawClip | Any:
    rng = np.random.default_rng(seed)
    joints = JOINTS[layout]
    poses = rng.normal(0, 0.5, (frames, joints * 3))
    shared = {"trans": rng.normal(0, 1, (frames, 3)), "betas": rng.normal(0, 1, 16), "gender": gender}
    path = folder / f"{layout}_{gender}.npz"
    if layout == "smplh":
        np.savez(path, poses=poses, mocap_framerate=120.0, **shared)
    else:
        np.savez(path, root_orient=poses[:, :3], pose_body=poses[:, 3:66], mocap_frame_rate=120.0, **shared)
    key = path.stem
    ref = ClipRef(source=f"amass_{layout}", key=key, uid=f"amass/{key}", path=path, root=folder)
    return ref, poses, shared


def joints_of(raw: RawClip) -> np.ndarray:
    assert raw.root_T3 is not None
    assert raw.quats_TJ4 is not None
    return forward_kinematics(raw.root_T3, raw.quats_TJ4, raw.skeleton.offsets_J3, raw.skeleton.parents)


def test_the_template_is_what_the_hierarchy_of_its_bvh_states() -> None:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if folder is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: the BVH is not here")
    text = (Path(folder) / "bvh/smpl_named_cm/momask_aist_pelvis24.bvh").read_text().partition("MOTION")[0]
    found = re.findall(r"(?:ROOT|JOINT) (\S+)\s*\{\s*OFFSET (\S+) (\S+) (\S+)", text)
    offsets = {name.lower(): [float(x) / 100 for x in xyz] for name, *xyz in found}
    np.testing.assert_allclose(TEMPLATE.offsets_22x3, [offsets[name] for name in SMPL22_NAMES], rtol=1e-12)


def test_the_template_is_a_body_that_faces_plus_z_with_its_left_at_plus_x() -> None:
    joints = forward_kinematics(
        np.zeros((1, 3)), rotation.from_rotvec(np.zeros((1, 22, 3))), TEMPLATE.offsets_22x3, SMPL22_PARENTS
    )[0]
    for left, right in SMPL22_MIRROR_PAIRS:
        assert joints[left, 0] > joints[right, 0]
        assert abs(joints[left] * [-1, 1, 1] - joints[right]).max() < 0.03
    assert 1.2 < np.ptp(joints[:, 1]) < 1.6
    assert joints[10, 2] > joints[7, 2]
    assert TEMPLATE.kind == "template"


def test_offsets_of_absolute_joints_are_undone_by_forward_kinematics() -> None:
    joints = np.random.default_rng(0).normal(size=(22, 3))
    offsets = offsets_of(joints)
    still = rotation.from_rotvec(np.zeros((1, 22, 3)))
    np.testing.assert_allclose(
        forward_kinematics(joints[None, 0], still, offsets, SMPL22_PARENTS)[0], joints, atol=1e-12
    )


def test_without_model_files_every_clip_is_on_the_template(tmp_path: Path) -> None:
    ref, _, shared = amass_file(tmp_path, layout="smplh", gender="male")
    raw = Amass("smplh").read(ref, ReadOptions())
    assert raw.body == "template"
    np.testing.assert_allclose(raw.root_T3, shared["trans"] + TEMPLATE.pelvis_3)


@pytest.mark.parametrize(
    ("gender", "file"), [("male", "SMPLH_MALE.npz"), ("female", "female/model.npz"), ("neutral", "female/model.npz")]
)
def test_smplh_joints_equal_those_of_the_smplx_package(tmp_path: Path, models: Path, gender: str, file: str) -> None:
    smplx, torch = pytest.importorskip("smplx"), pytest.importorskip("torch")
    ref, poses, shared = amass_file(tmp_path, layout="smplh", gender=gender)
    raw = Amass("smplh").read(ref, ReadOptions(body_models=models))
    assert raw.body == "model"

    with np.load(models / "smplh" / file) as arrays:
        model = dict(arrays)
    rng = np.random.default_rng(5)
    weights = np.zeros((VERTICES["smplh"], 52))
    weights[:, 0] = 1
    model |= {
        "weights": weights,
        "posedirs": np.zeros((VERTICES["smplh"], 3, 51 * 9), dtype=np.float32),
        "f": rng.integers(0, VERTICES["smplh"], (10, 3)),
        "hands_componentsl": np.eye(45), "hands_componentsr": np.eye(45),
        "hands_meanl": np.zeros(45), "hands_meanr": np.zeros(45),
    }  # fmt: skip
    np.savez(tmp_path / "SMPLH_MALE.npz", **model)
    layer = smplx.SMPLH(str(tmp_path / "SMPLH_MALE.npz"), ext="npz", gender="male", use_pca=False, flat_hand_mean=True,
                        batch_size=len(poses), dtype=torch.float64)  # fmt: skip
    tensor = torch.from_numpy
    betas = tensor(np.repeat(shared["betas"][None, :10], len(poses), axis=0))
    out = layer(global_orient=tensor(poses[:, :3]), body_pose=tensor(poses[:, 3:66]), left_hand_pose=tensor(poses[:, 66:111]),
                right_hand_pose=tensor(poses[:, 111:156]), transl=tensor(shared["trans"]), betas=betas)  # fmt: skip
    np.testing.assert_allclose(joints_of(raw), out.joints[:, :22].detach().numpy(), atol=1e-6)


def test_smplx_joints_equal_those_of_the_smplx_package(tmp_path: Path, models: Path) -> None:
    lbs, torch = pytest.importorskip("smplx.lbs"), pytest.importorskip("torch")
    ref, poses, shared = amass_file(tmp_path, layout="smplx", gender="neutral")
    raw = Amass("smplx").read(ref, ReadOptions(body_models=models))
    with np.load(models / "smplx/SMPLX_NEUTRAL.npz") as arrays:
        model = {name: torch.from_numpy(array.astype(np.float64)) for name, array in arrays.items()}
    betas = torch.from_numpy(shared["betas"][None, :10])
    shaped = model["v_template"] + lbs.blend_shapes(betas, model["shapedirs"][:, :, :10])
    rest = lbs.vertices2joints(model["J_regressor"], shaped).expand(len(poses), -1, -1)
    matrices = lbs.batch_rodrigues(torch.from_numpy(poses.reshape(-1, 3))).reshape(len(poses), 55, 3, 3)
    parents = torch.tensor([-1, *tree("smplx")[1:]])
    posed, _ = lbs.batch_rigid_transform(matrices, rest, parents, dtype=torch.float64)
    wanted = posed.numpy()[:, :22] + shared["trans"][:, None]
    np.testing.assert_allclose(joints_of(raw), wanted, atol=1e-6)
    assert raw.fps == Fraction(120)


def test_the_gender_rule(models: Path, tmp_path: Path) -> None:
    assert model_gender(models, "smplh", "male") == "male"
    assert model_gender(models, "smplh", "neutral") == "female"
    assert model_gender(models, "smplh", None) == "female"
    assert model_gender(models, "smplx", "neutral") == "neutral"
    assert model_gender(models, "smplx", None) == "neutral"


def test_a_folder_that_is_one_family_is_found_too(models: Path) -> None:
    assert find_model(models / "smplh", "smplh", "male") == models / "smplh/SMPLH_MALE.npz"
    assert find_model(models / "smplh", "smplh", "female") == models / "smplh/female/model.npz"


def test_a_model_that_is_missing_is_named_and_the_clip_refused(models: Path) -> None:
    with pytest.raises(ClipError, match=r"smplx/SMPLX_MALE\.npz") as caught:
        body_of(models, "smplx", "male", None)
    assert caught.value.reason == "no_body_model"
    with pytest.raises(MissingInput, match="no such folder"):
        body_of(models / "elsewhere", "smplh", "male", None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"J_regressor": None}, "missing_array"),
        ({"v_template": np.zeros((100, 3))}, "bad_shape"),
        ({"J_regressor": np.full((52, 6890), np.nan)}, "non_finite"),
        ({"kintree_table": np.zeros((2, 52), dtype=np.uint32)}, "bad_shape"),
        ({"shapedirs": np.zeros((6890, 3))}, "bad_shape"),
    ],
)
def test_a_file_that_is_no_such_model_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    arrays = model_arrays("smplh", 0) | change
    np.savez(tmp_path / "SMPLH_MALE.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(SourceFormatError) as caught:
        load_body_model(tmp_path, "smplh", "male")
    assert caught.value.reason == reason


def test_a_pickled_model_gives_the_same_joints_sparse_or_dense(tmp_path: Path, models: Path) -> None:
    from scipy.sparse import csc_matrix

    arrays = model_arrays("smplh", 1)
    (tmp_path / "smplh").mkdir()
    with (tmp_path / "smplh/SMPLH_MALE.pkl").open("wb") as file:
        pickle.dump(arrays | {"J_regressor": csc_matrix(arrays["J_regressor"])}, file, protocol=2)
    betas = np.linspace(-1, 1, 16)
    np.testing.assert_allclose(
        body_of(tmp_path, "smplh", "male", betas).offsets_22x3, body_of(models, "smplh", "male", betas).offsets_22x3
    )


def test_ten_betas_count_and_missing_ones_are_zero(models: Path) -> None:
    model = load_body_model(models, "smplh", "male")
    betas = np.arange(16.0)
    np.testing.assert_array_equal(model.rest_joints(betas), model.rest_joints(betas[:10]))
    np.testing.assert_allclose(
        model.rest_joints(betas[:4]), model.rest_joints(np.r_[betas[:4], np.zeros(6)]), atol=1e-12
    )
    np.testing.assert_array_equal(model.rest_joints(None), model.joints_22x3)


def test_without_models_the_template_hangs_where_each_model_has_its_pelvis():
    smpl, smplx = (body_of(None, family, None, None) for family in ("smplh", "smplx"))
    assert smplx.pelvis_3[1] - smpl.pelvis_3[1] == pytest.approx(-0.128, abs=1e-3)
    np.testing.assert_array_equal(smplx.offsets_22x3[1:], smpl.offsets_22x3[1:])
