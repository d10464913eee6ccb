from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from motionunion import feature_building
from motionunion.clip import Caption, Clip, Segment, Shipped
from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import MissingInput, StoreError, UsageError
from motionunion.feature_files import write_sealed
from motionunion.features import FeatureSet, build_features
from motionunion.representations import encode
from motionunion.resample import joints_at
from motionunion.store.store import Store
from motionunion.windows import cut

ID = "hml263@20/compat"
MakeClip = Callable[..., Clip]
MakeStore = Callable[..., Store]


@pytest.fixture
def store(clip_of: MakeClip, store_of: MakeStore) -> Store:
    """Four clips: with segments, at a rate that does not divide, joints only, and shipped."""
    shipped = Shipped(representation=ID, features_TD=np.random.default_rng(5).normal(size=(30, 263)))
    segments = tuple(
        Segment(uid="made_up/one", name=name, layer="humanml3d", start_s=start, end_s=end)
        for name, start, end in (("000001", 0.5, 4.0), ("000002", 2.0, 5.0))
    )
    return store_of(
        clip_of(frames=700, fps=Fraction(120)),
        clip_of("two", frames=90, fps=Fraction(30)),
        clip_of("three", frames=500, joints=True),
        clip_of("four", frames=30, joints=True, shipped=shipped),
        said=segments,
    )


def test_features_of_a_span_are_those_of_its_joints(store: Store) -> None:
    features = build_features(store, ID)
    assert [span.name for span in features.spans] == ["four", "000001", "000002", "three", "two"]
    for index, span in enumerate(features.spans):
        clip = store.clip(span.clip_id)
        if span.shipped:
            continue
        joints = joints_at(clip, 20, frames=(span.first_frame, span.stop_frame))
        np.testing.assert_array_equal(features.rows_of(index), encode(joints, ID, fps=20))
    assert features.offsets.tolist() == np.cumsum([0, *(span.rows for span in features.spans)]).tolist()
    assert features.values.shape == (features.offsets[-1], 263)


def test_a_stretch_at_an_integer_ratio_is_exact_to_the_frame(store: Store) -> None:
    features = build_features(store, ID)
    index = next(index for index, span in enumerate(features.spans) if span.name == "000001")
    everything = joints_at(store.clip(features.spans[index].clip_id), 20)
    np.testing.assert_array_equal(features.rows_of(index), encode(everything[10:80], ID, fps=20))


def test_shipped_features_are_kept_bit_for_bit(store: Store) -> None:
    features = build_features(store, ID)
    shipped = store.clip(features.spans[0].clip_id).shipped
    assert shipped is not None
    np.testing.assert_array_equal(features.rows_of(0), shipped.features_TD.astype(np.float32))


def test_a_second_call_opens_what_the_first_built(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_features(store, ID)
    monkeypatch.setattr(feature_building, "_encode_part", _must_not_run)
    second = build_features(store, ID)
    assert second.path == first.path
    assert second.key == first.key
    np.testing.assert_array_equal(first.values, second.values)
    assert [entry.name for entry in store.cache_dir.iterdir()] == [first.path.name]


def test_what_is_left_of_a_deleted_feature_set_is_no_obstacle(store: Store) -> None:
    first = build_features(store, ID)
    expected = np.array(first.values)
    (first.path / "features.json").unlink()
    again = build_features(store, ID)
    assert again.path == first.path
    np.testing.assert_array_equal(again.values, expected)


def test_new_captions_make_a_new_feature_set(store: Store) -> None:
    before = build_features(store, ID)
    said = (Caption(uid="made_up/two", text="a person walks", layer="mine"),)
    store.append({"captions": said}, source="mine", key="notes.csv")
    from motionunion.store.store import open_store

    after = build_features(open_store(store.url), ID)
    assert after.key != before.key
    assert [caption.text for span in after.spans for caption in span.captions] == ["a person walks"]
    np.testing.assert_array_equal(after.values, before.values)


def test_workers_give_the_same_values_as_one_process(
    store: Store, clip_of: MakeClip, store_of: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = np.array(build_features(store, ID, jobs=1).values)
    monkeypatch.setattr(feature_building, "PART_FRAMES", 1)
    for path in store.cache_dir.iterdir():
        path.rename(Path(store.url) / f"old-{path.name}")
    # Workers read the commit that was planned, though the store has gone on.
    store.append(
        {"captions": (Caption(uid="made_up/two", text="later", layer="mine"),)}, source="mine", key="notes.csv"
    )
    together = build_features(store, ID, jobs=2)
    np.testing.assert_array_equal(together.values, alone)
    assert together.commit == store.commit


def test_a_cache_that_cannot_be_written_is_an_error_that_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feature_building, "write_features", full)
    with pytest.raises(StoreError, match="No space left"):
        build_features(store, ID)
    monkeypatch.undo()
    assert len(build_features(store, ID).spans) == 5


def test_a_worker_that_is_killed_is_an_error_that_names_jobs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_building, "PART_FRAMES", 1)
    monkeypatch.setattr(feature_building, "_encode_part_of", _end_without_a_word)
    with pytest.raises(StoreError, match="--jobs"):
        build_features(store, ID, jobs=2)


def test_a_build_that_was_killed_goes_on_from_its_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_building, "PART_FRAMES", 1)
    expected = np.array(build_features(store, ID, jobs=1).values)
    for path in store.cache_dir.iterdir():
        path.rename(Path(store.url) / f"old-{path.name}")
    done = _kill_after_parts(Path(store.url), 2)
    assert len(done) == 2
    stamps = {path: path.stat().st_mtime_ns for path in done}
    encoded = []
    original = feature_building._encode_part

    def watch(store: object, representation: object, part: object) -> None:
        encoded.append(part.path)  # type: ignore[attr-defined]
        assert {path: path.stat().st_mtime_ns for path in done} == stamps
        original(store, representation, part)  # type: ignore[arg-type]

    monkeypatch.setattr(feature_building, "_encode_part", watch)
    features = build_features(store, ID, jobs=1)
    assert not set(encoded) & set(done)
    np.testing.assert_array_equal(features.values, expected)
    assert [entry.name for entry in store.cache_dir.iterdir()] == [features.path.name]


def test_a_part_that_is_damaged_costs_one_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_building, "PART_FRAMES", 1)
    part = _kill_after_parts(Path(store.url), 2)[0]
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    with pytest.raises(StoreError, match="run the same command again"):
        build_features(store, ID, jobs=1)
    assert len(build_features(store, ID, jobs=1).spans) == 5


def test_a_motion_that_cannot_be_encoded_is_left_out_with_its_reason(clip_of: MakeClip, store_of: MakeStore) -> None:
    flat = clip_of("flat", frames=40, joints=True, joints_T22x3=np.zeros((40, 22, 3), dtype=np.float32))
    features = build_features(store_of(clip_of(), flat), ID)
    assert [span.name for span in features.spans] == ["one"]
    assert [(entry.name, entry.reason) for entry in features.skipped] == [("flat", "no_leg")]


def test_statistics_see_the_training_split_only(clip_of: MakeClip, store_of: MakeStore) -> None:
    clips = [clip_of(str(index), official_split=split) for index, split in enumerate(("train", "test", "train", "val"))]
    features = build_features(store_of(*clips), ID)
    chosen = np.concatenate([features.rows_of(i) for i, span in enumerate(features.spans) if span.split == "train"])
    statistics = features.statistics(block_average=False)
    assert (statistics.split, statistics.rows, statistics.representation) == ("train", len(chosen), ID)
    np.testing.assert_allclose(statistics.mean, chosen.mean(0, dtype=np.float64), rtol=1e-5, atol=1e-6)
    assert statistics.clips_hash != features.statistics("test").clips_hash


def test_the_hash_of_spans_is_that_of_their_canonical_json(store: Store) -> None:
    features = build_features(store, ID)
    for split in (None, "train", "val", "test"):
        listed = [[span.span_id, span.rows] for span in features.spans if split in (None, span.split)]
        assert features.spans_hash(split) == sha256_hex(canonical_json(listed))


def test_a_motion_whose_features_overflow_is_left_out(
    clip_of: MakeClip, store_of: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One infinity would leave the whole training split without statistics."""
    original = feature_building._encode_motions

    def overflow(representation: object, motions: object, found: list[np.ndarray], reasons: object) -> None:
        original(representation, motions, found, reasons)  # type: ignore[arg-type]
        found[0] = np.where(np.arange(263) == 7, np.float32(np.inf), found[0])

    monkeypatch.setattr(feature_building, "_encode_motions", overflow)
    features = build_features(store_of(clip_of("a"), clip_of("b")), ID, jobs=1)
    assert [span.name for span in features.spans] == ["b"]
    assert [(entry.name, entry.reason) for entry in features.skipped] == [("a", "non_finite")]
    assert np.isfinite(features.values).all()


def test_windows_of_a_feature_set_lie_in_their_spans(store: Store) -> None:
    features = build_features(store, ID)
    result = cut(features)
    assert sum(window.rows for window in result.windows) == sum(span.rows - span.rows % 4 for span in features.spans)
    names = {span.span_id: index for index, span in enumerate(features.spans)}
    for window in result.windows:
        span_rows = features.rows_of(names[window.span_id])
        there = features.values[window.start : window.start + window.rows]
        np.testing.assert_array_equal(there, span_rows[window.first_row : window.first_row + window.rows])


def test_a_feature_set_opens_with_numpy_and_pyarrow_alone(store: Store) -> None:
    features = build_features(store, ID)
    code = (
        "import sys; from pathlib import Path; from motionunion.features import FeatureSet;"
        "from motionunion.windows import cut;"
        "f = FeatureSet.load(Path(sys.argv[1])); cut(f); f.statistics(f.spans[0].split);"
        "print([m for m in ('scipy', 'polars', 'duckdb', 'torch', 'rich', 'typer', 'pydantic') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code, features.path], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_store_without_motion_says_what_brings_some(store_of: MakeStore) -> None:
    with pytest.raises(MissingInput, match="motionunion ingest"):
        build_features(store_of(), ID)


def test_jobs_must_be_positive(store: Store) -> None:
    with pytest.raises(UsageError, match="jobs"):
        build_features(store, ID, jobs=0)


def test_a_folder_without_features_and_a_damaged_one_are_told_apart(store: Store, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"features\.json"):
        FeatureSet.load(tmp_path)
    features = build_features(store, ID)
    values = features.path / "values.npy"
    whole = values.read_bytes()
    values.write_bytes(whole[:-8])
    with pytest.raises(StoreError, match="damaged"):
        FeatureSet.load(features.path)
    values.write_bytes(whole)
    FeatureSet.load(features.path)
    meta = features.path / "features.json"
    stated = json.loads(meta.read_text())
    meta.write_text(json.dumps(stated | {"dims": 251}))
    with pytest.raises(StoreError, match="digest"):
        FeatureSet.load(features.path)
    del stated["digest"]
    write_sealed(meta, stated | {"dims": 251})
    with pytest.raises(StoreError, match="251"):
        FeatureSet.load(features.path)
    write_sealed(meta, stated | {"format": 1})
    with pytest.raises(StoreError, match="format 1"):
        FeatureSet.load(features.path)
    meta.write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        FeatureSet.load(features.path)


def _end_without_a_word(*_: object) -> None:
    os._exit(137)


def _must_not_run(*_: object) -> None:
    raise AssertionError("nothing was to be encoded")


def _kill_after_parts(root: Path, parts: int) -> list[Path]:
    """Build in another process that kills itself with SIGKILL when `parts` parts are written; returns these."""
    code = f"""
import os, signal, sys
from motionunion import feature_building as building
from motionunion.features import build_features
from motionunion.store.store import open_store
building.PART_FRAMES = 1
original, done = building._encode_part, []
def encode_part(*arguments):
    if len(done) == {parts}:
        os.kill(os.getpid(), signal.SIGKILL)
    original(*arguments)
    done.append(1)
building._encode_part = encode_part
build_features(open_store(sys.argv[1]), "{ID}", jobs=1)
"""
    ended = subprocess.run([sys.executable, "-c", code, root], check=False, env=os.environ)
    assert ended.returncode == -signal.SIGKILL
    return sorted(root.glob("cache/.building-*/*.npz"))
