"""Codes in layers or groups are refused, wherever the transformer would meet them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.scamo import app
from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import MissingInput
from scamo.generation import load_tokenizer_of
from scamo.plan import train_ar
from scamo.reading import read_material
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import open_corpus
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers.rvq import RVQConfig


def say_several(folder: Path, codes_per_step: int) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest = {**manifest, "codes_per_step": codes_per_step}
    del manifest["sha256"]
    manifest["sha256"] = sha256_hex(canonical_json(manifest))
    (folder / "manifest.json").write_bytes(canonical_json(manifest))


@pytest.mark.parametrize("codes_per_step", [2, 6])
def test_a_corpus_of_several_codes_a_step_is_refused_before_a_model_is_begun(
    tmp_path, write_corpus, make_windows, codes_per_step
):
    folder = write_corpus(tmp_path, {"train": make_windows(8, 0), "val": make_windows(4, 1)})
    say_several(folder, codes_per_step)
    with pytest.raises(MissingInput) as caught:
        train_ar(tmp_path, steps=2, device="cpu")
    said = str(caught.value)
    assert said.startswith(f"{folder}: {codes_per_step} codes for each step")
    assert "scamo tokenize --quantizer fsq" in said
    assert "scamo export-corpus" in said
    assert not (tmp_path / "models").exists()
    result = CliRunner().invoke(app, ["train-ar", "--steps", "2", "--device", "cpu", "--runs", str(tmp_path)])
    assert isinstance(result.exception, MissingInput)


def test_one_code_a_step_is_taken_whether_or_not_the_manifest_says_it(tmp_path, write_corpus, make_windows):
    folder = write_corpus(tmp_path, {"train": make_windows(8, 0), "val": make_windows(4, 1)})
    assert len(read_material(open_corpus(folder), seed=0).train) == 8
    say_several(folder, 1)
    assert len(read_material(open_corpus(folder), seed=0).train) == 8


def test_a_model_of_such_codes_generates_nothing(tmp_path):
    tokenizer = Tokenizer(
        build_model(ModelConfig(quantizer=RVQConfig(size=32, layers=3), width=8, depth=1), seed=0),
        mean_D=np.zeros(263, np.float32), std_D=np.ones(263, np.float32), representation="hml263@20/compat",
        parameter_hash="0" * 64, codebook=32, provenance={},
    )  # fmt: skip
    folder = tmp_path / "tokenizers" / "layers"
    tokenizer.save(folder)
    trained = SimpleNamespace(
        folder=tmp_path / "models" / "old", header={"tokenizer": {"name": "layers", "hash": tokenizer.hash}}
    )
    with pytest.raises(MissingInput, match=r"tokenizers/layers: 3 codes for each step.*scamo train-ar"):
        load_tokenizer_of(trained)
