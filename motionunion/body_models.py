"""Rest joints from licensed body model files (SMPL-H, SMPL-X, SMPL), without any of their code.

Found below one folder, in the layouts in which people have them: the smplx package's (`smplh/SMPLH_MALE.npz` or `.pkl`,
`smplx/SMPLX_NEUTRAL.npz`, `smpl/SMPL_FEMALE.pkl`) and that of the AMASS downloads (`smplh/male/model.npz`). The files
themselves are never copied, stored or shipped; what leaves this module is 22 joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError, MissingInput, SourceFormatError
from motionunion.formats.npz import read_npz
from motionunion.formats.plain_pickle import read_plain_pickle
from motionunion.skeleton import SMPL22_PARENTS

BETAS_USED = 10
"""Shape numbers that enter: the first ten, as in HumanML3D's pipeline and the smplx package's default."""

JOINTS: dict[str, int] = {"smpl": 24, "smplh": 52, "smplx": 55}
"""Joints of each model family; the first 22 mean the same in all."""
VERTICES: dict[str, int] = {"smpl": 6890, "smplh": 6890, "smplx": 10475}

_KEYS = ("v_template", "shapedirs", "J_regressor", "kintree_table")


@dataclass(frozen=True, slots=True, eq=False)
class BodyModel:
    """What of a body model file moves joints: they are linear in the betas, so two small arrays hold it all."""

    joints_22x3: npt.NDArray[np.float64]
    """Rest joints of the mean shape, metres, +Y up."""
    directions_22x3xB: npt.NDArray[np.float64]
    """How each of the first B <= 10 betas moves them."""
    path: Path

    def rest_joints(self, betas: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
        """Rest joints (22, 3) of a shape; missing betas count as zero, those beyond the model's are left out."""
        if betas is None:
            return self.joints_22x3
        count = min(len(betas), self.directions_22x3xB.shape[2])
        joints: npt.NDArray[np.float64] = self.joints_22x3 + self.directions_22x3xB[:, :, :count] @ betas[:count]
        return joints


def existing_folder(folder: Path) -> Path:
    """The folder of body models, if there is one. Raises `MissingInput`."""
    if not folder.is_dir():
        raise MissingInput(
            f"{folder}: there is no such folder of body models; --body-models names the folder that holds smplh/ or smplx/"
        )
    return folder


def model_gender(folder: Path, family: str, gender: str | None) -> str:
    """Which of a family's files a motion is posed with: its own gender; else the neutral model, else the female one.

    HumanML3D's pipeline takes the female model for everything that is not male. A neutral motion is posed with the
    neutral model where that exists, which for SMPL+H it usually does not, and then with the female one as there.
    """
    if gender in ("male", "female"):
        return gender
    return "neutral" if find_model(folder, family, "neutral") is not None else "female"


def candidates(folder: Path, family: str, gender: str) -> list[Path]:
    """Where a model file may lie, in order of preference."""
    homes = [folder / family, folder, folder / family.upper()]
    stem = f"{family.upper()}_{gender.upper()}"
    names = [f"{stem}.npz", f"{gender}/model.npz", f"{stem}.pkl", f"{gender}/model.pkl"]
    return [home / name for home in homes for name in names]


def find_model(folder: Path, family: str, gender: str) -> Path | None:
    """The model file of a family and gender below `folder`, or None."""
    return next((path for path in candidates(folder, family, gender) if path.is_file()), None)


def load_body_model(folder: Path, family: str, gender: str | None) -> BodyModel:
    """Find and read the model that a motion needs; kept in memory once read.

    Raises:
        MissingInput: `folder` does not exist.
        ClipError: reason `no_body_model`, naming the files that would do.
        SourceFormatError: the file is not such a model.
    """
    wanted = model_gender(folder, family, gender)
    path = find_model(existing_folder(folder), family, wanted)
    if path is None:
        names = [p.relative_to(folder).as_posix() for p in candidates(folder, family, wanted)[:4]]
        raise ClipError(
            f"needs the {wanted} {family} body model, and {folder} has none of {', '.join(names)}; add it, or leave out "
            "--body-models to use the template body",
            reason="no_body_model",
        )
    return _read(path, family, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read(path: Path, family: str, _changed_ns: int) -> BodyModel:
    raw = read_plain_pickle(path) if path.suffix == ".pkl" else read_npz(path, _KEYS)
    missing = [key for key in _KEYS if key not in raw]
    if missing:
        raise SourceFormatError(path, f"is no {family} model: it has no {', '.join(missing)}", reason="missing_array")
    vertices, joints = VERTICES[family], JOINTS[family]
    template = _numbers(raw["v_template"], path, "v_template", (vertices, 3))
    regressor = _numbers(raw["J_regressor"], path, "J_regressor", (joints, vertices))[:22]
    shapes = _numbers(raw["shapedirs"], path, "shapedirs", (vertices, 3, None))[:, :, :BETAS_USED]
    tree = _numbers(raw["kintree_table"], path, "kintree_table", (2, joints))
    # The root's parent is written as -1 or as 2^32 - 1.
    if tuple(int(parent) for parent in tree[0, 1:22]) != SMPL22_PARENTS[1:]:
        raise SourceFormatError(path, f"is no {family} model: its kinematic tree is another", reason="bad_shape")
    return BodyModel(regressor @ template, np.einsum("jv,vcb->jcb", regressor, shapes), path)


def _numbers(value: Any, path: Path, name: str, shape: tuple[int | None, ...]) -> npt.NDArray[np.float64]:
    dense = value.toarray() if hasattr(value, "toarray") else value
    array = np.asarray(dense, dtype=np.float64) if getattr(dense, "dtype", np.dtype("O")).kind in "fiu" else None
    fits = array is not None and array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )  # fmt: skip
    if array is None or not fits:
        have = getattr(dense, "shape", type(dense).__name__)
        wanted = tuple("any" if extent is None else extent for extent in shape)
        raise SourceFormatError(path, f"{name} has shape {have}, not {wanted}", reason="bad_shape")
    if not np.isfinite(array).all():
        raise SourceFormatError(path, f"{name} holds numbers that are not finite", reason="non_finite")
    return array
