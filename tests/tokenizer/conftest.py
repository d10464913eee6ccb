from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from motionunion.feature_files import write_features
from motionunion.features import FeatureSet
from motionunion.spans import Span, SpanCaption
from tokenizer import plan, training_run
from tokenizer.presets import Preset, preset_named

Golden = tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    root = os.environ.get("MOTIONUNION_TEST_DATA")
    if not root:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: the reference outputs are not here")
    return Path(root) / "golden"


@pytest.fixture
def read_golden(golden_folder: Path):
    """Reads one case as (weights, inputs, outputs)."""

    def read(name: str) -> Golden:
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "input": {}, "output": {}}
        with safe_open(golden_folder / f"{name}.safetensors", framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - not a dict
                kind, _, rest = key.partition(".")
                parts[kind][rest] = file.get_tensor(key)
        return parts["weights"], parts["input"], parts["output"]

    return read


@pytest.fixture(autouse=True)
def one_thread():
    """Tests share their cores with others; results must not depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_features():
    """Makes a feature set of smooth synthetic motion, `spans` of (rows, split), in the 263 features of the real view."""

    def make(folder: Path, spans: list[tuple[int, str]], seed: int = 0, captions: bool = True) -> FeatureSet:
        random = np.random.default_rng(seed)
        mixing = random.normal(size=(6, 263)).astype(np.float32) * 0.1
        values, entries = [], []
        for number, (rows, split) in enumerate(spans):
            phase = random.uniform(0, 2 * np.pi, 6) + np.arange(rows)[:, None] * random.uniform(0.05, 0.3, 6)
            clip = np.sin(phase).astype(np.float32) @ mixing
            clip[:, 0:3] *= 0.1  # turning and travelling add up over a clip
            clip[:, 3] += 0.9
            values.append(clip)
            caption = SpanCaption(text=f"motion {number}", tokens=f"motion/NOUN {number}/NUM", layer="humanml3d")
            entries.append(
                Span(
                    span_id=f"{number:032x}", clip_id=f"{number:032x}", name=f"{number:06d}", source="synthetic",
                    group=f"take {number}", split=split, rows=rows, first_frame=0, stop_frame=rows + 1, body="own",
                    captions=(caption,) if captions else (),
                )
            )  # fmt: skip
        offsets = np.zeros(len(spans) + 1, dtype=np.int64)
        np.cumsum([rows for rows, _ in spans], out=offsets[1:])
        return FeatureSet(
            path=folder, representation="hml263@20/compat", key=f"key{seed}", values=np.concatenate(values),
            spans=entries, offsets=offsets, fingerprint="f" * 64, commit=3, store_uuid="u", skipped=[], counts={},
        )  # fmt: skip

    return make


@pytest.fixture
def use_features(monkeypatch):
    """Lets the commands find these features in their store, and train briefly: what they do is not how well."""

    def use(features: FeatureSet) -> FeatureSet:
        def short(name: str, codebook: int | None, *, steps: int | None = None, **options: Any) -> Preset:
            preset = preset_named(name, codebook, steps=steps, **options)
            training = replace(preset.training, batch=2, **({"steps": 22} if steps is None else {}))
            return replace(preset, model=replace(preset.model, width=8), training=training)

        monkeypatch.setattr(plan, "_features", lambda store, jobs, progress, representation: features)
        monkeypatch.setattr(plan, "_licences", lambda store, features: {})
        monkeypatch.setattr(training_run, "preset_named", short)
        return features

    return use


@pytest.fixture
def save_features():
    """Writes a feature set as the folder that `FeatureSet.load` reads, for tests with a second process."""

    def save(features: FeatureSet, folder: Path) -> None:
        about = {
            "representation": features.representation, "key": features.key, "fingerprint": features.fingerprint,
            "commit": features.commit, "store_uuid": features.store_uuid, "skipped": [], "counts": {},
        }  # fmt: skip
        chunks = ((features.rows_of(index), span.split) for index, span in enumerate(features.spans))
        write_features(folder, features.spans, chunks, dims=features.values.shape[1], about=about)

    return save
