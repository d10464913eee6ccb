from __future__ import annotations

from pathlib import Path

import polars
import pyarrow as pa
import pytest

from motionunion.clip import Caption
from motionunion.errors import MissingInput, UsageError
from motionunion.store.index import index_in_memory
from motionunion.store.store import open_store


@pytest.fixture
def store(desk, make_clip):
    clips = tuple(make_clip(key, frames=frames) for key, frames in (("run", 30), ("walk", 60)))
    said = {
        "walk": (
            Caption(uid=clips[1].uid, text="a person walks", layer="mine", start_s=1.0, end_s=2.0),
            Caption(uid=clips[1].uid, text="a walk", layer="mine"),
        ),
        "other": (Caption(uid="nobody/here", text="?", layer="mine"),),
    }
    return desk.commit(desk.receipt(clips=clips, captions=said))


def test_answers_come_as_polars_arrow_tuples_and_with_parameters(store):
    asked = 'SELECT "key", frames FROM clips WHERE frames > ? ORDER BY "key"'
    answer = store.sql(asked, [20])
    assert isinstance(answer, polars.DataFrame)
    assert answer.rows() == [("run", 30), ("walk", 60)]
    table = store.arrow(asked, [40])
    assert isinstance(table, pa.Table)
    assert table.to_pydict() == {"key": ["walk"], "frames": [60]}
    assert store.table(asked, [40]) == (["key", "frames"], [("walk", 60)])
    assert store.sql("DESCRIBE clips").height > 20
    assert store.sql("PIVOT clips ON source USING count(*) GROUP BY kind").rows() == [("rotations", 2)]


WAYS_OUT = (
    "COPY clips TO '{there}'",
    "COPY (SELECT 1) TO '{there}'",
    "EXPORT DATABASE '{there}'",
    "ATTACH '{there}'",
    "ATTACH ':memory:' AS other",
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM read_parquet('{folder}/store/shards/*')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
    "SET temp_directory = '{folder}'",
    "RESET enable_external_access",
    "CALL enable_logging(storage_path = '{there}')",
    "CREATE TABLE mine AS SELECT 1",
    "DROP TABLE clips",
    "DELETE FROM clips",
    "UPDATE clips SET frames = 0",
    "SELECT 1; DELETE FROM clips",
    "SELECT * FROM made_here",
)


@pytest.mark.parametrize("where", ["file", "memory"])
def test_no_query_writes_or_leaves_the_index(store, tmp_path: Path, where):
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    made_here = pa.table({"a": [1]})
    assert made_here.num_rows == 1
    if where == "memory":
        store._questions.connection = index_in_memory(store.storage, store.state)
    store.fingerprint()
    before = sorted(tmp_path.rglob("*"))
    for way in WAYS_OUT:
        query = way.format(there=tmp_path / "there", secret=secret, folder=tmp_path)
        for ask in (store.sql, store.arrow, store.rows):
            with pytest.raises(UsageError, match="query"):
                ask(query)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == []
    assert store.rows("SELECT count(*), sum(frames)::BIGINT FROM clips") == [(2, 90)]


@pytest.mark.parametrize("condition", ["true) OR (true", "1 = 1 --", "seconds > 0 -- both\n"])
def test_a_condition_may_end_in_a_comment(store, condition):
    assert len(list(store.clips(where=condition))) == 2


def test_a_condition_that_is_none_is_refused(store):
    for condition in ("no_such_column > 1", "seconds >", "1); SELECT (1"):
        with pytest.raises(UsageError, match="query"):
            store.clips(where=condition)
        with pytest.raises(UsageError, match="query"):
            store.captions(where=condition)
    with pytest.raises(UsageError, match="there are train, val, test"):
        store.captions(split="dev")


def test_captions_come_with_the_clip_that_they_speak_of(store):
    said = store.captions()
    assert said.columns == [
        "clip_id", "source", "key", "split", "text", "tokens", "start_s", "end_s", "segment", "layer", "generator",
    ]  # fmt: skip
    assert said.select("key", "text", "start_s").rows() == [("walk", "a walk", None), ("walk", "a person walks", 1.0)]
    assert store.captions(where="frames < 40").height == 0
    by_split = [store.captions(split=split).height for split in ("train", "val", "test")]
    assert sorted(by_split) == [0, 0, 2]
    assert store.rows('SELECT "key", caption_count FROM clips ORDER BY ALL') == [("run", 0), ("walk", 2)]


def test_ids_that_are_not_there_are_named(store):
    (there,) = store.rows("SELECT clip_id FROM clips WHERE \"key\" = 'run'")[0]
    with pytest.raises(MissingInput, match=r"0{32}: .*1 of 2 are missing"):
        store.read_clips([there, "0" * 32])
    with pytest.raises(MissingInput, match="1 of 1"):
        store.clip("0" * 32)


def test_more_clips_than_addresses_are_held_at_once_come_in_order(store, monkeypatch):
    monkeypatch.setattr("motionunion.store.store._ADDRESSES_AT_ONCE", 1)
    assert sorted(clip.key for clip in store.clips()) == ["run", "walk"]


def test_features_are_a_view_of_what_was_built_once(desk, make_clip):
    clips = tuple(make_clip(f"clip {number}", frames=60, seed=number) for number in range(4))
    store = desk.commit(desk.receipt(clips=clips))
    features = store.features("hml263@20/compat", jobs=1)
    assert len(features) == 4
    one = store.features("hml263@20/compat", where="\"key\" = 'clip 2'", jobs=1)
    assert [span.name for span in one.spans] == ["clip 2"]
    assert one[0].shape[1] == 263
    of_splits = [len(store.features("hml263@20/compat", split=split, jobs=1)) for split in ("train", "val", "test")]
    assert sum(of_splits) == 4
    assert len([path for path in store.cache_dir.iterdir() if path.is_dir()]) == 1


def test_a_store_of_an_empty_answer_still_says_its_columns(desk):
    store = open_store(desk.path)
    assert "text" in store.captions().columns
    assert list(store.clips()) == []


def test_times_with_a_zone_are_refused_in_words_or_cast(store):
    for asked in ("SELECT now()", "SELECT timestamptz '2026-01-01 00:00:00+00'"):
        try:
            assert store.rows(asked)[0][0].tzinfo is not None  # where the package that DuckDB makes them with is there
        except UsageError as error:
            assert "cast it" in str(error)  # noqa: PT017
            assert "Traceback" not in str(error)  # noqa: PT017
    assert store.rows("SELECT timestamptz '2026-01-01 00:00:00+00'::varchar")
