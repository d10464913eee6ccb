from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motionunion.errors import ConfigError
from tokenizer.quantizers import vq
from tokenizer.quantizers.vq import VQConfig, nearest


def test_three_training_steps_equal_the_references(read_golden, make_quantizer) -> None:
    _, given, expected = read_golden("emavq_update")
    quantizer = make_quantizer("vq", 24, width=16, decay=0.5, commitment=1.0).train()
    for step in range(3):
        x = given[f"x_{step}"].transpose(1, 2)
        found = quantizer(x)
        tolerance = {"rtol": 0, "atol": 1e-6}
        torch.testing.assert_close(found.latents.transpose(1, 2), expected[f"quantised_{step}"], **tolerance)
        torch.testing.assert_close(found.loss, expected[f"commit_loss_{step}"], **tolerance)
        torch.testing.assert_close(quantizer.code_count, expected[f"code_count_{step}"], rtol=0, atol=0)
        for name in ("codebook", "code_sum"):
            torch.testing.assert_close(getattr(quantizer, name), expected[f"{name}_{step}"], **tolerance)


@pytest.mark.parametrize("case", ["t2mgpt_emavq", "scamo_emavq"])
@pytest.mark.parametrize("clip", ["a", "b"])
def test_codes_and_commitment_equal_the_references(
    read_golden, make_quantizer, known_codebook, case: str, clip: str
) -> None:
    weights, _, expected = read_golden(case)
    quantizer = make_quantizer("vq", 64, width=64, commitment=1.0).eval()
    quantizer.load_state_dict(known_codebook(weights["vqvae.quantizer.codebook"]))
    found = quantizer(expected[f"encoder_{clip}"].transpose(1, 2))
    assert torch.equal(found.indices, expected[f"indices_{clip}"])
    torch.testing.assert_close(found.loss, expected[f"commit_loss_{clip}"], rtol=0, atol=1e-5)


def nearest_by_hand(latents: Tensor, codebook: Tensor) -> Tensor:
    return (latents.double()[:, None] - codebook.double()[None]).square().sum(dim=-1).argmin(dim=1)


def test_the_nearest_vector_is_found_in_pieces_too(make_latents, monkeypatch) -> None:
    latents, codebook = make_latents(300, 8), make_latents(50, 8, seed=1)
    expected = nearest_by_hand(latents, codebook)
    assert torch.equal(nearest(latents, codebook), expected)
    monkeypatch.setattr(vq, "SCORES", 7 * 50)
    assert torch.equal(nearest(latents, codebook), expected)


def test_the_first_batch_becomes_the_codebook_and_no_later_one(make_quantizer, make_latents) -> None:
    quantizer = make_quantizer("vq", 8, width=4, decay=0.999999, reset=False)
    first, second = make_latents(2, 6, 4), make_latents(2, 6, 4, seed=1)
    assert torch.equal(quantizer.train()(first).latents.reshape(-1, 4)[:8], first.reshape(-1, 4)[:8])
    quantizer(second)
    torch.testing.assert_close(quantizer.codebook, first.reshape(-1, 4)[:8], rtol=0, atol=1e-4)


def test_loaded_weights_are_not_overwritten_by_the_first_batch(make_quantizer, make_latents, known_codebook) -> None:
    quantizer = make_quantizer("vq", 8, width=4, reset=False).train()
    codebook, latents = make_latents(8, 4, seed=7), make_latents(20, 4)
    quantizer(latents)  # it has begun already: loading must count all the same
    quantizer.load_state_dict(known_codebook(codebook))
    used = quantizer.indices(latents).unique()
    unused = torch.tensor([code for code in range(8) if code not in used])
    quantizer(latents)
    assert len(unused) > 0
    torch.testing.assert_close(quantizer.codebook[unused], codebook[unused])
    assert 0 < (quantizer.codebook[used] - codebook[used]).abs().max() < 0.3


def test_copies_of_a_small_batch_differ(make_quantizer, make_latents) -> None:
    quantizer = make_quantizer("vq", 50, width=6)
    latents = make_latents(7, 6)
    quantizer.train()(latents)
    assert len(quantizer.codebook.unique(dim=0)) == 50
    distance = (quantizer.codebook[:, None] - latents[None]).norm(dim=-1).amin(dim=1)
    assert distance.max() < 5 * 0.01


def test_codes_that_nobody_uses_follow_the_data_only_if_reset_with_their_averages(make_quantizer, make_latents) -> None:
    used = {}
    for name, options in {"never": {"reset": False}, "wholly": {"reset_averages": True}}.items():
        quantizer = make_quantizer("vq", 16, width=4, **options).train()
        quantizer(make_latents(64, 4))
        for step in range(1, 40):
            quantizer(make_latents(64, 4, seed=step) + 100)  # the data have moved far away
        used[name] = len(quantizer.indices(make_latents(500, 4, seed=99) + 100).unique())
    assert used["never"] < 4
    assert used["wholly"] > 10


def test_a_code_back_in_use_remembers_its_first_life_as_in_the_reference(make_quantizer) -> None:
    # Resetting moves the vector alone, not sum and count: on its return a code is the mean of all that it ever had.
    quantizer = make_quantizer("vq", 2, width=1, decay=0.5).train()
    quantizer(torch.tensor([[0.0], [8.0]]))  # counts 1 and 1
    quantizer(torch.tensor([[0.0], [0.5]]))  # both to code 0: counts 1.5 and 0.5, code 1 reset to the second latent
    assert quantizer.codebook.flatten().tolist() == [pytest.approx(0.25 / 1.5), 0.5]
    quantizer(torch.tensor([[0.5], [0.5], [0.5]]))  # count 1.75: sum (8 / 2 / 2 + 1.5 / 2) over 1.75
    assert quantizer.codebook[1].item() == pytest.approx((8 / 4 + 0.75) / 1.75)


def test_a_code_reset_with_its_averages_begins_at_the_threshold(make_quantizer) -> None:
    quantizer = make_quantizer("vq", 2, width=1, decay=0.5, reset_averages=True).train()
    quantizer(torch.tensor([[0.0], [8.0]]))
    quantizer(torch.tensor([[0.0], [0.5]]))
    assert (quantizer.code_sum[1].item(), quantizer.code_count[1].item()) == (0.5, 1.0)
    quantizer(torch.tensor([[0.5], [0.5], [0.8]]))
    assert quantizer.codebook[1].item() == pytest.approx((0.5 / 2 + 1.8 / 2) / 2)


def test_a_lower_threshold_lets_more_codes_live_than_a_batch_has_steps(make_quantizer, make_latents) -> None:
    moved = []
    for reset_below in (1.0, 0.05):
        quantizer = make_quantizer("vq", 256, width=4, reset_below=reset_below)
        data = make_latents(2048, 4)
        for step in range(60):
            quantizer.train()(data[(torch.arange(64) * 31 + step * 64) % 2048])
        before = quantizer.codebook.clone()
        quantizer(data[:64])
        moved.append(((quantizer.codebook - before).norm(dim=-1) > 0.05).float().mean().item())
    assert moved[0] > 0.7  # nearly every code is a copy of whatever the last batch held
    assert moved[1] < 0.3


def test_thousands_of_unused_steps_without_reset_leave_numbers(make_quantizer) -> None:
    quantizer = make_quantizer("vq", 4, width=2, reset=False, decay=0.5)
    quantizer.train()(torch.tensor([[0.0, 0], [9, 0], [0, 9], [9, 9]]))
    for _ in range(300):  # 0.5^300 is zero in float32
        quantizer(torch.zeros(3, 2))
    assert quantizer.codebook.isfinite().all()
    assert quantizer.codebook[1:].tolist() == [[9, 0], [0, 9], [9, 9]]


def test_the_codebook_settles_on_the_centres_of_the_data(make_quantizer) -> None:
    centres = torch.tensor([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    random = torch.Generator().manual_seed(0)
    quantizer = make_quantizer("vq", 4, width=2, decay=0.9)
    for _ in range(80):
        latents = centres[torch.randint(0, 4, (64,), generator=random)] + torch.randn(64, 2, generator=random) * 0.1
        quantizer.train()(latents)
    found = quantizer.codebook[quantizer.indices(centres)]
    torch.testing.assert_close(found, centres, rtol=0, atol=0.1)


@pytest.mark.parametrize(
    ("name", "value"), [("size", 1), ("decay", 1.0), ("decay", 0.0), ("reset_below", -1.0), ("commitment", -0.1)]
)
def test_wrong_settings_are_named(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"vq.{name}: "):
        VQConfig(**{"size": 8, name: value})
