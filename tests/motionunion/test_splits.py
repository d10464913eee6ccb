from __future__ import annotations

import hashlib

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.splits import SPLIT_TABLE, hash_split, resolve_split

splits = st.sampled_from([None, "train", "val", "test"])
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)


def test_the_hash_rule_gives_the_documented_shares_and_never_changes():
    found = [hash_split(f"amass/cmu/{number:03d}") for number in range(4000)]
    shares = {split: found.count(split) / len(found) for split in ("train", "val", "test")}
    assert abs(shares["train"] - 0.80) < 0.03
    assert abs(shares["val"] - 0.05) < 0.02
    assert abs(shares["test"] - 0.15) < 0.03
    # sha256("amass/cmu/01/01_01") mod 100, worked out here by long division of the digest's bytes.
    remainder = 0
    for byte in hashlib.sha256(b"amass/cmu/01/01_01").digest():
        remainder = (remainder * 256 + byte) % 100
    assert hash_split("amass/cmu/01/01_01") == ("train" if remainder < 80 else "val" if remainder < 85 else "test")


def test_test_wins_over_val_over_train():
    assert resolve_split(["train", "test", "val", None], "x") == "test"
    assert resolve_split(["train", "val"], "x") == "val"
    assert resolve_split([None, "train"], "x") == "train"
    assert resolve_split([None], "x") == hash_split("x")


@settings(deadline=None, max_examples=25)
@given(
    clips=st.dictionaries(names, st.tuples(names, splits), max_size=12),
    segments=st.lists(st.tuples(names, splits), max_size=12),
    data=st.data(),
)
def test_sql_and_python_agree_for_any_clips_and_segments(clips, segments, data):
    """Clips by uid with group and official split; segments by uid, of clips and of files that are not here."""
    uids = sorted(clips) or ["x"]
    segments = segments + [(data.draw(st.sampled_from(uids)), data.draw(splits)) for _ in range(4)]
    text = pa.string()
    live_clips = {
        "uid": list(clips),
        "group": [g for g, _ in clips.values()],
        "official_split": [s for _, s in clips.values()],
    }
    live_segments = {"uid": [uid for uid, _ in segments], "split": [split for _, split in segments]}
    with duckdb.connect() as connection:
        for name, columns in (("live_clips", live_clips), ("live_segments", live_segments)):
            connection.register(name, pa.table({key: pa.array(values, text) for key, values in columns.items()}))
        connection.execute('CREATE TABLE joint_groups ("group" VARCHAR, joint VARCHAR)')
        connection.execute(SPLIT_TABLE)
        found = dict(connection.execute("SELECT * FROM split_of_group").fetchall())
    expected = {}
    for group in {group for group, _ in clips.values()}:
        official = [split for own, split in clips.values() if own == group]
        official += [split for uid, split in segments if (clips[uid][0] if uid in clips else uid) == group]
        expected[group] = resolve_split(official, group)
    assert found == expected
