from __future__ import annotations

import numpy as np
import pytest
import torch

from motionunion.errors import ConfigError
from scamo.evaluation.networks import EvaluatorConfig, EvaluatorNetworks

SMALL = EvaluatorConfig(movement_hidden=16, movement_out=16, motion_hidden=16, text_hidden=16, embedding=8)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts_are_the_published_ones():
    with torch.device("meta"):
        networks = EvaluatorNetworks(EvaluatorConfig())
    assert count(networks.movement_encoder) == 1_842_688
    assert count(networks.motion_encoder) == 15_747_584
    assert count(networks.text_encoder) == 4_100_288


def test_outputs_equal_the_reference(golden):
    case = golden("guo_evaluator")
    config = EvaluatorConfig(movement_hidden=64, movement_out=64, motion_hidden=64, text_hidden=64, embedding=32)
    networks = EvaluatorNetworks(config).eval()
    weights = {name[len("weights.") :]: torch.from_numpy(v) for name, v in case.items() if name.startswith("weights.")}
    networks.load_state_dict(weights, strict=True)
    motions, lengths = torch.from_numpy(case["input.motions"]), torch.from_numpy(case["input.motion_lengths"])
    order = torch.from_numpy(case["input.permutation"])
    tail = motions.clone()
    for row, frames in enumerate(lengths):
        tail[row, frames:] = float(case["input.tail"])
    texts = [torch.from_numpy(case[f"input.{name}"]) for name in ("words", "pos", "text_lengths")]
    with torch.inference_mode():
        results = {
            "movement": networks.movement_encoder(motions[..., :-4]),
            "motion_embedding": networks.embed_motions(motions, lengths),
            "motion_embedding_permuted": networks.embed_motions(motions[order], lengths[order]),
            "motion_embedding_tail": networks.embed_motions(tail, lengths),
            "text_embedding": networks.embed_texts(*texts),
        }
    for name, value in results.items():
        np.testing.assert_allclose(value.numpy(), case[f"output.{name}"], atol=1e-5, rtol=0, err_msg=name)


def test_eight_zero_frames_behind_the_end_are_as_good_as_196_and_noise_is_not():
    torch.manual_seed(0)
    networks = EvaluatorNetworks(SMALL).eval()
    motion = torch.randn(1, 60, 263)
    frames = torch.tensor([60])

    def embed(tail: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return networks.embed_motions(torch.cat([motion, tail], 1), frames)

    full = embed(torch.zeros(1, 136, 263))
    assert torch.allclose(embed(torch.zeros(1, 8, 263)), full, atol=1e-6)
    assert (embed(torch.randn(1, 136, 263)) - full).abs().max() > 1e-3
    # Cut at its end, the second convolution pads with 0 where a zero tail gives the first one's bias.
    assert (embed(torch.zeros(1, 0, 263)) - full).abs().max() > 1e-4


def test_contacts_do_not_reach_the_networks():
    torch.manual_seed(0)
    networks = EvaluatorNetworks(SMALL).eval()
    motion = torch.randn(2, 40, 263)
    changed = motion.clone()
    changed[..., -4:] += 5
    frames = torch.tensor([40, 36])
    assert torch.equal(networks.embed_motions(motion, frames), networks.embed_motions(changed, frames))


def test_packing_in_any_order_gives_each_row_its_own_embedding():
    torch.manual_seed(1)
    networks = EvaluatorNetworks(SMALL).eval()
    frames = torch.tensor([24, 60, 40])
    motions = torch.randn(3, 60, 263)
    for row, end in enumerate(frames):
        motions[row, end:] = 0
    together = networks.embed_motions(motions, frames)
    for row in range(3):
        alone = networks.embed_motions(motions[row : row + 1], frames[row : row + 1])
        assert torch.allclose(together[row], alone[0], atol=1e-6)


def test_a_width_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="motion_hidden"):
        EvaluatorConfig(motion_hidden=0)
