"""A clip has the same codes alone, in any batch, and in pieces, but for values on the very edge between two codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tokenizer import encoding_batches
from tokenizer.checkpoint import Tokenizer
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers.rvq import RVQConfig

LEVELS = (8, 8, 8, 5, 5, 5)
EDGE = 1e-5
"""A channel within so much of the middle between two grid points may be rounded to either."""

Clips = list[npt.NDArray[np.float32]]


def make_tokenizer(features: int = 5, **settings: Any) -> Tokenizer:
    given: dict[str, Any] = {"levels": LEVELS, "width": 32} | settings
    model = build_model(ModelConfig(features=features, **given), seed=1)
    with torch.no_grad():  # first weights give channels near zero; these reach all grid points
        for name, parameter in model.named_parameters():
            if name.endswith("project_in.weight"):
                parameter.mul_(10.0)
    return Tokenizer(
        model, mean_D=np.zeros(features, np.float32), std_D=np.ones(features, np.float32), representation="r",
        parameter_hash="p", codebook=65536, provenance={},
    )  # fmt: skip


def make_clips(lengths: Sequence[int], features: int = 5, seed: int = 0) -> Clips:
    random = np.random.default_rng(seed)
    return [random.normal(size=(length, features)).astype(np.float32) for length in lengths]


def on_the_edge(tokenizer: Tokenizer, clip: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Steps (N,) at which a bounded channel lies within `EDGE` of the middle between two grid points."""
    quantizer = tokenizer.model.vqvae.quantizer
    with torch.inference_mode():
        latents = tokenizer.model.encode_latents(torch.from_numpy(clip)[None]).transpose(1, 2)
        bounded = quantizer.grid.bound(quantizer.project_in(latents))  # type: ignore[operator, union-attr]
    from_middle = ((bounded - 0.5) - (bounded - 0.5).round()).abs()
    edge: npt.NDArray[np.bool_] = (from_middle < EDGE).any(dim=-1)[0].numpy()
    return edge


def differing(tokenizer: Tokenizer, clips: Clips, ways: list[list[npt.NDArray[np.int32]]]) -> tuple[int, int, int]:
    """Tokens, steps on the edge, and steps that differ between the ways; fails where one differs off the edge."""
    tokens = edges = different = 0
    for number, clip in enumerate(clips):
        edge = on_the_edge(tokenizer, clip)
        unequal = np.zeros(len(edge), dtype=bool)
        for way in ways[1:]:
            unequal |= way[number] != ways[0][number]
        assert not (unequal & ~edge).any(), f"clip {number}: codes differ that lie on no edge"
        tokens, edges, different = tokens + len(edge), edges + int(edge.sum()), different + int(unequal.sum())
    return tokens, edges, different


def three_ways(tokenizer: Tokenizer, clips: Clips, piece_rows: int) -> list[list[npt.NDArray[np.int32]]]:
    """Codes of every clip alone, in batches of 64 neighbours, and in pieces."""
    alone = [tokenizer.encode([clip])[0] for clip in clips]
    together = [codes for first in range(0, len(clips), 64) for codes in tokenizer.encode(clips[first : first + 64])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding_batches, "PIECE_ROWS", piece_rows)
        pieces = tokenizer.encode(clips)
    return [alone, together, pieces]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"norm": "LN"},
        {"norm": "BN"},
        {"norm": "GN"},
        {"causal": True},
        {"causal": True, "norm": "LN"},
        {"down": 1, "patcher": "haar", "patch": 2},
        {"down": 3, "dilation_growth": 2},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())) or "plain",
)
def test_codes_are_those_of_a_clip_alone_in_every_architecture(settings: dict[str, Any]) -> None:
    tokenizer = make_tokenizer(**settings)
    lengths = np.random.default_rng(3).integers(8, 500, 40)
    clips = make_clips([int(length) for length in lengths])
    ways = three_ways(tokenizer, clips, piece_rows=96)
    tokens, _, _ = differing(tokenizer, clips, ways)
    assert tokens == sum(length // tokenizer.rows_per_code for length in lengths)
    assert len(np.unique(np.concatenate(ways[0]))) > tokens // 20  # the codes are no constant


def test_what_lies_beside_a_clip_cannot_touch_it() -> None:
    tokenizer = make_tokenizer()
    clip, longer = make_clips([64, 76])
    quiet = tokenizer.encode([clip, longer])[0]
    loud = tokenizer.encode([clip, np.full_like(longer, 1e6)])[0]
    assert np.array_equal(quiet, loud)


def test_without_the_mask_padding_would_change_codes() -> None:
    # So that the tests above have something to find.
    tokenizer = make_tokenizer()
    (clip,) = make_clips([64])
    padded = torch.zeros(1, 80, 5)
    padded[0, :64] = torch.from_numpy(clip)
    masked = tokenizer.encode_normalised(padded.clone(), [64])[0, :16]
    assert torch.equal(masked, torch.from_numpy(tokenizer.encode([clip])[0]).long())
    assert not torch.equal(masked, tokenizer.encode_normalised(padded)[0, :16])


def test_encoding_leaves_the_clips_and_the_network_as_they_were() -> None:
    tokenizer = make_tokenizer()
    clips = make_clips([64, 70, 76])
    copies = [clip.copy() for clip in clips]
    tokenizer.encode(clips)
    assert all(np.array_equal(one, two) for one, two in zip(clips, copies, strict=True))
    assert not any(module._forward_pre_hooks for module in tokenizer.model.modules())


def test_several_codes_a_step_stay_in_their_rows() -> None:
    settings: dict[str, Any] = {"levels": None, "quantizer": RVQConfig(size=16, layers=3)}
    tokenizer = make_tokenizer(**settings)
    clips = make_clips([64, 76, 300])
    codes = tokenizer.encode(clips)
    assert [clip.shape for clip in codes] == [(16, 3), (19, 3), (75, 3)]
    assert all(np.array_equal(codes[index], tokenizer.encode([clips[index]])[0]) for index in range(3))
    assert [len(rows) for rows in tokenizer.decode(codes)] == [64, 76, 300]


@pytest.mark.slow
def test_forty_thousand_tokens_alone_in_batches_and_in_pieces() -> None:
    """`benchmarks/padding_exact.py` does the same for a million tokens of the whole network."""
    tokenizer = make_tokenizer(features=16, width=24)
    lengths = np.random.default_rng(5).integers(16, 800, 400)
    clips = make_clips([int(length) for length in lengths], features=16)
    tokens, edges, different = differing(tokenizer, clips, three_ways(tokenizer, clips, piece_rows=256))
    assert tokens >= 35_000
    assert different <= 1, f"{different} of {tokens} codes differ ({edges} lie on an edge)"
