"""Stores that earlier versions wrote: read, checked, written on, and what is newer than this version refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from motionunion.digest import sha256_hex
from motionunion.errors import MotionUnionError, StoreError
from motionunion.store.check import check_store
from motionunion.store.commits import FORMAT_VERSION, State, commit_name, read_commit, read_state, seal, write_commit
from motionunion.store.compact import compact
from motionunion.store.gc import collect_garbage
from motionunion.store.schema import SCHEMA_VERSION, SCHEMAS
from motionunion.store.schema_versions import VERSION_KEY, version_of
from motionunion.store.shards import Shard, footer_sha256, open_shard, write_shard
from motionunion.store.storage import LocalStorage
from motionunion.store.store import Store, open_store

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(path.stem for path in GOLDEN.glob("v*.json"))
SAID = {
    "clips": "SELECT clip_id, content FROM clips ORDER BY ALL",
    "captions": 'SELECT source, "key", text FROM captions ORDER BY ALL',
    "segments": 'SELECT source, "key", name FROM segments ORDER BY ALL',
    "rejects": "SELECT source, file, reason FROM rejects ORDER BY ALL",
}


class NeverWritten(LocalStorage):
    """A store on a medium that cannot be written."""

    def put(self, name: str, data: bytes) -> None:
        raise AssertionError(f"writes {name}")

    def put_if_absent(self, name: str, data: bytes) -> bool:
        raise AssertionError(f"writes {name}")

    def delete(self, name: str) -> None:
        raise AssertionError(f"deletes {name}")


@pytest.fixture(params=VERSIONS)
def version(request) -> str:
    return request.param


@pytest.fixture
def golden(version, tmp_path) -> Path:
    return shutil.copytree(GOLDEN / version, tmp_path / version)


@pytest.fixture
def expected(version) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{version}.json").read_text(encoding="utf-8"))


def says(store: Store) -> dict[str, Any]:
    said = {name: [list(row) for row in store.rows(query)] for name, query in SAID.items()}
    return {"fingerprint": store.fingerprint(), **said}


def still_says(path: Path, expected: dict[str, Any], horizon: int = 1) -> None:
    """Every state that is kept says what it always said: the fingerprint of a commit never changes."""
    for number, said in expected["commits"].items():
        if int(number) >= horizon:
            with open_store(path, at=int(number)) as store:
                assert says(store) == said, number


def test_there_is_a_golden_store_of_every_format():
    formats = [json.loads((GOLDEN / f"{version}.json").read_text(encoding="utf-8"))["format"] for version in VERSIONS]
    assert formats == list(range(1, FORMAT_VERSION + 1))


def test_every_commit_of_a_golden_store_says_what_it_said_and_reading_writes_nothing(golden, expected):
    for number, said in expected["commits"].items():
        with open_store(golden, at=int(number), storage=NeverWritten(golden)) as store:
            assert says(store) == said, number
            clips = {clip.clip_id for clip in store.clips()}  # content hashes are verified
        assert clips == {clip_id for clip_id, _ in said["clips"]}
    with open_store(golden) as store:
        assert (store.commit, store.head.horizon) == (expected["newest"], expected["horizon"])


def test_a_golden_store_is_sound(golden, version):
    report = check_store(golden)
    assert report.sound, report.damage
    assert len(report.dangling) == (0 if version == "v1" else 1)  # the one that make.py leaves


def test_states_below_a_golden_horizon_stay_closed(golden, expected):
    for number in range(1, expected["horizon"]):
        with pytest.raises(StoreError, match=f"commit {number} was given up"):
            open_store(golden, at=number)


def test_a_golden_store_is_written_on_in_the_newest_format(golden, expected, desk, make_clip):
    other = type(desk)(golden)
    with other.commit(other.receipt(clips=(make_clip("new"),))) as store:
        assert store.commit == expected["newest"] + 1
        commit = read_commit(store.storage, store.commit)
        newest = expected["commits"][str(expected["newest"])]
        assert commit["format"] == FORMAT_VERSION
        assert commit["parent"] == read_commit(store.storage, expected["newest"])["digest"]
        assert len(says(store)["clips"]) == len(newest["clips"]) + 1
    still_says(golden, expected)
    assert check_store(golden).sound


def test_a_golden_store_takes_a_checkpoint_and_many_commits(golden, expected):
    storage = LocalStorage(golden)
    state = read_state(storage)
    for _ in range(34):
        state = write_commit(storage, state, [], [], "one more")  # type: ignore[assignment]
    assert read_state(storage) == state
    still_says(golden, expected, expected["newest"])
    assert check_store(golden).sound


def test_gc_of_a_golden_store_leaves_what_the_newest_commit_says(golden, expected):
    with open_store(golden) as store:
        report = collect_garbage(store, grace_days=0)
    assert report.removed["rejects"]["files"] >= 1
    assert report.horizon >= expected["horizon"]
    still_says(golden, expected, report.horizon)
    checked = check_store(golden)
    assert (checked.sound, checked.dangling) == (True, [])


def test_a_golden_store_can_be_compacted_and_then_collected(golden, expected):
    said = expected["commits"][str(expected["newest"])]
    result = compact(golden)
    assert sum(result.after.values()) < sum(result.before.values())
    with open_store(golden) as store:
        assert says(store) == said
        collect_garbage(store, grace_days=0)
    with open_store(golden) as store:
        assert says(store) == said
        assert {clip.clip_id for clip in store.clips()} == {clip_id for clip_id, _ in said["clips"]}
    checked = check_store(golden)
    assert (checked.sound, checked.dangling) == (True, [])


def test_what_a_newer_version_wrote_is_refused_by_its_number(golden, expected):
    name = commit_name(expected["newest"] + 1)
    (golden / name).write_bytes(seal({"format": FORMAT_VERSION + 1, "all": "else is new"}))
    with pytest.raises(MotionUnionError, match=f"{name}: written in format 3; this version reads up to 2"):
        open_store(golden)
    (golden / name).unlink()
    (golden / "store.json").write_bytes(seal({"format": FORMAT_VERSION + 1, "uuid": "x"}))
    with pytest.raises(StoreError, match="format 3; this version reads up to format 2"):
        open_store(golden)


def test_a_commit_that_is_written_now_has_the_fields_of_the_golden_ones(tmp_path):
    """Whoever adds a field raises the format, and makes a golden store of it."""
    storage = LocalStorage(tmp_path)
    assert write_commit(storage, State(), [], [], "") is not None
    golden = json.loads((GOLDEN / f"v{FORMAT_VERSION}" / commit_name(1)).read_text(encoding="utf-8"))
    written = json.loads(storage.get(commit_name(1)))
    assert (written.keys(), written["checkpoint"].keys()) == (golden.keys(), golden["checkpoint"].keys())


def put_shard(storage: LocalStorage, table: pa.Table) -> Shard:
    path = storage.path("shards/rejects-x.parquet")
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path)
    data = path.read_bytes()
    return Shard(name=path.name, kind="rejects", rows=len(table), bytes=len(data), sha256=sha256_hex(data),
                 footer_sha256=footer_sha256(data))  # fmt: skip


REJECTS = SCHEMAS["rejects"].empty_table()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (REJECTS.replace_schema_metadata({VERSION_KEY: b"2"}), "written in schema version 2; this version reads up to 1"),
        (REJECTS.append_column("colour", pa.array([], pa.string())).replace_schema_metadata({VERSION_KEY: b"7"}),
         "written in schema version 7; this version reads up to 1"),
        (REJECTS.append_column("colour", pa.array([], pa.string())), "schema version 1, which wrote it: with an unknown colour"),
        (REJECTS.drop_columns(["reason"]), "schema version 1, which wrote it: without reason"),
        (REJECTS.set_column(5, "line", pa.array([], pa.string())), "schema version 1, which wrote it: another type of line"),
        (REJECTS.select(REJECTS.column_names[::-1]), "schema version 1, which wrote it: another order"),
        (REJECTS.replace_schema_metadata({VERSION_KEY: b"x"}), "is no number"),
    ],
)  # fmt: skip
def test_a_shard_of_other_columns_is_refused_with_the_version_that_wrote_it(tmp_path, table, problem):
    storage = LocalStorage(tmp_path)
    shard = put_shard(storage, table)
    with (
        pytest.raises(StoreError, match=f"rejects-x.parquet: .*{problem}"),
        open_shard(storage, shard.name, shard.bytes, shard.footer_sha256),
    ):
        raise AssertionError("was opened")


def test_a_shard_that_is_written_now_says_the_present_version(tmp_path):
    storage = LocalStorage(tmp_path)
    row = {"source": "x", "key": "y", "file": "z", "reason": "r", "message": "m", "line": None}
    shard = write_shard(storage, "rejects", "x", [row])
    with open_shard(storage, shard.name, shard.bytes, shard.footer_sha256) as file:
        assert version_of(file.metadata) == SCHEMA_VERSION


def test_the_bytes_of_a_shard_are_those_of_the_first_version(tmp_path):
    """Names are hashes of bytes: a shard that any version wrote must come out under the same name again."""
    with open_store(shutil.copytree(GOLDEN / "v1", tmp_path / "v1")) as store:
        shard = store.state.of_kind("clips")[0]
        from motionunion.store.shards import read_rows

        again = write_shard(LocalStorage(tmp_path), "clips", "amass_smplh", read_rows(store.storage, shard))
    assert again == shard
