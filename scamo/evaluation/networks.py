"""The three networks of the HumanML3D evaluator (Guo et al., CVPR 2022, `text_mot_match`), with its own key names.

Shapes: B batch, T frames, S = T // 4 movement steps, L words, F features, H hidden width, E embedding width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from motionunion.errors import ConfigError

UNIT_FRAMES = 4
"""Frames behind one step of the movement encoder: two convolutions of stride 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorConfig:
    """Widths of the evaluator. The defaults are the published ones."""

    features: int = 263
    """Width of a motion's features; foot contacts included."""
    contacts: int = 4
    """Features at the end that the networks do not see (foot contacts)."""
    movement_hidden: int = 512
    movement_out: int = 512
    motion_hidden: int = 1024
    text_hidden: int = 512
    embedding: int = 512
    """Width of the space in which motions and texts meet."""
    word: int = 300
    pos: int = 15

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise ConfigError(f"evaluator.{name}: must be at least 1, got {value}")
        if self.contacts >= self.features:
            raise ConfigError(f"evaluator.contacts: {self.contacts} leaves nothing of {self.features} features")


class MovementEncoder(nn.Module):
    """Frames to movement steps: (B, T, F - contacts) to (B, T // 4, movement_out)."""

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv1d(config.features - config.contacts, config.movement_hidden, 4, 2, 1),
            nn.Dropout(0.2),
            nn.LeakyReLU(0.2),
            nn.Conv1d(config.movement_hidden, config.movement_out, 4, 2, 1),
            nn.Dropout(0.2),
            nn.LeakyReLU(0.2),
        )
        self.out_net = nn.Linear(config.movement_out, config.movement_out)

    def forward(self, motions_BTF: Tensor) -> Tensor:
        steps: Tensor = self.out_net(self.main(motions_BTF.transpose(1, 2)).transpose(1, 2))
        return steps


class _RecurrentHead(nn.Module):
    """A bidirectional GRU with a learnt initial state; its two final states through a small network."""

    def __init__(self, inputs: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.input_emb = nn.Linear(inputs, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.LayerNorm(hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, embedding)
        )
        self.hidden = nn.Parameter(torch.randn(2, 1, hidden))

    def summarise(self, inputs_BLI: Tensor, lengths_B: Tensor) -> Tensor:
        """Embeddings (B, E). Rows may come in any order: packing sorts and unsorts by itself."""
        # Lengths must lie on the CPU whatever the device of the values.
        packed = pack_padded_sequence(
            self.input_emb(inputs_BLI), lengths_B.cpu(), batch_first=True, enforce_sorted=False
        )
        _, last = self.gru(packed, self.hidden.expand(-1, len(inputs_BLI), -1).contiguous())
        embedding: Tensor = self.output_net(torch.cat((last[0], last[1]), dim=-1))
        return embedding


class MotionEncoder(_RecurrentHead):
    """Movement steps (B, S, movement_out) and their count per row (B,) to embeddings (B, E)."""

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__(config.movement_out, config.motion_hidden, config.embedding)

    def forward(self, steps_BSH: Tensor, lengths_B: Tensor) -> Tensor:
        return self.summarise(steps_BSH, lengths_B)


class TextEncoder(_RecurrentHead):
    """Word vectors (B, L, 300), part-of-speech one-hots (B, L, 15) and lengths (B,) to embeddings (B, E)."""

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__(config.word, config.text_hidden, config.embedding)
        self.pos_emb = nn.Linear(config.pos, config.word)

    def forward(self, words_BLW: Tensor, pos_BLP: Tensor, lengths_B: Tensor) -> Tensor:
        return self.summarise(words_BLW + self.pos_emb(pos_BLP), lengths_B)


class EvaluatorNetworks(nn.Module):
    """All three encoders; state-dict keys are the published ones behind `movement_encoder.`, `motion_encoder.`, `text_encoder.`."""

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        self.config = config
        self.movement_encoder = MovementEncoder(config)
        self.motion_encoder = MotionEncoder(config)
        self.text_encoder = TextEncoder(config)

    def embed_motions(self, motions_BTF: Tensor, frames_B: Tensor) -> Tensor:
        """Normalised features (B, T, F), zero beyond each row's `frames_B`, to embeddings (B, E)."""
        steps = self.movement_encoder(motions_BTF[..., : -self.config.contacts])
        embedding: Tensor = self.motion_encoder(steps, frames_B // UNIT_FRAMES)
        return embedding

    def embed_texts(self, words_BLW: Tensor, pos_BLP: Tensor, lengths_B: Tensor) -> Tensor:
        """Word vectors, one-hots and lengths to embeddings (B, E)."""
        embedding: Tensor = self.text_encoder(words_BLW, pos_BLP, lengths_B)
        return embedding
