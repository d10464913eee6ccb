"""The guard against code collapse.

FSQ's tanh saturates; a digit that no longer varies gets no gradient and does not come back. A codebook without resets keeps the
few vectors that the first batches came near. Either way the reconstruction looks only mildly worse, so it goes unnoticed. The
guard looks at how many codes a fixed batch really uses.

Where the codes of a step refine one another, the later ones are asked for less: they say what the first ones left, most of which
is small and lies close together, so that a healthy layer uses its codes unevenly. Half the bits of the first one are asked of each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from motionunion.errors import MotionUnionError
from tokenizer.usage import CodeUsage

REMEDIES = {
    "fsq": "a larger training.saturation_weight or a longer training.warmup_steps",
    "grouped_fsq": "a larger training.saturation_weight or a longer training.warmup_steps",
    "residual_fsq": "a larger training.saturation_weight or a longer training.warmup_steps",
    "vq": "quantizer.reset=true, a larger training.batch, or --quantizer fsq, which has no codebook to lose",
    "rvq": "quantizer.reset=true, a larger training.batch, or fewer quantizer.layers",
    "lfq": "a larger quantizer.diversity, or a lower quantizer.inverse_temperature",
    "bsq": "a larger quantizer.diversity, or a lower quantizer.inverse_temperature",
}
"""What else helps a kind of quantiser whose codes collapse."""


class CollapseError(MotionUnionError):
    """Training lost its codes, or its loss, at every learning rate that was tried."""


def collapse_reason(
    exponential_entropy: float, tokens: int, codebook_size: int, share: float, *, of_rest: bool = False
) -> str | None:
    """Why a batch's codes count as collapsed, in words; None where they do not.

    Args:
        exponential_entropy: Of the batch's codes; what a uniform use of that many codes would have.
        tokens: Codes in the batch; no more than this many can differ.
        codebook_size: True number of codes.
        share: Smallest healthy share of min(tokens, codebook_size).
        of_rest: Whether the codes say what others left: then the square root of that many will do, which is half the bits.
    """
    possible = min(tokens, codebook_size)
    whole = share * possible
    least = math.sqrt(whole) if of_rest else whole
    if exponential_entropy >= least:
        return None
    asked = f"the {least:.1f} that half the bits of {share:.0%}" if of_rest else f"{share:.0%}"
    return (
        f"the codes collapsed: {tokens:,} tokens use the equivalent of {exponential_entropy:.1f} codes, "
        f"under {asked} of the {possible:,} possible{' are' if of_rest else f' ({least:.0f})'}"
    )


def first_collapse(usages: Sequence[CodeUsage], share: float, *, residual: bool) -> str | None:
    """`collapse_reason` of the first code of a step that has one; a quantiser in layers or groups has several codes.

    Args:
        usages: Of each code of a step.
        share: As for `collapse_reason`.
        residual: Whether every code but the first says what those before it left (`QuantizerConfig.residual`).
    """
    for number, usage in enumerate(usages, start=1):
        reason = collapse_reason(
            usage.exp_entropy, usage.tokens, usage.codebook_size, share, of_rest=residual and number > 1
        )
        if reason is not None:
            return reason if len(usages) == 1 else f"{reason}, in code {number} of {len(usages)} of a step"
    return None


def advice(attempts: int, kind: str) -> str:
    """What to do after the last attempt with a kind of quantiser."""
    remedy = f", {REMEDIES[kind]}" if kind in REMEDIES else ""
    failed = f"{attempts} attempts failed, each at half the learning rate of the one before"
    return (
        f"{'the only attempt failed' if attempts == 1 else failed}; "
        f"take a smaller --codebook{remedy}, another --preset or another --seed"
    )
