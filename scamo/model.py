"""The text-prefix transformer: text positions see one another, motion is causal and sees all text.

State-dict keys, layers and numbers are those of ScaMo's `LLaMAHF` (shunlinlu/ScaMo_code d64aa79), so its weights load
strictly. What differs: one mask per batch instead of one per layer, rows with prefixes of their own length, angles of the
rotary positions always in fp32, a cache for sampling, and a head that can be asked for some positions only.
"""

# Shapes: B rows, N tokens of a row (text, then motion), L text places, W text width, d model width, H heads,
# E = d / H, S places of a cache. Lengths_B are the rows' numbers of text features; motion follows without a gap.

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scamo.config import ModelConfig

ROPE_BASE = 10_000.0


class RMSNorm(nn.Module):
    """Root-mean-square norm with a scale (Zhang and Sennrich 2019), epsilon 1e-5."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        exact = x.float()
        return (exact * torch.rsqrt(exact.square().mean(-1, keepdim=True) + 1e-5)).to(x.dtype) * self.scale


class KeyValueCache:
    """Keys and values of every layer, (layers, B, H, S, E) each, written at each row's own positions."""

    def __init__(self, config: ModelConfig, rows: int, places: int, like: Tensor) -> None:
        shape = (config.layers, rows, config.heads, places, config.head_width)
        self.keys = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self.values = torch.zeros_like(self.keys)
        self._rows = torch.arange(rows, device=like.device)[:, None]

    @property
    def places(self) -> int:
        return self.keys.shape[3]

    def write(self, layer: int, positions_BN: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store (B, H, N, E) keys and values at `positions_BN`; return everything stored in this layer."""
        self.keys[layer][self._rows, :, positions_BN] = keys.transpose(1, 2).to(self.keys.dtype)
        self.values[layer][self._rows, :, positions_BN] = values.transpose(1, 2).to(self.values.dtype)
        return self.keys[layer], self.values[layer]


class Attention(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.c_attn = nn.Linear(config.width, 3 * config.width, bias=False)
        self.c_proj = nn.Linear(config.width, config.width, bias=False)
        self.heads = config.heads

    def forward(
        self, x: Tensor, turn: Tensor, mask: Tensor, cache: KeyValueCache | None, layer: int, positions_BN: Tensor
    ) -> Tensor:
        rows, length, width = x.shape
        queries, keys, values = (
            part.view(rows, length, self.heads, -1).transpose(1, 2) for part in self.c_attn(x).split(width, dim=-1)
        )
        queries, keys = rotate(queries, turn), rotate(keys, turn)
        if cache is not None:
            keys, values = cache.write(layer, positions_BN, keys, values)
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        out: Tensor = self.c_proj(mixed.transpose(1, 2).reshape(rows, length, width))
        return out


class SwiGLU(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.c_fc1 = nn.Linear(config.width, config.hidden, bias=False)
        self.c_fc2 = nn.Linear(config.width, config.hidden, bias=False)
        self.c_proj = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.c_proj(F.silu(self.c_fc1(x)) * self.c_fc2(x))
        return out


class Block(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.rms_1 = RMSNorm(config.width)
        self.attn = Attention(config)
        self.rms_2 = RMSNorm(config.width)
        self.mlp = SwiGLU(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, turn: Tensor, mask: Tensor, cache: KeyValueCache | None, layer: int, positions_BN: Tensor
    ) -> Tensor:
        x = x + self.dropout(self.attn(self.rms_1(x), turn, mask, cache, layer, positions_BN))
        out: Tensor = x + self.dropout(self.mlp(self.rms_2(x)))
        return out


def rotary_angles(positions_BN: Tensor, head_width: int) -> Tensor:
    """Unit complex numbers (B, 1, N, E/2) that turn pairs of channels by their position (Su et al. 2021), in fp32."""
    exponents = torch.arange(0, head_width, 2, device=positions_BN.device).float() / head_width
    angles = positions_BN.float()[..., None] / ROPE_BASE**exponents
    return torch.polar(torch.ones_like(angles), angles)[:, None]


def rotate(x: Tensor, turn: Tensor) -> Tensor:
    """Turn neighbouring channel pairs (0, 1), (2, 3), ... of (B, H, N, E)."""
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)


def prefix_mask(lengths_B: Tensor, length: int) -> Tensor:
    """What each of `length` positions may look at, (B, 1, N, N): everything up to itself, and text sees all text."""
    place = torch.arange(length, device=lengths_B.device)
    causal = place[None, :] <= place[:, None]
    text = place[None, :] < lengths_B[:, None]
    return (causal | (text[:, :, None] & text[:, None, :]))[:, None]


class TextPrefixTransformer(nn.Module):
    """Predicts motion codes after a prefix of text features.

    A row of tokens is `[PAD x text length][codes][END][PAD ...]`; under the text its embeddings are replaced by the
    projected text features. Positions count through text and motion. The last text position predicts the first code.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.codebook_size + 2, config.width),
                "h": nn.ModuleList(Block(config) for _ in range(config.layers)),
                "ln_f": RMSNorm(config.width),
            }
        )
        self.lm_head = nn.Linear(config.width, config.outputs, bias=False)
        self.llama_proj = nn.Linear(config.text_width, config.width)
        self.dropout = nn.Dropout(config.dropout)
        if config.tie_weights:
            self.lm_head.weight = self.embedding.weight

    @property
    def embedding(self) -> nn.Embedding:
        table = self.transformer["wte"]
        assert isinstance(table, nn.Embedding)
        return table

    @torch.no_grad()
    def initialise(self, seed: int) -> TextPrefixTransformer:
        """Fill all weights from a seed by the configuration's `init` rule; the caller's random state is left alone."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if name.endswith("scale"):
                parameter.fill_(1.0)
            elif self.config.init == "reference":
                if parameter is self.embedding.weight:
                    parameter.normal_(0.0, 1.0, generator=generator)
                else:
                    bound = 1.0 / math.sqrt(self._inputs_of(name))
                    parameter.uniform_(-bound, bound, generator=generator)
            elif name.endswith("bias"):
                parameter.zero_()
            else:
                residual = name.endswith("c_proj.weight")
                parameter.normal_(
                    0.0, 0.02 / math.sqrt(2 * self.config.layers) if residual else 0.02, generator=generator
                )
        return self

    def _inputs_of(self, name: str) -> int:
        """Input channels of the linear layer that owns a parameter: PyTorch draws weight and bias by them."""
        layer = self.get_submodule(name.rpartition(".")[0])
        assert isinstance(layer, nn.Linear)
        return layer.in_features

    def embed(self, tokens_BN: Tensor, text_BLW: Tensor, lengths_B: Tensor) -> Tensor:
        """Embeddings (B, N, d), with the projected text in each row's first places."""
        length = tokens_BN.shape[1]
        text = self.llama_proj(text_BLW)[:, :length]
        text = F.pad(text, (0, 0, 0, length - text.shape[1]))
        is_text = torch.arange(length, device=tokens_BN.device)[None] < lengths_B[:, None]
        return torch.where(is_text[..., None], text, self.embedding(tokens_BN))

    def states(self, tokens_BN: Tensor, text_BLW: Tensor, lengths_B: Tensor) -> Tensor:
        """Final normalised states (B, N, d); `head` turns chosen ones into logits."""
        mask = prefix_mask(lengths_B, tokens_BN.shape[1])
        positions_BN = torch.arange(tokens_BN.shape[1], device=tokens_BN.device)[None]
        return self._run(self.embed(tokens_BN, text_BLW, lengths_B), positions_BN, mask, None)

    def head(self, states: Tensor) -> Tensor:
        """Logits over the K codes and END (and PAD, with tied weights)."""
        out: Tensor = self.lm_head(states)
        return out

    def forward(self, tokens_BN: Tensor, text_BLW: Tensor, lengths_B: Tensor) -> Tensor:
        """Logits (B, N, outputs) of the next token at every position.

        Args:
            tokens_BN: Codes, END and PAD; PAD under the text.
            text_BLW: Text features; places past a row's length are not looked at.
            lengths_B: Number of text features of each row.
        """
        return self.head(self.states(tokens_BN, text_BLW, lengths_B))

    def prefill(self, text_BLW: Tensor, lengths_B: Tensor, cache: KeyValueCache) -> Tensor:
        """Read the text into a cache; logits (B, outputs) of each row's first code.

        Rows shorter than L leave meaningless keys behind their end: no later position may look at them before its own
        step has written there, which `step`'s mask ensures.
        """
        rows, length = text_BLW.shape[:2]
        places = torch.arange(cache.places, device=text_BLW.device)
        positions_BN = places[None, :length].expand(rows, -1)
        # Each place sees its row's text, and itself: a place past the text would otherwise see nothing and give NaN.
        mask = (places[None] < lengths_B[:, None])[:, None, :] | (places[None, :] == places[:length, None])[None]
        states = self._run(self.llama_proj(text_BLW), positions_BN, mask[:, None], cache)
        return self.head(states[torch.arange(rows, device=states.device), lengths_B - 1])

    def step(self, tokens_B: Tensor, positions_B: Tensor, cache: KeyValueCache) -> Tensor:
        """Logits (B, outputs) after one more token at each row's own position."""
        places = torch.arange(cache.places, device=tokens_B.device)
        mask = (places[None] <= positions_B[:, None])[:, None, None]
        states = self._run(self.embedding(tokens_B)[:, None], positions_B[:, None], mask, cache)
        return self.head(states[:, 0])

    def _run(self, x: Tensor, positions_BN: Tensor, mask: Tensor, cache: KeyValueCache | None) -> Tensor:
        turn = rotary_angles(positions_BN, self.config.head_width)
        x = self.dropout(x)
        blocks = self.transformer["h"]
        assert isinstance(blocks, nn.ModuleList)
        for layer, block in enumerate(blocks):
            x = block(x, turn, mask, cache, layer, positions_BN)
        out: Tensor = self.transformer["ln_f"](x)
        return out


def new_model(config: ModelConfig, seed: int) -> TextPrefixTransformer:
    """A model with fresh weights."""
    with torch.device("meta"):
        model = TextPrefixTransformer(config)
    model = model.to_empty(device="cpu")
    if config.tie_weights:
        model.lm_head.weight = model.embedding.weight
    return model.initialise(seed)


def parameter_count(config: ModelConfig) -> int:
    """Parameters of a shape, without allocating any of them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in TextPrefixTransformer(config).parameters())
