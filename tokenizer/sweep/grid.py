"""Which tokenizers a sweep compares: quantisers times codebook sizes, all trained by one recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motionunion.errors import UsageError
from tokenizer.config import as_plain
from tokenizer.presets import Changes, Preset, preset_named
from tokenizer.quantizers.build import CONFIGS

VARIANTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    **{kind: (kind, {}) for kind in CONFIGS},
    "vq-no-reset": ("vq", {"reset": False}),
}
"""What `--quantizers` may name: every kind at its own settings, and EMA-VQ without the reset of unused codes."""
WARMUP_SHARE = 5
"""Warm-up takes at most one step in so many: a short sweep must not warm up for most of its steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One tokenizer of a sweep."""

    variant: str
    codebook: int
    """Nominal size of one code."""
    preset: Preset

    @property
    def name(self) -> str:
        """Of its folder: `fsq-1024`."""
        return f"{self.variant}-{self.codebook}"

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "variant": self.variant,
            "codebook": self.codebook,
            "codebook_size": self.preset.model.codebook_size,
            "codes_per_step": self.preset.model.codes_per_step,
            "model": as_plain(self.preset.model),
            "training": as_plain(self.preset.training),
        }


def read_codebooks(text: str) -> tuple[int, ...]:
    """Sizes of `--codebooks`: `256..65536` is every power of two between, `256,1024` those; both may be mixed.

    Raises:
        UsageError: For anything else.
    """
    sizes: set[int] = set()
    for part in text.split(","):
        first, dots, last = (word.strip() for word in part.partition(".."))
        try:
            ends = (int(first), int(last if dots else first))
        except ValueError as error:
            raise UsageError(
                f"--codebooks {text}: {part.strip()!r} is no size; give 256..65536, or sizes with commas"
            ) from error
        if dots and not (2 <= ends[0] <= ends[1] and all(end & (end - 1) == 0 for end in ends)):
            raise UsageError(
                f"--codebooks {text}: the ends of {part.strip()} must be powers of two, the smaller one first"
            )
        sizes |= {1 << bits for bits in range(ends[0].bit_length() - 1, ends[1].bit_length())} if dots else {ends[0]}
    return tuple(sorted(sizes))


def read_quantizers(text: str) -> tuple[str, ...]:
    """Names of `--quantizers`, in the order given, each once.

    Raises:
        UsageError: For a name that is not in `VARIANTS`.
    """
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    if unknown := [name for name in names if name not in VARIANTS]:
        raise UsageError(f"--quantizers {text}: {', '.join(map(repr, unknown))}: there are {', '.join(VARIANTS)}")
    return names


def plan_cells(
    codebooks: Sequence[int],
    quantizers: Sequence[str],
    *,
    preset: str,
    steps: int | None = None,
    changes: Changes | None = None,
) -> tuple[Cell, ...]:
    """The cells of a sweep, by quantiser and then by size.

    All are trained by the preset's recipe, but that nothing guards against collapsed codes or begins again at another
    learning rate: a collapse is what the sweep is to find. A short sweep warms up for less.

    Args:
        codebooks: Nominal sizes.
        quantizers: Names in `VARIANTS`.
        preset: Name of the preset.
        steps: In place of the preset's.
        changes: Values in place of the preset's, of `model` and `training`; see `tokenizer.presets.preset_named`.

    Raises:
        UsageError: If changes name the quantiser, which is what is compared, or the guard, which a sweep has not.
        ConfigError: For an unknown preset, a size that a quantiser cannot have, or values that the checks refuse.
    """
    given = {part: dict(values) for part, values in (changes or {}).items()}
    if "quantizer" in given:
        raise UsageError("a sweep compares quantisers at settings of their own: change model and training only")
    if fixed := sorted({"guard_steps", "restarts"} & set(given.get("training", {}))):
        raise UsageError(
            f"training.{fixed[0]}: nothing guards the tokenizers of a sweep, whose collapse is looked for; leave it out"
        )
    recipe = preset_named(preset).training
    warmup = min(recipe.warmup_steps, (steps or recipe.steps) // WARMUP_SHARE)
    given["training"] = {"warmup_steps": warmup, **given.get("training", {}), "guard_steps": [], "restarts": 0}
    cells = []
    for variant in quantizers:
        kind, options = VARIANTS[variant]
        for codebook in codebooks:
            made = preset_named(preset, codebook, quantizer=kind, steps=steps, changes={**given, "quantizer": options})
            cells.append(Cell(variant=variant, codebook=codebook, preset=made))
    return tuple(cells)
