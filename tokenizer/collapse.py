"""The guard against code collapse.

FSQ's tanh saturates; a digit that no longer varies gets no gradient and does not come back, and the reconstruction looks
only mildly worse, so it goes unnoticed. The guard looks at how many codes a fixed batch really uses.
"""

from __future__ import annotations

from motionunion.errors import MotionUnionError


class CollapseError(MotionUnionError):
    """Training lost its codes, or its loss, at every learning rate that was tried."""


def collapse_reason(exponential_entropy: float, tokens: int, codebook_size: int, share: float) -> str | None:
    """Why a batch's codes count as collapsed, in words; None where they do not.

    Args:
        exponential_entropy: Of the batch's codes; what a uniform use of that many codes would have.
        tokens: Codes in the batch; no more than this many can differ.
        codebook_size: True number of codes.
        share: Smallest healthy share of min(tokens, codebook_size).
    """
    least = share * min(tokens, codebook_size)
    if exponential_entropy >= least:
        return None
    return (
        f"the codes collapsed: {tokens:,} tokens use the equivalent of {exponential_entropy:.1f} codes, "
        f"under {share:.0%} of the {min(tokens, codebook_size):,} possible ({least:.0f})"
    )


def advice(attempts: int) -> str:
    """What to do after the last attempt."""
    return (
        f"{attempts} attempts failed, each at half the learning rate of the one before; "
        "take a smaller --codebook, another --preset or another --seed"
    )
