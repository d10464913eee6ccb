"""HumanML3D built from AMASS: the stretches of an index over files of every rate, held against the published procedure.

The oracle below is that procedure, written from its description: every int(fps / 20)-th frame of a file, the lead-in of its
subset dropped, then the frames of the index; features of the joints of just these frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.clip import Caption
from motionunion.ingest.run import ingest
from motionunion.kinematics import forward_kinematics
from motionunion.motion import Motion
from motionunion.representations import encode
from motionunion.sample.locomotion import Gait, go
from motionunion.sample.performer import Performer
from motionunion.sample.posing import pose_body
from motionunion.skeleton import SMPL22_PARENTS
from motionunion.store.store import Store, open_store

COMPAT, STRIDE, PLAIN = "hml263@20/compat", "hml263@20/compat-stride", "hml263@20"
CONTACTS = slice(259, 263)


@dataclass(frozen=True)
class Take:
    """One AMASS file, and the stretch that the index cuts of it."""

    name: str
    path: str
    stated_fps: float
    lead_in: int
    """Frames at 20 fps that the published procedure drops."""
    start: int
    end: int

    @property
    def fps(self) -> Fraction:
        """What the file's rate is read as."""
        return Fraction(str(round(self.stated_fps, 2)))

    @property
    def stride(self) -> int:
        return int(self.stated_fps / 20)

    @property
    def first(self) -> int:
        """First frame of the file that the published procedure keeps."""
        return (self.lead_in + self.start) * self.stride

    @property
    def stop(self) -> int:
        return (self.lead_in + self.end) * self.stride


TAKES = (
    Take("000001", "CMU/01/01_01", 120.0, 0, 13, 60),
    Take("000002", "KIT/3/walk01", 100.0, 0, 7, 61),
    Take("000003", "DFaust_67/50002/50002_walk", 60.0, 0, 0, 50),
    Take("000004", "SSM_synced/20160330_03333/walk", 59.99, 0, 12, 60),
    Take("000005", "SSM_synced/20160330_03333/more", 59.9999886, 0, 5, 70),
    Take("000006", "Eyes_Japan_Dataset/aita/walk-01", 250.0, 60, 4, 50),
    Take("000007", "MPI_HDM05/bk/HDM_bk_01-01_01_120", 120.0, 60, 0, 48),
    Take("000008", "Transitions_mocap/mazen_c3d/walk_run", 120.0, 10, 20, 66),
)
BY_NAME = {take.name: take for take in TAKES}
MIRRORED = ("000001", "000004")
"""Takes of which the checkout has a text for the mirror image too."""
SIDES = ((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21))


def walk(take: Take) -> Motion:
    """A walk that is a little longer than the stretch, +Y up, at the file's rate."""
    seconds = take.stop / take.stated_fps + 0.7
    random = np.random.default_rng(int(take.name))
    who = Performer.draw(random)
    score = who.choreography(random)
    go(score, Gait(forward=1.0, cadence=1.8), 0.2, seconds + 0.5, random, who.swing)
    times = np.arange(round(take.stated_fps * seconds)) / take.stated_fps
    posed = pose_body(score, times, seconds, TEMPLATE.offsets_22x3)
    joints = forward_kinematics(posed.root_T3, posed.quats_T22x4, TEMPLATE.offsets_22x3, SMPL22_PARENTS)
    return Motion(
        fps=take.fps,
        joints_T22x3=joints,
        quats_T22x4=posed.quats_T22x4,
        root_T3=posed.root_T3,
        offsets_22x3=TEMPLATE.offsets_22x3,
    )


@pytest.fixture(scope="module")
def walks() -> dict[str, Motion]:
    return {take.name: walk(take) for take in TAKES}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, walks: dict[str, Motion]) -> Store:
    """AMASS files, and a HumanML3D checkout beside them without any features, ingested in one go."""
    root = tmp_path_factory.mktemp("built")
    turn = rotation.from_rotvec([np.pi / 2, 0.0, 0.0])  # AMASS has +Z up
    rows = ["source_path,start_frame,end_frame,new_name"]
    home = root / "raw" / "HumanML3D" / "HumanML3D"
    (home / "texts").mkdir(parents=True)
    for take in TAKES:
        quats, root_T3, _ = walks[take.name].pose()
        rotvecs = rotation.to_rotvec(quats)
        rotvecs[:, 0] = rotation.to_rotvec(rotation.multiply(turn, quats[:, 0]))
        path = root / "raw" / "amass" / f"{take.path}_poses.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path, poses=np.hstack([rotvecs.reshape(-1, 66), np.zeros((len(rotvecs), 90))]), trans=rotation.rotate(turn, root_T3),
            betas=np.zeros(16), dmpls=np.zeros((len(rotvecs), 8)), gender="neutral", mocap_framerate=take.stated_fps,
        )  # fmt: skip
        rows.append(f"./pose_data/{take.path}_poses.npy,{take.start},{take.end},{take.name}.npy")
        text = "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\nhe goes on#he/PRON go/VERB on/ADP#0.5#1.5\n"
        (home / "texts" / f"{take.name}.txt").write_text(text)
    for name in MIRRORED:
        (home / "texts" / f"M{name}.txt").write_text("a man turns right.#a/DET man/NOUN turn/VERB right/ADV#0.0#0.0\n")
    (home.parent / "index.csv").write_text("\n".join(rows) + "\n")
    for split, names in (
        ("train", ("000001", "M000001", "000003")),
        ("val", ("000002",)),
        ("test", ("000004", "000005")),
    ):
        (home / f"{split}.txt").write_text("\n".join(names) + "\n")
    ingest([root / "raw"], root / "store")
    return open_store(root / "store")


def features_of(store: Store, representation: str) -> dict[str, npt.NDArray[np.float32]]:
    selection = store.features(representation)
    return {span.name: np.asarray(values) for span, values in zip(selection.spans, selection, strict=True)}


def assert_features_equal(found: npt.NDArray[np.float32], wanted: npt.NDArray[np.float32]) -> None:
    """Equal to what float32 keeps of rotations; contacts too, but where a foot moves at the threshold itself."""
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found[:, :259], wanted[:, :259], atol=1e-4)
    assert (found[:, CONTACTS] != wanted[:, CONTACTS]).mean() < 0.01


def test_every_stretch_lies_on_the_frames_that_the_published_procedure_takes(store: Store) -> None:
    for representation in (COMPAT, STRIDE):
        spans = store.features(representation).spans
        assert {span.name: (span.first_frame, span.stop_frame) for span in spans} == {
            f"{image}{take.name}": (take.first, take.stop)
            for take in TAKES
            for image in ("", "M")
            if not image or take.name in MIRRORED
        }
        assert {span.layer for span in spans} == {"humanml3d"}


def test_splits_and_captions_come_with_the_stretch(store: Store) -> None:
    spans = {span.name: span for span in store.features(COMPAT).spans}
    assert {name: spans[name].official_split for name in ("000001", "000002", "000004")} == {
        "000001": "train", "000002": "val", "000004": "test",
    }  # fmt: skip
    for name in BY_NAME:
        span = spans[name]
        whole, part = span.captions
        slow = 20 * BY_NAME[name].stride / BY_NAME[name].stated_fps  # how long a nominal second of this file is
        assert (whole.start_s, whole.tokens) == (None, "a/DET man/NOUN walk/VERB")
        assert (part.start_s, part.end_s) == pytest.approx((0.5 * slow, 1.5 * slow), abs=0.5 / 20)


@pytest.mark.parametrize("name", MIRRORED)
def test_a_mirrored_id_is_the_mirror_image_of_its_base_with_its_own_captions(
    store: Store, walks: dict[str, Motion], name: str
) -> None:
    """Mirrored as the published script does it, on the joints: X negated, then the chains of the two sides exchanged."""
    base, image = ({span.name: span for span in store.features(STRIDE).spans}[key] for key in (name, f"M{name}"))
    assert (image.group, image.split) == (base.group, base.split)
    assert image.official_split == ("train" if name == "000001" else None)
    assert [caption.text for caption in image.captions] == ["a man turns right."]
    assert len(base.captions) == 2
    joints = published_frames(walks[name], BY_NAME[name]).copy()
    joints[..., 0] *= -1
    for left, right in SIDES:
        joints[:, [left, right]] = joints[:, [right, left]]
    assert_features_equal(features_of(store, STRIDE)[f"M{name}"], encode(joints, COMPAT, fps=20))


def test_what_is_said_of_a_file_as_a_whole_is_not_said_of_its_mirror_image(store: Store) -> None:
    uid = store.rows("SELECT uid FROM clips WHERE key LIKE '%01_01%'")[0][0]
    store.append(
        {"captions": [Caption(uid=uid, text="he turns left", layer="babel")]}, source="words", key="w", note=""
    )
    with open_store(store.url) as newer:
        said = {span.name: {caption.text for caption in span.captions} for span in newer.features(PLAIN).spans}
    assert "he turns left" in said["000001"]
    assert "he turns left" not in said["M000001"]


def published_frames(motion: Motion, take: Take) -> npt.NDArray[np.float64]:
    """The joints that the published procedure makes features of, and says are at 20 fps."""
    joints: npt.NDArray[np.float64] = motion.joints_T22x3[:: take.stride][take.lead_in :][take.start : take.end]
    return joints


@pytest.mark.parametrize("name", ["000001", "000002", "000003", "000007", "000008"])
def test_at_rates_that_20_divides_the_features_are_the_published_ones(
    store: Store, walks: dict[str, Motion], name: str
) -> None:
    wanted = encode(published_frames(walks[name], BY_NAME[name]), COMPAT, fps=20)
    for representation in (COMPAT, STRIDE):
        assert_features_equal(features_of(store, representation)[name], wanted)


@pytest.mark.parametrize("name", ["000004", "000005", "000006"])
def test_the_published_stride_reproduces_the_published_rates_which_are_wrong(
    store: Store, walks: dict[str, Motion], name: str
) -> None:
    take = BY_NAME[name]
    found = features_of(store, STRIDE)[name]
    assert_features_equal(found, encode(published_frames(walks[name], take), COMPAT, fps=20))
    # 30 frames a second of a file at 59.99, 20.83 of one at 250: the same metres in fewer or more rows.
    effective = take.stated_fps / take.stride
    assert effective != pytest.approx(20, rel=0.03)
    seconds = (take.stop - take.first) / take.stated_fps
    assert (len(found) + 1) / 20 == pytest.approx(seconds * effective / 20, rel=1e-6)


@pytest.mark.parametrize("name", ["000004", "000005", "000006"])
@pytest.mark.parametrize("representation", [COMPAT, PLAIN])
def test_at_other_rates_the_same_stretch_is_encoded_at_its_true_speed(
    store: Store, walks: dict[str, Motion], name: str, representation: str
) -> None:
    take = BY_NAME[name]
    quats, root, offsets = walks[name].pose()
    part = slice(take.first, take.stop)
    stretch = Motion(
        fps=take.fps, joints_T22x3=walks[name].joints_T22x3[part], quats_T22x4=quats[part], root_T3=root[part],
        offsets_22x3=offsets,
    )  # fmt: skip
    found = features_of(store, representation)[name]
    assert_features_equal(found, encode(stretch, representation))
    assert (len(found) + 1) / 20 == pytest.approx((take.stop - take.first) / take.stated_fps, abs=1 / 20)
