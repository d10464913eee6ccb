"""BONES-SEED: studio captures on NVIDIA's SOMA skeleton."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from motionunion import rotation
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.bvh import Bvh, read_bvh
from motionunion.kinematics import global_rotations, local_rotations
from motionunion.skeleton import Skeleton
from motionunion.sources.base import Claim, Folder, ReadOptions, Skip
from motionunion.sources.bvh_body import body_of
from motionunion.sources.bvh_source import BvhSource, Description, FloatArray

T_POSE = "soma_base_skel_minimal.bvh"
"""File of the set (`soma_shapes/soma_base_rig/`) whose frame stands in a T-pose."""
_TEXTS = ("content_natural_desc_1", "content_short_description")
_LABELS = ("package", "content_type_of_movement", "content_body_position", "actor_gender")


class BonesSeed(BvhSource):
    """BONES-SEED (Bones Studio, 2026): 71,132 captures and as many mirrors, 120 fps, on the 77 joints of NVIDIA's SOMA.

    Gated on Hugging Face, licence "bones-seed-license". `soma_uniform/bvh/<date>/<name>__A<actor>.bvh` has one body for all
    actors, `soma_proportional` each actor's own; mirrors end in `_M`. Centimetres, +Y up; a `Root` at the origin stands above
    the hips. At zero rotation all bones lie along local X, and how joints are turned about them no offset tells. So the set's
    own T-pose, `soma_shapes/soma_base_rig/soma_base_skel_minimal.bvh`, must lie beside the files or in a folder above them;
    files that NVIDIA's tools exported with the T-pose at zero rotation need nothing. Mirrors, and the same motion on both
    kinds of body, share a group. The first natural description becomes the caption, where the set's table of them
    (`metadata/*.parquet`) lies beside `soma_uniform`.
    """

    name = "bones_seed"
    skeleton_ids = ("soma", "soma_along_bones")
    pattern = re.compile(r"(?P<move>.+?)__(?P<actor>A\d{3})(?P<mirror>_M)?$")

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim files on the SOMA skeleton, without the T-pose that they are read with."""
        claim = super().recognise(folder)
        if claim is None or folder.path / T_POSE not in claim.files:
            return claim
        files = tuple(path for path in claim.files if path.name != T_POSE)
        return Claim(claim.source, claim.root, files, (Skip(folder.path / T_POSE, "the T-pose of BONES-SEED"),))

    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """Move, actor and mirror from the name; the rest from the set's table."""
        found = self.pattern.match(ref.path.stem)
        if found is None:
            return Description(labels={})
        labels = {"move": found["move"], "actor": found["actor"]}
        flags = ("mirrored",) if found["mirror"] else ()
        group = f"{self.name}/{found['move']}__{found['actor']}".lower()
        table = next((path for place in _above(ref.path) for path in sorted(place.glob("metadata/*.parquet"))), None)
        if table is None:
            return Description(labels=labels, flags=flags, group=group)
        try:
            row = _rows(table, table.stat().st_mtime_ns).get(ref.path.stem, {})
        except SourceFormatError as error:
            return Description(labels=labels, flags=flags, group=group, faults=(error,))
        labels |= {label: row[label] for label in _LABELS if row.get(label)}
        text = next((row[column] for column in _TEXTS if row.get(column)), None)
        inputs = (table,) if row else ()
        return Description(text=text, generator="human", labels=labels, flags=flags, group=group, inputs=inputs)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one file, which has its T-pose at zero rotation then, whatever its own zero pose."""
        return replace(super().read(ref, options), skeleton_id="soma")

    def rebased(
        self, skeleton: Skeleton, quats_TJ4: FloatArray, root_T3: FloatArray, ref: ClipRef
    ) -> tuple[Skeleton, FloatArray, FloatArray]:
        """The same motion with the T-pose at zero rotation.

        Raises:
            ClipError: `unknown_rest_pose`, where the T-pose is not to be found, or is none.
        """
        if _is_t_pose(skeleton):
            return skeleton, quats_TJ4, root_T3
        path = next((path for place in _above(ref.path) for path in _t_poses(place) if path.is_file()), None)
        if path is None:
            raise ClipError(
                f"{ref.path}: zero rotation is no pose, and {T_POSE} is not to be found: put it from soma_shapes/soma_base_rig "
                "of the data set beside the files, or into a folder above them",
                reason="unknown_rest_pose",
            )
        rest = _rest_rotations(path, path.stat().st_mtime_ns, skeleton.names)
        world = rotation.multiply(global_rotations(quats_TJ4, skeleton.parents), rotation.conjugate(rest))
        above = [max(parent, 0) for parent in skeleton.parents]
        standing = Skeleton(skeleton.names, skeleton.parents, rotation.rotate(rest[above], skeleton.offsets_J3))
        if not _is_t_pose(standing):
            raise ClipError(
                f"{path}: its first frame is not the T-pose of {ref.path.name}'s skeleton: take the data set's own file",
                reason="unknown_rest_pose",
            )
        return standing, local_rotations(world, skeleton.parents), root_T3


def _is_t_pose(skeleton: Skeleton) -> bool:
    body = body_of(skeleton)
    return body is not None and body.joint_map.skeleton_id == "soma"


def _above(path: Path) -> tuple[Path, ...]:
    """The file's own folder and those above it, up to that of the data set: `seed/soma_uniform/bvh/<date>/`."""
    return tuple(path.parents)[:4]


def _t_poses(place: Path) -> tuple[Path, Path, Path]:
    return place / T_POSE, place / "soma_base_rig" / T_POSE, place / "soma_shapes" / "soma_base_rig" / T_POSE


@lru_cache(maxsize=4)
def _rest_rotations(path: Path, changed_ns: int, names: tuple[str, ...]) -> FloatArray:
    """World rotation (J, 4) of the named joints in the first frame, turned by quarters until the left is at +X."""
    bvh = read_bvh(path)
    missing = [name for name in (*names, "LeftLeg", "RightLeg") if name not in bvh.skeleton.names]
    if missing:
        raise SourceFormatError(path, f"has no joint {missing[0]!r}: not SOMA's T-pose", reason="unknown_skeleton")
    world = global_rotations(bvh.quats_TJ4()[:1], bvh.skeleton.parents)[0]
    hips = world[bvh.skeleton.index("Hips")]
    across = [bvh.skeleton.offsets_J3[bvh.skeleton.index(f"{side}Leg")] for side in ("Left", "Right")]
    left = rotation.rotate(hips, across[0] - across[1])
    # A T-pose is made to face an axis; hips that are not quite alike must not turn it.
    heading = rotation.from_rotvec([0.0, np.round(np.arctan2(left[2], left[0]) / (np.pi / 2)) * (np.pi / 2), 0.0])
    turned: FloatArray = rotation.multiply(heading, world[[bvh.skeleton.index(name) for name in names]])
    return turned


@lru_cache(maxsize=2)
def _rows(path: Path, changed_ns: int) -> dict[str, dict[str, Any]]:
    """Texts and labels by file name without ending, from the set's table of moves."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        columns = set(parquet.read_schema(path).names)
        if "filename" not in columns:
            raise SourceFormatError(path, "has no column `filename`: not the table of moves", reason="bad_label")
        wanted = [name for name in ("filename", *_TEXTS, *_LABELS) if name in columns]
        table = parquet.read_table(path, columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise SourceFormatError(path, f"not a Parquet table ({error})", reason="bad_label") from error
    names = (Path(str(name)).stem for name in table.column("filename").to_pylist())
    texts = table.drop_columns(["filename"]).to_pylist()
    return {
        name: {key: str(value) for key, value in row.items() if value is not None}
        for name, row in zip(names, texts, strict=True)
    }
