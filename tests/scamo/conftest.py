from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from motionunion.digest import canonical_json, sha256_hex
from scamo.data import Windows
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import FORMAT
from tokenizer.corpus_schema import schema_of
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig

Golden = tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]
VERBS = {"walks": 0, "runs": 1, "jumps": 2, "kicks": 3}


@pytest.fixture
def read_golden() -> Callable[[str], Golden]:
    """Reads one reference case as (weights, inputs, outputs)."""
    root = os.environ.get("MOTIONUNION_TEST_DATA")
    if not root:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: the reference outputs are not here")

    def read(case: str) -> Golden:
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "input": {}, "output": {}}
        for key, tensor in load_file(Path(root) / "golden" / f"{case}.safetensors").items():
            kind, _, name = key.partition(".")
            parts[kind][name] = tensor
        return parts["weights"], parts["input"], parts["output"]

    return read


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Sums must not depend on how many cores a machine has, and neighbours share those."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_windows() -> Callable[..., Windows]:
    """Windows whose caption says which codes they hold: verb v uses codes v * 10 ... v * 10 + 9, ascending in a ring."""

    def make(count: int, seed: int = 0) -> Windows:
        random = np.random.default_rng(seed)
        lists, captions = [], []
        for _ in range(count):
            verb = str(random.choice(list(VERBS)))
            first, length = int(random.integers(10)), int(random.integers(4, 12))
            lists.append(VERBS[verb] * 10 + (first + np.arange(length)) % 10)
            captions.append([f"a person {verb} {word}" for word in ("fast", "slowly")[: int(random.integers(1, 3))]])
        return Windows.of(lists, captions, [f"recording-{number // 2}" for number in range(count)])

    return make


@pytest.fixture(scope="session")
def write_corpus() -> Callable[..., Path]:
    """Writes a corpus folder of windows by split, beside a tokenizer of random weights, as `scamo tokenize` leaves them."""

    def write(runs: Path, splits: dict[str, Windows], name: str = "corpus-1") -> Path:
        tokenizer = Tokenizer(
            build_model(ModelConfig(levels=(8, 6, 5), width=8, depth=1), seed=3),
            mean_D=np.zeros(263, np.float32),
            std_D=np.full(263, 0.01, np.float32),
            representation="hml263@20/compat",
            parameter_hash="0" * 64,
            codebook=256,
            provenance={},
        )
        tokenizer.save(runs / "tokenizers" / "small-1")
        folder = runs / "corpora" / name
        folder.mkdir(parents=True)
        entries = {split: _write_split(folder, split, windows) for split, windows in splits.items()}
        manifest = {
            "format": FORMAT,
            "representation": {"id": tokenizer.representation},
            "tokenizer": {"name": "small-1", "hash": tokenizer.hash},
            "codebook": 256,
            "codebook_size": 240,
            "end_id": 240,
            "pad_id": 241,
            "splits": entries,
        }
        manifest["sha256"] = sha256_hex(canonical_json(manifest))
        (folder / "manifest.json").write_bytes(canonical_json(manifest))
        return folder

    return write


def _write_split(folder: Path, split: str, windows: Windows) -> dict[str, object]:
    rows = [
        {
            "window_id": f"{split}-{number}",
            "group": windows.groups[number],
            "split": split,
            "rows": 4 * len(windows[number]),
            "codes": windows[number],
            "captions": [{"text": text, "layer": "test", "generator": "human"} for text in windows.captions[number]],
        }
        for number in range(len(windows))
    ]
    parts = []
    # Two parts, so that reading has to put them together.
    for number, part in enumerate(_halves(rows)):
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(part, schema=schema_of(240)), sink)
        (folder / f"{split}-{number:05d}.parquet").write_bytes(sink.getvalue())
        parts.append({"file": f"{split}-{number:05d}.parquet", "sha256": sha256_hex(sink.getvalue())})
    return {"windows": len(windows), "parts": parts}


def _halves(rows: Sequence[dict[str, object]]) -> list[list[dict[str, object]]]:
    middle = (len(rows) + 1) // 2
    return [list(part) for part in (rows[:middle], rows[middle:]) if part]
