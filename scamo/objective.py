"""What training lowers, and what validation measures: the next code after text and codes so far."""

# Shapes: B rows, N tokens of a row.

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scamo.config import TrainConfig
from scamo.data import IGNORED, Batch, Windows, corrupt, drop_edges, lay_out
from scamo.model import TextPrefixTransformer
from scamo.text import TextEncoder, pad_features
from scamo.unigram import Likelihood, Unigram, likelihood
from scamo.vocabulary import Vocabulary

LOGIT_ROWS = 512
"""Positions whose logits are held at once in float64 while measuring: 260 MB for 64,000 codes."""
MEASURE_TOKENS = 4_000
"""Positions of one batch while measuring."""


class Objective(nn.Module):
    """Transformer and text encoder as one module, so that the words are trained, saved and moved with the model."""

    def __init__(self, model: TextPrefixTransformer, encoder: TextEncoder, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.model = model
        self.words = encoder if isinstance(encoder, nn.Module) else None
        self._frozen = [encoder]  # in a list: a frozen encoder's weights are no part of this module's state
        self.vocabulary = vocabulary

    @property
    def encoder(self) -> TextEncoder:
        return self._frozen[0]

    @property
    def device(self) -> torch.device:
        return self.model.llama_proj.weight.device

    def forward(
        self, codes: Sequence[npt.NDArray[np.integer]], captions: Sequence[str], config: TrainConfig, step: int
    ) -> tuple[Tensor, int]:
        """Summed cross-entropy of a training batch and the number of tokens it is summed over (PAD left out)."""
        random = np.random.default_rng([config.seed, step, 3])
        text_BLW, lengths_B = pad_features(self.encoder.features(captions), self.device)
        batch = lay_out(drop_edges(codes, config.drop_edge, random), lengths_B.tolist(), self.vocabulary)
        damaged = corrupt(batch, self.vocabulary, config.pkeep, config.code_dropout, random)
        states, codes_M = self._predicting(damaged, text_BLW, lengths_B)
        ends = codes_M == self.vocabulary.codebook_size
        targets_M = self.vocabulary.tokens(np.where(ends, 0, codes_M))
        targets_M[ends] = self.vocabulary.end
        logits = self.model.head(states)[:, : self.vocabulary.end + 1].float()
        return F.cross_entropy(logits, torch.from_numpy(targets_M).to(self.device), reduction="sum"), len(codes_M)

    def _predicting(self, batch: Batch, text_BLW: Tensor, lengths_B: Tensor) -> tuple[Tensor, npt.NDArray[np.int64]]:
        """States of the positions that predict something, and the codes that they should predict."""
        states = self.model.states(torch.from_numpy(batch.inputs_BN).to(self.device), text_BLW, lengths_B)
        counted = batch.targets_BN != IGNORED
        return states[torch.from_numpy(counted).to(self.device)], batch.targets_BN[counted]

    @torch.no_grad()
    def measure(self, windows: Windows, unigram: Unigram) -> Likelihood:
        """Likelihood of windows under the model, without dropout or damage.

        Window i is read with its caption i modulo their number, so the figure does not depend on chance, and all captions
        have their turn over a split.
        """
        was_training = self.training
        self.eval()
        lengths = np.diff(windows.offsets) + windows.text_lengths()
        order = np.argsort(lengths, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(np.cumsum(lengths[order]) // MEASURE_TOKENS)) + 1)
        total = Likelihood()
        for rows in parts:
            captions = [windows.captions[row][row % len(windows.captions[row])] for row in rows.tolist()]
            text_BLW, lengths_B = pad_features(self.encoder.features(captions), self.device)
            batch = lay_out([windows[row] for row in rows.tolist()], lengths_B.tolist(), self.vocabulary)
            states, codes_M = self._predicting(batch, text_BLW, lengths_B)
            targets = torch.from_numpy(codes_M)
            for some, goal in zip(torch.split(states, LOGIT_ROWS), torch.split(targets, LOGIT_ROWS), strict=True):
                total += likelihood(self.model.head(some).float(), goal, unigram, self.vocabulary.seen)
        self.train(was_training)
        return total
