"""MotionMillion and MotionStreamer's HumanML3D and BABEL: clips from published 272 features."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.features import build_features
from motionunion.ingest.run import ingest
from motionunion.motion import posed
from motionunion.normalise import normalise
from motionunion.representations import decode_motion, encode
from motionunion.resample import motion_at
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import look_around, recognise
from motionunion.sources.id_lists import IdLists, read_lists, side_in
from motionunion.sources.motionmillion import group_of
from motionunion.store.store import open_store

ID = "ms272@30/compat"
Features = npt.NDArray[np.float32]
WriteTree = Callable[[str, Path], Any]


@pytest.fixture
def features(walk: Callable[..., Any]) -> Features:
    walked = walk(30.0)
    return encode(posed(Fraction(30), walked.root_T3, walked.quats_T22x4, walked.offsets_22x3), ID)


def clips(source: str, root: Path) -> dict[str, RawClip]:
    found: dict[str, RawClip] = {}
    for ref in refs(source, root):
        raw = SOURCES[source].read(ref, ReadOptions())
        assert isinstance(raw, RawClip)
        found[ref.key] = raw
    return found


def refs(source: str, root: Path) -> list[ClipRef]:
    return [
        ref for claim in recognise([root]).claims if claim.source == source for ref in SOURCES[source].discover(claim)
    ]


def test_a_clip_has_the_rotations_and_bones_of_its_features(
    features: Features, walk: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "motion_272rpr" / "MotionGV"
    folder.mkdir(parents=True)
    np.save(folder / "1.npy", features)
    (raw,) = clips("motionmillion", tmp_path).values()
    clip = normalise(raw)
    assert (clip.fps, clip.frames, clip.kind, clip.body) == (Fraction(30), len(features), "rotations", "own")
    assert clip.shipped is not None
    np.testing.assert_array_equal(clip.shipped.features_TD, features)
    assert clip.offsets_22x3 is not None
    np.testing.assert_allclose(clip.offsets_22x3[1:], walk(30.0).offsets_22x3[1:], atol=1e-6)
    motion = motion_at(clip, 30)
    np.testing.assert_allclose(motion.joints_T22x3, decode_motion(features, ID).joints_T22x3, atol=2e-6)
    np.testing.assert_allclose(encode(motion, ID), features, atol=3e-6)


def test_bones_that_change_over_time_are_said(features: Features, tmp_path: Path) -> None:
    features[:, 8 + 3 * 15] += np.linspace(0, 0.2, len(features), dtype=np.float32)
    folder = tmp_path / "vector_272"
    folder.mkdir()
    np.save(folder / "1.npy", features)
    (raw,) = clips("motionmillion", tmp_path).values()
    assert 0.05 < float(raw.labels["bone_drift_m"]) < 0.2


@pytest.mark.parametrize("spoiled", [np.nan, 0.0])
def test_rotations_that_are_none_are_refused(features: Features, tmp_path: Path, spoiled: float) -> None:
    features[7, 140:272] = spoiled
    (tmp_path / "motion_272rpr").mkdir()
    np.save(tmp_path / "motion_272rpr" / "12.npy", features)
    with pytest.raises(ClipError, match=r"12\.npy.*7|first frame 7") as caught:
        clips("motionmillion", tmp_path)
    assert caught.value.reason == "non_finite"


def test_motionmillion_has_the_official_ids_sides_and_captions(write_tree: WriteTree, tmp_path: Path) -> None:
    write_tree("motionmillion", tmp_path)
    found = clips("motionmillion", tmp_path)
    said = {key: (raw.group, raw.official_split, raw.flags, raw.labels["subset"]) for key, raw in found.items()}
    assert said == {
        # In the lists for text to motion the mirror image is on another side; a third is in the tokenizer's alone.
        "MotionGV/folder0/12": ("motionmillion/motiongv/folder0/12", "train", (), "MotionGV"),
        "Mirror_MotionGV/folder0/12": ("motionmillion/motiongv/folder0/12", "test", ("mirrored",), "Mirror_MotionGV"),
        "MotionLLAMA/interx/G001T000A000R005/P1": ("inter_x/g001t000a000r005", "train", (), "MotionLLAMA"),
    }
    captions = found["MotionGV/folder0/12"].captions
    assert [(one.text, one.generator, one.start_s) for one in captions] == [
        ("A person walks.", "language model", None),
        ("Someone goes for a walk.", "language model", None),
    ]


def test_a_tar_unpacked_into_a_folder_of_its_own_name_gives_the_official_id(features: Features, tmp_path: Path) -> None:
    for home in ("motion_272rpr/MotionLLAMA/fit3d/fit3d/train", "other/motion_data/vector_272/MotionLLAMA/fit3d/train"):
        (tmp_path / home).mkdir(parents=True)
        np.save(tmp_path / home / "s03.npy", features)
        assert [ref.key for ref in refs("motionmillion", tmp_path / home.split("/")[0])] == [
            "MotionLLAMA/fit3d/train/s03"
        ]


@pytest.mark.parametrize(
    ("key", "group"),
    [
        ("Mirror_MotionGV/folder5/279971", "motionmillion/motiongv/folder5/279971"),
        ("MotionUnion/aist/Mirror_gBR_sBM_cAll_d04_mBR0_ch01", "aistpp/gbr_sbm_ch01"),
        ("HumanML3D/M004822", "humanml3d/004822"),
        ("Mirror_MotionUnion/fitness/subset_0032/Plank_Cross_clip_18", "motion_x/fitness/plank_cross"),
        ("MotionUnion/EgoBody/recording_20210918_S05_S06_04/body_idx_0/001", "egobody/recording_20210918_s05_s06_04"),
        ("MotionGV/folder0/004822", "motionmillion/motiongv/folder0/004822"),
    ],
)
def test_groups_are_those_of_the_originals(key: str, group: str) -> None:
    assert group_of(key) == group


def test_motionstreamer_has_sets_sides_and_captions(write_tree: WriteTree, tmp_path: Path) -> None:
    write_tree("motionstreamer_272", tmp_path)
    found = clips("motionstreamer_272", tmp_path)
    said = {key: (raw.group, raw.official_split, raw.flags) for key, raw in found.items()}
    assert said == {
        "babel/000004": (None, "train", ()),
        "babel_stream/seq1": (None, "val", ()),
        "humanml3d/000004": ("humanml3d/000004", "test", ()),
        "humanml3d/M000004": ("humanml3d/000004", "test", ("mirrored",)),
    }
    captions = {
        key: [(c.text, c.tokens, c.start_s, c.end_s, c.layer) for c in raw.captions] for key, raw in found.items()
    }
    assert captions["humanml3d/000004"] == [
        ("a man walks.", "a/DET man/NOUN walk/VERB", None, None, "humanml3d"),
        ("he stops.", "he/PRON stop/VERB", 1.0, 2.0, "humanml3d"),
    ]
    assert captions["babel_stream/seq1"] == [
        ("walk forward", None, 0.0, 1.0, "babel"),
        ("stand still", None, 1.0, 2.0, "babel"),
    ]


def test_the_folder_of_motions_alone_gives_the_same_keys(write_tree: WriteTree, tmp_path: Path) -> None:
    write_tree("motionstreamer_272", tmp_path)
    assert [ref.key for ref in refs("motionstreamer_272", tmp_path / "babel_272" / "motion_data")] == ["babel/000004"]


def test_a_folder_that_does_not_say_whose_features_it_holds_is_taken_for_nobodys(
    write_tree: WriteTree, tmp_path: Path
) -> None:
    """HumanML3D's and BABEL's ids are the same numbers, for other motions."""
    write_tree("motionstreamer_272", tmp_path)
    home = (tmp_path / "babel_272").rename(tmp_path / "mine")
    (home / "t2m_babel_mean_std").rename(tmp_path / "statistics")
    (raw,) = clips("motionstreamer_272", home).values()
    assert (raw.ref.key, raw.group, raw.labels["set"]) == ("unknown/000004", None, "unknown")
    alone = tmp_path / "alone"
    alone.mkdir()
    (home / "motion_data").rename(alone / "motion_data")
    for given in (alone, alone / "motion_data"):
        found = look_around([given])
        assert (found.claims, ["no frame rate" in skip.reason for skip in found.skipped]) == ((), [True])


@pytest.mark.parametrize("text", ["walk and stand\n", "walk*stand#soon\n"])
def test_a_stream_without_a_border_costs_its_captions_alone(write_tree: WriteTree, tmp_path: Path, text: str) -> None:
    write_tree("motionstreamer_272", tmp_path)
    (tmp_path / "babel_272_stream" / "val_stream_text" / "seq1.txt").write_text(text)
    raw = clips("motionstreamer_272", tmp_path)["babel_stream/seq1"]
    assert raw.captions == ()
    assert [fault.reason for fault in raw.faults] == ["bad_caption"]


def test_humanml3d_as_272_is_not_taken_for_humanml3d(write_tree: WriteTree, tmp_path: Path) -> None:
    write_tree("motionstreamer_272", tmp_path)
    found = recognise([tmp_path])
    assert {claim.source for claim in found.claims} == {"motionstreamer_272"}
    assert found.skipped == ()


def test_loose_features_state_no_rate_and_are_not_read(real_data: Path) -> None:
    """The sample of the features' own repository is 60 fps: 30 is what two sets say, not what 272 columns say."""
    skipped = {skip.path.parent.name: skip.reason for skip in recognise([real_data / "motion272"]).skipped}
    assert "no frame rate" in skipped["Representation_272"]


def test_shipped_features_come_out_of_a_store_bit_for_bit(write_tree: WriteTree, tmp_path: Path) -> None:
    write_tree("motionmillion", tmp_path / "data")
    ingest([tmp_path / "data"], tmp_path / "store", jobs=1)
    with open_store(str(tmp_path / "store")) as store:
        built = build_features(store, ID, jobs=1)
        plain = build_features(store, "ms272@30", jobs=1)
        hml = build_features(store, "hml263@20", jobs=1)
    assert [span.shipped for span in built.spans] == [True] * 3
    for index, span in enumerate(built.spans):
        rows = np.load(tmp_path / "data" / "motion_272rpr" / f"{span.name}.npy")
        np.testing.assert_array_equal(built.rows_of(index), rows)
        np.testing.assert_allclose(plain.rows_of(index), rows, atol=1e-5)
    assert [span.split for span in hml.spans] == ["test", "test", "train"]


def test_lists_of_any_length_know_their_ids_and_no_others(tmp_path: Path) -> None:
    names = [f"set/{number:06d}" for number in range(3000)]
    (tmp_path / "train.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(names[:2000]).encode())
    (tmp_path / "test.txt").write_text("\n".join(f"{name}.npy" for name in names[1900:]) + "\n\n")
    lists = read_lists(tmp_path)
    assert [lists.side_of(name) for name in (names[0], names[1899], names[1900], names[2999])] == [
        "train", "train", "test", "test",
    ]  # fmt: skip
    assert lists.side_of("set/3000") is None
    assert lists.side_of("") is None
    assert side_in((tmp_path / "nothing", tmp_path), names[0]) == "train"
    assert IdLists({}).side_of("set/0") is None


def test_a_list_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motionunion.sources.id_lists.MAX_LIST_BYTES", 10)
    (tmp_path / "train.txt").write_text("a long list of ids")
    with pytest.raises(SourceFormatError, match="no list of ids"):
        read_lists(tmp_path)
