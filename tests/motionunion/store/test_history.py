from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionunion.clip import Caption, Segment
from motionunion.store.commits import commit_name, read_head, read_state, write_commit
from motionunion.store.difference import CHANGES, compare
from motionunion.store.gc import collect_garbage
from motionunion.store.history import read_log
from motionunion.store.storage import LocalStorage
from motionunion.store.store import open_store


def caption(key: str, text: str) -> Caption:
    return Caption(uid=f"made_up/{key}", text=text, layer="x")


@pytest.fixture
def four(desk, make_clip):
    """Four commits: two clips and a reject; one clip reads otherwise; the reject is lifted; words are added."""
    desk.commit(desk.receipt(clips=(make_clip("a"), make_clip("b")), rejects=(("c", "truncated"),)))
    desk.commit(desk.receipt(clips=(make_clip("a", seed=1),), stamp="2"))
    said = {"c": (caption("c", "walks"),)}
    cut = {"c": (Segment(uid="made_up/c", name="step", layer="y", start_s=0.0, end_s=0.5),)}
    desk.commit(desk.receipt(clips=(make_clip("c"),), captions=said, segments=cut, stamp="3"))
    desk.commit(desk.receipt(clips=(make_clip("c"),), captions={"c": (caption("c", "runs"),)}, stamp="4"))
    return desk.path


def counts(path, older: int, newer: int) -> dict[str, int]:
    """What changed, without what did not."""
    with open_store(path, at=older) as before, open_store(path, at=newer) as after:
        found = compare(before, after)
        assert found.commits == (older, newer)
        assert found.fingerprints == (before.fingerprint(), after.fingerprint())
    (of_source,) = found.sources or ({},)
    assert of_source.pop("source", "made_up") == "made_up"
    return {change: count for change, count in of_source.items() if count}


def test_a_log_tells_what_each_commit_did_newest_first(four):
    storage = LocalStorage(four)
    entries = list(read_log(storage, read_head(storage)))
    assert [entry.number for entry in entries] == [4, 3, 2, 1]
    assert [entry.clips for entry in entries] == [1, 1, 1, 2]
    first = entries[-1]
    assert (first.note, first.shards_added, first.shards_removed, first.horizon, first.repaired) == (
        "made up",
        3,
        0,
        1,
        False,
    )
    assert first.bytes == sum(one.bytes for one in read_state(storage, 1).shards.values())
    assert entries[1].shards_removed == 1  # the shard of the reject that was lifted
    assert all(entry.can_be_opened and entry.damage is None for entry in entries)


def test_a_log_reads_no_more_commits_than_are_asked_for_but_a_few(tmp_path):
    class Counted(LocalStorage):
        read = 0

        def get(self, name: str) -> bytes:
            self.read += 1
            return super().get(name)

    storage, state = Counted(tmp_path), read_state(LocalStorage(tmp_path))
    for _ in range(200):
        state = write_commit(storage, state, [], [], "")  # type: ignore[assignment]
    head = read_head(storage)
    storage.read = 0
    assert [entry.number for entry in read_log(storage, head, 3)] == [200, 199, 198]
    assert storage.read == 3
    assert next(read_log(storage, head)).number == 200
    assert storage.read < 100


def test_a_log_says_what_was_given_up_and_goes_on_behind_a_damaged_commit(four):
    storage = LocalStorage(four)
    state = write_commit(storage, read_state(storage), [], [], "gc", horizon=3)
    assert state is not None
    assert write_commit(storage, state, [], [], "repair", repaired=True) is not None
    (four / commit_name(2)).write_bytes(b"{")
    entries = {entry.number: entry for entry in read_log(storage, read_head(storage))}
    assert [number for number, entry in entries.items() if entry.can_be_opened] == [6, 5, 4, 3]
    assert [entry.horizon for entry in entries.values()] == [3, 3, 1, 1, 1, 1]
    assert [number for number, entry in entries.items() if entry.repaired] == [6]
    assert "damaged" in entries[2].damage
    assert entries[1].note == "made up"


def test_a_log_of_an_empty_store_is_empty(desk):
    store = open_store(desk.path)
    assert list(read_log(store.storage, store.head)) == []


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        (1, 2, {"clips_changed": 1}),
        (2, 3, {"clips_added": 1, "captions_added": 1, "segments_added": 1, "rejects_lifted": 1}),
        (3, 4, {"captions_added": 1, "captions_removed": 1, "segments_removed": 1}),
        (1, 4, {"clips_added": 1, "clips_changed": 1, "captions_added": 1, "rejects_lifted": 1}),
        (4, 1, {"clips_removed": 1, "clips_changed": 1, "captions_removed": 1, "rejects_new": 1}),
        (3, 3, {}),
    ],
)
def test_a_difference_counts_what_one_commit_says_and_the_other_does_not(four, older, newer, expected):
    assert counts(four, older, newer) == expected


def test_keys_are_listed_sorted_and_bounded_and_counted_in_full(desk, make_clip):
    desk.commit(desk.receipt(clips=(make_clip("z"),)))
    said = {f"k{n}": (caption(f"k{n}", "one"), caption(f"k{n}", "two")) for n in range(5)}
    desk.commit(desk.receipt(clips=tuple(make_clip(key) for key in said), captions=said))
    with open_store(desk.path, at=1) as before, open_store(desk.path) as after:
        few, all_of_them = compare(before, after, 2), compare(before, after, 1 << 64)
    assert few.keys["captions_added"] == [("made_up", "k0"), ("made_up", "k1")]
    assert [key for _, key in all_of_them.keys["clips_added"]] == ["k0", "k1", "k2", "k3", "k4"]
    assert few.keys_in_all == all_of_them.keys_in_all
    assert few.keys_in_all == {**dict.fromkeys(CHANGES, 0), "clips_added": 5, "captions_added": 5}
    assert few.sources[0]["captions_added"] == 10


def test_a_clip_that_was_dropped_is_told_from_one_that_is_no_longer_read(desk, make_clip):
    receipt = desk.receipt(clips=(make_clip("a"), make_clip("b")))
    desk.commit(receipt)
    dropped = tuple(
        replace(one, outcome="dropped", clips_shard=None) if one.key == "a" else one for one in receipt.covered
    )
    desk.commit(replace(receipt, covered=dropped, shards=()))
    assert counts(desk.path, 1, 2) == {"clips_dropped": 1}
    assert counts(desk.path, 2, 1) == {"clips_added": 1}


def test_the_same_words_packed_into_other_shards_are_no_difference(desk, make_clip):
    receipts = [desk.receipt(clips=(make_clip(key),), captions={key: (caption(key, "walks"),)}) for key in "ab"]
    desk.commit(*receipts)
    together = desk.receipt(clips=(make_clip("a"), make_clip("b", seed=1)),
                            captions={key: (caption(key, "walks"),) for key in "ab"}, stamp="2")  # fmt: skip
    desk.commit(together)
    assert counts(desk.path, 1, 2) == {"clips_changed": 1}


def test_a_commit_of_gc_changes_nothing(four):
    with open_store(four) as store:
        report = collect_garbage(store, grace_days=0)
    assert report.commit == 5
    assert counts(four, 4, 5) == {}
    with open_store(four, at=4) as before, open_store(four) as after:
        assert compare(before, after).same


KEYS = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 1), st.sampled_from(["", "walks", "runs"])))


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=KEYS.filter(bool), second=KEYS.filter(bool))
def test_a_difference_is_that_of_a_model(tmp_path_factory, desk, make_clip, first, second):
    """Each key holds a clip of some seed and a caption, or nothing yet; a second reading replaces the keys it covers."""
    other = type(desk)(tmp_path_factory.mktemp("model") / "store")
    for stamp, said in (("1", first), ("2", second)):
        clips = tuple(make_clip(key, frames=3, seed=seed) for key, (seed, _) in said.items())
        words = {key: (caption(key, text),) for key, (_, text) in said.items() if text}
        other.commit(other.receipt(clips=clips, captions=words, stamp=stamp))
    if open_store(other.path).commit == 1:  # the second said nothing new
        assert all(first.get(key) == value for key, value in second.items())
        return
    both = {key: (first[key], second[key]) for key in first.keys() & second.keys()}
    new_words = {key for key, (_, text) in second.items() if text} - {k for k, (x, y) in both.items() if x[1] == y[1]}
    old_words = {key for key, (x, y) in both.items() if x[1] and x[1] != y[1]}
    expected = {
        "clips_added": len(second.keys() - first.keys()),
        "clips_changed": sum(x[0] != y[0] for x, y in both.values()),
        "captions_added": len(new_words),
        "captions_removed": len(old_words),
    }
    assert counts(other.path, 1, 2) == {change: count for change, count in expected.items() if count}
