from __future__ import annotations

import pytest

from motionunion.errors import ConfigError
from scamo.config import ModelConfig, TrainConfig, from_mapping, model_config, preset, preset_names, to_mapping


def test_sizes_are_listed_from_small_to_large():
    assert preset_names() == ("tiny", "44M", "111M", "343M", "775M", "1B", "3B")


# Width of the SwiGLU layer of each published size.
@pytest.mark.parametrize(
    ("name", "hidden", "head_width"),
    [
        ("44M", 1536, 64),
        ("111M", 2048, 64),
        ("343M", 2816, 64),
        ("775M", 3584, 64),
        ("1B", 4096, 64),
        ("3B", 8704, 100),
    ],
)
def test_sizes_have_the_published_widths(name, hidden, head_width):
    config = model_config(name, codebook_size=64_000, text_width=2048)
    assert (config.hidden, config.head_width, config.dropout) == (hidden, head_width, 0.0)
    assert (config.end, config.pad, config.outputs) == (64_000, 64_001, 64_001)


def test_an_unknown_size_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="--model 2B: no such size; there are tiny, 44M"):
        preset("2B")


def test_a_configuration_survives_json():
    import json

    config = model_config("tiny", codebook_size=240, text_width=128)
    assert from_mapping(ModelConfig, json.loads(json.dumps(to_mapping(config))), "test") == config


def test_unknown_and_missing_keys_are_named():
    values = to_mapping(model_config("tiny", codebook_size=240, text_width=128))
    with pytest.raises(ConfigError, match="here: unknown key 'widht'"):
        from_mapping(ModelConfig, {**values, "widht": 3}, "here")
    with pytest.raises(ConfigError, match=r"here: .*'layers'"):
        from_mapping(ModelConfig, {key: value for key, value in values.items() if key != "layers"}, "here")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"heads": 3}, "model.heads"),
        ({"width": 12, "heads": 4}, "even head width"),
        ({"dropout": 1.0}, "model.dropout"),
        ({"init": "zeros"}, "model.init"),
        ({"codebook_size": 0}, "model.codebook_size"),
    ],
)
def test_impossible_shapes_are_named(change, named):
    with pytest.raises(ConfigError, match=named):
        model_config("tiny", **{"codebook_size": 240, "text_width": 128, **change})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"steps": 0}, "training.steps"),
        ({"learning_rate": 0.0}, "training.learning_rate"),
        ({"pkeep": 0.0}, "training.pkeep"),
        ({"word_dropout": 1.5}, "training.word_dropout"),
        ({"clip_norm": 0.0}, "training.clip_norm"),
        ({"seed": -1}, "--seed"),
        ({"weight_decay": -0.1}, "training.weight_decay"),
    ],
)
def test_impossible_trainings_are_named(change, named):
    with pytest.raises(ConfigError, match=named):
        TrainConfig(**{"steps": 10, "batch_tokens": 10, "learning_rate": 0.1, "warmup_steps": 0, **change})
