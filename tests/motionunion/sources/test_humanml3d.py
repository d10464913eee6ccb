"""A HumanML3D folder, whole and in parts: clips, annotations, times, splits, and what is counted as unused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from motionunion.clip import Annotation, RawClip
from motionunion.errors import ClipError, MotionUnionError, SourceFormatError
from motionunion.sources.base import Claim, Folder, Reading, ReadOptions
from motionunion.sources.humanml3d import HumanML3D
from motionunion.sources.humanml3d_index import read_index

Writer = Callable[..., Path]
READER = HumanML3D()
TEXT = "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\nhe turns#he/PRON turn/VERB#1.5#2.5\n"


def features(rows: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (rows, 263)).astype(np.float32)


def claim_of(root: Path) -> Claim:
    claim = READER.recognise(Folder.list(root))
    assert claim is not None
    return claim


def readings(root: Path) -> Iterator[tuple[str, Reading | MotionUnionError]]:
    for ref in READER.discover(claim_of(root)):
        try:
            yield ref.key, READER.read(ref, ReadOptions())
        except (SourceFormatError, ClipError) as error:
            yield ref.key, error


def one(root: Path, key: str) -> Reading | MotionUnionError:
    return dict(readings(root))[key]


def test_an_id_with_features_and_joints_is_a_clip_with_both_bit_for_bit(
    tmp_path: Path, write_humanml3d: Writer
) -> None:
    vectors, joints = features(), np.random.default_rng(1).normal(size=(40, 22, 3)).astype(np.float32)
    root = write_humanml3d(
        tmp_path, index=[("MPI_HDM05/bk/HDM_bk_01-01_01_120_poses", 10, 51, "000004")], features={"000004": vectors},
        joints={"000004": joints}, texts={"000004": TEXT}, splits={"test": ["000004"], "train": ["000002"]},
    )  # fmt: skip
    raw = one(root, "000004")
    assert isinstance(raw, RawClip)
    assert raw.shipped is not None
    assert raw.shipped.representation == "hml263@20/compat"
    assert raw.shipped.features_TD.dtype == np.float32
    np.testing.assert_array_equal(raw.shipped.features_TD, vectors)
    np.testing.assert_array_equal(raw.joints_TJ3, joints)
    assert (raw.fps, raw.body, raw.up, raw.official_split) == (Fraction(20), "target", "y", "test")
    assert raw.group == "amass/hdm05/bk/hdm_bk_01_01_01_120"
    first, second = raw.captions
    assert (first.text, first.tokens, first.start_s, first.end_s) == (
        "a man walks.",
        "a/DET man/NOUN walk/VERB",
        None,
        None,
    )
    assert (second.start_s, second.end_s, second.segment, second.uid) == (1.5, 2.0, None, "humanml3d/000004")
    assert [path.name for path in raw.inputs] == ["000004.npy", "000004.npy", "000004.txt"]


def test_features_keep_their_float64(tmp_path: Path, write_humanml3d: Writer) -> None:
    vectors = features().astype(np.float64)
    raw = one(
        write_humanml3d(tmp_path, features={"000004": vectors}, joints={"000004": np.zeros((40, 22, 3))}), "000004"
    )
    assert isinstance(raw, RawClip)
    assert raw.shipped is not None
    assert raw.shipped.features_TD.dtype == np.float64
    assert (raw.official_split, raw.group, raw.captions) == (None, "humanml3d/000004", ())


def test_without_joints_they_are_decoded_from_the_features(tmp_path: Path, write_humanml3d: Writer) -> None:
    from motionunion.representations import decode

    raw = one(write_humanml3d(tmp_path, features={"000004": features(6)}), "000004")
    assert isinstance(raw, RawClip)
    assert raw.joints_TJ3 is not None
    assert raw.joints_TJ3.shape == (6, 22, 3)
    np.testing.assert_array_equal(raw.joints_TJ3, decode(features(6), "hml263@20/compat"))


def test_a_mirror_shares_group_and_side_with_its_base(tmp_path: Path, write_humanml3d: Writer) -> None:
    both, joints = ["000004", "M000004"], np.zeros((40, 22, 3))
    root = write_humanml3d(
        tmp_path, index=[("KIT/3/kick_poses", 0, 41, "000004")], features=dict.fromkeys(both, features()),
        joints=dict.fromkeys(both, joints), splits={"val": both},
    )  # fmt: skip
    base, mirror = (one(root, key) for key in both)
    assert isinstance(base, RawClip)
    assert isinstance(mirror, RawClip)
    assert base.group == mirror.group == "amass/kit/3/kick"
    assert base.official_split == mirror.official_split == "val"
    assert (base.flags, mirror.flags) == ((), ("mirrored",))


@pytest.mark.parametrize(
    ("path", "start_s", "end_s", "uid"),
    [
        ("KIT/3/kick_poses", 0.5, 10.5, "amass/kit/3/kick"),
        ("Eyes_Japan_Dataset/aita/walk-01_poses", 3.5, 13.5, "amass/eyesjapandataset/aita/walk_01"),
        ("MPI_HDM05/bk/x_poses", 3.5, 13.5, "amass/hdm05/bk/x"),
        ("TotalCapture/s1/x_poses", 1.5, 11.5, "amass/totalcapture/s1/x"),
        ("MPI_Limits/1/x_poses", 1.5, 11.5, "amass/poseprior/1/x"),
        ("Transitions_mocap/1/x_poses", 1.0, 11.0, "amass/transitions/1/x"),
    ],
)
def test_an_id_without_features_annotates_its_stretch_of_the_amass_file(
    tmp_path: Path, write_humanml3d: Writer, path: str, start_s: float, end_s: float, uid: str
) -> None:
    root = write_humanml3d(
        tmp_path, index=[(path, 10, 210, "000004")], texts={"000004": TEXT}, splits={"test": ["000004"]}
    )
    said = one(root, "000004")
    assert isinstance(said, Annotation)
    (segment,) = said.segments
    assert (segment.uid, segment.name, segment.split, segment.layer) == (uid, "000004", "test", "humanml3d")
    assert (segment.start_s, segment.end_s) == pytest.approx((start_s, end_s))
    assert (segment.start_s * 20).is_integer()
    whole, part = said.captions
    assert (whole.uid, whole.segment, whole.start_s, whole.end_s) == (uid, "000004", None, None)
    assert (part.start_s, part.end_s) == pytest.approx((start_s + 1.5, start_s + 2.5))


def test_an_id_of_humanact12_annotates_the_whole_file_of_its_length(tmp_path: Path, write_humanml3d: Writer) -> None:
    path = "humanact12/humanact12/P11G01R02F1812T1847A0402"
    root = write_humanml3d(
        tmp_path,
        index=[(path, 0, -1, "000001"), (path, 0, 20, "000002"), ("humanact12/humanact12/P1", 0, -1, "000003")],
        texts={"000001": TEXT}, splits={"val": ["000001"]},
    )  # fmt: skip
    found = dict(readings(root))
    said = found.pop("000001")
    assert isinstance(said, Annotation)
    (segment,) = said.segments
    assert (segment.uid, segment.split) == ("humanact12/p11g01r02f1812t1847a0402", "val")
    assert (segment.start_s, segment.end_s) == (0.0, 1.8)
    assert {caption.uid for caption in said.captions} == {segment.uid}
    assert all(isinstance(error, SourceFormatError) and error.reason == "bad_index" for error in found.values())
    assert len(found) == 2


def test_every_index_frame_is_a_whole_twentieth_of_a_second(real_data: Path) -> None:

    rows = read_index(real_data / "humanml3d/index.csv").rows
    times = np.array([row.interval_s for row in rows.values()]) * 20
    np.testing.assert_array_equal(times, np.round(times))
    assert len(rows) == 14616
    assert Counter(row.uid.split("/")[0] for row in rows.values()) == {"amass": 13425, "humanact12": 1191}
    assert len({row.uid for row in rows.values() if row.uid.startswith("amass/")}) == 10524


def test_ids_from_ssm_say_that_their_rate_is_uncertain(tmp_path: Path, write_humanml3d: Writer) -> None:
    root = write_humanml3d(
        tmp_path, index=[("SSM_synced/2016/x_poses", 0, 41, "000002"), ("KIT/3/kick_poses", 0, 41, "000003")],
        features={name: features() for name in ("000002", "000003")},
    )  # fmt: skip
    assert {key: raw.flags for key, raw in readings(root) if isinstance(raw, RawClip)} == {
        "000002": ("fps_uncertain",), "000003": ()
    }  # fmt: skip


def test_what_cannot_be_used_is_counted_with_its_reason(tmp_path: Path, write_humanml3d: Writer) -> None:
    root = write_humanml3d(
        tmp_path,
        index=[("KIT/3/kick_poses", 0, 100, "000002")],
        texts=dict.fromkeys(["000002", "000009", "M000009"], TEXT),
        joints={"000002": np.zeros((3, 22, 3))},
    )
    assert [key for key, _ in readings(root)] == ["000002"]
    counts = {skip.reason: skip.count for skip in claim_of(root).skipped}
    assert counts == {
        "caption files without features or a line in index.csv": 2,
        "joints without features (new_joints without new_joint_vecs)": 1,
    }


def test_a_mirrored_id_with_a_text_annotates_its_base_s_stretch_with_its_own_split_and_words(
    tmp_path: Path, write_humanml3d: Writer
) -> None:
    root = write_humanml3d(
        tmp_path,
        index=[("MPI_HDM05/bk/x_poses", 10, 110, "000002"), ("KIT/3/kick_poses", 0, 100, "000003")],
        texts={"000002": TEXT, "M000002": "to the right#to/ADP the/DET right/NOUN#1.0#2.0\n", "000003": TEXT},
        splits={"val": ["000002", "M000002"]},
    )
    assert [key for key, _ in readings(root)] == ["000002", "000003", "M000002"]
    base, image = one(root, "000002"), one(root, "M000002")
    assert isinstance(base, Annotation)
    assert isinstance(image, Annotation)
    assert image.segments == (replace(base.segments[0], name="M000002"),)
    assert (image.segments[0].uid, image.segments[0].start_s, image.segments[0].split) == (
        "amass/hdm05/bk/x",
        3.5,
        "val",
    )
    (caption,) = image.captions
    assert (caption.text, caption.segment, caption.start_s, caption.end_s) == ("to the right", "M000002", 4.5, 5.5)


def test_an_index_one_folder_up_is_used_once(tmp_path: Path, write_humanml3d: Writer) -> None:
    home = write_humanml3d(tmp_path / "HumanML3D", texts={"000002": TEXT}, splits={"train": ["000002"]})
    write_humanml3d(tmp_path, index=[("KIT/3/kick_poses", 0, 100, "000002")])
    claim = claim_of(tmp_path)
    assert claim.root == home
    said = one(tmp_path, "000002")
    assert isinstance(said, Annotation)
    assert (said.segments[0].split, len(said.captions)) == ("train", 2)


def test_an_index_alone_gives_stretches_without_captions(tmp_path: Path, write_humanml3d: Writer) -> None:
    said = one(write_humanml3d(tmp_path, index=[("KIT/3/kick_poses", 0, 100, "000002")]), "000002")
    assert isinstance(said, Annotation)
    assert (len(said.segments), said.captions) == (1, ())


def test_a_line_of_the_index_that_cannot_be_read_is_refused_by_its_number(
    tmp_path: Path, write_humanml3d: Writer
) -> None:
    root = write_humanml3d(tmp_path, index=[("KIT/3/kick_poses", 0, 100, "000002")])
    with (root / "index.csv").open("a") as file:
        file.write("./pose_data/KIT/3/x_poses.npy,zero,5,000003.npy\n./pose_data/KIT/3/y_poses.npy,9,5,000004.npy\n"
                   "./pose_data/KIT/3/z_poses.npy,0,5,000002.npy\n")  # fmt: skip
    found = dict(readings(root))
    errors = {key: error for key, error in found.items() if isinstance(error, SourceFormatError)}
    assert isinstance(found["000002"], Annotation)
    assert {key: error.line for key, error in errors.items()} == {"index.csv:3": 3, "index.csv:4": 4, "index.csv:5": 5}
    assert {error.reason for error in errors.values()} == {"bad_index"}


def test_a_quote_that_is_not_closed_costs_the_lines_behind_it(tmp_path: Path, write_humanml3d: Writer) -> None:
    root = write_humanml3d(tmp_path, index=[("KIT/3/kick_poses", 0, 100, "000002")], texts={"000002": TEXT})
    with (root / "index.csv").open("a") as file:
        file.write('"' + "KIT/3/jump_poses,0,100,000003\n" * 6000)  # longer than any cell that the CSV reader takes
    found = dict(readings(root))
    assert isinstance(found.pop("000002"), Annotation)
    ((key, error),) = found.items()
    assert isinstance(error, SourceFormatError)
    assert (key.partition(":")[0], "not closed" in str(error)) == ("index.csv", True)


@pytest.mark.parametrize("with_features", [True, False])
def test_captions_that_are_not_utf8_cost_neither_motion_nor_split(
    tmp_path: Path, write_humanml3d: Writer, with_features: bool
) -> None:
    ids = ["000002", "000003"]
    root = write_humanml3d(
        tmp_path,
        index=[("KIT/3/kick_poses", 0, 100, "000002"), ("KIT/3/jump_poses", 0, 100, "000003")],
        features=dict.fromkeys(ids, features()) if with_features else None,
        joints=dict.fromkeys(ids, np.zeros((40, 22, 3))) if with_features else None,
        texts={"000002": b"fine##0.0#0.0\nna\xefve walk##0.0#0.0\n", "000003": TEXT},
        splits={"test": ids},
    )
    bad, good = (one(root, name) for name in ids)
    assert isinstance(bad, RawClip | Annotation)
    assert isinstance(good, RawClip | Annotation)
    (fault,) = bad.faults
    assert (fault.reason, fault.line, fault.path.name) == ("not_utf8", 2, "000002.txt")
    assert (len(bad.captions), len(good.captions), good.faults) == (0, 2, ())
    split = bad.official_split if isinstance(bad, RawClip) else bad.segments[0].split
    assert split == "test"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a man#walks#0.0#0.0#", "5 fields"),
        ("just text", "1 fields"),
        ("#x#0.0#0.0", "no text"),
        ("a#b#x#0.0", "no numbers"),
    ],
)
def test_a_caption_line_that_breaks_the_format_is_refused_by_its_number(
    tmp_path: Path, write_humanml3d: Writer, line: str, problem: str
) -> None:
    root = write_humanml3d(tmp_path, index=[("KIT/3/kick_poses", 0, 100, "000002")], texts={"000002": f"\n{line}\n"})
    found = one(root, "000002")
    assert isinstance(found, Annotation)
    (fault,) = found.faults
    assert (fault.line, fault.reason) == (2, "bad_caption")
    assert problem in str(fault)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((5, 251)), "bad_shape"),
        (np.zeros((0, 263)), "bad_shape"),
        (np.zeros((5, 263), dtype=np.int64), "bad_shape"),
        (np.full((5, 263), np.nan), "non_finite"),
        (np.array([{}], dtype=object), "pickled"),
    ],
)
def test_features_that_are_none_are_refused_and_the_others_read(
    tmp_path: Path, write_humanml3d: Writer, array: np.ndarray, reason: str
) -> None:
    root = write_humanml3d(
        tmp_path, features={"000001": features(), "000002": array}, joints={"000001": np.zeros((40, 22, 3))}
    )
    found = dict(readings(root))
    error = found["000002"]
    assert isinstance(error, SourceFormatError | ClipError)
    assert error.reason == reason
    assert isinstance(found["000001"], RawClip)


def test_joints_of_another_length_than_the_features_are_refused(tmp_path: Path, write_humanml3d: Writer) -> None:
    root = write_humanml3d(tmp_path, features={"000001": features()}, joints={"000001": np.zeros((39, 22, 3))})
    error = one(root, "000001")
    assert isinstance(error, SourceFormatError)
    assert error.reason == "lengths_differ"


def test_a_kit_folder_of_the_same_layout_is_another_source(tmp_path: Path, write_humanml3d: Writer) -> None:
    root = write_humanml3d(tmp_path, features={"000001": np.zeros((5, 251))})
    assert READER.recognise(Folder.list(root)) is None


def test_packed_captions_and_joints_before_retargeting_are_named(tmp_path: Path, write_humanml3d: Writer) -> None:
    root = write_humanml3d(tmp_path, index=[("KIT/3/kick_poses", 0, 100, "000002")])
    (root / "joints").mkdir()
    np.save(root / "joints/000002.npy", np.zeros((3, 52, 3)))
    (root / "texts.zip").write_bytes(b"PK")
    reasons = {skip.path.name: skip.reason for skip in claim_of(root).skipped}
    assert "unzip" in reasons["texts.zip"]
    assert "before retargeting" in reasons["000002.npy"]


def test_the_real_folder_is_read_whole(real_data: Path) -> None:
    found = dict(readings(real_data / "humanml3d"))
    clips = {key: raw for key, raw in found.items() if isinstance(raw, RawClip)}
    said = {key: one for key, one in found.items() if isinstance(one, Annotation)}
    assert (len(clips), len(said), len(found)) == (34, 13392 + 1191, 34 + 13392 + 1191)
    assert Counter(raw.official_split for raw in clips.values()) == {"test": 30, "train": 4}
    assert sum(bool(one.captions) for one in said.values()) == 46 - 31
    assert clips["M010655"].group == clips["M010655"].labels["origin"]
    tags = [caption.tokens for caption in clips["000000"].captions]
    assert tags[0] == "a/DET man/NOUN kick/VERB something/PRON or/CCONJ someone/PRON with/ADP his/DET left/ADJ leg/NOUN"
    assert all(caption.tokens is None for key, raw in clips.items() if key != "000000" for caption in raw.captions)
    for key, raw in clips.items():
        stored = np.load(real_data / f"humanml3d/new_joint_vecs/{key}.npy")
        assert raw.shipped is not None
        assert raw.shipped.features_TD.dtype == stored.dtype
        assert raw.shipped.features_TD.tobytes() == stored.tobytes()
        first, last = (int(frame) for frame in raw.labels["index_frames"].split(":"))
        assert len(stored) == last - first - 1


def test_real_joints_and_decoded_joints_agree(real_data: Path, tmp_path: Path, write_humanml3d: Writer) -> None:
    ids = [path.stem for path in (real_data / "humanml3d/new_joints").glob("*.npy")]
    arrays = {key: np.load(real_data / f"humanml3d/new_joint_vecs/{key}.npy") for key in ids}
    for key, raw in readings(write_humanml3d(tmp_path, features=arrays)):
        assert isinstance(raw, RawClip)
        np.testing.assert_allclose(raw.joints_TJ3, np.load(real_data / f"humanml3d/new_joints/{key}.npy"), atol=1e-4)


@pytest.mark.parametrize(
    "line", ["./pose_data/CMU/01/01_01_poses.npy,0,60,../../6.npy", "../../etc/passwd.npy,0,60,000001.npy"]
)
def test_an_index_line_that_leads_out_of_the_folder_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "index.csv"
    path.write_text(f"source_path,start_frame,end_frame,new_name\n{line}\n")
    index = read_index(path)
    assert not index.rows
    assert list(index.bad) == [2]
