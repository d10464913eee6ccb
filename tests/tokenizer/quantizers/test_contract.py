"""What holds for every quantiser alike."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from motionunion.errors import ConfigError
from tokenizer.quantizers import Quantizer, quantizer_named, quantizer_plain, read_quantizer
from tokenizer.quantizers.build import CONFIGS

CASES: dict[str, tuple[str, dict[str, Any]]] = {kind: (kind, {}) for kind in CONFIGS} | {
    "vq without reset": ("vq", {"reset": False}),
    "vq with whole resets": ("vq", {"reset_averages": True, "reset_below": 0.1}),
    "rvq shared": ("rvq", {"shared": True, "layers": 3, "dropout": 0.5}),
    "residual_fsq with dropout": ("residual_fsq", {"layers": 3, "dropout": 0.5}),
    "grouped_fsq of three": ("grouped_fsq", {"groups": 3}),
}
WIDTH = 12


@pytest.fixture(params=sorted(CASES))
def quantizer(request: pytest.FixtureRequest, make_quantizer) -> Quantizer:
    kind, options = CASES[request.param]
    return make_quantizer(kind, width=WIDTH, **options)


def learn(quantizer: Quantizer, batches: list[Tensor], mask: Tensor | None = None) -> list[Tensor]:
    """Train for a batch each; the losses."""
    quantizer.train()
    return [quantizer(batch, mask).loss.detach() for batch in batches]


def state_of(quantizer: Quantizer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 5), (2, 3, 4)])
def test_any_batch_shape_gives_codes_of_that_shape(quantizer: Quantizer, make_latents, shape: tuple[int, ...]) -> None:
    found = quantizer.eval()(make_latents(*shape, WIDTH))
    several = (quantizer.codes_per_step,) if quantizer.codes_per_step > 1 else ()
    assert found.indices.shape == shape + several
    assert found.indices.dtype == torch.int64
    assert found.latents.shape == (*shape, WIDTH)
    assert found.latents.dtype == torch.float32
    assert found.loss.shape == ()


def test_codes_lie_within_the_codebook_and_its_size_is_the_true_one(quantizer: Quantizer, make_latents) -> None:
    assert quantizer.codebook_size == (240 if "fsq" in quantizer.kind else 256)
    indices = quantizer.indices(make_latents(400, WIDTH) * 10)
    assert indices.min() >= 0
    assert indices.max() < quantizer.codebook_size
    assert len(indices.unique()) > 20


@pytest.mark.parametrize("trained", [False, True])
def test_three_ways_to_the_quantised_latents_are_one(quantizer: Quantizer, make_latents, trained: bool) -> None:
    if trained:
        learn(quantizer, [make_latents(3, 40, WIDTH, seed=step) for step in range(3)])
    latents = make_latents(2, 50, WIDTH, seed=9)
    found = quantizer.eval()(latents)
    assert torch.equal(quantizer.indices(latents), found.indices)
    assert torch.equal(quantizer.dequantize(found.indices), found.latents)
    assert torch.equal(quantizer.quantize(latents), found.latents)


def test_every_code_means_something_else(quantizer: Quantizer) -> None:
    size, several = quantizer.codebook_size, quantizer.codes_per_step
    codes = torch.arange(size)
    if several > 1:
        codes = torch.stack([codes] + [(codes * 7 + 3) % size] * (several - 1), dim=-1)
    assert len(quantizer.dequantize(codes).unique(dim=0)) == size


def test_autocast_changes_nothing(quantizer: Quantizer, make_latents) -> None:
    latents = make_latents(4, 100, WIDTH)
    plain = quantizer.eval()(latents)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = quantizer(latents)
        assert torch.equal(quantizer.indices(latents), plain.indices)
        assert torch.equal(quantizer.dequantize(plain.indices), plain.latents)
    for one, other in zip(cast, plain, strict=True):
        assert (one is None and other is None) or torch.equal(one, other)


def test_latents_in_bfloat16_get_the_codes_of_the_same_numbers_in_float32(quantizer: Quantizer, make_latents) -> None:
    rounded = make_latents(50, WIDTH).bfloat16()
    assert torch.equal(quantizer.indices(rounded), quantizer.indices(rounded.float()))


def test_steps_get_their_codes_alone_as_in_company(quantizer: Quantizer, make_latents) -> None:
    latents = make_latents(4, 30, WIDTH)
    together = quantizer.indices(latents)
    alone = torch.stack([torch.stack([quantizer.indices(step) for step in clip]) for clip in latents])
    assert torch.equal(alone, together)


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_the_gradient_reaches_the_latents_and_is_finite(quantizer: Quantizer, make_latents, size: float) -> None:
    latents = (make_latents(3, 40, WIDTH) * size).requires_grad_()
    found = quantizer.train()(latents)
    (found.latents.square().mean() + found.loss).backward()
    assert latents.grad is not None
    assert latents.grad.isfinite().all()
    for name, weight in quantizer.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
    if size == 1.0:
        assert (latents.grad.abs().sum(dim=-1) > 0).all()


def test_evaluation_learns_nothing(quantizer: Quantizer, make_latents) -> None:
    learn(quantizer, [make_latents(3, 40, WIDTH)])
    before = state_of(quantizer)
    quantizer.eval()(make_latents(3, 40, WIDTH, seed=1))
    quantizer.train().indices(make_latents(3, 40, WIDTH, seed=2))
    assert same(state_of(quantizer), before)


def test_training_in_two_parts_is_training_in_one(quantizer: Quantizer, make_quantizer, make_latents) -> None:
    batches = [make_latents(3, 40, WIDTH, seed=step) for step in range(6)]
    twin = make_quantizer(quantizer.kind, width=WIDTH, seed=99, **_options(quantizer))
    in_one_start = state_of(quantizer)
    in_one = learn(quantizer, batches)
    end = state_of(quantizer)
    quantizer.load_state_dict(in_one_start)
    first = learn(quantizer, batches[:3])
    twin.load_state_dict(state_of(quantizer), strict=True)
    second = learn(twin, batches[3:])
    assert same(state_of(twin), end)
    assert all(torch.equal(one, other) for one, other in zip(in_one, first + second, strict=True))


def test_training_draws_nothing_from_the_random_generator(quantizer: Quantizer, make_latents) -> None:
    before = torch.get_rng_state()
    learn(quantizer, [make_latents(2, 3, WIDTH, seed=step) for step in range(3)])
    assert torch.equal(torch.get_rng_state(), before)


def test_padding_is_neither_learnt_from_nor_lost_by(quantizer: Quantizer, make_latents) -> None:
    mask = torch.ones(4, 50)
    mask[0, 30:], mask[2, :20] = 0, 0
    start, ends, losses = state_of(quantizer), [], []
    for seed in (1, 2):
        quantizer.load_state_dict(start)
        batches = [make_latents(4, 50, WIDTH, seed=step) for step in range(3)]
        padding = make_latents(4, 50, WIDTH, seed=100 * seed) * 50
        padded = [torch.where(mask[..., None] > 0, batch, padding) for batch in batches]
        losses.append(learn(quantizer, padded, mask))
        ends.append(state_of(quantizer))
    assert same(*ends)
    assert all(torch.equal(one, other) for one, other in zip(*losses, strict=True))


def test_a_mask_of_ones_is_no_mask(quantizer: Quantizer, make_latents) -> None:
    latents = make_latents(3, 40, WIDTH)
    plain = quantizer.eval()(latents)
    masked = quantizer(latents, torch.ones(3, 40, dtype=torch.bool))
    torch.testing.assert_close(masked.loss, plain.loss)
    assert torch.equal(masked.latents, plain.latents)


def test_a_batch_of_nothing_but_padding_leaves_everything_finite(quantizer: Quantizer, make_latents) -> None:
    (loss,) = learn(quantizer, [make_latents(2, 9, WIDTH)], torch.zeros(2, 9))
    assert loss == 0
    assert all(tensor.isfinite().all() for tensor in quantizer.state_dict().values())


def test_an_empty_batch_is_no_reason_to_stop(quantizer: Quantizer, make_latents) -> None:
    losses = learn(quantizer, [make_latents(2, 0, WIDTH), make_latents(2, 9, WIDTH)], None)
    assert losses[0] == 0
    assert all(tensor.isfinite().all() for tensor in quantizer.state_dict().values())


def test_weights_survive_a_file(quantizer: Quantizer, make_quantizer, make_latents, tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    learn(quantizer, [make_latents(2, 40, WIDTH)])
    save_file(quantizer.state_dict(), tmp_path / "weights.safetensors")
    twin = make_quantizer(quantizer.kind, width=WIDTH, seed=1, **_options(quantizer))
    twin.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
    assert same(state_of(twin), state_of(quantizer))


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("codebook", [256, 8192, 65536])
def test_a_configuration_survives_json(case: str, codebook: int) -> None:
    kind, options = CASES[case]
    config = quantizer_named(kind, codebook, **options)
    assert read_quantizer(json.loads(json.dumps(quantizer_plain(config))), "here") == config
    assert config.in_words().startswith(kind)
    assert config.kind == kind


@pytest.mark.parametrize("kind", sorted(CONFIGS))
def test_what_a_kind_does_not_have_is_refused_by_name(kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"quantizer: {kind} has no colour; it has (levels|size)"):
        quantizer_named(kind, 256, colour="red")
    with pytest.raises(ConfigError, match=rf"here: missing key (levels|size) of {kind}"):
        read_quantizer({"kind": kind}, "here")
    with pytest.raises(ConfigError, match=rf"{kind}.(levels|size): "):
        quantizer_plain(
            read_quantizer({"kind": kind, "levels" if "fsq" in kind else "size": [] if "fsq" in kind else 1}, "here")
        )


def test_an_unknown_kind_is_refused_with_the_list_of_kinds() -> None:
    with pytest.raises(ConfigError, match="unknown kind of quantiser 'simvq'; choose one of fsq, vq, rvq"):
        quantizer_named("simvq", 256)
    with pytest.raises(ConfigError, match="here: missing key kind"):
        read_quantizer({"size": 4}, "here")


@pytest.mark.parametrize("kind", ["rvq", "residual_fsq"])
def test_the_first_layers_alone_come_nearer_with_every_layer(kind: str, make_quantizer, make_latents) -> None:
    quantizer = make_quantizer(kind, 256, layers=3, width=WIDTH)
    latents = make_latents(10, 40, WIDTH)
    learn(quantizer, [latents] * 3)
    whole = quantizer.eval()(latents)
    target = latents if kind == "rvq" else quantizer.dequantize(whole.indices)
    errors = [(quantizer.dequantize(whole.indices[..., :kept]) - target).square().mean() for kept in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]
    for wrong in (0, 4):
        with pytest.raises(ConfigError, match=f"{wrong} codes for a step, of a quantiser with 3 layers"):
            quantizer.dequantize(torch.zeros(5, wrong, dtype=torch.int64))


@pytest.mark.parametrize(("kind", "name"), [("rvq", "layers"), ("residual_fsq", "layers"), ("grouped_fsq", "groups")])
def test_a_single_layer_or_group_is_refused(kind: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{kind}.{name}: must be at least 2, got 1"):
        quantizer_named(kind, 256, **{name: 1})


def _options(quantizer: Quantizer) -> dict[str, Any]:
    plain = quantizer_plain(quantizer.config)
    return {name: value for name, value in plain.items() if name not in ("kind", "levels", "size")}


@pytest.mark.parametrize(
    ("kind", "options"),
    [("fsq", {"levels": (256,) * 4}), ("grouped_fsq", {"levels": (256,) * 4}), ("residual_fsq", {"levels": (250,) * 4}),
     ("vq", {"size": (1 << 24) + 1}), ("rvq", {"size": 1 << 25}), ("lfq", {"size": 1 << 30}), ("bsq", {"size": 1 << 30})],
)  # fmt: skip
def test_more_codes_than_can_be_counted_are_refused(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"^{kind}.* codes, more than 16,777,216"):
        quantizer_named(kind, 256, **options)
