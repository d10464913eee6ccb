"""Whatever descriptions, label files and tables hold: they are read, or refused by our own errors, and nothing else happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionunion.clip import ClipRef
from motionunion.errors import ClipError, SourceFormatError
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.array_description import ArrayDescription, read_description
from motionunion.sources.kitml import read_table

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.just(10**400) | st.floats() | st.text(max_size=8)
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)

LABEL = st.fixed_dictionaries({}, optional={"raw_label": JSON, "start_t": JSON, "end_t": JSON})
SAID = JSON | st.fixed_dictionaries({"labels": JSON | st.lists(LABEL, max_size=3)})
BABEL_ENTRY = JSON | st.fixed_dictionaries(
    {"feat_p": st.sampled_from(["KIT/KIT/3/a_poses.npz", "x", "", "/", "a/../b"]) | JSON},
    optional={name: SAID | st.lists(SAID, max_size=2) for name in ("seq_ann", "frame_ann", "seq_anns", "frame_anns")},
)
SEGMENT = JSON | st.fixed_dictionaries(
    {"seg_id": st.sampled_from(["00001_0", "000001_0", "00001_seq_0", "babel_00001_seg_1", "x"]) | JSON, "text": JSON | st.just("walk"),
     "start": JSON | st.floats(0, 5), "end": JSON | st.floats(0, 5)}
)  # fmt: skip
UNIFIED_ENTRY = JSON | st.fixed_dictionaries(
    {"path": st.sampled_from(["KIT/3/a_poses", "M/KIT/3/a", "x", "../a/b"]) | JSON, "duration": JSON | st.floats(0, 9),
     "annotations": JSON | st.lists(SEGMENT, max_size=3)}
)  # fmt: skip

TOML_VALUE = (
    st.booleans().map(lambda value: str(value).lower())
    | st.integers(-(2**40), 2**40).map(str)
    | st.just(str(10**400))
    | st.floats().map(str)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x7f", min_codepoint=32), max_size=8).map(json.dumps)
    | st.sampled_from(
        ["[]", "{}", '["*.npy"]', "[1]", '{ array = "a" }', "{ array = 1 }", '"y"', '"smpl22"', '"measured"']
    )
)
KEYS = ("name", "files", "array", "order", "fps", "up", "unit_m", "hand", "skeleton", "group", "licence")
DESCRIPTION = st.dictionaries(st.sampled_from(KEYS), TOML_VALUE, max_size=11)


def read_or_refused(read: Callable[[], Any], path: Path) -> Any:
    """What was read, or None where it was refused by its path. Any other error fails the test."""
    try:
        return read()
    except (SourceFormatError, ClipError) as error:
        refusal = str(error)
    assert str(path) in refusal
    return None


@QUICK
@given(form=DESCRIPTION, whole=st.booleans())
def test_a_description_is_read_or_refused(tmp_path: Path, form: dict[str, str], whole: bool) -> None:
    good = {"name": '"a"', "fps": "30", "up": '"y"', "unit_m": "1", "skeleton": '"smpl22"'} if whole else {}
    path = tmp_path / "a.toml"
    path.write_text(
        "\n".join(["[arrays]", *(f"{key} = {value}" for key, value in (good | form).items())]), encoding="utf-8"
    )
    said = read_or_refused(lambda: read_description(path), path)
    if said is not None:
        assert isinstance(said, ArrayDescription)
        assert said.rate.fps is None or said.rate.fps > 0
        assert said.unit_m is None or said.unit_m > 0


@pytest.mark.parametrize(("source", "entry"), [("babel", BABEL_ENTRY), ("amass_annotations", UNIFIED_ENTRY)])
def test_label_files_are_read_entry_by_entry_or_refused(
    tmp_path: Path, source: str, entry: st.SearchStrategy[Any]
) -> None:
    path = tmp_path / "train.json"
    ref = ClipRef(source=source, key="train", uid=f"{source}/train", path=path, root=tmp_path)

    @QUICK
    @given(
        entries=st.dictionaries(st.sampled_from(["1", "00001", "M00001", "000001", "KIT/3/a_poses"]), entry, max_size=3)
    )
    def check(entries: dict[str, Any]) -> None:
        path.write_text(json.dumps(entries), encoding="utf-8")
        said = read_or_refused(lambda: SOURCES[source].read(ref, ReadOptions()), path)
        for caption in said.captions if said is not None else ():
            assert caption.text.strip()
            assert caption.uid.startswith("amass/")
            assert caption.start_s is None or 0 <= caption.start_s < (caption.end_s or 0)
        for segment in said.segments if said is not None else ():
            assert 0 <= segment.start_s <= segment.end_s

    check()


@QUICK
@given(
    cells=st.lists(
        st.lists(st.sampled_from(["1", "-2.5", "nan", "1e400", "x", "", " 3"]), min_size=62, max_size=66), max_size=3
    )
)
def test_a_table_of_joints_is_read_or_refused(tmp_path: Path, cells: list[list[str]]) -> None:
    path = tmp_path / "00001_fke.csv"
    header = "," + ",".join(map(str, range(63)))
    path.write_text("\n".join([header, *(",".join(row) for row in cells), ""]))
    joints = read_or_refused(lambda: read_table(path), path)
    assert joints is None or joints.shape == (len(cells), 21, 3)
