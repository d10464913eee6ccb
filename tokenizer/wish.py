"""What a person asks of a tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

from tokenizer.presets import Asked, Changes, asked_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asks of a tokenizer; None leaves it to the preset, or to the table that chooses one."""

    codebook: int | None = None
    """Nominal codebook size."""
    preset: str | None = None
    quantizer: str | None = None
    """Kind of quantiser."""
    representation: str | None = None
    steps: int | None = None
    changes: Changes | None = None
    """Values in place of the preset's; see `presets.preset_named`."""
    seed: int = 0
    tensorboard: bool = False
    """Whether event files for TensorBoard are written."""
    wandb: str | None = None
    """Project of Weights & Biases that the log goes to as well."""

    def asked(self) -> Asked:
        """Codes and representation; refused here, before any work, where they cannot be."""
        changes = (self.changes or {}).get("quantizer", {})
        return asked_for(self.preset, self.codebook, self.quantizer, self.representation, changes)
