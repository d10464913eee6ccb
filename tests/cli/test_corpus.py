"""`scamo export-corpus` and `scamo decode` make one library call each and show what it gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli import corpus as commands
from tokenizer import corpus, decode, export

FILES = [{"file": "train.jsonl", "split": "train", "windows": 3, "bytes": 99, "sha256": "0"}]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    class Exported:
        def as_plain(self) -> dict[str, Any]:
            return {"folder": "out", "format": "jsonl", "files": FILES}

    def decoded(opened: str, items: list[str], out: Path, **settings: Any) -> list[dict[str, Any]]:
        assert opened == "corpus of newest in r"
        assert (settings["split"], settings["count"], settings["gif"]) == ("val", 2, False)
        return [{"name": item, "codes": 2, "frames": 8, "seconds": 0.4, "caption": None} for item in items]

    monkeypatch.setattr(corpus, "newest_corpus", lambda runs: f"newest in {runs}")
    monkeypatch.setattr(corpus, "open_corpus", lambda folder: f"corpus of {folder}")
    monkeypatch.setattr(export, "export_corpus", lambda opened, form, out, progress: Exported())
    monkeypatch.setattr(decode, "decode_items", decoded)
    made = typer.Typer()
    made.command("export-corpus")(commands.export_corpus)
    made.command("decode")(commands.decode)
    return made


def test_an_export_is_shown_file_by_file_or_as_json(app: typer.Typer) -> None:
    given = ["export-corpus", "--format", "jsonl", "--out", "out", "--runs", "r"]
    assert "train.jsonl" in CliRunner().invoke(app, given).stdout
    assert json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)["files"] == FILES


def test_decoded_motions_are_shown(app: typer.Typer) -> None:
    given = ["decode", "004822", "--split", "val", "--count", "2", "--no-gif", "--runs", "r"]
    shown = CliRunner().invoke(app, given)
    assert shown.exit_code == 0, shown.output
    assert "004822" in shown.stdout
    answer = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)
    assert answer["motions"][0]["name"] == "004822"
