"""Any sequence of ingests, rejects, drops, undrops, compactions, merges and failures, against a plain dictionary."""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from motionunion.clip import Caption, Segment
from motionunion.errors import StoreError
from motionunion.store.check import check_store
from motionunion.store.committer import Committer
from motionunion.store.compact import compact
from motionunion.store.drop import drop, undrop
from motionunion.store.merge import merge
from motionunion.store.store import open_store

KEYS = st.sampled_from("abcd")


@dataclass(frozen=True)
class Known:
    """All that a store goes by for one key."""

    clip: int | None = None
    """Seed of the clip, or None where there is none."""
    words: int = 0
    """How many captions (and segments) it brings."""
    annotation: bool = False
    refused: str | None = None
    dropped: int | None = None
    """Seed of the clip that was dropped."""

    @property
    def holds(self) -> bool:
        return self.clip is not None or self.annotation


def read(known: Known, clip: int | None, words: int) -> Known:
    """What a reading makes of what was known."""
    if clip is None:
        return Known(words=words, annotation=True)
    if known.dropped == clip:
        return Known(dropped=clip)
    return Known(clip=clip, words=words)


def merged(ours: Known, theirs: Known) -> Known:
    """What one key becomes when the other store is merged in, both read by the same reader."""
    for one, other in ((ours, theirs), (theirs, ours)):
        if one.dropped is not None and other.clip == one.dropped:
            # Its refusals are those of whoever wins: the later one that dropped it, or ours if we have.
            return ours if ours.dropped is not None else Known(dropped=one.dropped, refused=theirs.refused)
    if ours.holds or theirs.holds:
        if not theirs.holds:
            return ours
        same = ours.holds and (ours.clip, ours.words) == (theirs.clip, theirs.words)
        return ours if same and (ours.refused is None or theirs.refused is not None) else theirs
    if ours.dropped is not None or theirs.dropped is not None:
        if theirs.dropped is None:
            return ours
        return ours if ours.dropped == theirs.dropped and ours.refused == theirs.refused else theirs
    return theirs if theirs.refused is not None else ours


class Stores(RuleBasedStateMachine):
    """Two stores and their models. The second one is merged into the first now and then."""

    make_desk: type
    make_clip: object

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(prefix="motionunion-model-"))
        self.desks = [self.make_desk(self.folder / name) for name in ("first", "second")]
        self.models = [{}, {}]
        self.stamp = 0

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def receipt(self, desk, clips, annotations, refused):
        """A task that read some keys; each time with another stamp, as if every file had been touched."""
        self.stamp += 1
        words = {**{key: count for key, (_, count) in clips.items()}, **annotations}
        captions = {
            key: tuple(Caption(uid=f"made_up/{key}", text=f"{key} {number}", layer="x") for number in range(count))
            for key, count in words.items()
        }
        segments = {
            key: tuple(
                Segment(uid=f"made_up/{key}", name=str(number), layer="x", start_s=0.0, end_s=1.0)
                for number in range(count)
            )
            for key, count in words.items()
        }
        made = tuple(self.make_clip(key, frames=3, seed=seed) for key, (seed, _) in sorted(clips.items()))
        return desk.receipt(made, tuple(sorted(refused.items())), captions, segments, stamp=str(self.stamp))

    @rule(
        which=st.integers(0, 1),
        clips=st.dictionaries(KEYS, st.tuples(st.integers(0, 1), st.integers(0, 2)), max_size=3),
        annotations=st.dictionaries(KEYS, st.integers(1, 2), max_size=1),
        refused=st.dictionaries(KEYS, st.sampled_from(["truncated", "unreadable"]), max_size=2),
        fails=st.booleans(),
    )
    def ingest(self, which, clips, annotations, refused, fails):
        annotations = {key: count for key, count in annotations.items() if key not in clips}
        refused = {key: reason for key, reason in refused.items() if key not in clips and key not in annotations}
        desk, model = self.desks[which], self.models[which]
        if not clips and not annotations and not refused:
            return
        committer = Committer(open_store(desk.path).storage, "model")
        committer.add(self.receipt(desk, clips, annotations, refused))
        if fails:
            self.fail_once(committer)
        committer.flush()
        committer.close()
        for key, (seed, count) in clips.items():
            model[key] = read(model.get(key, Known()), seed, count)
        for key, count in annotations.items():
            model[key] = read(model.get(key, Known()), None, count)
        for key, reason in refused.items():
            model[key] = replace(model.get(key, Known()), refused=reason)

    @staticmethod
    def fail_once(committer):
        storage = committer._storage
        real = storage.put_if_absent

        def full(name, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        storage.put_if_absent = full
        with contextlib.suppress(StoreError):  # nothing is written where nothing is new
            committer.flush()
        storage.put_if_absent = real

    @rule(which=st.integers(0, 1), keys=st.sets(KEYS, min_size=1, max_size=2))
    def drop(self, which, keys):
        names = ", ".join(f"'{key}'" for key in sorted(keys))
        result = drop(self.desks[which].path, f"key in ({names})", more_than_half=True)
        model = self.models[which]
        there = [key for key in keys if key in model and model[key].clip is not None]
        assert result.clips == len(there)
        for key in there:
            model[key] = Known(dropped=model[key].clip, refused=model[key].refused)

    @precondition(lambda self: any(known.dropped is not None for model in self.models for known in model.values()))
    @rule(which=st.integers(0, 1))
    def undrop(self, which):
        model = self.models[which]
        gone = [key for key, known in model.items() if known.dropped is not None]
        assert undrop(self.desks[which].path, "true").clips == len(gone)
        for key in gone:
            model[key] = Known(refused=model[key].refused)

    @rule(which=st.integers(0, 1))
    def compact(self, which):
        path = self.desks[which].path
        compact(path)
        assert compact(path).commits == 0

    @rule()
    def merge(self):
        ours, theirs = self.models
        merge([self.desks[1].path], self.desks[0].path)
        self.models[0] = {
            key: merged(ours.get(key, Known()), theirs.get(key, Known())) for key in sorted({*ours, *theirs})
        }
        assert merge([self.desks[1].path], self.desks[0].path).bytes == 0

    @invariant()
    def says_what_the_model_says(self):
        if not hasattr(self, "desks"):
            return
        for desk, model in zip(self.desks, self.models, strict=True):
            with open_store(desk.path) as store:
                live = {key: known for key, known in model.items() if known.clip is not None}
                assert dict(store.rows("SELECT key, content FROM clips")) == {
                    key: self.content(key, known.clip) for key, known in live.items()
                }
                assert dict(store.rows("SELECT key, count(*) FROM captions GROUP BY key")) == {
                    key: known.words for key, known in model.items() if known.words
                }
                assert dict(store.rows("SELECT key, reason FROM rejects")) == {
                    key: known.refused for key, known in model.items() if known.refused
                }
                assert sorted(clip.key for clip in store.clips()) == sorted(live)

    def content(self, key, seed):
        from motionunion.store.schema import clip_to_row

        return clip_to_row(self.make_clip(key, frames=3, seed=seed))["content"]

    def check_at_the_end(self):
        """A store that is made of the model at once has the same fingerprint, and both stores are sound."""
        for number, (desk, model) in enumerate(zip(self.desks, self.models, strict=True)):
            direct = self.make_desk(self.folder / f"direct {number}")
            clips = {key: (known.clip, known.words) for key, known in model.items() if known.clip is not None}
            annotations = {key: known.words for key, known in model.items() if known.annotation}
            refused = {key: known.refused for key, known in model.items() if known.refused}
            committer = Committer(open_store(direct.path).storage, "direct")
            committer.add(self.receipt(direct, clips, annotations, {}))
            committer.add(self.receipt(direct, {}, {}, refused))
            committer.flush()
            committer.close()
            assert open_store(direct.path).fingerprint() == open_store(desk.path).fingerprint()
            assert check_store(desk.path).sound


def _machine(desk, make_clip):
    class Machine(Stores):
        make_desk = type(desk)

        def teardown(self):
            try:
                if hasattr(self, "desks"):
                    self.check_at_the_end()
            finally:
                super().teardown()

    Machine.make_clip = staticmethod(make_clip)
    return Machine


_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


def test_a_few_sequences(desk, make_clip):
    run_state_machine_as_test(
        _machine(desk, make_clip),
        settings=settings(
            max_examples=2, stateful_step_count=5, deadline=None, suppress_health_check=_QUIET, derandomize=True
        ),
    )


@pytest.mark.slow
def test_many_sequences(desk, make_clip):
    run_state_machine_as_test(
        _machine(desk, make_clip),
        settings=settings(max_examples=2, stateful_step_count=15, deadline=None, suppress_health_check=_QUIET),
    )
