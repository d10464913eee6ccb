from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.scamo import app


def run(*words: str):
    return CliRunner().invoke(app, ["eval", *words])


def test_the_command_prints_its_tables_and_where_they_are(toy_runs, open_toy, copy_of):
    open_toy(toy_runs[0])
    runs = copy_of(toy_runs[1])
    shown = run("humanml3d", "--runs", str(runs), "--device", "cpu")
    assert shown.exit_code == 0, shown.output
    assert "NOT comparable with published numbers" in " ".join(shown.stdout.split())
    assert "mean-feature predictor" in shown.stdout
    folder = next((runs / "evaluations").iterdir())
    assert str(folder) in shown.stderr.replace("\n", "")
    as_json = run("humanml3d", "--runs", str(runs), "--device", "cpu", "--json")
    found = json.loads(as_json.stdout)
    assert found == json.loads((folder / "evaluation.json").read_text())
    assert found["comparable"] is False
    assert [row["name"] for row in found["rows"]] == ["real", "reconstruction", "generated"]


def test_an_unknown_protocol_is_a_usage_error(tmp_path):
    result = run("kit", "--runs", str(tmp_path))
    assert result.exit_code == 2
    assert "kit" in result.output


@pytest.mark.parametrize("word", ["--store", "--runs", "--model", "--evaluator", "--device", "--seed", "--json"])
def test_the_help_explains_every_option(word):
    assert word in run("humanml3d", "--help").output
