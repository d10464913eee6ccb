from __future__ import annotations

import os
from pathlib import Path

from motionunion.sources.two_people import official_side, pair_labels, shared_sentences


def test_a_partner_is_the_other_of_the_two() -> None:
    assert pair_labels("take", 1, "take#P1")["partner"] == "take#P2"
    assert pair_labels("take", 2, "processed/take#P2")["partner"] == "processed/take#P1"


def test_sentences_are_lines_with_or_without_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("two hug\n\n two bow # two/NUM bow/VERB #0.0#0.0\n")
    captions, faults = shared_sentences(path, "x/a/p1", "x")
    assert [(c.text, c.tokens, c.layer) for c in captions] == [
        ("two hug", None, "x"),
        ("two bow", "two/NUM bow/VERB", "x"),
    ]
    assert faults == ()
    assert shared_sentences(tmp_path / "b.txt", "x/b/p1", "x") == ((), ())


def test_the_gravest_side_counts_where_lists_contradict_and_changes_are_seen(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "test.txt").write_text("b\n")
    nowhere = tmp_path / "none"
    assert official_side("a", (nowhere, tmp_path)) == ("train", tmp_path / "train.txt")
    assert official_side("b", (tmp_path,)) == ("test", tmp_path / "test.txt")
    assert official_side("c", (nowhere, tmp_path)) == (None, None)
    (tmp_path / "val.txt").write_text("c\n")
    assert official_side("c", (tmp_path,)) == ("val", tmp_path / "val.txt")
    (tmp_path / "val.txt").write_text("d\n")
    os.utime(tmp_path / "val.txt", ns=(1, 1))
    assert official_side("c", (tmp_path,)) == (None, None)
