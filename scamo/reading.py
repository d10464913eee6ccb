"""The windows of a corpus as training wants them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionunion.errors import MissingInput
from scamo.data import Windows, hold_out
from scamo.unigram import Unigram
from tokenizer.corpus import Corpus

VAL_SPLIT = "val split"
HELD_OUT_SHARE = 0.05
"""Share of the training groups that stand in for a validation split where a corpus has none with captions."""


@dataclass(frozen=True, eq=False)
class Material:
    """What one training run reads."""

    train: Windows
    """Captioned windows that are trained on."""
    val: Windows
    """Captioned windows that choose the best step."""
    unigram: Unigram
    """Of `train`."""
    validation: str
    """`val split`, or what stands in for it and why."""
    without_captions: int
    """Training windows that have no caption, and are not used."""


def refuse_several(where: Path, codes_per_step: int) -> None:
    """Refuse several codes a step: the transformer predicts one, of one codebook, and takes their number for the motion's length.

    Args:
        where: Folder of the corpus or tokenizer, for the message.
        codes_per_step: Q of it.

    Raises:
        MissingInput: If Q is above one.
    """
    if codes_per_step > 1:
        raise MissingInput(
            f"{where}: {codes_per_step} codes for each step (a quantiser in layers or groups), and this transformer predicts one. "
            "Take a quantiser of one code a step, `scamo tokenize --quantizer fsq` and then `scamo train-ar`, or train another "
            "model on what `scamo export-corpus --format bin` writes, which gives every layer ids of its own"
        )


def read_windows(corpus: Corpus, split: str) -> Windows:
    """All windows of a split, in the corpus's order; captions are texts alone."""
    lists, captions, groups = [], [], []
    for table in corpus.tables(split):
        codes = table.column("codes").combine_chunks()
        ends = np.cumsum(codes.value_lengths().to_numpy(zero_copy_only=False))
        flat = codes.flatten().to_numpy(zero_copy_only=False)
        lists.extend(np.split(flat, ends)[: len(codes)])
        captions.extend([[each["text"] for each in row] for row in table.column("captions").to_pylist()])
        groups.extend(table.column("group").to_pylist())
    return Windows.of(lists, captions, groups)


def read_material(corpus: Corpus, seed: int) -> Material:
    """Training and validation windows of a corpus, and the unigram of what is trained on.

    Raises:
        MissingInput: If there are several codes for a step, or no training window has a caption.
    """
    refuse_several(corpus.path, corpus.codes_per_step)
    everything = read_windows(corpus, "train")
    train = everything.captioned()
    if not len(train):
        raise MissingInput(
            f"{corpus.path}: none of its {len(everything):,} training windows has a caption, and this model is trained on "
            "captions. Bring some and tokenize again: `motionunion ingest HumanML3D` (the folder of that repository with "
            "`index.csv` and `texts/` beside the AMASS files), or `motionunion captions import FILE` (CSV or JSONL of your "
            "own), then `scamo tokenize`"
        )
    val = read_windows(corpus, "val").captioned()
    validation = VAL_SPLIT
    if not len(val):
        train, val = hold_out(train, HELD_OUT_SHARE, seed)
        validation = (
            f"{len(val)} windows held out from the train split, whole recordings: the val split has none with captions"
        )
        if not len(val):
            raise MissingInput(
                f"{corpus.path}: all captioned windows are of one recording, so nothing can be held out to choose the best "
                "step by; ingest more clips with captions, then `scamo tokenize`"
            )
    unigram = Unigram.of(train.codes, len(train), corpus.codebook_size)
    return Material(train, val, unigram, validation, len(everything) - len(everything.captioned()))


def spread(windows: Windows, most: int) -> Windows:
    """At most so many windows, evenly spread over all."""
    if len(windows) <= most:
        return windows
    return windows.select(np.linspace(0, len(windows) - 1, most).round().astype(np.int64))
