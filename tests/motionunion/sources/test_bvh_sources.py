from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from manifests import source_manifest
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.joint_maps import JOINT_MAPS
from motionunion.normalise import normalise
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.base import Claim, Folder

BVH_SOURCES = ("bandai_namco_1", "bandai_namco_2", "100style", "lafan1", "cmu_cgspeed")
SIX = "Xposition Yposition Zposition Zrotation Yrotation Xrotation"

# Bodies invented for these tests: name, parent, offset in the file's unit.
CMU_TREE = """
Hips - 0 0 0
LHipJoint Hips 0 0 0
LeftUpLeg LHipJoint 1.4 -1.8 .8
LeftLeg LeftUpLeg 2.4 -6.6 0
LeftFoot LeftLeg 2.5 -6.9 0
LeftToeBase LeftFoot .1 -.2 2
RHipJoint Hips 0 0 0
RightUpLeg RHipJoint -1.4 -1.8 .8
RightLeg RightUpLeg -2.4 -6.6 0
RightFoot RightLeg -2.5 -6.9 0
RightToeBase RightFoot -.1 -.2 2
LowerBack Hips 0 0 0
Spine LowerBack 0 2 -.2
Spine1 Spine 0 1.9 .2
Neck Spine1 0 0 0
Neck1 Neck 0 1.8 .1
Head Neck1 0 1.7 -.4
LeftShoulder Spine1 0 0 0
LeftArm LeftShoulder 3.4 1 0
LeftForeArm LeftArm 4.7 0 0
LeftHand LeftForeArm 3.2 0 0
LeftFingerBase LeftHand 0 0 0
LFingers LeftFingerBase .5 0 0
LThumb LeftHand 0 0 0
RightShoulder Spine1 0 0 0
RightArm RightShoulder -3.4 1 0
RightForeArm RightArm -4.7 0 0
RightHand RightForeArm -3.2 0 0
RightFingerBase RightHand 0 0 0
RFingers RightFingerBase -.5 0 0
RThumb RightHand 0 0 0
"""
BANDAI_TREE = """
joint_Root - 0 0 0
Hips joint_Root 1 90 -400
Spine Hips 15 0 0
Chest Spine 10 0 0
Neck Chest 15 0 0
Head Neck 7 0 0
Shoulder_L Chest 12 0 5
UpperArm_L Shoulder_L 6 0 0
LowerArm_L UpperArm_L 25 0 0
Hand_L LowerArm_L 22 0 0
Shoulder_R Chest 12 0 -5
UpperArm_R Shoulder_R -6 0 0
LowerArm_R UpperArm_R -25 0 0
Hand_R LowerArm_R -22 0 0
UpperLeg_L Hips -2 -7 0
LowerLeg_L UpperLeg_L 40 0 0
Foot_L LowerLeg_L 41 0 0
Toes_L Foot_L 12 0 0
UpperLeg_R Hips -2 7 0
LowerLeg_R UpperLeg_R -40 0 0
Foot_R LowerLeg_R -41 0 0
Toes_R Foot_R -12 0 0
"""


def write_bvh(path: Path, tree: str, rows: np.ndarray, *, every_joint: bool) -> Path:
    """A file with six channels at the root, and at every joint or three at the others."""
    joints = [line.split() for line in tree.strip().splitlines()]

    def lines(name: str) -> Iterator[str]:
        parent, offset = next((row[1], row[2:]) for row in joints if row[0] == name)
        yield f"{'ROOT' if parent == '-' else 'JOINT'} {name}\n{{\nOFFSET {' '.join(offset)}"
        yield f"CHANNELS 6 {SIX}" if every_joint or parent == "-" else f"CHANNELS 3 {' '.join(SIX.split()[3:])}"
        for child in (row[0] for row in joints if row[1] == name):
            yield from lines(child)
        yield "}"

    text = "\n".join(["HIERARCHY", *lines(joints[0][0]), "MOTION", f"Frames: {len(rows)}", "Frame Time: .0083333", ""])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n".join(" ".join(f"{value:.4f}" for value in row) for row in rows) + "\n")
    return path


def cmu_rows(frames: int = 5, *, added_pose: bool = True) -> np.ndarray:
    rows = np.random.default_rng(frames).normal(0, 5, (frames, 96))
    rows[:, 15:18] = rows[:, 3 + 18 : 3 + 21] = 0  # the hip joints never turn
    rows[:, :3] = [0, 17, 0]
    if added_pose:
        rows[0, 3:] = 0
        rows[0, [9, 24]] = -17, 17
    return rows


def bandai_rows(frames: int = 5) -> np.ndarray:
    tree = [line.split() for line in BANDAI_TREE.strip().splitlines()]
    rows = np.random.default_rng(frames).normal(0, 5, (frames, 22, 6))
    rows[:, :, :3] = [[float(value) for value in row[2:]] for row in tree]
    rows[:, 0, 3:] = 0
    rows[:, 1, :3] = np.linspace([0, 90, 0], [30, 90, 60], frames)
    return rows.reshape(frames, -1)


def claim_of(source: str, folder: Path) -> Claim | None:
    return SOURCES[source].recognise(Folder.list(folder))


def refs_of(source: str, folder: Path) -> list[ClipRef]:
    claim = claim_of(source, folder)
    return [] if claim is None else list(SOURCES[source].discover(claim))


def read(ref: ClipRef) -> RawClip:
    raw = SOURCES[ref.source].read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    return raw


def only(source: str, folder: Path) -> RawClip:
    (ref,) = refs_of(source, folder)
    return read(ref)


@pytest.mark.parametrize("source", BVH_SOURCES)
def test_every_manifest_says_what_a_reader_and_a_person_need(source: str) -> None:
    manifest = source_manifest(source)
    needed = {"title", "authors", "home", "licence", "redistributable", "format", "up", "unit_m", "fps", "skeleton"}
    assert needed <= manifest.keys()
    assert manifest["skeleton"] in JOINT_MAPS


def test_bandai_namco_sets_are_told_apart_by_their_names(tmp_path: Path) -> None:
    for name in ("dataset-1_bow_active_001", "dataset-2_run_normal_002", "renamed"):
        write_bvh(tmp_path / f"{name}.bvh", BANDAI_TREE, bandai_rows(), every_joint=True)
    assert [ref.key for ref in refs_of("bandai_namco_1", tmp_path)] == ["dataset-1_bow_active_001"]
    assert [ref.key for ref in refs_of("bandai_namco_2", tmp_path)] == ["dataset-2_run_normal_002", "renamed"]
    for source in ("100style", "lafan1", "cmu_cgspeed"):
        assert claim_of(source, tmp_path) is None


def test_the_travel_of_bandai_namco_hips_is_the_root_s(tmp_path: Path) -> None:
    rows = bandai_rows()
    rows[:, :3] = [7, 0, 0]  # joint_Root moved aside
    write_bvh(tmp_path / "dataset-1_bow_active_001.bvh", BANDAI_TREE, rows, every_joint=True)
    raw = only("bandai_namco_1", tmp_path)
    assert raw.skeleton.names[0] == "Hips"
    np.testing.assert_allclose(raw.root_T3, np.linspace([7, 90, 0], [37, 90, 60], 5), atol=1e-9)
    clip = normalise(raw)
    np.testing.assert_allclose(clip.root_T3, np.linspace([0.07, 0.9, 0], [0.37, 0.9, 0.6], 5), atol=1e-6)
    assert clip.fk_error_m is not None
    assert clip.fk_error_m < 1e-5


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("dataset-1_walk-left_giant_001", "a person walks to the left like a giant", "walk-left giant 001"),
        ("dataset-1_bow_normal_002", "a person bows", "bow normal 002"),
        ("dataset-1_new-move_odd_010", "a person does the motion new move in the style odd", "new-move odd 010"),
        ("dataset-1_no_take", None, ""),
    ],
)
def test_bandai_namco_captions_follow_the_tables(tmp_path: Path, name: str, text: str | None, labels: str) -> None:
    write_bvh(tmp_path / f"{name}.bvh", BANDAI_TREE, bandai_rows(), every_joint=True)
    raw = only("bandai_namco_1", tmp_path)
    assert [caption.text for caption in raw.captions] == ([] if text is None else [text])
    assert all((c.layer, c.generator, c.tokens) == ("labels", "template", None) for c in raw.captions)
    assert list(raw.labels.values()) == labels.split()


def test_bandai_namco_label_files_are_read_and_counted_as_input(tmp_path: Path) -> None:
    path = write_bvh(tmp_path / "dataset-1_bow_active_001.bvh", BANDAI_TREE, bandai_rows(), every_joint=True)
    label = path.with_suffix(".json")
    label.write_text(json.dumps({"content": 6, "style": 11}))
    claim = claim_of("bandai_namco_1", tmp_path)
    assert claim is not None
    assert set(claim.files) == {path, label}
    raw = only("bandai_namco_1", tmp_path)
    assert (raw.labels["content_id"], raw.labels["style_id"]) == ("6", "11")
    assert raw.inputs == (path, label)


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff"])
def test_a_broken_label_file_costs_its_labels_not_the_clip(tmp_path: Path, data: bytes) -> None:
    path = write_bvh(tmp_path / "dataset-1_bow_active_001.bvh", BANDAI_TREE, bandai_rows(), every_joint=True)
    path.with_suffix(".json").write_bytes(data)
    raw = only("bandai_namco_1", tmp_path)
    assert [fault.path.name for fault in raw.faults] == ["dataset-1_bow_active_001.json"]
    assert (raw.labels["content"], "content_id" in raw.labels) == ("bow", False)


def test_bones_that_change_are_refused(tmp_path: Path) -> None:
    rows = bandai_rows()
    rows[2, 6 * 2] += 1.0  # Spine, 1 cm
    write_bvh(tmp_path / "dataset-1_bow_active_001.bvh", BANDAI_TREE, rows, every_joint=True)
    with pytest.raises(ClipError, match=r"'Spine' changes by 1\.0 cm"):
        only("bandai_namco_1", tmp_path)


def test_cmu_s_added_t_pose_lies_outside_the_valid_frames(tmp_path: Path) -> None:
    write_bvh(tmp_path / "01_01.bvh", CMU_TREE, cmu_rows(), every_joint=False)
    write_bvh(tmp_path / "01_02.bvh", CMU_TREE, cmu_rows(added_pose=False), every_joint=False)
    first, second = (read(ref) for ref in refs_of("cmu_cgspeed", tmp_path))
    assert (first.valid, second.valid) == ((1, 5), (0, 5))
    assert normalise(first).valid == (1, 5)
    assert first.fps == Fraction(120)


def test_cmu_files_meet_their_amass_twins(tmp_path: Path) -> None:
    for name in ("01_01", "12_04_walk", "excerpt"):
        write_bvh(tmp_path / f"{name}.bvh", CMU_TREE, cmu_rows(), every_joint=False)
    uids = {ref.key: ref.uid for ref in refs_of("cmu_cgspeed", tmp_path)}
    assert uids == {
        "01_01": "amass/cmu/01/01_01",
        "12_04_walk": "amass/cmu/12/12_04",
        "excerpt": "cmu_cgspeed/excerpt",
    }


def test_another_data_set_on_cmu_s_skeleton_is_not_called_cmu(tmp_path: Path) -> None:
    write_bvh(tmp_path / "angry_13_000.bvh", CMU_TREE, cmu_rows(added_pose=False), every_joint=False)
    assert claim_of("cmu_cgspeed", tmp_path) is None


@pytest.mark.parametrize("where", [".", "..", "../.."])
def test_cmu_descriptions_are_found_in_the_index_text(tmp_path: Path, where: str) -> None:
    folder = tmp_path / "set" / "01"
    write_bvh(folder / "01_01.bvh", CMU_TREE, cmu_rows(), every_joint=False)
    write_bvh(folder / "01_02.bvh", CMU_TREE, cmu_rows(), every_joint=False)
    index = (folder / where).resolve() / "cmu-mocap-index-text.txt"
    index.write_text("Subject #1 (play)\n\n01_01\tplayground - forward jumps, turn around\n01_02\tUnknown\n")
    first, second = (read(ref) for ref in refs_of("cmu_cgspeed", folder))
    assert [(c.text, c.generator) for c in first.captions] == [("playground - forward jumps, turn around", "human")]
    assert first.inputs[-1].name == "cmu-mocap-index-text.txt"
    assert second.captions == ()
    index.write_bytes(b"01_01\tna\xefve jumps\n")
    damaged = next(read(ref) for ref in refs_of("cmu_cgspeed", folder))
    assert ([fault.reason for fault in damaged.faults], damaged.captions) == (["not_utf8"], ())


def test_a_bad_sidecar_of_a_bvh_costs_its_captions_not_the_clip(tmp_path: Path) -> None:
    from motionunion import open_store
    from motionunion.ingest.run import ingest

    for number in (1, 2):
        write_bvh(tmp_path / f"bn/dataset-2_run_normal_00{number}.bvh", BANDAI_TREE, bandai_rows(), every_joint=True)
    (tmp_path / "bn/dataset-2_run_normal_001.txt").write_text("someone jogs\n")
    (tmp_path / "bn/dataset-2_run_normal_002.txt").write_bytes("jemand läuft".encode("latin-1"))
    result = ingest([tmp_path / "bn"], tmp_path / "store", jobs=1)
    assert (result.clips, [row["reason"] for row in result.rejects]) == (2, ["not_utf8"])
    said = open_store(tmp_path / "store").rows("SELECT layer, text FROM captions ORDER BY layer, text")
    assert said == [("labels", "a person runs forward")] * 2 + [("sidecar", "someone jogs")]


def test_files_of_one_name_in_two_folders_are_two_clips(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_bvh(tmp_path / folder / "01_01.bvh", CMU_TREE, cmu_rows(), every_joint=False)
    claim = Claim("cmu_cgspeed", tmp_path, tuple(sorted(tmp_path.rglob("*.bvh"))))
    assert [ref.key for ref in SOURCES["cmu_cgspeed"].discover(claim)] == ["a/01_01", "b/01_01"]


def test_a_damaged_file_with_the_data_set_s_name_is_claimed_and_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset-1_bow_active_001.bvh").write_text("HIERARCHY\nROOT joint_Root\n{\n")
    (tmp_path / "walk1_subject1.bvh").write_text("")
    (tmp_path / "unknown.bvh").write_text("HIERARCHY\n")
    for source in ("bandai_namco_1", "lafan1"):
        (ref,) = refs_of(source, tmp_path)
        with pytest.raises(SourceFormatError):
            read(ref)
    assert claim_of("100style", tmp_path) is None


def test_a_file_of_another_skeleton_is_refused_by_name(tmp_path: Path) -> None:
    path = write_bvh(tmp_path / "01_01.bvh", CMU_TREE, cmu_rows(), every_joint=False)
    ref = ClipRef(source="lafan1", key="01_01", uid="lafan1/01_01", path=path, root=tmp_path)
    with pytest.raises(SourceFormatError, match="skeleton cmu_cgspeed") as caught:
        read(ref)
    assert caught.value.reason == "unknown_skeleton"
