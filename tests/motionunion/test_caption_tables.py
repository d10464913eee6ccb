"""Tables of captions that people bring: columns, bad lines, names of clips, and importing twice."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from motionunion.caption_tables import ClipNames, import_captions, read_caption_file
from motionunion.clip import Clip
from motionunion.errors import MissingInput, SourceFormatError, UsageError
from motionunion.store.committer import Committer
from motionunion.store.receipts import Covered, Receipt
from motionunion.store.schema import clip_to_row
from motionunion.store.shards import write_shard
from motionunion.store.store import open_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with clips of three files, two of which share their file name."""
    root = tmp_path / "store"
    with open_store(root, create=True) as opened:
        clips = []
        for number, key in enumerate(["CMU/01/01_01_poses", "KIT/3/kick_poses", "KIT/9/kick_poses"]):
            uid = "amass/" + key.lower().removesuffix("_poses")
            clips.append(
                Clip(clip_id=f"{number:032x}", source="amass_smplh", key=key, uid=uid, group=uid, fps=Fraction(30), frames=2,
                     body="template", joints_T22x3=np.zeros((2, 22, 3), dtype=np.float32), valid=(0, 2),
                     provenance={"file": f"{key}.npz", "sha256": "0" * 64, "reader": "1", "licence": "x"})
            )  # fmt: skip
        shard = write_shard(opened.storage, "clips", "amass_smplh", [clip_to_row(clip) for clip in clips])
        assert shard is not None
        covered = tuple(
            Covered(source=c.source, key=c.key, size=1, mtime_ns=1, stamp=c.key, config="", outcome="clip",
                    clip_id=c.clip_id, content=clip_to_row(c)["content"], clips_shard=shard.name)
            for c in clips
        )  # fmt: skip
        committer = Committer(opened.storage, "test")
        committer.add(Receipt(covered=covered, shards=(shard,)))
        committer.flush()
        committer.close()
    return root


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_csv_and_jsonl_say_the_same(tmp_path: Path) -> None:
    csv = table(
        tmp_path / "a.csv",
        'clip,text,start,end,tokens,layer,generator\nx,"walks, then turns",0.5,2,walk/VERB,mine,gpt\ny,sits,,,,,\n',
    )
    rows = [{"clip": "x", "text": "walks, then turns", "start": 0.5, "end": 2, "tokens": "walk/VERB", "layer": "mine", "generator": "gpt"},
            {"clip": "y", "text": "sits"}]  # fmt: skip
    jsonl = table(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    first, second = read_caption_file(csv, "own")
    assert [first, second] == read_caption_file(jsonl, "own")
    assert (first.uid, first.text, first.start_s, first.end_s, first.tokens) == (
        "x",
        "walks, then turns",
        0.5,
        2.0,
        "walk/VERB",
    )
    assert (first.layer, first.generator, second.layer, second.generator) == ("mine", "gpt", "own", "human")
    assert (second.start_s, second.end_s, second.tokens) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "text", "line", "problem"),
    [
        ("a.csv", "clip,caption\nx,walks\n", 1, "no text"),
        ("a.csv", "clip,text,lang\nx,walks,en\n", 1, "'lang'"),
        ("a.csv", "clip,text\nx,walks\ny,walks, turns\n", 3, "3 cells"),
        ("a.csv", "clip,text\nx,\n", 2, "text is empty"),
        ("a.csv", "clip,text\n,walks\n", 2, "clip is empty"),
        ("a.csv", "clip,text,start,end\nx,walks,1,\n", 2, "one of start and end"),
        ("a.csv", "clip,text,start,end\nx,walks,2,1\n", 2, "starts at 2"),
        ("a.csv", "clip,text,start,end\nx,walks,nan,1\n", 2, "not a time"),
        ("a.csv", 'clip,text\nx,"walks\n', 2, "no CSV"),
        ("a.jsonl", '{"clip": "x", "text": "walks"}\n{"clip": "x"}\n', 2, "no text"),
        ("a.jsonl", '\n{"clip": "x", "text": "walks"\n', 2, "no JSON"),
        ("a.jsonl", '["x", "walks"]\n', 1, "not a JSON object"),
        ("a.jsonl", '{"clip": "x", "text": 3}\n', 1, "not text"),
        ("a.jsonl", '{"clip": "x", "text": "\\ud800"}\n', 1, "half a character"),
        ("a.jsonl", '{"clip": "x", "text": ' + "9" * 5000 + "}\n", 1, "no JSON"),
        ("a.jsonl", '{"clip": "x", "text": "walks", "start": true, "end": 2}\n', 1, "not a time"),
        ("a.jsonl", '{"clip": "x", "text": "walks", "start": 0, "end": ' + "9" * 400 + "}\n", 1, "not a time"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, name: str, text: str, line: int, problem: str) -> None:
    with pytest.raises(SourceFormatError, match=problem) as caught:
        read_caption_file(table(tmp_path / name, text))
    assert caught.value.line == line


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"clip,text\nx,na\xefve\n")
    with pytest.raises(SourceFormatError) as caught:
        read_caption_file(tmp_path / "a.csv")
    assert (caught.value.reason, caught.value.line) == ("not_utf8", 2)


def test_other_files_are_a_wrong_call_and_absent_ones_are_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="csv"):
        read_caption_file(tmp_path / "a.xlsx")
    with pytest.raises(MissingInput, match="no such file"):
        read_caption_file(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "uids"),
    [
        ("0" * 32, {"amass/cmu/01/01_01"}),
        ("amass/cmu/01/01_01", {"amass/cmu/01/01_01"}),
        ("CMU/01/01_01_poses", {"amass/cmu/01/01_01"}),
        ("01_01_poses.npz", {"amass/cmu/01/01_01"}),
        ("/data/amass/CMU/01/01_01_stageii.npz", {"amass/cmu/01/01_01"}),
        ("C:\\amass\\KIT\\3\\kick_poses.npz", {"amass/kit/3/kick"}),
        ("9/kick", {"amass/kit/9/kick"}),
        ("kick", {"amass/kit/3/kick", "amass/kit/9/kick"}),
        ("jump", set()),
        ("", set()),
    ],
)
def test_a_clip_is_found_by_any_of_its_names(store: Path, name: str, uids: set[str]) -> None:
    with open_store(store) as opened:
        assert ClipNames(opened).find(name) == uids


def test_importing_adds_captions_and_lists_names_that_do_not_fit(store: Path, tmp_path: Path) -> None:
    path = table(
        tmp_path / "own.csv", "clip,text\n01_01,walks\nKIT/3/kick,kicks\nkick,which\nnobody,none\nnobody,none again\n"
    )
    result = import_captions(store, path, "own")
    assert (result.captions, result.files, result.unmatched, result.ambiguous) == (2, 2, ("nobody",), ("kick",))
    with open_store(store) as opened:
        assert opened.commit == result.commit
        rows = opened.rows("SELECT uid, text, layer, clip_id FROM captions ORDER BY uid")
    assert rows == [
        ("amass/cmu/01/01_01", "walks", "own", f"{0:032x}"),
        ("amass/kit/3/kick", "kicks", "own", f"{1:032x}"),
    ]


def test_importing_again_replaces_and_the_same_again_changes_nothing(store: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "own.csv", "clip,text\n01_01,walks\n01_01,strolls\n")
    first = import_captions(store, path, "own")
    with open_store(store) as opened:
        before = opened.fingerprint()
    assert import_captions(store, path, "own").commit == first.commit
    table(path, "clip,text\n01_01,marches\n")
    import_captions(store, path, "own")
    with open_store(store) as opened:
        assert opened.rows("SELECT text FROM captions") == [("marches",)]
        assert opened.fingerprint() != before


def test_a_table_without_any_known_name_is_refused_and_changes_nothing(store: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="nobody"):
        import_captions(store, table(tmp_path / "own.csv", "clip,text\nnobody,walks\n"), "own")
    with pytest.raises(MissingInput, match="no caption"):
        import_captions(store, table(tmp_path / "own.csv", "clip,text\n"), "own")
    with pytest.raises(UsageError, match="not UTF-8"):
        import_captions(store, table(tmp_path / "own.csv", "clip,text\nkick,walks\n"), "\udce9")
    with open_store(store) as opened:
        assert opened.commit == 1


def test_importing_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no store"):
        import_captions(tmp_path / "nowhere", table(tmp_path / "own.csv", "clip,text\nx,walks\n"))
