"""`scamo import` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from cli.import_weights import import_weights
from cli.show import run_command
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig


@pytest.fixture
def published(tmp_path: Path) -> Path:
    weights = build_model(ModelConfig(levels=(8, 8, 8, 5, 5, 5), width=8, depth=1), 1).state_dict()
    torch.save({"net": weights}, tmp_path / "65536_FSQ.pth")
    np.save(tmp_path / "mean.npy", np.zeros(263))
    np.save(tmp_path / "std.npy", np.ones(263))
    return tmp_path / "65536_FSQ.pth"


@pytest.fixture
def call(tmp_path: Path):
    app = typer.Typer()
    app.command()(import_weights)
    return lambda *words: CliRunner().invoke(app, [*map(str, words), "--runs", str(tmp_path / "runs")])


def test_it_says_what_it_took_over_and_what_comes_next(call, published: Path) -> None:
    result = call(published)
    assert result.exit_code == 0, result.output
    for words in (
        "ScaMo, FSQ (arXiv:2412.14559)",
        "65536, 64,000 codes in truth",
        "hml263@20/compat",
        "runs/tokenizers/scamo",
    ):
        assert words in " ".join(result.stdout.split())
    assert "Next: scamo tokenize --codebook 65536" in result.stderr


def test_it_prints_one_json_object(call, published: Path, tmp_path: Path) -> None:
    answer = json.loads(call(published, "--json").stdout)
    assert (answer["project"], answer["codebook_size"], answer["rows_per_code"]) == ("scamo", 64000, 4)
    assert (Path(answer["folder"]) / "tokenizer.safetensors").is_file()
    assert [path.name for path in (tmp_path / "runs" / "tokenizers").iterdir()] == [answer["tokenizer"]]


def test_a_refused_file_is_one_line_and_exit_4(published: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    content = torch.load(published, weights_only=True)
    del content["net"]["vqvae.decoder.model.6.bias"]
    torch.save(content, published)
    app = typer.Typer()
    app.command()(import_weights)
    monkeypatch.setattr("sys.argv", ["scamo", str(published), "--runs", str(tmp_path / "runs")])
    with pytest.raises(SystemExit) as exit:
        run_command(app)
    assert exit.value.code == 4
    said = capsys.readouterr().err
    assert said.startswith("error: 65536_FSQ.pth")
    assert "misses vqvae.decoder.model.6.bias" in said
