from __future__ import annotations

import numpy as np
import pytest

from manifests import presets
from motionunion.errors import ConfigError
from scamo.choice import choose
from scamo.config import preset_names
from scamo.data import Windows
from scamo.unigram import Unigram


def corpus(windows: int, distinct: int, codebook_size: int = 64_000, length: int = 34) -> tuple[Windows, Unigram]:
    """Windows of 34 codes and 7 words that go through so many distinct codes."""
    codes = (np.arange(windows * length) % distinct).reshape(windows, length)
    made = Windows.of(list(codes), [["a person walks forward and turns around"]] * windows)
    return made, Unigram.of(made.codes, windows, codebook_size)


def test_a_small_corpus_on_a_cpu_gets_the_tiny_model_over_its_seen_codes():
    choice = choose(*corpus(200, 4_400), "cpu")
    assert (choice.model, choice.restricted) == ("tiny", True)
    # 200 windows x (34 + END + 7 words) = 8,400 places are 8 batches of about 1,000: 12 epochs are 96 steps, raised to 100.
    assert choice.training.steps == 100
    assert choice.training.batch_tokens == 1_000
    assert any("over the 4,400 codes" in line and "of 64,000" in line for line in choice.why)
    assert any("12 epochs of 8 batches are 96, at least 100" in line for line in choice.why)
    assert any("1.5 training tokens per distinct code" in line for line in choice.advice)


def test_a_large_corpus_on_a_cpu_is_capped_by_the_table():
    choice = choose(*corpus(20_000, 7_000), "cpu")
    assert choice.training.steps == 1_000
    assert any("at most 1,000 on cpu" in line for line in choice.why)
    assert choice.advice == ()


def test_the_most_steps_of_a_device_hold_even_where_the_size_asks_for_more():
    choice = choose(*corpus(20, 400), "cpu", model="44M")  # 20 epochs of 1 batch; the size's least is 2,000 steps
    assert choice.training.steps == 60
    assert any("are 20, at most 60 on cpu" in line for line in choice.why)


def test_most_codes_seen_gives_the_whole_softmax_unless_asked_otherwise():
    windows, unigram = corpus(600, 15_000, 20_000)
    assert not choose(windows, unigram, "cpu").restricted
    assert choose(windows, unigram, "cpu", softmax="seen").restricted
    assert not choose(*corpus(200, 4_400), "cpu", softmax="all").restricted


def test_a_quarter_of_the_codebook_is_the_border():
    assert choose(*corpus(100, 249, 1_000), "cpu").restricted
    assert not choose(*corpus(100, 250, 1_000), "cpu").restricted


@pytest.mark.parametrize(
    ("tokens", "model"),
    [(499_999, "tiny"), (500_000, "44M"), (3_000_000, "111M"), (19_999_999, "111M"), (20_000_000, "343M")],
)
def test_a_gpu_gets_a_size_that_fits_the_tokens(tokens, model):
    class Counted(Windows):
        @property
        def tokens(self) -> int:
            return tokens

    few, unigram = corpus(200, 4_400)
    assert choose(Counted(few.codes, few.offsets, few.captions, few.groups), unigram, "cuda").model == model


def test_the_same_corpus_always_gives_the_same_choice():
    assert choose(*corpus(200, 4_400), "cpu") == choose(*corpus(200, 4_400), "cpu")


def test_what_is_asked_for_is_kept():
    choice = choose(*corpus(200, 4_400), "cpu", model="44M", steps=30, learning_rate=0.5, seed=7)
    assert (choice.model, choice.training.steps, choice.training.learning_rate, choice.training.seed) == (
        "44M",
        30,
        0.5,
        7,
    )
    assert choice.training.warmup_steps == 3
    assert any("30 steps as asked" in line for line in choice.why)
    assert not any("model 44M" in line for line in choice.why)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", preset_names())
def test_every_size_can_be_trained_on_every_device(name, device):
    assert choose(*corpus(200, 4_400), device, model=name).training.steps >= 60


def test_unknown_words_are_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="--softmax most: choose one of auto, seen, all"):
        choose(*corpus(20, 40), "cpu", softmax="most")
    with pytest.raises(ConfigError, match="--model huge: no such size"):
        choose(*corpus(20, 40), "cpu", model="huge")
    with pytest.raises(ConfigError, match="device 'tpu'"):
        choose(*corpus(20, 40), "tpu")


def test_the_table_of_presets_names_every_size_once():
    table = presets("transformer")
    assert set(table["training"]) == set(table["models"])
    assert {row["model"] for row in table["choice"]} <= set(table["models"])
