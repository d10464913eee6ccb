"""A trained transformer, ready to sample and to measure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from motionunion.errors import MissingInput, MotionUnionError, UsageError
from scamo.checkpoint import MODEL_FILE, MODELS, load_tensors
from scamo.config import ModelConfig, from_mapping
from scamo.data import Windows
from scamo.model import TextPrefixTransformer
from scamo.objective import Objective
from scamo.pretrained_text import open_text_encoder
from scamo.sampling import SamplingOptions, sample
from scamo.text import TextEncoder, WordEncoder, pad_features, words_of
from scamo.unigram import Likelihood, Unigram
from scamo.vocabulary import Vocabulary
from tokenizer.runs import folders_with

BATCH = 64
"""Prompts sampled at once."""


@dataclass(frozen=True, eq=False)
class TrainedTransformer:
    """Weights, text encoder and codes of one model folder."""

    folder: Path
    header: dict[str, Any]
    """The configuration inside `model.safetensors`: model, training, text, corpus, tokenizer, figures of the best step."""
    objective: Objective
    unigram: Unigram

    @classmethod
    def load(cls, folder: Path, *, runs: Path | None = None, device: torch.device | str = "cpu") -> TrainedTransformer:
        """Read a model folder.

        Args:
            folder: Holds `model.safetensors`.
            runs: Where pretrained text features are cached; the folder's grandparent if not given.
            device: Where the weights go.

        Raises:
            MissingInput: If there is no finished model.
            SourceFormatError: If it is damaged or not ours.
            MotionUnionError: If the text encoder is not the one the model was trained with.
        """
        tensors, header = load_tensors(folder / MODEL_FILE)
        config = from_mapping(ModelConfig, header["model"], f"{folder / MODEL_FILE} model")
        unigram = Unigram(tensors.pop("corpus.unigram_counts").numpy())
        text, place = header["text"], torch.device(device)
        encoder: TextEncoder
        if text["id"] == WordEncoder.id:
            words = WordEncoder(text["vocabulary"], config.text_width)
            words.load_state_dict({"table.weight": tensors.pop("words.table.weight")}, strict=True)
            encoder = words
        else:
            encoder = open_text_encoder(text["name"], runs or folder.parent.parent, place)
            if encoder.id != text["id"]:
                raise MotionUnionError(
                    f"{folder}: trained with the text encoder {text['id']}, but {text['name']} is now {encoder.id}"
                )
        vocabulary = Vocabulary(config.codebook_size, unigram.seen if header["restricted"] else None)
        full = TextPrefixTransformer(config)
        full.load_state_dict(tensors, strict=True)
        objective = Objective(vocabulary.cut(full), encoder, vocabulary).to(place).eval()
        return cls(folder, header, objective, unigram)

    @property
    def restricted(self) -> bool:
        """Whether the model deals only in the codes of its training corpus."""
        return bool(self.header["restricted"])

    def sample(
        self, captions: Sequence[str], *, seed: int = 0, options: SamplingOptions | None = None
    ) -> list[npt.NDArray[np.int32]]:
        """Codes of one motion for each caption.

        Each draw depends on (seed, caption, how often the caption came before in the list), not on its neighbours.

        Raises:
            UsageError: If a caption has no word.
        """
        chosen = options or SamplingOptions()
        for number, caption in enumerate(captions, start=1):
            if not words_of(caption):
                raise UsageError(f"prompt {number} has no word: {caption!r}; say what the person does")
        seeds = prompt_seeds(captions, seed)
        codes: list[npt.NDArray[np.int32]] = []
        for start in range(0, len(captions), BATCH):
            part = slice(start, start + BATCH)
            with torch.no_grad():
                text, lengths = pad_features(self.objective.encoder.features(captions[part]), self.objective.device)
            tokens = sample(self.objective.model, text, lengths, seeds[part], chosen)
            codes.extend(self.objective.vocabulary.codes(row) for row in tokens)
        return codes

    def measure(self, windows: Windows) -> Likelihood:
        """CE, L_u and the unseen share of windows that have captions."""
        return self.objective.measure(windows, self.unigram)

    def unknown_words(self, caption: str) -> list[str]:
        """Words of a caption that a `words` model did not train on; none for a pretrained encoder."""
        encoder = self.objective.encoder
        return encoder.unknown(caption) if isinstance(encoder, WordEncoder) else []


def prompt_seeds(captions: Sequence[str], seed: int) -> list[int]:
    """One seed for each caption; equal captions get different ones."""
    before: Counter[str] = Counter()
    seeds = []
    for caption in captions:
        digest = hashlib.sha256(f"{seed}\0{before[caption]}\0{caption}".encode()).digest()
        before[caption] += 1
        seeds.append(int.from_bytes(digest[:8], "big"))
    return seeds


def newest_model(runs: Path) -> Path:
    """Folder of the model that `scamo train-ar` made or was asked for last.

    Raises:
        MissingInput: If there is none.
    """
    finished = folders_with(runs / MODELS, MODEL_FILE)
    if not finished:
        raise MissingInput(f"{runs / MODELS}: no trained model; `scamo train-ar` makes one")
    return finished[0]
