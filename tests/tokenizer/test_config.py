from __future__ import annotations

import itertools
import json

import pytest

from motionunion.errors import ConfigError
from tokenizer.config import (
    ModelConfig,
    as_plain,
    choose_preset,
    preset_named,
    preset_names,
    read_config,
)
from tokenizer.training_config import TrainingConfig

MINIMAL = {
    "steps": 100, "batch": 4, "crop_rows": 64, "learning_rate": 1e-3, "warmup_steps": 10, "clip_norm": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid_for_every_codebook(name: str) -> None:
    for codebook in (256, 65536):
        preset = preset_named(name, codebook)
        assert preset.training.guard_steps[0] <= preset.training.steps
        assert preset.model.rows_per_code == (2 if name == "motionmillion" else 4)


def test_a_configuration_survives_json() -> None:
    preset = preset_named("small", 1024)
    for config in (preset.model, preset.training):
        assert read_config(type(config), json.loads(json.dumps(as_plain(config))), "here") == config


def test_a_warm_up_longer_than_training_stops() -> None:
    with pytest.raises(ConfigError, match="does not fit into 150 steps"):
        preset_named("small", 256, steps=150)


@pytest.mark.parametrize(
    ("key", "value"),
    [("batch", 0), ("learning_rate", 0.0), ("clip_norm", -1.0), ("precision", "fp8"), ("ema_decay", 1.0),
     ("restarts", -1), ("position_dims", (7, 7)), ("guard_share", 1.5)],
)  # fmt: skip
def test_a_wrong_value_is_named(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"training.{key}"):
        TrainingConfig(**{**MINIMAL, key: value})


def test_an_unknown_key_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"presets.*unknown key learning_rat;"):
        read_config(TrainingConfig, {**MINIMAL, "learning_rat": 1.0}, "presets/x.toml")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="missing key levels"):
        read_config(ModelConfig, {"width": 8}, "here")


def test_unknown_presets_and_devices_list_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="small, paper, tiny, t2mgpt, scamo, motionmillion"):
        preset_named("huge", 256)
    with pytest.raises(ConfigError, match="small, paper, tiny, t2mgpt, scamo, motionmillion"):
        choose_preset("tpu", 1000)


def test_the_table_chooses_by_device() -> None:
    assert choose_preset("cpu", 30_000)[0] == "small"
    name, why = choose_preset("cuda:1", 30_000)
    assert name == "paper"
    assert "30,000 training rows on cuda" in why


def test_learning_rate_warms_up_linearly_and_falls_to_zero_as_a_cosine() -> None:
    config = TrainingConfig(**MINIMAL)
    rates = [config.learning_rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[9] == pytest.approx(1e-3)
    assert rates[55] == pytest.approx(0.5e-3)  # half-way through the decay: cos(pi / 2) = 0
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert 0 < rates[-1] < 1e-6
