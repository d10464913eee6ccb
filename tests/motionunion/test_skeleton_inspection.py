"""Rigs of every make are written here, with known axes, and found out again; and the real ones, where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.errors import ClipError, SourceFormatError, UsageError
from motionunion.joint_map_form import read_joint_map
from motionunion.joint_maps import JOINT_MAPS
from motionunion.kinematics import forward_kinematics, global_rotations, local_rotations
from motionunion.normalise import normalise
from motionunion.sample.locomotion import Gait, go
from motionunion.sample.performer import Performer
from motionunion.sample.posing import pose_body
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS
from motionunion.skeleton_inspection import SURE_ENOUGH, inspect, save_map
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise
from motionunion.world_frame import TO_Y_UP

FloatArray = npt.NDArray[np.float64]

FPS = 30
FRAMES = 90


@cache
def walk(frames: int = FRAMES) -> tuple[FloatArray, FloatArray]:
    """Somebody on the way: local SMPL rotations (T, 22, 4) and pelvis (T, 3)."""
    rng = np.random.default_rng(5)
    who = Performer.draw(rng)
    score = who.choreography(rng)
    go(score, Gait(forward=1.1, cadence=1.9), 0.2, frames / FPS + 0.5, rng, who.swing)
    posed = pose_body(score, np.arange(frames) / FPS, frames / FPS, TEMPLATE.offsets_22x3)
    return posed.quats_T22x4, posed.root_T3


@dataclass(frozen=True)
class Rig:
    """A way to write the walk: SMPL's tree, and what an exporter makes of it."""

    turned_JQ: FloatArray
    """Quaternion of each joint's own axes in the T-pose; identity: zero rotation is a T-pose."""
    up: str = "y"
    unit_m: float = 0.01
    name: Callable[[int], str] = "bone_{}".format
    right_first: bool = False
    without: tuple[int, ...] = ()
    """SMPL joints that are left out; what hangs on them hangs on what they hang on."""
    tail: int = 0
    """Joints of a tail."""


def rig(**changes: object) -> Rig:
    identity = np.tile([1.0, 0.0, 0.0, 0.0], (22, 1))
    return replace(Rig(identity), **changes)  # type: ignore[arg-type]


def along_x() -> FloatArray:
    """Axes of a collapsed exporter: X along the bone, another axis to the left or to the front, as Bandai-Namco."""
    words = {
        "up": (0, 1, 0),
        "down": (0, -1, 0),
        "left": (1, 0, 0),
        "right": (-1, 0, 0),
        "front": (0, 0, 1),
        "back": (0, 0, -1),
    }
    quats = []
    for name in SMPL22_NAMES:
        x, y = ("up", "front")
        for part, axes in {
            "hip": ("down", "front"), "knee": ("down", "front"), "ankle": ("front", "left"), "foot": ("front", "left"),
            "left_collar": ("left", "up"), "left_shoulder": ("left", "up"), "left_elbow": ("left", "up"),
            "left_wrist": ("left", "up"), "right_collar": ("right", "back"), "right_shoulder": ("right", "back"),
            "right_elbow": ("right", "back"), "right_wrist": ("right", "back"),
        }.items():  # fmt: skip
            if part in name:
                x, y = axes
        a, b = np.array(words[x], dtype=float), np.array(words[y], dtype=float)
        quats.append(rotation.from_matrix(np.stack([a, b, np.cross(a, b)], axis=-1)))
    return np.array(quats)


def write(path: Path, how: Rig, frames: int = FRAMES) -> Path:
    """The walk as a BVH file of a rig."""
    quats, root = (track[:frames] for track in walk(max(frames, FRAMES)))
    world = rotation.multiply(global_rotations(quats, SMPL22_PARENTS), how.turned_JQ)
    world = rotation.multiply(rotation.conjugate(TO_Y_UP[how.up]), world)
    root = rotation.rotate(rotation.conjugate(TO_Y_UP[how.up]), root) / how.unit_m
    parents: dict[int, int] = {}
    for joint, parent in enumerate(SMPL22_PARENTS):
        while parent in how.without:
            parent = SMPL22_PARENTS[parent]
        parents[joint] = parent
    placed = forward_kinematics(
        np.zeros((1, 3)), np.tile([1.0, 0, 0, 0], (1, 22, 1)), TEMPLATE.offsets_22x3, SMPL22_PARENTS
    )[0]
    lines, numbers = ["HIERARCHY"], []

    def add(joint: int, parent: int, offset: FloatArray, depth: int) -> None:
        lines.append(
            f"{'JOINT' if depth else 'ROOT'} {how.name(joint)}\n{{\nOFFSET {' '.join(f'{x:.6f}' for x in offset)}"
        )
        lines.append(f"CHANNELS {3 if depth else '6 Xposition Yposition Zposition'} Zrotation Yrotation Xrotation")
        local = (
            world[:, joint % 22] if parent < 0 else local_rotations(world[:, [parent % 22, joint % 22]], (-1, 0))[:, 1]
        )
        if joint >= 22:  # a tail hangs still
            local = np.tile([1.0, 0, 0, 0], (len(world), 1))
        angles = np.degrees(rotation.to_euler(local, "ZYX"))
        numbers.append(angles if depth else np.hstack([root, angles]))
        children = [c for c, p in parents.items() if p == joint and c not in how.without]
        if how.right_first:
            children = children[::-1]
        for child in children:
            own = rotation.conjugate(how.turned_JQ[joint])
            add(child, joint, rotation.rotate(own, placed[child] - placed[joint]) / how.unit_m, depth + 1)
        if (joint == 0 and how.tail) or 22 <= joint < 21 + how.tail:
            add(max(22, joint + 1), joint, np.array([0.0, 0.0, -0.2 / how.unit_m]), depth + 1)
        lines.append("}")

    add(0, -1, np.zeros(3), 0)
    rows = np.hstack(numbers)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / FPS:.8f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def named(found: object, joints: list[int], how: Rig) -> list[str]:
    return [how.name(joint) for joint in joints]


def any_axes(seed: int, *, right_angled: bool) -> FloatArray:
    """Axes that no exporter uses: each joint's turned at random."""
    rng = np.random.default_rng(seed)
    quats = rotation.normalise(rng.normal(size=(22, 4)))
    if not right_angled:
        return quats
    frames = np.eye(3)[np.array([rng.permutation(3) for _ in range(22)])] * rng.choice([-1.0, 1.0], (22, 3, 1))
    frames[:, 2] = np.cross(frames[:, 0], frames[:, 1])
    return rotation.from_matrix(frames.swapaxes(1, 2))


RIGS = {
    "a T-pose": rig(),
    "right limbs first, Z up, metres": rig(right_first=True, up="z", unit_m=1.0),
    "-Y up, inches": rig(up="-y", unit_m=0.0254),
    "X up, names that lie": rig(up="x", name=lambda joint: f"Tail{joint}"),
    "collapsed": rig(turned_JQ=along_x()),
    "collapsed, Z up, right first": rig(turned_JQ=along_x(), up="z", right_first=True),
    "every joint at right angles of its own": rig(turned_JQ=any_axes(2, right_angled=True), up="-z"),
    "every joint turned anyhow": rig(turned_JQ=any_axes(3, right_angled=False), up="-x"),
    "no toes": rig(without=(10, 11)),
    "no collars and a spine of two": rig(without=(6, 13, 14)),
}


@pytest.mark.parametrize("label", RIGS)
def test_a_rig_is_found_out_whatever_its_axes_names_and_order(label: str, tmp_path: Path) -> None:
    how = RIGS[label]
    path = write(tmp_path / "rig.bvh", how)
    found = inspect(path)
    proposal = found.proposal
    assert proposal is not None, found.refusal
    assert (proposal.up.value, proposal.unit_m.value) == (how.up, pytest.approx(how.unit_m))
    assert found.fps == Fraction(30)
    assert proposal.confidence >= SURE_ENOUGH, proposal.doubts
    for joint, (name, place) in enumerate(zip(SMPL22_NAMES, proposal.joint_map.places, strict=True)):
        if joint in how.without:
            assert place.masked, name
        else:
            assert (place.rotation, place.start) == (how.name(joint), how.name(joint)), name
    assert proposal.fk_error_m < 1e-4
    # Head joint to the balls of the feet of the template body; without toes the feet end at the ankles.
    assert 1.38 < proposal.height_m < 1.55


@pytest.mark.parametrize("label", RIGS)
def test_a_saved_map_reads_the_file_as_what_was_performed(label: str, tmp_path: Path) -> None:
    how = RIGS[label]
    path = write(tmp_path / "rig.bvh", how)
    save_map(inspect(path), tmp_path / "mine.toml")
    joint_map = read_joint_map(tmp_path / "mine.toml")
    (claim,) = recognise([path], None, (joint_map,)).claims
    (ref,) = SOURCES[claim.source].discover(claim)
    clip = normalise(SOURCES["bvh"].read(ref, ReadOptions(skeletons=(joint_map,))))
    assert ref.key == "mine/rig"
    assert clip.fk_error_m is not None
    assert clip.fk_error_m < 1e-4
    assert clip.rotvecs_T22x3 is not None
    assert clip.root_T3 is not None
    assert clip.offsets_22x3 is not None
    quats, root = walk()
    truth = forward_kinematics(root, quats, TEMPLATE.offsets_22x3, SMPL22_PARENTS)
    posed = forward_kinematics(
        clip.root_T3, rotation.from_rotvec(clip.rotvecs_T22x3), clip.offsets_22x3, SMPL22_PARENTS
    )
    there = [joint for joint in range(22) if joint not in how.without]
    # Where a joint is left out, what hangs on it moved a little less in the file than in the walk.
    np.testing.assert_allclose(posed[:, there], truth[:, there], atol=5e-3 if how.without else 2e-4)
    # The store's T-pose has straight limbs, the template's are up to 8 degrees off; feet are turned by what they dip.
    off = rotation.multiply(
        global_rotations(rotation.from_rotvec(clip.rotvecs_T22x3), SMPL22_PARENTS),
        rotation.conjugate(global_rotations(quats, SMPL22_PARENTS)),
    )
    angles = np.degrees(np.linalg.norm(rotation.to_rotvec(off), axis=-1)).max(axis=0)
    trunk_and_limbs = [
        joint for joint in there if "foot" not in SMPL22_NAMES[joint] and "ankle" not in SMPL22_NAMES[joint]
    ]
    assert angles[trunk_and_limbs].max() < 22, dict(zip(SMPL22_NAMES, angles.round(1), strict=True))


def test_collapsed_axes_come_out_at_right_angles(tmp_path: Path) -> None:
    proposal = inspect(write(tmp_path / "rig.bvh", RIGS["collapsed"])).proposal
    assert proposal is not None
    assert proposal.rest.kind == "collapsed"
    by_smpl = {
        name: proposal.joint_map.axes[place.rotation]
        for name, place in zip(SMPL22_NAMES, proposal.joint_map.places, strict=True)
    }
    assert by_smpl["pelvis"] == by_smpl["spine2"] == by_smpl["head"] == "up front"
    assert by_smpl["left_knee"] == by_smpl["right_hip"] == "down front"
    assert by_smpl["left_ankle"] == by_smpl["right_foot"] == "front left"
    assert by_smpl["left_elbow"] == by_smpl["left_wrist"] == "left up"
    assert by_smpl["right_shoulder"] == by_smpl["right_elbow"] == "right back"


def test_a_tail_makes_one_doubt(tmp_path: Path) -> None:
    plain = inspect(write(tmp_path / "plain.bvh", rig())).proposal
    tailed = inspect(write(tmp_path / "tailed.bvh", rig(tail=4))).proposal
    assert plain is not None
    assert tailed is not None
    assert tailed.confidence < plain.confidence
    assert any("a tail?" in doubt.reason for doubt in tailed.doubts)


def test_names_that_contradict_the_motion_are_a_grave_doubt(tmp_path: Path) -> None:
    exchanged = {name: name for name in SMPL22_NAMES} | {
        f"{a}_{part}": f"{b}_{part}"
        for a, b in (("left", "right"), ("right", "left"))
        for part in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")
    }
    right = inspect(write(tmp_path / "right.bvh", rig(name=lambda joint: SMPL22_NAMES[joint]))).proposal
    wrong = inspect(write(tmp_path / "wrong.bvh", rig(name=lambda joint: exchanged[SMPL22_NAMES[joint]]))).proposal
    assert right is not None
    assert wrong is not None
    assert right.confidence >= SURE_ENOUGH > wrong.confidence
    assert any("exchanged names" in doubt.reason for doubt in wrong.doubts)


def test_an_unsure_map_is_saved_only_on_demand_and_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "wrong.bvh", rig(tail=4), frames=4))
    assert found.proposal is not None
    assert found.proposal.confidence < SURE_ENOUGH
    with pytest.raises(ClipError, match=r"not sure \(confidence 0.\d+\): .* \(the gravest of 2 doubts\)"):
        save_map(found, tmp_path / "map.toml")
    save_map(found, tmp_path / "map.toml", force=True)
    text = (tmp_path / "map.toml").read_text()
    assert "# In doubt: 4 frames are little" in text
    sure = inspect(write(tmp_path / "right.bvh", rig()))
    with pytest.raises(UsageError, match="is there already"):
        save_map(sure, tmp_path / "map.toml")
    assert (tmp_path / "map.toml").read_text() == text
    with pytest.raises(UsageError, match="cannot be written"):
        save_map(sure, tmp_path / "nowhere" / "map.toml")


def test_what_is_no_body_has_no_map_and_says_why(tmp_path: Path) -> None:
    hand = write(tmp_path / "hand.bvh", rig(without=tuple(range(1, 22)), tail=5))
    found = inspect(hand)
    assert found.proposal is None
    assert "no two legs and two arms" in str(found.refusal)
    with pytest.raises(ClipError, match="nothing to save"):
        save_map(found, tmp_path / "map.toml", force=True)
    (tmp_path / "text.bvh").write_text("hello")
    with pytest.raises(SourceFormatError, match="not a whole BVH"):
        inspect(tmp_path / "text.bvh")


def test_a_rate_that_nobody_could_walk_at_is_a_doubt(tmp_path: Path) -> None:
    path = write(tmp_path / "rig.bvh", rig(), frames=240)
    path.write_text(path.read_text().replace(f"Frame Time: {1 / FPS:.8f}", f"Frame Time: {1 / FPS / 5:.8f}"))
    fast = inspect(path)
    assert fast.fps == 150
    assert fast.proposal is not None
    assert fast.proposal.suspect_rate is not None
    assert 20 < fast.proposal.suspect_rate.fps < 60
    assert any("150 frames a second, its motion" in doubt.reason for doubt in fast.proposal.doubts)


def test_an_added_t_pose_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "rig.bvh", rig())
    head, _, rows = path.read_text().partition("Frame Time")
    time, *numbers = rows.splitlines()
    still = " ".join(["0"] * len(numbers[0].split()))
    head = head.replace(f"Frames: {FRAMES}", f"Frames: {FRAMES + 1}")
    path.write_text("\n".join([f"{head}Frame Time{time}", still, *numbers]) + "\n")
    proposal = inspect(path).proposal
    assert proposal is not None
    assert proposal.joint_map.added_frames == 1
    plain = inspect(write(tmp_path / "plain.bvh", rig())).proposal
    assert plain is not None
    assert plain.joint_map.added_frames == 0


@pytest.fixture(scope="module")
def real_bvh() -> Path:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if folder is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: real files are not here")
    return Path(folder)


# What the maps of known skeletons leave to taste: which toe of five, which of four spine joints is spine2.
TASTE = {"left_foot", "right_foot", "spine1", "spine2"}
HUMAN = {
    "100style": "xsens_100style", "cmu_cgspeed": "cmu_cgspeed", "cmu_daz": "cmu_daz", "cmu_renamed": "cmu_3dsmax",
    "lafan1": "lafan1", "mixamo": "mixamo", "mocapnet": "mocapnet", "azure_kinect": "azure_kinect", "xia_style": "cmu_cgspeed",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("folder", sorted(HUMAN))
def test_real_rigs_get_the_map_that_was_made_by_hand(folder: str, real_bvh: Path) -> None:
    known = JOINT_MAPS[HUMAN[folder]]
    for path in sorted((real_bvh / "bvh" / folder).glob("*.bvh"))[:4]:
        proposal = inspect(path).proposal
        assert proposal is not None, path
        assert proposal.confidence >= SURE_ENOUGH, (path, proposal.doubts)
        for name, place, expected in zip(SMPL22_NAMES, proposal.joint_map.places, known.places, strict=True):
            assert name in TASTE or place == expected, (path.name, name)
        assert proposal.fk_error_m < 0.03
        assert 1.15 < proposal.height_m < 1.7


@pytest.mark.slow
def test_every_human_exporter_s_file_is_read_by_the_map_saved_from_it(real_bvh: Path, tmp_path: Path) -> None:
    for folder in sorted(path for path in (real_bvh / "bvh").iterdir() if path.is_dir()):
        path = min(
            folder.glob("*.bvh"), key=lambda file: file.stat().st_size if file.stat().st_size > 50_000 else 1 << 40
        )
        save_map(inspect(path), tmp_path / f"{folder.name}.toml")
        joint_map = read_joint_map(tmp_path / f"{folder.name}.toml")
        (claim,) = recognise([path], "bvh", (joint_map,)).claims
        (ref,) = SOURCES["bvh"].discover(claim)
        clip = normalise(SOURCES["bvh"].read(ref, ReadOptions(skeletons=(joint_map,))))
        assert clip.fk_error_m is not None
        assert clip.fk_error_m < 0.03, path


@pytest.mark.slow
def test_collapsed_real_skeletons_get_the_axes_that_were_measured_by_hand(real_bvh: Path) -> None:
    wrong = 0
    for folder, skeleton in (("lafan1", "lafan1"), ("bandai_namco_1", "bandai_namco")):
        axes = JOINT_MAPS[skeleton].axes
        assert axes is not None
        for path in sorted((real_bvh / "bvh" / folder).glob("*.bvh"))[:12]:
            proposal = inspect(path).proposal
            assert proposal is not None
            found = proposal.joint_map
            assert found.axes is not None
            assert {place.rotation for place in found.places} == {
                place.rotation for place in JOINT_MAPS[skeleton].places
            }
            wrong += any(found.axes[place.rotation] != axes[place.rotation] for place in found.places)
            assert not found.turns
    assert wrong == 0


@pytest.mark.slow
def test_beasts_and_parts_of_bodies_are_refused_or_doubted(real_bvh: Path, tmp_path: Path) -> None:
    beasts = [*(real_bvh / "edge_cases" / "nonhuman").glob("*.bvh"), real_bvh / "edge_cases" / "parser" / "hand_only_lhand.bvh",
              real_bvh / "edge_cases" / "parser" / "rotation_first_root.bvh"]  # fmt: skip
    assert len(beasts) >= 4
    for path in beasts:
        found = inspect(path)
        assert found.proposal is None or found.proposal.confidence < 0.2, path
        with pytest.raises(ClipError):
            save_map(found, tmp_path / "map.toml")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.bvh")
    with pytest.raises(SourceFormatError, match="is no file"):
        inspect(tmp_path / "pipe.bvh")
