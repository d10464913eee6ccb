"""docs/corpus.md as a reader follows it: every example and every command of the page, as it stands there."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.scamo import app
from motionunion.features import FeatureSet
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import CorpusWindow, open_corpus
from tokenizer.encode import build_corpus
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig

PAGE = (Path(__file__).parents[2] / "docs" / "corpus.md").read_text(encoding="utf-8")
SPANS = [(120, "train"), (40, "train"), (230, "train"), (64, "val"), (52, "test"), (196, "train")]
NAMED = Path("scamo-runs/corpora/NAME")
"""What the page calls a corpus."""


def blocks() -> list[list[str]]:
    """The page's indented lines, block by block."""
    found = re.findall(r"(?:^ {4}.*\n)+", PAGE, flags=re.MULTILINE)
    return [textwrap.dedent(block).splitlines() for block in found]


def examples() -> dict[str, list[str]]:
    """Python blocks by the package that they import."""
    return {
        match[1]: block for block in blocks() if (match := re.match(r"(?:from|import) (\w+)", block[0])) is not None
    }


def commands() -> list[list[str]]:
    lines = [line for block in blocks() for line in block if line.startswith("scamo ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def run(words: list[str]) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, f"{words}: {done.output} {done.exception!r}"


@pytest.fixture
def features(make_features, tmp_path: Path) -> FeatureSet:
    made = make_features(tmp_path / "features", SPANS)
    return replace(made, spans=[replace(made.spans[0], name="004822"), *made.spans[1:]])


@pytest.fixture
def windows(features: FeatureSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[CorpusWindow]:
    """Training windows of a corpus of three parts, whose folder has the page's name, below the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tokenizer.encode.PART_WINDOWS", 2)
    statistics = features.statistics(feat_bias=5.0)
    tokenizer = Tokenizer(
        build_model(ModelConfig(levels=(8, 6, 5), width=8), seed=0), mean_D=statistics.mean, std_D=statistics.std,
        representation=features.representation, parameter_hash="p", codebook=256, provenance={},
    )  # fmt: skip
    tokenizer.save(Path("scamo-runs/tokenizers/t"))
    build_corpus(tokenizer, "t", features, Path("scamo-runs")).path.rename(NAMED)
    assert len(list(NAMED.glob("train-*.parquet"))) == 3
    return open_corpus(NAMED).windows("train")


def all_codes(library: str, value: Any, names: dict[str, Any]) -> list[list[int]]:
    """The codes of every row that an example has opened, the first one's from its last line."""
    if library == "datasets":
        return [value, *names["corpus"]["train"]["codes"][1:]]
    if library == "duckdb":
        return [codes for _, codes, _ in (value, *names["rows"].fetchall()[1:])]
    if library == "polars":
        return [value.to_list(), *names["rows"]["codes"].to_list()[1:]]
    return [value.tolist(), *(window.codes.tolist() for window in names["corpus"].windows("train")[1:])]


@pytest.mark.parametrize("library", ["datasets", "duckdb", "polars", "tokenizer"])
def test_three_lines_open_the_corpus(windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    package = pytest.importorskip(library)
    if library == "datasets":
        monkeypatch.setattr(package.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    first, second, last = examples()[library]
    names: dict[str, Any] = {}
    exec(f"{first}\n{second}", names)
    found = all_codes(library, eval(last, names), names)
    assert found == [window.codes.tolist() for window in windows]


def test_the_page_has_an_example_for_each_library() -> None:
    assert set(examples()) == {"datasets", "duckdb", "polars", "tokenizer"}


def test_the_page_s_export_loads_by_the_page_s_call(windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (export,) = (words for words in commands() if words[0] == "export-corpus")
    run(export)
    before = tree(Path("my-corpus"))
    (call,) = re.findall(r"`(datasets\.load_dataset\(.*?\))`", PAGE)
    loaded = eval(call, {"datasets": datasets})
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 5, "validation": 1, "test": 1}
    rows = list(loaded["train"])
    assert [row["codes"] for row in rows] == [window.codes.tolist() for window in windows]
    assert [row["captions"][0]["text"] for row in rows] == [window.captions[0].text for window in windows]
    assert str(loaded["train"].features["codes"].feature.dtype) == "uint8"
    assert tree(Path("my-corpus")) == before


@pytest.mark.slow
def test_the_page_s_codes_become_motions(windows, tmp_path: Path) -> None:
    np.save("my-codes.npy", np.arange(12, dtype=np.uint8))
    decoding = [words for words in commands() if words[0] == "decode"]
    assert len(decoding) == 2
    for words in decoding:
        run(words)
    (test,) = open_corpus(NAMED).windows("test")
    for stem, rows in (
        (f"decoded/{test.window_id}", 52), (f"seen/{windows[0].window_id}", 120), ("seen/my-codes", 48)
    ):  # fmt: skip
        assert np.load(f"{stem}.features.npy").shape == (rows, 263)
        assert np.load(f"{stem}.joints.npy").shape == (rows, 22, 3)
        assert Path(f"{stem}.gif").read_bytes().startswith(b"GIF8")
    assert len(list(Path("seen").iterdir())) == 6


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_the_page_s_ways_to_encode_write_the_same_bytes(
    features: FeatureSet, save_features, use_features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setattr("tokenizer.encode.PART_WINDOWS", 2)
    monkeypatch.chdir(tmp_path)
    save_features(features, features.path)
    use_features(FeatureSet.load(features.path))
    ways = [words for words in commands() if words[0] == "tokenize"]
    assert {word for words in ways for word in words} >= {"--jobs", "--engine"}
    written = []
    for words in (["tokenize", "--codebook", "256", "--preset", "tiny", "--jobs", "1"], *ways):
        run(words)
        written.append(tree(Path("scamo-runs/corpora")))
        shutil.rmtree("scamo-runs/corpora")
    assert len(written[0]) == 10  # five parts, three unigram tables, plan and manifest
    assert written[1:] == [written[0]] * len(ways)
