"""What the importer knows of one project: how to tell its files, and how to read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tokenizer.model_config import ModelConfig
from tokenizer.published.architecture import Hints
from tokenizer.published.checkpoint_file import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One project that published a tokenizer."""

    name: str
    """In folder names and provenance."""
    title: str
    """For people."""
    paper: str
    signature: str
    """Words for the keys by which its files are told, for the message that nothing fits."""
    recognises: Callable[[Weights], bool]
    """Whether a state dict has this project's keys. At most one project says yes."""
    read: Callable[[Weights, Hints], Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A project's state dict as ours: what network it is, and its tensors under our names."""

    config: ModelConfig
    codebook: int
    """Nominal codebook size."""
    weights: Weights
