from __future__ import annotations

import pytest
import torch

from scamo.config import ModelConfig, model_config
from scamo.model import KeyValueCache, TextPrefixTransformer, new_model, parameter_count, prefix_mask
from scamo.sampling import SamplingOptions, sample

# Parameters with K = 64,000 and Flan-T5-XL features, counted by instantiating the published classes (ScaMo_code d64aa79).
PUBLISHED_COUNTS = {
    "44M": (27_271_168, 93_858_304),
    "111M": (84_953_088, 184_833_792),
    "343M": (308_330_496, 441_504_768),
    "775M": (731_473_920, 897_941_760),
    "1B": (1_359_101_952, 1_558_863_360),
    "3B": (2_988_595_200, 3_404_764_800),
}
SMALL = ModelConfig(layers=2, heads=4, width=32, codebook_size=20, text_width=6)


def golden_model(weights, tied: bool) -> TextPrefixTransformer:
    config = ModelConfig(layers=2, heads=4, width=64, codebook_size=240, text_width=48, tie_weights=tied)
    model = TextPrefixTransformer(config).eval()
    model.load_state_dict(weights, strict=True)
    return model


@pytest.fixture
def small() -> TextPrefixTransformer:
    torch.manual_seed(0)
    model = new_model(SMALL, seed=1).eval()
    for parameter in model.parameters():
        if parameter.ndim == 2:  # first weights are small: nearly equal logits would hide mistakes
            parameter.data.mul_(8.0)
    return model


def ragged_batch(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([3, 5, 1])
    tokens = torch.full((3, 12), SMALL.pad)
    for row, start in enumerate(lengths.tolist()):
        tokens[row, start : start + 6] = torch.randint(0, 20, (6,), generator=generator)
    return tokens, torch.randn(3, 5, 6, generator=generator), lengths


@pytest.mark.parametrize(
    ("case", "tied", "tolerance"), [("scamo_llama", False, 1e-5), ("scamo_llama_tied", True, 1e-4)]
)
def test_logits_and_greedy_tokens_equal_the_reference(read_golden, case, tied, tolerance):
    weights, inputs, outputs = read_golden(case)
    model = golden_model(weights, tied)
    with torch.no_grad():
        logits = model(inputs["train_tokens"], inputs["train_text"], inputs["train_text_mask"].sum(1))
    torch.testing.assert_close(logits, outputs["logits_train"], rtol=0, atol=tolerance)
    options = SamplingOptions(temperature=0, min_tokens=0, max_tokens=50)
    for prompt in range(3):
        text, lengths = inputs[f"prompt_{prompt}_text"], inputs[f"prompt_{prompt}_mask"].sum(1)
        expected = outputs[f"prompt_{prompt}_sampled"][0].tolist()
        greedy = sample(model, text, lengths, [0], options)[0].tolist()
        # The reference answers an immediate END with the single token 1; ours is empty.
        assert greedy == ([] if expected == [1] else expected)


@pytest.mark.parametrize(
    ("case", "tied", "tolerance"), [("scamo_llama", False, 1e-5), ("scamo_llama_tied", True, 1e-4)]
)
def test_cached_steps_equal_the_reference_without_a_cache(read_golden, case, tied, tolerance):
    weights, inputs, outputs = read_golden(case)
    model = golden_model(weights, tied)
    for prompt in range(3):
        text, lengths = inputs[f"prompt_{prompt}_text"], inputs[f"prompt_{prompt}_mask"].sum(1)
        given, expected = inputs[f"prompt_{prompt}_given"], outputs[f"prompt_{prompt}_logits_given"][0]
        first = int(lengths)
        with torch.no_grad():
            cache = KeyValueCache(model.config, 1, text.shape[1] + given.shape[1], text)
            got = [model.prefill(text, lengths, cache)]
            got += [model.step(given[:, at], lengths + at, cache) for at in range(given.shape[1])]
        torch.testing.assert_close(torch.cat(got), expected[first - 1 :], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", PUBLISHED_COUNTS)
def test_sizes_have_the_published_numbers_of_parameters(name):
    config = model_config(name, codebook_size=64_000, text_width=2048)
    blocks, total = PUBLISHED_COUNTS[name]
    assert parameter_count(config) == total
    d = config.width
    tables, projection, last_norm = (64_002 + 64_001) * d, 2048 * d + d, d
    assert total - tables - projection - last_norm == blocks


def test_the_largest_size_has_the_published_number_of_tensors():
    with torch.device("meta"):
        model = TextPrefixTransformer(model_config("3B", codebook_size=64_000, text_width=2048))
    assert len(model.state_dict()) == 173
    assert tuple(model.state_dict()["lm_head.weight"].shape) == (64_001, 3200)
    assert tuple(model.state_dict()["transformer.wte.weight"].shape) == (64_002, 3200)


def test_a_missing_or_foreign_key_is_refused(small):
    state = small.state_dict()
    with pytest.raises(RuntimeError, match="Missing key"):
        small.load_state_dict({key: value for key, value in state.items() if key != "llama_proj.bias"}, strict=True)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        small.load_state_dict({**state, "extra": torch.zeros(1)}, strict=True)


def test_text_sees_all_text_and_motion_sees_text_and_its_past():
    mask = prefix_mask(torch.tensor([2, 0]), 4)[:, 0]
    assert mask[0].int().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    assert mask[1].int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_a_motion_token_changes_no_earlier_logit_and_no_text_position(small):
    tokens, text, lengths = ragged_batch()
    changed = tokens.clone()
    changed[1, 7] = (tokens[1, 7] + 1) % 20
    with torch.no_grad():
        before, after = small(tokens, text, lengths), small(changed, text, lengths)
    assert torch.equal(before[1, :7], after[1, :7])
    assert not torch.equal(before[1, 7], after[1, 7])
    assert torch.equal(before[[0, 2]], after[[0, 2]])


def test_every_text_feature_reaches_the_first_text_position(small):
    tokens, text, lengths = ragged_batch()
    changed = text.clone()
    changed[1, 4] += 1.0
    with torch.no_grad():
        assert not torch.equal(small(tokens, text, lengths)[1, 0], small(tokens, changed, lengths)[1, 0])


def test_text_behind_a_row_s_end_is_not_looked_at(small):
    tokens, text, lengths = ragged_batch()
    changed = text.clone()
    changed[0, 3:] = 100.0
    changed[2, 1:] = torch.nan
    with torch.no_grad():
        assert torch.equal(small(tokens, text, lengths), small(tokens, changed, lengths))


def test_a_ragged_batch_equals_its_rows_alone(small):
    tokens, text, lengths = ragged_batch()
    with torch.no_grad():
        together = small(tokens, text, lengths)
        for row, length in enumerate(lengths.tolist()):
            alone = small(tokens[row : row + 1], text[row : row + 1, :length], lengths[row : row + 1])
            torch.testing.assert_close(together[row], alone[0], rtol=1e-5, atol=1e-5)


def test_cached_logits_equal_uncached_ones_in_a_ragged_batch(small):
    tokens, text, lengths = ragged_batch()
    rows = torch.arange(3)
    with torch.no_grad():
        whole = small(tokens, text, lengths)
        cache = KeyValueCache(SMALL, 3, 5 + 6, text)
        logits = small.prefill(text, lengths, cache)
        for step in range(6):
            torch.testing.assert_close(logits, whole[rows, lengths - 1 + step], rtol=1e-5, atol=1e-5)
            logits = small.step(tokens[rows, lengths + step], lengths + step, cache)
        torch.testing.assert_close(logits, whole[rows, lengths + 5], rtol=1e-5, atol=1e-5)


def test_fresh_weights_depend_on_the_seed_alone():
    torch.manual_seed(5)
    first = new_model(SMALL, seed=1).state_dict()
    torch.manual_seed(6)
    before = torch.get_rng_state()
    again, other = new_model(SMALL, seed=1).state_dict(), new_model(SMALL, seed=2).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])


def test_the_two_rules_of_first_weights_have_their_spreads():
    config = model_config("44M", codebook_size=500, text_width=64)
    scaled = new_model(config, seed=0).state_dict()
    assert scaled["transformer.wte.weight"].std().item() == pytest.approx(0.02, rel=0.02)
    assert scaled["transformer.h.0.mlp.c_proj.weight"].std().item() == pytest.approx(
        0.02 / 4, rel=0.02
    )  # sqrt(2 x 8) = 4
    assert not scaled["llama_proj.bias"].any()
    reference = new_model(model_config("44M", codebook_size=500, text_width=64, init="reference"), seed=0).state_dict()
    assert reference["transformer.wte.weight"].std().item() == pytest.approx(1.0, rel=0.02)
    # PyTorch draws a linear layer uniformly within 1 / sqrt(inputs): its standard deviation is that over sqrt(3).
    assert reference["lm_head.weight"].std().item() == pytest.approx((1 / 512 / 3) ** 0.5, rel=0.02)
    assert reference["llama_proj.bias"].abs().max().item() <= 64**-0.5


def test_tied_weights_share_one_table_and_load_from_a_plain_state():
    config = ModelConfig(layers=1, heads=2, width=8, codebook_size=5, text_width=3, tie_weights=True)
    model = new_model(config, seed=0)
    assert model.lm_head.weight is model.embedding.weight
    copy = TextPrefixTransformer(config)
    copy.load_state_dict({key: value.clone() for key, value in model.state_dict().items()}, strict=True)
    assert torch.equal(copy.lm_head.weight, model.embedding.weight)
