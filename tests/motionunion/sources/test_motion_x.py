from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import SMPLX_TEMPLATE
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.features import build_features
from motionunion.ingest.run import ingest
from motionunion.normalise import normalise
from motionunion.representations import encode
from motionunion.resample import joints_at, motion_at
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise
from motionunion.sources.motion_x_frames import placed
from motionunion.sources.motion_x_names import group_of
from motionunion.store.store import open_store

Array = npt.NDArray[np.float64]
READER = SOURCES["motion_x"]
PELVIS = SMPLX_TEMPLATE.pelvis_3


def vectors(walked: Any, turn: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Array:
    """The walk as 322 numbers a frame, the world turned by a rotation vector."""
    world = rotation.from_rotvec(turn)
    rows = np.zeros((len(walked.root_T3), 322))
    rotvecs = walked.rotvecs_T22x3.copy()
    rotvecs[:, 0] = rotation.to_rotvec(rotation.multiply(world, walked.quats_T22x4[:, 0]))
    rows[:, :66] = rotvecs.reshape(len(rows), 66)
    rows[:, 309:312] = rotation.rotate(world, walked.root_T3) - PELVIS
    return rows


def refs(root: Path) -> dict[str, ClipRef]:
    found = recognise([root])
    return {ref.key: ref for claim in found.claims if claim.source == "motion_x" for ref in READER.discover(claim)}


def write(root: Path, key: str, rows: Array, text: str | None = None) -> RawClip:
    path = root / "motion_data" / "smplx_322" / f"{key}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, rows)
    if text is not None:
        said = root / "texts" / "semantic_labels" / f"{key}.txt"
        said.parent.mkdir(parents=True, exist_ok=True)
        said.write_text(text)
    raw = READER.read(refs(root)[key], ReadOptions())
    assert isinstance(raw, RawClip)
    return raw


def test_a_clip_holds_body_hands_face_and_shape(walk: Callable[..., Any], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = vectors(walk(30.0))
    rows[:, 66:209] = random.normal(0, 0.1, (len(rows), 143))
    rows[:, 209:309] = random.normal()
    rows[:, 312:] = random.normal(0, 1, 10)
    raw = write(tmp_path, "humanml/000021", rows, "a man walks.#a/DET#0.0#0.0\n")
    clip = normalise(raw)
    assert (clip.fps, clip.kind, clip.body, clip.labels["model"]) == (Fraction(30), "rotations", "template", "smplx")
    assert clip.hands_T90 is not None
    np.testing.assert_allclose(clip.hands_T90, rows[:, 66:156], atol=1e-6)
    np.testing.assert_allclose(clip.face["jaw"], rows[:, 156:159], atol=1e-6)
    np.testing.assert_allclose(clip.face["expression"], rows[:, 159:209], atol=1e-6)
    assert clip.betas is not None
    np.testing.assert_allclose(clip.betas, rows[0, 312:], atol=1e-6)
    assert clip.shipped is not None
    np.testing.assert_array_equal(clip.shipped.features_TD, rows)
    # What the clip keeps gives the vector again, but for the face's shape, which only the shipped rows have.
    again = encode(motion_at(clip, 30), "smplx322@30")
    np.testing.assert_allclose(again[:, :209], rows[:, :209], atol=2e-6)
    np.testing.assert_allclose(again[:, 309:], rows[:, 309:], atol=2e-6)


@pytest.mark.parametrize("turn", [(np.pi, 0, 0), (np.pi / 2, 0, 0), (-np.pi / 2, 0, 0), (0, 0, np.pi / 2), (0, 0, 0)])
def test_fits_of_videos_come_upright_from_any_camera(
    walk: Callable[..., Any], tmp_path: Path, turn: tuple[float, ...]
) -> None:
    walked = walk(30.0, seconds=3.0)
    raw = write(tmp_path, "kungfu/subset_0001/Fist_clip_3", vectors(walked, turn))
    assert (raw.up, raw.shipped, raw.flags) == ("measured", None, ("video_fit",))
    joints = joints_at(normalise(raw), 30)
    np.testing.assert_allclose(
        joints[..., 1] - joints[0, 0, 1], walked.joints_T22x3[..., 1] - walked.root_T3[0, 1], atol=1e-4
    )


def test_a_fit_that_does_not_tell_its_axes_is_refused(walk: Callable[..., Any], tmp_path: Path) -> None:
    rows = vectors(walk(30.0))
    rows[:, :3] = np.linspace(0, 5, len(rows))[:, None] * [1.0, 0.3, 0.8]
    with pytest.raises(ClipError) as caught:
        normalise(write(tmp_path, "game_motion/subset_0001/Roll", rows))
    assert caught.value.reason == "unknown_axis"


@pytest.mark.parametrize(
    ("subset", "spoil"),
    [
        ("GRAB", lambda trans: np.stack([trans[:, 0], -trans[:, 2], trans[:, 1]], axis=1)),  # left +Z up
        ("EgoBody", lambda trans: trans * [1, -1, 1]),
        ("aist", lambda trans: trans * [94, 94, -94]),
    ],
)
def test_paths_that_scripts_left_wrong_are_mended_and_mended_ones_are_left_alone(
    walk: Callable[..., Any], subset: str, spoil: Callable[[Array], Array]
) -> None:
    walked = walk(30.0, seconds=3.0)
    rotvecs, trans = walked.rotvecs_T22x3, walked.root_T3 - PELVIS
    for given, mended in ((spoil(trans), True), (trans, False)):
        found = placed(subset, rotvecs, given)
        np.testing.assert_allclose(found.trans_T3, trans, atol=1e-9)
        assert (found.mended is not None, found.up, found.flags) == (mended, "y", ())


def test_a_clip_whose_feet_do_not_tell_is_flagged(walk: Callable[..., Any]) -> None:
    rotvecs = np.repeat(walk(30.0).rotvecs_T22x3[:1], 40, axis=0)
    still = np.tile([0.1, 0.9, 1.2], (40, 1))
    assert placed("EgoBody", rotvecs, still).flags == ("path_uncertain",)


def test_mended_rows_are_not_shipped(walk: Callable[..., Any], tmp_path: Path) -> None:
    rows = vectors(walk(30.0))
    assert write(tmp_path, "aist/subset_0000/Dance_clip_1", rows).shipped is not None
    rows[:, 309:312] *= [94, 94, -94]
    raw = write(tmp_path, "aist/subset_0000/Dance_clip_2", rows)
    assert (raw.shipped, raw.labels["trans"]) == (None, "trans_scaled")


def test_shapes_fitted_frame_by_frame_become_their_median(walk: Callable[..., Any], tmp_path: Path) -> None:
    rows = vectors(walk(30.0))
    rows[:, 312] = np.linspace(0, 2, len(rows))
    raw = write(tmp_path, "music/subset_0000/Play_Flute", rows)
    assert raw.betas is not None
    assert raw.betas[0] == pytest.approx(1.0)
    assert "shape_varies" in raw.flags


@pytest.mark.parametrize(
    ("key", "group"),
    [
        ("humanml/M004822", "humanml3d/004822"),
        ("GRAB/s10/camera_takepicture_3", "amass/grab/s10/camera_takepicture_3"),
        ("EgoBody/recording_20210918_S05_S06_04/body_idx_0/001", "egobody/recording_20210918_s05_s06_04"),
        ("fitness/subset_0032/Plank_Cross_Crunches_clip_18", "motion_x/fitness/plank_cross_crunches"),
        ("fitness/subset_0063/Pendulum_To_Hold", "motion_x/fitness/pendulum_to_hold"),
        ("fitness/subset_0078/Step_Out_Reach_Clip1_clip_22", "motion_x/fitness/step_out_reach"),
        ("aist/subset_0000/Dance_Break_6_Step_clip_13", "motion_x/aist/dance_break_6_step"),
        ("aist/subset_0000/gBR_sBM_cAll_d04_mBR0_ch01_clip_2", "aistpp/gbr_sbm_ch01"),
    ],
)
def test_what_was_cut_from_one_video_or_recording_is_one_group(key: str, group: str) -> None:
    assert group_of(key) == group


@pytest.mark.parametrize(
    ("key", "layer", "generator", "flags"),
    [
        ("humanml/M000021", "humanml3d", "human", ("mirrored",)),
        ("GRAB/s1/mug_pass_1", "motion_x", "template", ("fps_uncertain",)),
        ("EgoBody/recording_1/body_idx_0/000", "motion_x", "human", ()),
        ("idea400/subset_0001/Sit_Down", "motion_x", "language model", ("video_fit",)),
    ],
)
def test_who_wrote_a_caption_and_what_is_doubtful_of_a_subset(
    walk: Callable[..., Any], tmp_path: Path, key: str, layer: str, generator: str, flags: tuple[str, ...]
) -> None:
    raw = write(tmp_path, key, vectors(walk(30.0)), "Someone walks.\n")
    assert [(one.text, one.layer, one.generator) for one in raw.captions] == [("Someone walks.", layer, generator)]
    assert set(flags) <= set(raw.flags)
    assert ("video_fit" in raw.flags) == ("video_fit" in flags)


def test_keys_and_sides_are_those_of_the_official_lists(walk: Callable[..., Any], tmp_path: Path) -> None:
    rows = vectors(walk(30.0))
    for key in ("humanml/000001", "dance/subset_0000/Allergy_clip_1", "perform/subset_0000/Bridge"):
        write(tmp_path, key, rows)
    (tmp_path / "train.txt").write_text("humanml/000001\ndance/subset_0000/Allergy_clip_1\n")
    (tmp_path / "test.txt").write_text("dance/subset_0000/Allergy_clip_1\n")
    sides = {key: READER.read(ref, ReadOptions()).official_split for key, ref in refs(tmp_path).items()}  # type: ignore[union-attr]
    assert sides == {
        "dance/subset_0000/Allergy_clip_1": "test",
        "humanml/000001": "train",
        "perform/subset_0000/Bridge": None,
    }
    inner = refs(tmp_path / "motion_data" / "smplx_322" / "dance")
    assert list(inner) == ["dance/subset_0000/Allergy_clip_1"]
    copied = tmp_path.parent / "mine" / "dance" / "subset_0000"
    copied.mkdir(parents=True)
    np.save(copied / "Allergy_clip_1.npy", rows)
    assert list(refs(tmp_path.parent / "mine")) == ["dance/subset_0000/Allergy_clip_1"]


def test_motion_x_plus_plus_has_a_layout_of_its_own(walk: Callable[..., Any], tmp_path: Path) -> None:
    motions, texts = tmp_path / "motion/motion_generation/smplx322", tmp_path / "text/semantic_label"
    for within in (
        "music/Play_Cello_7_clip1",
        "animation/animation/Ways_To_Jump",
    ):  # the second from a zip of that name
        for folder, suffix in ((motions, ".npy"), (texts, ".txt")):
            path = folder / f"{within}{suffix}"
            path.parent.mkdir(parents=True)
            if suffix == ".npy":
                np.save(path, vectors(walk(30.0)))
            else:
                path.write_text("Someone does it.")
    frames = tmp_path / "text/wholebody_pose_description/music"
    frames.mkdir(parents=True)
    (frames / "Play_Cello_7_clip1.txt").write_text("the left hand is raised\n")
    found = refs(tmp_path)
    assert list(found) == ["animation/Ways_To_Jump", "music/Play_Cello_7_clip1"]
    for ref in found.values():
        raw = READER.read(ref, ReadOptions())
        assert [caption.text for caption in raw.captions] == ["Someone does it."]
    assert group_of("music/Play_Cello_7_clip1") == "motion_x/music/play_cello_7"
    assert ["single frames" in skip.reason for skip in recognise([tmp_path]).skipped] == [True]


def test_what_is_no_322_is_refused_by_name(walk: Callable[..., Any], tmp_path: Path) -> None:
    rows = vectors(walk(30.0))
    rows[3, 5] = np.nan
    with pytest.raises(ClipError, match=r"Fist\.npy"):
        write(tmp_path, "kungfu/subset_0001/Fist", rows)
    with pytest.raises(SourceFormatError, match=r"Kick\.npy"):
        write(tmp_path, "kungfu/subset_0001/Kick", np.zeros((5, 300)))


def test_a_store_gives_shipped_rows_and_encodes_what_came_from_a_camera(
    write_tree: Callable[[str, Path], Any], tmp_path: Path
) -> None:
    write_tree("motion_x", tmp_path / "data")
    ingest([tmp_path / "data"], tmp_path / "store", jobs=1)
    with open_store(str(tmp_path / "store")) as store:
        features = build_features(store, "smplx322@30", jobs=1)
    assert {span.name.split("/")[0]: span.shipped for span in features.spans} == {
        "aist": False, "humanml": True, "kungfu": False,
    }  # fmt: skip
    for index, span in enumerate(features.spans):
        rows = np.load(tmp_path / "data/datasets/motion_data/smplx_322" / f"{span.name}.npy")
        if span.shipped:
            np.testing.assert_array_equal(features.rows_of(index), rows)
        elif span.name.startswith("aist"):
            np.testing.assert_allclose(features.rows_of(index)[:, 309:312], rows[:, 309:312] / [94, 94, -94], atol=1e-5)


def test_face_motion_and_frame_texts_are_left_with_a_reason(
    write_tree: Callable[[str, Path], Any], tmp_path: Path
) -> None:
    write_tree("motion_x", tmp_path)
    reasons = {skip.path.name: skip.reason for skip in recognise([tmp_path]).skipped}
    assert reasons["000021.npy"].startswith("facial motion")
    assert "single frames" in reasons["000021.txt"]


def test_the_real_vector_of_the_same_layout_stands_upright(real_data: Path) -> None:
    """A clip in Motion-X's layout that others made (not of the release); its own npz says the same motion with +Y up."""
    found = refs(real_data / "motionx_format")
    raw = READER.read(found["0_smplx_322"], ReadOptions())
    assert isinstance(raw, RawClip)
    clip = normalise(raw)
    joints = joints_at(clip, 30)
    assert (clip.frames, clip.provenance["up"]) == (528, "-z")
    assert (joints[:, 15, 1] - joints[:, [10, 11], 1].mean(axis=1)).min() > 1.2
    with np.load(real_data / "motionx_format" / "0.npz", allow_pickle=False) as file:
        np.testing.assert_allclose(raw.quats_TJ4[:, 1:], rotation.from_rotvec(file["poses"][:, 1:22]), atol=1e-6)  # type: ignore[index]
