"""BABEL and AMASS-Annotation-Unifier: what is said about AMASS files, when, and on which side of which split."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from motionunion.clip import Annotation
from motionunion.errors import SourceFormatError
from motionunion.ingest.run import ingest
from motionunion.sources import SOURCES
from motionunion.sources.babel import amass_uid
from motionunion.sources.base import Folder, ReadOptions
from motionunion.store.store import open_store

WriteTree = Callable[[str, Path], Any]


def readings(source: str, root: Path) -> dict[str, Annotation]:
    claim = SOURCES[source].recognise(Folder.list(root))
    assert claim is not None
    found = {}
    for ref in SOURCES[source].discover(claim):
        reading = SOURCES[source].read(ref, ReadOptions())
        assert isinstance(reading, Annotation)
        found[ref.key] = reading
    return found


@pytest.mark.parametrize(
    ("path", "uid"),
    [
        ("KIT/KIT/3/kick_poses.npz", "amass/kit/3/kick"),
        ("DFaust67/DFaust_67/50002/50002_jump_poses.npz", "amass/dfaust/50002/50002_jump"),
        (
            "BMLmovi/BMLmovi/Subject_11_F_MoSh/Subject_11_F_10_poses.npz",
            "amass/bmlmovi/subject_11_f_mosh/subject_11_f_10",
        ),
        ("ACCAD/Female1General_c3d/A1 - Stand_poses.npz", "amass/accad/female1general_c3d/a1___stand"),
        ("../KIT/3/x_poses.npz", None),
        ("x_poses.npz", None),
        (None, None),
    ],
)
def test_paths_of_babel_lead_to_amass_files(path: str | None, uid: str | None) -> None:
    assert amass_uid({"feat_p": path}) == uid


def test_babel_labels_keep_their_times_and_the_split_of_their_file(tmp_path: Path, write_tree: WriteTree) -> None:
    write_tree("babel", tmp_path)
    found = readings("babel", tmp_path)
    whole, part = found["train"].captions
    assert (whole.uid, whole.text, whole.start_s, whole.end_s) == ("amass/kit/3/kick", "kick", None, None)
    assert (part.text, part.start_s, part.end_s, part.layer, part.segment) == ("step back", 0.5, 2.25, "babel", None)
    (said,) = found["val"].segments
    assert (said.uid, said.name, said.split, said.start_s, said.end_s) == (
        "amass/dfaust/50002/50002_jump", "11", "val", 0.0, 0.0,
    )  # fmt: skip


def test_labels_of_several_people_and_of_nobody_are_read(tmp_path: Path) -> None:
    labels = {"labels": [{"raw_label": "walk"}]}
    timed = {"labels": [{"raw_label": "step", "start_t": 1, "end_t": 0.5}]}
    entries = {
        "1": {"feat_p": "KIT/KIT/3/a_poses.npz", "dur": 2, "seq_anns": [labels, labels], "frame_anns": [timed, None]},
        "2": {"feat_p": "KIT/KIT/3/b_poses.npz", "dur": 2, "seq_ann": None, "frame_ann": None},
    }
    (tmp_path / "extra_val.json").write_text(json.dumps(entries))
    (said,) = readings("babel", tmp_path).values()
    assert [(c.text, c.start_s, c.end_s) for c in said.captions] == [
        ("walk", None, None), ("walk", None, None), ("step", 0.5, 1.0),
    ]  # fmt: skip
    assert {segment.split for segment in said.segments} == {"val"}
    assert not said.faults


@pytest.mark.parametrize(
    "label",
    [
        {"raw_label": ""},
        {"raw_label": 3},
        {"raw_label": "step", "start_t": 1, "end_t": 1},
        {"raw_label": "step", "start_t": "1", "end_t": 2},
        {"raw_label": "step", "start_t": True, "end_t": 2},
        {"raw_label": "step"},
    ],
)
def test_a_bad_label_costs_itself_alone(tmp_path: Path, label: dict[str, Any]) -> None:
    good = {"raw_label": "turn", "start_t": 0, "end_t": 1}
    entry = {"feat_p": "KIT/KIT/3/a_poses.npz", "dur": 2, "seq_ann": None, "frame_ann": {"labels": [label, good]}}
    (tmp_path / "train.json").write_text(json.dumps({"1": entry, "2": entry | {"feat_p": None}}))
    (said,) = readings("babel", tmp_path).values()
    assert [caption.text for caption in said.captions] == ["turn"]
    assert [fault.reason for fault in said.faults] == ["bad_caption"] * 2


@pytest.mark.parametrize(("source", "name"), [("babel", "train.json"), ("amass_annotations", "humanml3d.json")])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, write_tree: WriteTree, source: str, name: str) -> None:
    write_tree(source, tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceFormatError, match="is no JSON") as caught:
        readings(source, tmp_path)
    assert (caught.value.reason, caught.value.path) == ("bad_json", path)


def test_other_json_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"10": {"path": "KIT/3/x", "annotations": 3}}')
    (tmp_path / "b.json").write_text('[{"feat_p": "KIT/KIT/3/x_poses.npz"}]')
    for source in ("babel", "amass_annotations"):
        assert SOURCES[source].recognise(Folder.list(tmp_path)) is None


def test_the_unifier_s_layers_are_told_by_their_ids(tmp_path: Path, write_tree: WriteTree) -> None:
    write_tree("amass_annotations", tmp_path)
    (kit,) = readings("amass_annotations", tmp_path / "kitml").items()
    assert kit[0] == "kitml"
    (caption,) = kit[1].captions
    assert (caption.uid, caption.layer, caption.start_s) == ("amass/kit/4/walking01", "kitml", None)
    (segment,) = kit[1].segments
    assert (segment.name, segment.split, segment.end_s) == ("00001", "test", 0.0)
    said = readings("amass_annotations", tmp_path)["humanml3d"]
    (stretch,) = said.segments
    assert (stretch.layer, stretch.name, stretch.start_s, stretch.end_s) == ("humanml3d", "000004", 1.0, 6.0)
    assert [(c.segment, c.start_s, c.end_s) for c in said.captions] == [("000004", 1.0, 6.0), ("000004", 2.0, 3.0)]


def test_the_merged_form_names_files_by_their_paths(tmp_path: Path) -> None:
    def one(seg_id: str, start: float, end: float) -> dict[str, Any]:
        return {"seg_id": seg_id, "text": "walk", "start": start, "end": end}

    annotations = [one("babel_00010_seq_0", 0, 5), one("babel_00010_seg_0", 1, 2), one("kitml_00003_0", 0, 5),
                   one("humanml3d_000007_0", 0, 4), one("other_1", 0, 1)]  # fmt: skip
    entry = {"duration": 5.0, "annotations": annotations}
    (tmp_path / "babel_humanml3d_kitml.json").write_text(json.dumps({"CMU/01/01_01_poses": entry}))
    (said,) = readings("amass_annotations", tmp_path).values()
    assert [(c.layer, c.start_s, c.segment) for c in said.captions] == [
        ("babel", None, None), ("babel", 1.0, None), ("kitml", None, None), ("humanml3d", 0.0, "000007"),
    ]  # fmt: skip
    assert {caption.uid for caption in said.captions} == {"amass/cmu/01/01_01"}
    assert len(said.faults) == 1


def test_real_kit_ml_annotations_are_read_whole(real_data: Path) -> None:
    said = readings("amass_annotations", real_data / "kitml")["kitml"]
    assert (len(said.captions), len(said.segments), len(said.faults)) == (6082, 2883, 0)
    assert all(caption.layer == "kitml" and caption.start_s is None for caption in said.captions)
    assert Counter(segment.split for segment in said.segments) == {"train": 2344, "val": 146, "test": 393}


def test_layers_meet_the_motion_they_speak_of_and_its_split_does_not_cut_it(
    tmp_path: Path, write_tree: WriteTree
) -> None:
    raw = tmp_path / "raw"
    write_tree("amass_smplh", raw / "amass")
    for number, split in enumerate(("train", "test")):
        entry = {
            "feat_p": f"KIT/KIT/3/walk0{number}_poses.npz", "dur": 2.0, "seq_ann": {"labels": [{"raw_label": "walk"}]},
            "frame_ann": {"labels": [{"raw_label": "step", "start_t": 0.5, "end_t": 1.5}]},
        }  # fmt: skip
        (raw / f"{split}.json").write_text(json.dumps({str(number): entry}))
    ingest([raw], tmp_path / "store")
    with open_store(tmp_path / "store") as store:
        splits = dict(store.rows("SELECT uid, split FROM clips"))
        assert splits == {"amass/kit/3/walk00": "train", "amass/kit/3/walk01": "test"}
        spans = store.features("hml263@20/compat").spans
    assert sorted(span.split for span in spans) == ["test", "train"]
    for span in spans:
        assert span.layer is None
        assert [(c.text, c.start_s, c.end_s) for c in span.captions] == [("walk", None, None), ("step", 0.5, 1.5)]


def test_a_layer_that_two_sources_hold_cuts_each_stretch_once(
    tmp_path: Path, write_tree: WriteTree, write_humanml3d: Callable[..., Path]
) -> None:
    raw = tmp_path / "raw"
    write_tree("amass_smplh", raw / "amass")
    write_humanml3d(
        raw / "HumanML3D", index=[("KIT/3/walk00_poses", 0, 30, "000004"), ("KIT/3/walk00_poses", 5, 40, "000005")],
        texts={"000004": "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\n"},
    )  # fmt: skip
    annotation = {"seg_id": "000004_0", "text": "A man walks.", "start": 0.0, "end": 1.45}
    entry = {"path": "KIT/3/walk00_poses", "duration": 2.0, "annotations": [annotation]}
    (raw / "humanml3d.json").write_text(json.dumps({"000004": entry}))
    ingest([raw], tmp_path / "store")
    with open_store(tmp_path / "store") as store:
        spans = [span for span in store.features("hml263@20/compat").spans if span.layer is not None]
    assert [(span.name, span.first_frame, span.stop_frame) for span in spans] == [
        ("000004", 0, 150), ("000005", 25, 200),
    ]  # fmt: skip
    assert {caption.text for caption in spans[0].captions} == {"a man walks.", "A man walks."}
