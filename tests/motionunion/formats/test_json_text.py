"""JSON beside motions: what it holds, or one error with the reason that its reader gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionunion.errors import SourceFormatError
from motionunion.formats.json_text import read_json


def test_what_a_file_holds_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('\ufeff{"a": [1, "\u00e4"]}', encoding="utf-8")
    assert read_json(path, "bad_label") == {"a": [1, "\u00e4"]}


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b'{\n"a": }', "bad_label", 2),
        (b"", "bad_label", 1),
        (b"[" * 500_000, "bad_label", None),
        (b"1" * 10_000, "bad_label", None),
        (b'{"a": "\xff"}', "not_utf8", 1),
        (b" " * (1 << 20) + b"1", "too_large", None),
    ],
)
def test_what_is_no_json_is_refused_with_the_line_where_there_is_one(
    tmp_path: Path, data: bytes, reason: str, line: int | None
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(SourceFormatError, match=r"a\.json") as caught:
        read_json(path, "bad_label")
    assert (caught.value.reason, caught.value.line) == (reason, line)


def test_a_file_that_went_away_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError) as caught:
        read_json(tmp_path / "none.json", "bad_label")
    assert caught.value.reason == "unreadable"


@given(data=st.binary(max_size=40))
def test_any_bytes_are_json_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    reason = "bad_label"
    try:
        read_json(path, "bad_label")
    except SourceFormatError as error:
        reason = error.reason
    assert reason in {"bad_label", "not_utf8"}
