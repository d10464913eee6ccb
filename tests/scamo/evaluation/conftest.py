from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.spans import Span, SpanCaption


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


ACTIONS = ("walk", "run", "jump", "wave", "squat", "kick", "turn", "sit")
MANNERS = ("slowly", "quickly", "happily", "sadly")
SIDES = ("left", "right")


@dataclass(frozen=True)
class ToyFeatures:
    """What the evaluation asks of a `FeatureSet`."""

    representation: str
    values: np.ndarray
    offsets: np.ndarray
    spans: list[Span]


def make_toy(counts: dict[str, int], *, related: bool = True, tokens: bool = True, seed: int = 0) -> ToyFeatures:
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
    offsets = np.cumsum([0, *(span.rows for span in spans)])
    return ToyFeatures("hml263@20/compat", np.concatenate(values).astype(np.float32), offsets, spans)


@pytest.fixture(scope="session")
def toy() -> Any:
    return make_toy


@pytest.fixture
def tiny_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scamo.evaluation.standin.choose_preset", lambda device: ("tiny", "this is a test"))
