"""From what a file says to what the store keeps: SMPL-22, metres, +Y up, identity, provenance, and whether it can be true.

Nothing is resampled, cropped or repaired here. Axes and unit are those of `motionunion.world_frame`; whether they can be
true is asked of every clip (`motionunion.plausibility`).

Shapes: T frames, J joints of the source.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manifests import source_manifest
from motionunion import rotation
from motionunion.clip import SYNTHETIC, SYNTHETIC_LICENCE, Clip, RawClip
from motionunion.digest import canonical_json, sha256_file, sha256_hex
from motionunion.errors import ClipError
from motionunion.formats.frame_rate import FASTEST_HZ
from motionunion.frame_rate_check import suspect_rate
from motionunion.joint_map import JointMap
from motionunion.kinematics import forward_kinematics
from motionunion.oddities import oddities
from motionunion.plausibility import implausibilities
from motionunion.rest_pose import align, largest_error_m, pose_file
from motionunion.skeleton import Skeleton
from motionunion.world_frame import WorldFrame, joint_map_of, right_handed, smpl22_joints, world_frame

FloatArray = npt.NDArray[np.float64]

VERSION = 3
"""Raised whenever the same file would give other values here; readers have versions of their own."""


def clip_id(source: str, key: str, interval: tuple[float, float] | None = None) -> str:
    """Identity of a clip: 32 hex digits over its source, its key and, for a part of a file, the seconds it spans."""
    return sha256_hex(canonical_json([source, key, interval]))[:32]


def normalise(raw: RawClip) -> Clip:
    """Bring one clip to the store's form.

    Raises:
        ClipError: For a motion that cannot be what it claims: `too_short`, `non_finite`, `bad_frame_rate`, `no_valid_frames`, or
            one of the reasons of `motionunion.plausibility`. A clip that ships ready-made features is not refused for being
            implausible, but flagged with the reason: an official data set is read as it is.
    """
    motion = raw.quats_TJ4 if raw.quats_TJ4 is not None else raw.joints_TJ3
    if motion is None or (raw.quats_TJ4 is None) == (raw.joints_TJ3 is None):
        raise ValueError("a raw clip has either rotations or joints")
    frames = len(motion)
    valid = raw.valid or (0, frames)
    _check_frames(raw, motion, valid)
    raw = right_handed(raw)
    frame = world_frame(raw, valid)
    if raw.joints_TJ3 is not None:
        return _joints_only(raw, frame, frames, valid)
    joint_map = joint_map_of(raw)
    return _smpl(raw, frame, frames, valid) if joint_map is None else _mapped(raw, joint_map, frame, frames, valid)


def _check_frames(raw: RawClip, motion: npt.NDArray[np.floating], valid: tuple[int, int]) -> None:
    where = raw.ref.path
    if not 0 < raw.fps <= FASTEST_HZ:
        raise ClipError(
            f"{where}: {float(raw.fps):g} frames a second; a rate must be above 0, and at most {FASTEST_HZ:,}",
            reason="bad_frame_rate",
        )
    if len(motion) < 2:
        raise ClipError(f"{where}: {len(motion)} frame; a motion needs two at least", reason="too_short")
    if not 0 <= valid[0] < valid[1] <= len(motion):
        raise ClipError(f"{where}: no frame of real motion (valid {valid} of {len(motion)})", reason="no_valid_frames")
    for name, values in (("motion", motion), ("root", raw.root_T3)):
        if values is not None and not np.isfinite(values).all():
            bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
            raise ClipError(
                f"{where}: {name} is not finite in {len(bad)} of {len(values)} frames, first in frame {bad[0]}: cut these "
                "frames out",
                reason="non_finite",
            )


def _joints_only(raw: RawClip, frame: WorldFrame, frames: int, valid: tuple[int, int]) -> Clip:
    joints = rotation.rotate(frame.turn, smpl22_joints(raw) * frame.unit_m)
    joint_map = joint_map_of(raw)
    mask = {} if joint_map is None else {"joint_mask": joint_map.joint_mask}
    judged = _judge(raw, joints, valid, mask=None if joint_map is None else joint_map.joint_mask)
    return _clip(raw, frame, frames, valid, judged, joints_T22x3=_float32(raw, "joints", joints), **mask)


def _smpl(raw: RawClip, frame: WorldFrame, frames: int, valid: tuple[int, int]) -> Clip:
    quats, root = _turned(raw, frame)
    offsets = raw.skeleton.offsets_J3.astype(np.float64) * frame.unit_m
    joints = forward_kinematics(root, quats, offsets, raw.skeleton.parents)
    return _clip(
        raw,
        frame,
        frames,
        valid,
        _judge(raw, joints, valid, offsets=offsets, quats=quats),
        rotvecs_T22x3=rotation.to_rotvec(quats).astype(np.float32),
        root_T3=_float32(raw, "root", root),
        offsets_22x3=_float32(raw, "offsets", offsets),
    )


def _mapped(raw: RawClip, joint_map: JointMap, frame: WorldFrame, frames: int, valid: tuple[int, int]) -> Clip:
    quats, root = _turned(raw, frame)
    skeleton = Skeleton(raw.skeleton.names, raw.skeleton.parents, raw.skeleton.offsets_J3 * frame.unit_m)
    aligned = align(skeleton, joint_map, *pose_file(skeleton, quats, root))
    judged = _judge(
        raw,
        aligned.joints_T22x3,
        valid,
        offsets=aligned.offsets_22x3,
        quats=aligned.quats_T22x4,
        mask=joint_map.joint_mask,
    )
    rotvecs = rotation.to_rotvec(aligned.quats_T22x4).astype(np.float32)
    offsets = aligned.offsets_22x3.astype(np.float32)
    return _clip(
        raw,
        frame,
        frames,
        valid,
        judged,
        rotvecs_T22x3=rotvecs,
        root_T3=aligned.root_T3.astype(np.float32),
        offsets_22x3=offsets,
        joint_mask=joint_map.joint_mask,
        fk_error_m=largest_error_m(rotvecs, offsets, aligned.joints_T22x3, joint_map.joint_mask),
    )


def _turned(raw: RawClip, frame: WorldFrame) -> tuple[FloatArray, FloatArray]:
    """Local rotations and root path (metres) with +Y up: only the first joint's rotation is a world rotation."""
    quats = np.array(raw.quats_TJ4, dtype=np.float64)
    quats[:, 0] = rotation.multiply(frame.turn, quats[:, 0])
    return quats, rotation.rotate(frame.turn, np.asarray(raw.root_T3, dtype=np.float64) * frame.unit_m)


def _judge(
    raw: RawClip,
    joints_T22x3: FloatArray,
    valid: tuple[int, int],
    *,
    offsets: FloatArray | None = None,
    quats: FloatArray | None = None,
    mask: npt.NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Flags and labels that follow from the motion itself. Raises `ClipError` for what cannot be a person's."""
    joints, fps = joints_T22x3[valid[0] : valid[1]], float(raw.fps)
    found = implausibilities(joints, offsets, fps, mask)
    if found and raw.shipped is None:
        reason, problem = next(iter(found.items()))
        raise ClipError(f"{raw.ref.path}: {problem}", reason=reason)
    turns = None if quats is None else quats[valid[0] : valid[1]]
    hands = None if raw.hands_T90 is None else raw.hands_T90[valid[0] : valid[1]]
    flags = [*raw.flags, *found, *oddities(joints, fps, quats_T22x4=turns, hands_T90=hands, joint_mask=mask)]
    labels = dict(raw.labels)
    if not found and (rate := suspect_rate(joints, fps)) is not None:
        flags.append("fps_suspect")
        labels |= {"fps_estimate": f"{rate.fps:.3g}", "fps_evidence": rate.evidence}
    return {"flags": tuple(dict.fromkeys(flags)), "labels": labels}


def _clip(
    raw: RawClip, frame: WorldFrame, frames: int, valid: tuple[int, int], judged: dict[str, Any], **values: object
) -> Clip:
    ref = raw.ref
    return Clip(
        clip_id=clip_id(ref.source, ref.key),
        source=ref.source,
        key=ref.key,
        uid=ref.uid,
        group=raw.group or ref.uid,
        fps=raw.fps,
        frames=frames,
        body=raw.body,
        valid=valid,
        official_split=raw.official_split,
        gender=raw.gender,
        betas=None if raw.betas is None else _float32(raw, "betas", raw.betas),
        hands_T90=None if raw.hands_T90 is None else _float32(raw, "hands", raw.hands_T90),
        face={name: _float32(raw, name, track) for name, track in raw.face.items()},
        shipped=raw.shipped,
        provenance=_provenance(raw, frame),
        **judged,
        **values,  # type: ignore[arg-type]
    )


def _float32(raw: RawClip, name: str, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """What the store keeps of a track. A number beyond float32 would silently become infinite."""
    with np.errstate(over="ignore"):
        kept = values.astype(np.float32)
    if (np.isinf(kept) & np.isfinite(values)).any():
        raise ClipError(f"{raw.ref.path}: {name} holds numbers above 1e38, which no body has", reason="non_finite")
    return kept


def _provenance(raw: RawClip, frame: WorldFrame) -> dict[str, str]:
    from motionunion.sources import SOURCES  # here, for the readers' own modules may come to need this one

    inputs = raw.inputs or (raw.ref.path,)
    name, digest = _named_digest(inputs, raw.ref.root)
    reader, manifest = SOURCES[raw.ref.source], source_manifest(raw.ref.source)
    return {
        "file": name,
        "sha256": digest,
        "reader": f"{reader.name}/{reader.version} normalise/{VERSION}",
        "licence": SYNTHETIC_LICENCE if SYNTHETIC in raw.flags else raw.licence or manifest["licence"],
        "up": frame.up,
        "unit_m": repr(frame.unit_m),
        "skeleton_id": raw.skeleton_id,
        **({"reflected": "x"} if raw.reflected else {}),
        **{f"measured_{key}": said for key, said in frame.measured.items()},
    }


def _named_digest(inputs: tuple[Path, ...], root: Path) -> tuple[str, str]:
    """Name of the main file below the root, and the digest of all: the file's own, or that of `digest  name` lines."""
    names = [path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name for path in inputs]
    digests = [_file_digest(path, *_state(path)) for path in inputs]
    if len(digests) == 1:
        return names[0], digests[0]
    lines = "".join(f"{digest}  {name}\n" for digest, name in zip(digests, names, strict=True))
    return names[0], sha256_hex(lines.encode())


@lru_cache(maxsize=256)
def _file_digest(path: Path, _size: int, _changed_ns: int) -> str:
    """Digest of a file, computed once while it stays as it is: one file may hold thousands of motions."""
    return sha256_file(path)


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
