from __future__ import annotations

import itertools
import json
import re

import pytest

from motionunion.errors import ConfigError
from tokenizer.config import as_plain, read_config
from tokenizer.model_config import ModelConfig
from tokenizer.presets import choose_preset, preset_named, preset_names, with_changes
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
     ("restarts", -1), ("reconstruction", "l3"), ("weighting", "heavy"), ("schedule", "linear"), ("rows", "int8"),
     ("divergence", 0.5), ("milestones", (10,)), ("decay", 1.0), ("position_dims", (7, 7)), ("guard_share", 1.5),
     ("betas", (0.9, 1.0)), ("guard_steps", (0,)), ("heading_dim", -1)],
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


def test_a_learning_rate_falls_at_milestones_counted_from_the_end_of_the_warm_up() -> None:
    config = TrainingConfig(**{**MINIMAL, "schedule": "milestones", "milestones": (20, 50), "decay": 0.1})
    rates = [config.learning_rate_at(step) for step in range(100)]
    assert (rates[9], rates[29]) == (1e-3, 1e-3)
    assert (rates[30], rates[59]) == (pytest.approx(1e-4), pytest.approx(1e-4))
    assert rates[60] == pytest.approx(1e-5)
    constant = TrainingConfig(**{**MINIMAL, "schedule": "constant"})
    assert {constant.learning_rate_at(step) for step in range(10, 100)} == {1e-3}


@pytest.mark.parametrize(
    ("name", "model", "training"),
    [
        ("t2mgpt", {"width": 512, "codebook_size": 512, "rows_per_code": 4},
         {"batch": 256, "crop_rows": 64, "learning_rate": 2e-4, "milestones": (200_000,), "position_weight": 0.5,
          "reconstruction": "smooth_l1", "feat_bias": 25.0}),
        ("scamo", {"width": 512, "codebook_size": 64_000, "rows_per_code": 4},
         {"batch": 128, "crop_rows": 64, "learning_rate": 2e-4, "milestones": (50_000, 400_000), "position_weight": 0.1,
          "reconstruction": "l2"}),
        ("motionmillion", {"features": 272, "width": 512, "codebook_size": 64_000, "rows_per_code": 2, "norm": "LN"},
         {"batch": 256, "crop_rows": 96, "learning_rate": 5e-5, "milestones": (300_000,), "warmup_steps": 48_000,
          "position_dims": (8, 74)}),
    ],
)  # fmt: skip
def test_presets_of_published_recipes(name: str, model: dict[str, object], training: dict[str, object]) -> None:
    preset = preset_named(name)
    assert {key: getattr(preset.model, key) for key in model} == model
    assert {key: getattr(preset.training, key) for key in training} == training
    assert preset.representation == ("ms272@30" if name == "motionmillion" else "hml263@20/compat")
    assert preset.training.betas == (0.9, 0.99)
    assert preset.training.decay == 0.05


def test_a_preset_s_settings_of_a_quantiser_go_with_its_own_kind_alone() -> None:
    own = preset_named("t2mgpt", changes={"quantizer": {"reset": False}}).model.quantizer
    assert (own.kind, own.codebook_size, own.reset, own.commitment) == ("vq", 512, False, 0.02)
    assert preset_named("t2mgpt", quantizer="fsq").model.quantizer.levels == (8, 8, 8)


def test_another_family_of_features_brings_its_own_columns() -> None:
    preset = preset_named("small", 256, representation="ms272@30/compat")
    assert (preset.model.features, preset.training.position_dims, preset.training.mirror) == (272, (8, 74), 0)
    with pytest.raises(ConfigError, match=r"heading_weight: no column of ms272@30/compat"):
        preset_named("small", 256, representation="ms272@30/compat", changes={"training": {"heading_weight": 0.1}})
    with pytest.raises(ConfigError, match="no tokenizer columns are laid down for joints22; there are hml263, ms272"):
        preset_named("small", 256, representation="joints22@20")


def test_changes_are_read_as_toml() -> None:
    words = ["training.batch=32", "quantizer.reset = false", 'training.weighting="plain"']
    changes = with_changes(words, precision="bf16", compiled=True)
    assert changes == {
        "training": {"batch": 32, "weighting": "plain", "precision": "bf16", "compile": True},
        "quantizer": {"reset": False},
    }
    for word in ("batch=32", "training.batch", "training.batch=a b", ".batch=1"):
        with pytest.raises(ConfigError, match=word.partition("=")[0]):
            with_changes([word])
    with pytest.raises(ConfigError, match="trainig"):
        preset_named("small", changes={"trainig": {}})
    with pytest.raises(ConfigError, match="crop_rows: 30 is no multiple of the 4 rows"):
        preset_named("small", changes={"training": {"crop_rows": 30}})


@pytest.mark.parametrize(
    ("word", "message"),
    [('training.batch="x"', "batch must be a whole number, got 'x'"), ("training.batch=1.5", "batch must be a whole number"),
     ("training.batch=true", "batch must be a whole number"), ("training.learning_rate=inf", "learning_rate must be a finite"),
     ("training.compile=1", "compile must be true or false"), ("training.betas=[0.9]", "betas must be a list of 2, each a finite"),
     ("training.guard_steps=[1.5]", "guard_steps must be a list of any length, each a whole number"),
     ("training.guard_steps=8", "guard_steps must be a list"), ("model.width=1.5", "width must be a whole number"),
     ("model.norm=1", "norm must be text in quotes"), ('model.latent="8"', "latent must be a whole number or nothing"),
     ('quantizer.levels="8 8"', "levels must be a list of any length, each a whole number")],
)  # fmt: skip
def test_a_value_of_another_type_is_named(word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        preset_named("small", changes=with_changes([word]))


def test_whole_numbers_are_numbers_too() -> None:
    assert preset_named("small", changes=with_changes(["training.clip_norm=2"])).training.clip_norm == 2


def test_a_quantiser_is_not_chosen_twice() -> None:
    for word in ("model.levels=[8, 8]", 'model.quantizer="vq"'):
        with pytest.raises(ConfigError, match=r"changed by quantizer\.KEY"):
            preset_named("small", changes=with_changes([word]))
    with pytest.raises(ConfigError, match="two words for one thing"):
        ModelConfig(levels=(8, 8), quantizer=preset_named("small", 256).model.quantizer)


def test_a_size_of_one_s_own_is_its_own_name_and_none_is_taken_for_another() -> None:
    assert preset_named("small", changes={"quantizer": {"levels": [5, 5]}}).codebook == 25
    assert preset_named("t2mgpt", changes={"quantizer": {"size": 100}}).codebook == 100
    assert preset_named("small", 1024, changes={"quantizer": {"levels": [4, 4, 4, 4, 4]}}).codebook == 1024
    with pytest.raises(ConfigError, match="codebook size 0 has no level set"):
        preset_named("small", 0)
