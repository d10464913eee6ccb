from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motionunion.features import FeatureSet
from motionunion.progress import SILENT
from motionunion.representations import registry
from motionunion.spans import Span, SpanCaption
from scamo.evaluation import official
from scamo.evaluation.inputs import gather, open_evaluator
from scamo.evaluation.networks import EvaluatorConfig, EvaluatorNetworks
from scamo.plan import train_ar
from tokenizer.checkpoint import Tokenizer
from tokenizer.encode import build_corpus
from tokenizer.model import FSQVAE
from tokenizer.model_config import ModelConfig as TokenizerConfig


@pytest.fixture(scope="session")
def test_data() -> Path:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if not folder:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: this test reads reference outputs from that folder")
    return Path(folder)


@pytest.fixture
def golden(test_data: Path) -> Any:
    from safetensors.numpy import load_file

    def load(case: str) -> dict[str, np.ndarray]:
        return load_file(test_data / "golden" / f"{case}.safetensors")

    return load


LIST = ["sos", "eos", "unk", "walk", "person"]
ACTIONS = ("walk", "run", "jump", "wave", "squat", "kick", "turn", "sit")
MANNERS = ("slowly", "quickly", "happily", "sadly")
SIDES = ("left", "right")


def make_toy(counts: dict[str, int], *, related: bool = True, tokens: bool = True, seed: int = 0) -> FeatureSet:
    """Spans whose captions say which pattern their features follow; with `related=False` captions are drawn freely.

    Every action, manner and side adds its own slow wave to the features, under noise.
    """
    generator = np.random.default_rng(seed)
    waves = np.random.default_rng(99).normal(size=(3, 8, 263))
    spans, values = [], []
    for split, count in counts.items():
        for number in range(count):
            rows = int(generator.integers(44, 100))
            choice = [int(generator.integers(len(kind))) for kind in (ACTIONS, MANNERS, SIDES)]
            time = np.sin(np.arange(rows)[:, None] * (0.1 + 0.05 * choice[1]))
            motion = sum(waves[level, index] for level, index in enumerate(choice)) * (1 + time)
            values.append(motion + generator.normal(size=(rows, 263)))
            if not related:
                choice = [int(generator.integers(len(kind))) for kind in (ACTIONS, MANNERS, SIDES)]
            words = f"a person {ACTIONS[choice[0]]} {MANNERS[choice[1]]} {SIDES[choice[2]]}"
            tagged = " ".join(f"{word}/OTHER" for word in words.split())
            spans.append(
                Span(
                    span_id=f"{split}{number:027d}{seed}", clip_id=f"{split}-{number}", name=f"{split}-{number}",
                    source="toy", group=f"{split}-{number}", split=split, rows=rows, first_frame=0, stop_frame=rows + 1,
                    body="own", captions=(SpanCaption(text=words, tokens=tagged if tokens else None),),
                )
            )  # fmt: skip
    return FeatureSet(
        path=Path("nowhere"), representation="hml263@20/compat", key=f"toy-{seed}-{related}-{tokens}-{sorted(counts.items())}",
        values=np.concatenate(values).astype(np.float32), spans=spans,
        offsets=np.cumsum([0, *(span.rows for span in spans)]), fingerprint=f"toy-{seed}-{related}", commit=1,
        store_uuid="toy", skipped=[], counts={},
    )  # fmt: skip


@pytest.fixture(scope="session")
def toy() -> Any:
    return make_toy


def make_runs(features: FeatureSet, runs: Path) -> None:
    """A tokenizer with random weights, its corpus, and a barely trained transformer."""
    torch.manual_seed(0)
    tokenizer = Tokenizer(
        FSQVAE(TokenizerConfig(levels=(8, 6, 5), width=16)), mean_D=features.values.mean(0), std_D=features.values.std(0),
        representation=features.representation, parameter_hash=registry.get(features.representation).parameter_hash,
        codebook=256, provenance={},
    )  # fmt: skip
    tokenizer.save(runs / "tokenizers" / "toy")
    build_corpus(tokenizer, "toy", features, runs)
    train_ar(runs, model="tiny", steps=21, device="cpu")


class ToyStore:
    """What an evaluation asks of a store itself: how many captions it has."""

    def __init__(self, features: FeatureSet) -> None:
        self.features = features

    def rows(self, query: str) -> list[tuple[int]]:
        assert "count(*) FROM captions" in query
        return [(sum(len(span.captions) for span in self.features.spans),)]


def find_behind_any_path(patch: pytest.MonkeyPatch, features: FeatureSet) -> None:
    patch.setattr("motionunion.open_store", lambda path: ToyStore(features), raising=False)
    patch.setattr("scamo.evaluation.inputs.build_features", lambda store, *rest, verify: features)


@pytest.fixture
def open_toy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let an evaluation find these features behind any store path."""
    return lambda features: find_behind_any_path(monkeypatch, features)


@pytest.fixture(scope="session")
def build_runs() -> Any:
    return make_runs


@pytest.fixture(scope="session")
def toy_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureSet, Path]:
    """192 training, 16 validation and 70 test spans, and runs made of them, stand-in included. For reading only."""
    features = make_toy({"train": 192, "val": 16, "test": 70})
    runs = tmp_path_factory.mktemp("runs")
    make_runs(features, runs)
    with pytest.MonkeyPatch.context() as patch:
        find_behind_any_path(patch, features)
        patch.setattr("scamo.evaluation.standin.choose_preset", lambda device: ("tiny", "this is a test"))
        found = gather("store", runs, None, "cpu", None, SILENT)
        open_evaluator(found, runs, None, "cpu", 0, SILENT)
    return features, runs


@pytest.fixture
def copy_of(tmp_path: Path) -> Any:
    """A copy of a runs folder that a test may write into."""

    def copy(runs: Path, name: str = "copy") -> Path:
        return Path(shutil.copytree(runs, tmp_path / name))

    return copy


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scamo.evaluation.standin.choose_preset", lambda device: ("tiny", "this is a test"))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of the same keys in a thousandth of the size, where the published widths are not the point."""
    config = EvaluatorConfig(movement_hidden=8, movement_out=8, motion_hidden=8, text_hidden=8, embedding=4)
    monkeypatch.setattr(official, "EvaluatorConfig", lambda: config)


@pytest.fixture
def write_folder() -> Any:
    """Write a folder of the published layout, with random weights and five words; `change` replaces parts of the weights."""
    return write_official


def write_official(folder: Path, change: dict[str, Any] | None = None) -> Path:
    torch.manual_seed(0)
    networks = EvaluatorNetworks(official.EvaluatorConfig())
    parts = {part: getattr(networks, part).state_dict() for part in official._PARTS}
    optimiser = {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
    stored = {**parts, "opt_text_encoder": optimiser, "opt_motion_encoder": optimiser, "epoch": 300, "iter": 9}
    (folder / "text_mot_match/model").mkdir(parents=True)
    torch.save(stored | (change or {}), folder / official.WEIGHTS)
    (folder / "glove").mkdir()
    np.save(folder / official.VECTORS, np.arange(5 * 300, dtype=np.float64).reshape(5, 300))
    (folder / official.WORDS).write_bytes(pickle.dumps(LIST, protocol=3))
    (folder / official.ROWS).write_bytes(pickle.dumps({w: i for i, w in enumerate(LIST)}, protocol=3))
    return folder
