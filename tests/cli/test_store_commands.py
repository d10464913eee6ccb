"""`ingest`, `stats`, `check`, `query`, `show` as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("cli.sample")

from cli.motionunion import app
from motionunion.errors import MissingInput, UsageError


def write_motion(path: Path, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    time = np.arange(60)[:, None] / 60
    poses = np.zeros((60, 156))
    poses[:, :3] = (np.pi / 2, 0, 0)
    poses[:, 3:66] = 0.2 * np.sin(2 * np.pi * time + random.uniform(0, 6, size=63))
    trans = np.hstack([time, 0 * time, 0.95 + 0 * time])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, poses=poses, trans=trans, betas=np.zeros(16), gender="neutral", mocap_framerate=60.0)


@pytest.fixture
def amass(tmp_path: Path) -> Path:
    """Three motions, one of them cut short, one with a sidecar caption."""
    folder = tmp_path / "amass"
    for number in range(3):
        write_motion(folder / "CMU" / "01" / f"01_0{number}_poses.npz", number)
    broken = folder / "CMU" / "01" / "01_00_poses.npz"
    broken.write_bytes(broken.read_bytes()[:4000])
    (folder / "CMU" / "01" / "01_01_poses.txt").write_text("a person sways\n")
    return folder


def call(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.stdout


def answer(*words: object, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call(*words, "--json", code=code))
    return found


def test_from_ingest_to_show(amass: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    planned = answer("ingest", amass, "--dry-run", *store)
    assert planned["sources"][0]["files"] == 3
    assert not (tmp_path / "store").exists()
    result = answer("ingest", amass, "--jobs", 1, *store, code=3)
    assert (result["clips"], result["reasons"]) == (2, {"truncated": 1})
    again = answer("ingest", amass, *store, code=3)
    assert (again["commit"], again["clips"], again["standing_rejects"]) == (result["commit"], 0, 1)
    stats = answer("stats", *store)
    assert (stats["clips"], stats["frames"], stats["captions"], stats["rejects"]) == (2, 120, 1, 1)
    assert stats["hours"] == pytest.approx(2 / 3600)
    assert stats["fingerprint"] == result["fingerprint"]
    (source,) = stats["sources"]
    assert {"source", "clips", "frames", "hours", "fps", "captions", "share"} <= set(source)
    assert source["fps"] == [60.0]
    checked = answer("check", *store)
    assert checked["sound"] is True
    queried = answer("query", "select key, labels, flags from clips order by key", *store)
    assert queried["columns"] == ["key", "labels", "flags"]
    assert len(queried["rows"]) == 2
    key = queried["rows"][0][0]
    shown = answer("show", key, "--gif", tmp_path / "a.gif", *store)
    assert shown["key"] == key
    assert [caption["text"] for caption in shown["captions"]] == ["a person sways"]
    assert (tmp_path / "a.gif").read_bytes().startswith(b"GIF8")
    assert answer("show", shown["clip_id"][:10], *store)["key"] == key


def test_tables_name_what_matters(amass: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    done = CliRunner().invoke(app, ["ingest", str(amass), "--jobs", "1", *map(str, store)])
    assert "01_00_poses.npz   truncated" in done.output
    assert "Next: motionunion stats" in done.output
    assert "template body" in call("stats", *store)
    assert "sound" in call("check", *store)
    assert "2 rows" in call("query", "select key from clips", *store)
    assert "a person sways" in call("show", "01_01", *store)
    assert "Would read" in call("ingest", amass, "--dry-run", *store)


def test_what_is_suggested_means_the_store_that_was_named(
    amass: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(tmp_path / "store")
    named = CliRunner().invoke(app, ["ingest", str(amass), "--jobs", "1", "--store", store])
    assert f"Next: motionunion stats --store {store}\n" in named.output
    monkeypatch.setenv("MOTIONUNION_STORE", store)
    assert "Next: motionunion stats\n" in CliRunner().invoke(app, ["ingest", str(amass), "--jobs", "1"]).output


def test_rows_of_many_columns_stand_one_below_the_other(amass: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    call("ingest", amass, "--jobs", 1, *store, code=3)
    (clip_id,) = answer("query", "select clip_id from clips where key like '%01_01%'", *store)["rows"][0]
    lines = call("query", "select * from clips order by key", *store).splitlines()
    assert [line.strip() for line in lines if line.startswith("row ")][:2] == ["row 1", "row 2"]
    assert ["clip_id", clip_id] in [line.split() for line in lines], "no value is cut"


def test_what_cannot_be_done_is_an_error_of_its_kind(amass: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    run = CliRunner().invoke
    assert isinstance(run(app, ["stats", *map(str, store)]).exception, MissingInput)
    call("ingest", amass, "--jobs", 1, *store, code=3)
    assert isinstance(run(app, ["show", "nothing", *map(str, store)]).exception, MissingInput)
    assert isinstance(run(app, ["show", "01_0", *map(str, store)]).exception, UsageError)
    assert isinstance(run(app, ["query", "drop table clips", *map(str, store)]).exception, UsageError)
    alone = tmp_path / "alone" / "CMU" / "01" / "01_00_poses.npz"
    alone.parent.mkdir(parents=True)
    alone.write_bytes((amass / "CMU" / "01" / "01_00_poses.npz").read_bytes())
    nothing = answer("ingest", alone, "--store", tmp_path / "none", code=4)
    assert nothing["reasons"] == {"truncated": 1}


def test_a_damaged_store_ends_with_exit_4_and_names_the_file(amass: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    call("ingest", amass, "--jobs", 1, *store, code=3)
    shard = next((tmp_path / "store" / "shards").glob("clips-*"))
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    report = answer("check", *store, code=4)
    assert report["sound"] is False
    assert shard.name in report["damage"][0]["file"]


def test_json_of_a_query_holds_numbers_and_no_nan(tmp_path: Path, amass: Path) -> None:
    call("ingest", amass, "--store", tmp_path / "store", "--jobs", 1, code=3)
    query = "select sum(frames) as n, 'nan'::double as x, 1.5::decimal(5, 2) as y, 'inf'::float as z, labels from clips group by all"
    found = answer("query", query, "--store", tmp_path / "store")
    assert found["rows"] == [[120, None, 1.5, None, {"fps_dispute": ANY}]]


@pytest.mark.parametrize(
    "value", ["INTERVAL 3 DAYS", "[INTERVAL 1 DAY]", "DATE 'infinity'", "TIMESTAMP '290000-01-01'", "'101'::BIT"]
)
def test_a_query_may_give_any_type_that_the_database_has(tmp_path: Path, amass: Path, value: str) -> None:
    store = tmp_path / "store"
    call("ingest", amass, "--store", store, code=3)
    assert len(answer("query", f"SELECT {value} AS x, 2 AS x", "--store", store)["rows"][0]) == 2
    assert "1 row\n" in call("query", f"SELECT {value}", "--store", store)


def test_text_of_a_file_does_not_command_the_terminal(tmp_path: Path, amass: Path) -> None:
    (amass / "CMU" / "01" / "01_01_poses.txt").write_text("a person \x1b[2J\x07\x9b31m sways\n")
    store = tmp_path / "store"
    call("ingest", amass, "--store", store, code=3)
    shown = call("query", "SELECT text FROM captions", "--store", store)
    assert r"a person \x1b[2J\x07\x9b31m sways" in shown
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)
    assert answer("query", "SELECT text FROM captions", "--store", store)["rows"] == [
        ["a person \x1b[2J\x07\x9b31m sways"]
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a shell and a device that are always full are Unix's")
@pytest.mark.parametrize(
    ("into", "code"), [(">&-", 0), (">/dev/full", 4), (">&- 2>&-", 0), ("| true; exit ${PIPESTATUS[0]}", 0)]
)
@pytest.mark.parametrize("flag", ["", "--json"])
def test_output_that_nobody_takes_is_no_bug(tmp_path: Path, amass: Path, into: str, code: int, flag: str) -> None:
    store = tmp_path / "store"
    call("ingest", amass, "--store", store, code=3)
    program = f"'{sys.executable}' -c 'from cli.motionunion import main; main()'"
    line = f"{program} query 'select * from range(3000)' {flag} --store '{store}' {into}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_an_earlier_commit_is_asked_by_its_number(tmp_path: Path, amass: Path) -> None:
    store = ("--store", tmp_path / "store")
    write_motion(amass / "CMU" / "01" / "01_00_poses.npz", 0)
    call("ingest", amass, "--jobs", 1, *store)
    before = answer("stats", *store)
    write_motion(amass / "CMU" / "02" / "02_00_poses.npz", 9)
    call("ingest", amass, "--jobs", 1, *store)
    at = ("--at", before["commit"])
    assert answer("stats", *store)["clips"] == 4
    assert answer("stats", *at, *store) == before
    assert len(answer("query", "select key from clips", *at, *store)["rows"]) == 3
    assert answer("show", "02_00", *store)["key"] == "CMU/02/02_00_poses"
    run = CliRunner().invoke
    for words in (("show", "02_00", *at), ("stats", "--at", 99)):
        assert isinstance(run(app, [str(word) for word in (*words, *store)]).exception, MissingInput)
    assert run(app, ["stats", "--at", "0", *map(str, store)]).exit_code == 2


def test_a_repaired_store_is_sound_and_says_what_brings_the_rest_back(amass: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    call("ingest", amass, "--jobs", 1, *store, code=3)
    before = answer("stats", *store)["fingerprint"]
    assert "nothing was changed" in CliRunner().invoke(app, ["check", "--repair", *map(str, store)]).stderr
    shard = next((tmp_path / "store" / "shards").glob("clips-*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "check --repair" in CliRunner().invoke(app, ["check", *map(str, store)]).stderr
    repaired = answer("check", "--repair", *store)
    assert shard.name in repaired["damage"][0]["file"]
    assert "ingest" in repaired["next"][0]
    checked = answer("check", *store)
    assert checked["sound"] is True
    assert checked["awaited"][0]["files"] == 2
    assert "whose rows are not here" in call("check", *store)
    call("ingest", amass, "--jobs", 1, *store, code=3)
    assert answer("stats", *store)["fingerprint"] == before
    assert answer("check", *store)["awaited"] == []
    shard.unlink()
    assert "taken out of the list" in call("check", "--repair", *store)
