"""One evaluator ready for use: networks, vocabulary and the normalisation that its motions must come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from scamo.evaluation.networks import UNIT_FRAMES, EvaluatorNetworks
from scamo.evaluation.words import Sentence, Vocabulary
from tokenizer.precision import exact_float32

MAX_FRAMES = 196
"""Every motion is laid into this many frames, zero behind its end."""
SEEN_BEHIND = 8
"""Frames behind a motion's end that the convolutions look at; zeros further out change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluator:
    """Embeds motions and texts in one space. Built by `load_official` or `standin.train_or_load`."""

    networks: EvaluatorNetworks
    """In evaluation mode, on the device that will be used."""
    vocabulary: Vocabulary
    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]
    """The evaluator's own statistics, (D,) each; never those of the data set or the tokenizer."""
    official: bool
    """True for Guo's published weights."""
    digest: str
    """SHA-256 over weights, words and statistics."""
    description: str
    """One line for the table: which weights these are."""

    @property
    def device(self) -> torch.device:
        return next(self.networks.parameters()).device

    def lay_out(self, motions: Sequence[npt.NDArray[np.float32]], frames: int = MAX_FRAMES) -> tuple[Tensor, Tensor]:
        """Raw features, each (T <= 196, D), to a normalised batch (B, `frames`, D), zero behind each end, and lengths (B,).

        The zeros are laid after normalising: the convolutions see the tail, and -mean/std there moves the embedding.
        Motions under 4 frames raise ValueError: they have not one movement step.
        """
        batch = np.zeros((len(motions), frames, len(self.mean)), dtype=np.float32)
        for row, motion in enumerate(motions):
            if not UNIT_FRAMES <= len(motion) <= MAX_FRAMES:
                raise ValueError(f"a motion of {len(motion)} frames; the evaluator takes {UNIT_FRAMES} to {MAX_FRAMES}")
            batch[row, : len(motion)] = (motion - self.mean) / self.std
        lengths = torch.tensor([len(motion) for motion in motions])
        return torch.from_numpy(batch).to(self.device), lengths

    def look_up(self, sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor, Tensor]:
        """Word vectors (B, 22, 300), one-hots (B, 22, 15) and lengths (B,) of sentences."""
        config = self.networks.config
        words = self.vocabulary.vectors[np.stack([sentence.rows for sentence in sentences])]
        pos = np.eye(config.pos, dtype=np.float32)[np.stack([sentence.pos for sentence in sentences])]
        lengths = torch.tensor([sentence.length for sentence in sentences])
        return torch.from_numpy(words).to(self.device), torch.from_numpy(pos).to(self.device), lengths

    def embed_motions(self, motions: Sequence[npt.NDArray[np.float32]], *, batch: int = 64) -> npt.NDArray[np.float32]:
        """Embeddings (N, E) of raw (denormalised) features."""
        with exact_float32(self.device):
            parts = [
                self.networks.embed_motions(*self.lay_out(motions[start : start + batch])).cpu().numpy()
                for start in range(0, len(motions), batch)
            ]
        return np.concatenate(parts) if parts else np.zeros((0, self.networks.config.embedding), np.float32)

    def embed_texts(self, sentences: Sequence[Sentence], *, batch: int = 256) -> npt.NDArray[np.float32]:
        """Embeddings (N, E) of sentences read with this evaluator's vocabulary."""
        with exact_float32(self.device):
            parts = [
                self.networks.embed_texts(*self.look_up(sentences[start : start + batch])).cpu().numpy()
                for start in range(0, len(sentences), batch)
            ]
        return np.concatenate(parts) if parts else np.zeros((0, self.networks.config.embedding), np.float32)
