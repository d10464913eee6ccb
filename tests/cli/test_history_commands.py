"""`log`, `diff`, `gc` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.motionunion import app
from motionunion.clip import Caption
from motionunion.errors import MissingInput, StoreError
from motionunion.store.store import open_store


def call(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.stdout


def answer(*words: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call(*words, "--json"))
    return found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three commits: a caption, another in its place, and one more."""
    path = tmp_path / "store"
    for key, text in (("a", "walks"), ("a", "runs"), ("b", "jumps")):
        with open_store(path, create=True) as opened:
            said = [Caption(uid=f"x/{key}", text=text, layer="x")]
            opened.append({"captions": said}, source="x", key=key, note=f"{key} {text}")
    return path


def test_log_lists_commits_newest_first(store: Path) -> None:
    found = answer("log", "--store", store)
    assert (found["commit"], found["horizon"]) == (3, 1)
    assert [(one["number"], one["note"]) for one in found["commits"]] == [(3, "b jumps"), (2, "a runs"), (1, "a walks")]
    assert [one["number"] for one in answer("log", "--store", store, "--limit", 1)["commits"]] == [3]
    shown = call("log", "--store", store, "--limit", 1)
    assert "b jumps" in shown
    assert "2 older commits: --limit 0 shows all" in shown
    assert "a walks" in call("log", "--store", store, "--limit", 0)


def test_diff_tells_what_changed(store: Path) -> None:
    found = answer("diff", 1, "--store", store)
    assert found["commits"] == [1, 3]
    assert found["keys"]["captions_added"] == [["x", "a"], ["x", "b"]]
    assert found["keys_in_all"]["captions_removed"] == 1
    assert found["same"] is False
    assert answer("diff", 2, 2, "--store", store)["same"] is True
    shown = call("diff", 1, 2, "--store", store)
    assert "captions added (1 file)" in shown
    assert "x a" in shown
    assert "1 more: --limit 0 lists all" in call("diff", 1, "--store", store, "--limit", 1)
    with pytest.raises(MissingInput, match="there are 1 to 3"):
        CliRunner().invoke(app, ["diff", "7", "--store", str(store)], catch_exceptions=False)


def test_gc_says_what_would_go_and_then_what_went(store: Path) -> None:
    before = sorted(store.rglob("*"))
    shown = call("gc", "--store", store, "--grace", 0, "--dry-run")
    assert "The states of commits 1 to 2 would be given up" in shown
    assert sorted(store.rglob("*")) == before
    found = answer("gc", "--store", store, "--grace", 0)
    assert (found["removed"]["captions"]["files"], found["removed"]["receipts"]["files"]) == (1, 1)
    assert (found["given_up"], found["horizon"], found["commit"]) == ([1, 2], 3, 4)
    assert "oldest state that can be opened is that of commit 3" in call("gc", "--store", store, "--grace", 0)
    assert [one["can_be_opened"] for one in answer("log", "--store", store)["commits"]] == [True, True, False, False]
    assert "States before commit 3 were given up" in call("log", "--store", store)
    with pytest.raises(StoreError, match="given up by `motionunion gc`"):
        CliRunner().invoke(app, ["diff", "1", "--store", str(store)], catch_exceptions=False)


def test_gc_keeps_states_of_the_last_two_weeks_if_not_told_otherwise(store: Path) -> None:
    assert answer("gc", "--store", store)["files"] == 0
    assert open_store(store, at=1).commit == 1
