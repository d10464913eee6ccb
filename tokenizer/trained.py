"""A tokenizer that was trained or found, with what a report says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizer.checkpoint import FILE, Tokenizer, describe
from tokenizer.quantizers import quantizer_plain
from tokenizer.train import BEST


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedTokenizer:
    """A tokenizer and how it came about."""

    folder: Path
    tokenizer: Tokenizer
    trained_now: bool
    """False where a finished one was found."""
    held_out: Mapping[str, Any] | None
    """Last held-out scores of its training, as `metrics.jsonl` has them."""
    speaks: bool = True
    """Whether this process is the one, of those that trained together, that reports."""

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "tokenizer": str(self.folder),
            "hash": self.tokenizer.hash,
            "codebook": self.tokenizer.codebook,
            "codebook_size": self.tokenizer.codebook_size,
            "levels": list(self.tokenizer.levels),
            "codes_per_step": self.tokenizer.codes_per_step,
            "quantizer": quantizer_plain(self.tokenizer.model.config.quantizer),
            "representation": self.tokenizer.representation,
            "preset": self.tokenizer.provenance.get("preset"),
            "trained_now": self.trained_now,
            "failed_attempts": self.tokenizer.provenance.get("failed_attempts", []),
            "held_out": dict(self.held_out) if self.held_out else None,
            "best": self._best(),
        }

    def _best(self) -> dict[str, Any] | None:
        """Folder and step of the weights that scored best on held-out windows; None where a run kept none."""
        folder = self.folder / BEST
        if not (folder / FILE).is_file():
            return None
        return {"tokenizer": str(folder), "step": describe(folder)["provenance"]["step"]}
