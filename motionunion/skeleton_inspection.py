"""What an unknown BVH file is: its hierarchy, rate, unit, axes, rest pose, and a joint map to read it by.

Nothing is taken from names but a doubt. `motionunion.limbs` finds the body in the tree, `motionunion.measure` its axis and
unit in the motion, `motionunion.rest_measure` how its joints are turned in a T-pose. The map that comes out is then tried on the
file itself: forward kinematics of what the store would keep, against the file's own joints, and everything that ingest asks
of a clip. Each doubt lowers the confidence and says why; below `SURE_ENOUGH` a map is for a person to look at.

Shapes: T frames, J joints of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.errors import ClipError, ConfigError, SourceFormatError, UsageError
from motionunion.formats.bvh import Bvh, read_bvh
from motionunion.frame_rate_check import RateEstimate, suspect_rate
from motionunion.inspection_doubts import Doubt, body_doubts, hinge_doubts, motion_doubts
from motionunion.joint_map import JointMap, plain_names
from motionunion.joint_map_proposal import propose_places, tell_sides
from motionunion.joint_map_writing import joint_map_toml
from motionunion.limbs import find_limbs
from motionunion.measure import Measured, facing, height, measured_unit_m, measured_up
from motionunion.moving_skeleton import Moving, in_motion, stood_up, with_ends
from motionunion.plausibility import implausibilities
from motionunion.rest_axes import Rest
from motionunion.rest_measure import find_rest
from motionunion.rest_pose import align, largest_error_m, pose_file
from motionunion.skeleton import Skeleton
from motionunion.sources.bvh_body import body_of
from motionunion.sources.bvh_heads import end_sites_of
from motionunion.sources.bvh_source import from_travelling_joint

FloatArray = npt.NDArray[np.float64]

SURE_ENOUGH = 0.5
"""A map of lower confidence is saved only where a person insists."""

_FRAMES = 1500
"""Frames that are looked at: what a skeleton is does not take more."""
_LONGEST_BONE_M = 0.45
_FIRST, _JUMP_M = 8, 0.15
"""Frames that are looked at for an added pose, and how far a joint then jumps."""
_COMPASS = ("+Z", "+X", "-Z", "-X")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """A map for a file, and what it would make of it."""

    joint_map: JointMap
    """With the up axis and the unit that were measured."""
    confidence: float
    """From 0 to 1."""
    doubts: tuple[Doubt, ...]
    """What lowered it."""
    reasons: tuple[str, ...]
    """What speaks for it."""
    up: Measured[str]
    unit_m: Measured[float]
    rest: Rest
    height_m: float
    """Head joint to balls of the feet, stretched out."""
    faces: str
    """Where the body faces in the first frame, with +Y up: `+Z`, `-X`, ..."""
    suspect_rate: RateEstimate | None
    """The frame rate that falls and steps show, where it is not the file's."""
    fk_error_m: float
    """Largest distance between what would be stored and the file's own joints, over mapped joints and the frames looked at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inspection:
    """What was found in one file."""

    path: Path
    skeleton: Skeleton
    channels: tuple[tuple[str, ...], ...]
    frames: int
    fps: Fraction
    known: str | None
    """Id of the skeleton, where it is a known one."""
    proposal: Proposal | None
    """None where there is no human body in it."""
    refusal: str | None = None
    """Why there is none."""


def save_map(found: Inspection, path: Path, *, force: bool = False) -> None:
    """Write the proposed map as TOML.

    Args:
        found: What `inspect` found.
        path: The file to write; the map's id is its name.
        force: Write a map that is not sure, and over a file that is there.

    Raises:
        ClipError: `no_human_body` or `unsure`: there is no map, or its confidence is below `SURE_ENOUGH`.
        UsageError: There is such a file already, or it cannot be written.
    """
    proposal = found.proposal
    if proposal is None:
        raise ClipError(f"{found.path}: nothing to save: {found.refusal}", reason="no_human_body")
    if proposal.confidence < SURE_ENOUGH and not force:
        gravest = min(proposal.doubts, key=lambda doubt: doubt.factor)
        more = f" (the gravest of {len(proposal.doubts)} doubts)" if len(proposal.doubts) > 1 else ""
        raise ClipError(
            f"{found.path}: the map is not sure (confidence {proposal.confidence:.2f}): {gravest.reason}{more}. Inspect another "
            "file of this skeleton, or save it with --force and correct it by hand",
            reason="unsure",
        )
    if path.exists() and not force:
        raise UsageError(f"{path}: is there already; name another file, or replace it with --force")
    comments = [
        f"Proposed from {found.path.name} with confidence {proposal.confidence:.2f}.",
        *(f"In doubt: {doubt.reason}." for doubt in proposal.doubts),
    ]
    try:
        path.write_text(joint_map_toml(proposal.joint_map, comments), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or error})") from error


def inspect(path: Path, skeleton_id: str | None = None) -> Inspection:
    """Look at one BVH file.

    Args:
        path: The file.
        skeleton_id: Name for the proposed map; the file's name where None.

    Raises:
        UsageError: It is a folder, or a file of another kind.
        SourceFormatError: It is no file, or no whole BVH.
    """
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name one BVH file in it, best one in which somebody walks")
    if path.is_file() and path.suffix.lower() != ".bvh":
        raise UsageError(
            f"{path}: is no .bvh, and only BVH files have a skeleton that could be unknown. What else there is to read: "
            "docs/sources.md"
        )
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise SourceFormatError(path, "is no file: name a BVH file", reason="unreadable")
    bvh = read_bvh(path)
    sites = {name: np.array(offset) for name, offset in end_sites_of(path).items()}
    body = body_of(bvh.skeleton, {name: tuple(offset.tolist()) for name, offset in sites.items()})
    proposal, refusal = None, None
    try:
        proposal = _propose(path, bvh, sites, skeleton_id or path.stem)
    except (ClipError, ConfigError) as error:
        refusal = str(error).removeprefix(f"{path}: ")
    return Inspection(
        path=path,
        skeleton=bvh.skeleton,
        channels=bvh.channels,
        frames=len(bvh.values_TC),
        fps=bvh.fps,
        known=None if body is None else body.joint_map.skeleton_id,
        proposal=proposal,
        refusal=refusal,
    )


@dataclass(slots=True)
class _Grounds:
    """What speaks for a map, and against it."""

    reasons: list[str]
    doubts: list[Doubt]


def _propose(path: Path, bvh: Bvh, sites: dict[str, FloatArray], skeleton_id: str) -> Proposal:
    longest = float(np.linalg.norm(bvh.skeleton.offsets_J3[1:], axis=1).max(initial=0.0))
    if longest == 0:
        raise ClipError("all joints are at one place", reason="no_human_body")
    plain = plain_names(bvh.skeleton.names)
    twice = next((name for name in plain if plain.count(name) > 1), None)
    if twice is not None:
        raise ClipError(f"two joints are called {twice!r}, so that no map could name them", reason="same_names")
    skeleton, quats, root = from_travelling_joint(bvh, _LONGEST_BONE_M / longest, path)
    limbs = find_limbs(skeleton)
    first = pose_file(skeleton, quats[:_FIRST], root[:_FIRST])[1]
    step = max(1, -(-len(quats) // _FRAMES))
    quats, root, fps = quats[::step], root[::step], float(bvh.fps) / step
    moving = in_motion(skeleton, quats, root, sites)
    sides = tell_sides(moving, limbs)
    places, ends = propose_places(moving, sides.limbs)
    names = (*plain, *ends)
    moving = with_ends(moving, ends)
    bare = JointMap(skeleton_id=skeleton_id, title="", names=(names,), places=places, axes={})
    measured = np.einsum("kj,tjc->tkc", bare.position_weights(moving.skeleton.names), moving.joints_TJ3)
    up = measured_up(measured)
    unit_m = measured_unit_m(measured, up.value)
    upright = stood_up(moving, up.value)
    rest = find_rest(moving.skeleton, bare, upright.world_TJ4, upright.joints_TJ3, fps)
    joint_map = JointMap(
        skeleton_id=skeleton_id,
        title=f"Skeleton of {path.name}",
        names=(names,),
        places=places,
        axes=rest.axes,
        dips=rest.dips,
        turns=rest.turns,
        up=up.value,
        unit_m=unit_m.value,
        added_frames=_added_frames(first * unit_m.value),
    )
    grounds = _Grounds(*body_doubts(skeleton, sides.limbs, sides.sure))
    grounds.doubts += motion_doubts(up, unit_m, rest, len(quats))
    error, faces, rate = _try(grounds, moving, joint_map, upright, fps)
    if rate is not None:
        rate = replace(rate, fps=rate.fps * step)
        grounds.doubts.append(
            Doubt(0.9, f"the file says {float(bvh.fps):g} frames a second, its motion {rate.fps:.3g} ({rate.evidence})")
        )
    if joint_map.added_frames:
        grounds.reasons.append(
            "the first frame is no part of the motion: the next one is elsewhere, and goes on smoothly"
        )
    doubted = " ".join(doubt.reason for doubt in grounds.doubts)
    measured_so = (*up.reasons, *unit_m.reasons, *rest.reasons)
    grounds.reasons += [reason for reason in measured_so if reason not in doubted]
    confidence = float(np.prod([doubt.factor for doubt in grounds.doubts]))
    return Proposal(
        joint_map=joint_map,
        confidence=confidence,
        doubts=tuple(grounds.doubts),
        reasons=tuple(grounds.reasons),
        up=up,
        unit_m=unit_m,
        rest=rest,
        height_m=height(measured) * unit_m.value,
        faces=faces,
        suspect_rate=rate,
        fk_error_m=error,
    )


def _added_frames(joints_TJ3: FloatArray) -> int:
    """Whether the first frame was put there by an exporter: one jump (metres), and small steps after it."""
    steps = np.linalg.norm(np.diff(joints_TJ3, axis=0), axis=-1).max(axis=-1)
    return int(len(steps) == _FIRST - 1 and steps[0] > _JUMP_M and steps[0] > 5 * steps[1:].max())


def _try(
    grounds: _Grounds, moving: Moving, joint_map: JointMap, upright: Moving, fps: float
) -> tuple[float, str, RateEstimate | None]:
    """What the store would keep by this map: its error against the file, and whether it passes for a person."""
    unit_m = joint_map.unit_m or 1.0
    skeleton = Skeleton(moving.skeleton.names, moving.skeleton.parents, moving.skeleton.offsets_J3 * unit_m)
    aligned = align(skeleton, joint_map, upright.world_TJ4, upright.joints_TJ3 * unit_m)
    error = largest_error_m(
        rotation.to_rotvec(aligned.quats_T22x4), aligned.offsets_22x3, aligned.joints_T22x3, joint_map.joint_mask
    )
    bends, stiff = hinge_doubts(aligned.quats_T22x4)
    grounds.reasons += bends
    grounds.doubts += stiff
    if error > 0.03:
        grounds.doubts.append(
            Doubt(0.8 if error < 0.06 else 0.4, f"posed again, a joint is {error * 100:.1f} cm off the file's own")
        )
    for problem in implausibilities(aligned.joints_T22x3, aligned.offsets_22x3, fps).values():
        grounds.doubts.append(Doubt(0.3, f"ingest would refuse it: {problem}"))
    front = facing(aligned.joints_T22x3)[0]
    rate = suspect_rate(aligned.joints_T22x3, fps) if len(aligned.joints_T22x3) > 1 else None
    return error, _COMPASS[round(np.arctan2(front[0], front[2]) / (np.pi / 2)) % 4], rate
