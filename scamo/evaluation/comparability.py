"""May a table be held against published numbers? Everything that forbids it, each in words."""

from __future__ import annotations

from collections.abc import Sequence

from scamo.evaluation.protocol import FULL_PASS, TEMPLATE_BODY, Item
from scamo.evaluation.scoring import SIGMAS, Row, sigmas_above_chance

REPRESENTATION = "hml263@20/compat"
MOST_ITEMS = FULL_PASS + 31
"""A full pass drops at most 31 of the items."""
# The published real row and how far an honest pass may lie from it (docs/evaluation.md).
_REAL = (("R@1", 0.511, 0.006), ("R@3", 0.797, 0.005), ("matching score", 2.974, 0.02), ("diversity", 9.50, 0.2))
_REAL_FID = 0.004
_LIKELY_CAUSES = (
    "likely causes, the first ones first: features not normalised with the evaluator's own statistics, padding not zeroed "
    "after normalising, another set of items, captions tagged anew"
)


def reasons_against(
    *,
    official: bool,
    official_items: bool,
    representation: str,
    items: Sequence[Item],
    template_training: int,
    untagged: int,
    real: Row,
) -> list[str]:
    """Why a table cannot be compared with published numbers; empty where it can.

    Args:
        official: Whether the evaluator is Guo's.
        official_items: Whether the items are HumanML3D's own test items.
        representation: Id of what was evaluated.
        items: All items, those of the dropped last pool too.
        template_training: Windows on the template body that the model was trained on.
        untagged: Captions of the pass without part-of-speech tokens.
        real: The real-motion row.
    """
    reasons = []
    if not official:
        reasons.append("stand-in evaluator, trained on this store")
    if representation != REPRESENTATION:
        reasons.append(f"features are {representation}, not {REPRESENTATION}")
    if not official_items:
        reasons.append("items are this store's test windows, not HumanML3D's test set")
    elif not FULL_PASS <= len(items) <= MOST_ITEMS:
        reasons.append(f"{len(items):,} of HumanML3D's test items instead of {FULL_PASS:,} to {MOST_ITEMS:,}")
    if template_items := sum(item.body == TEMPLATE_BODY for item in items):
        reasons.append(f"{template_items:,} of {len(items):,} motions are on the template body")
    if template_training:
        reasons.append(f"the model was trained on {template_training:,} windows on the template body")
    if untagged:
        reasons.append(f"{untagged:,} of {real.items:,} captions have no part-of-speech tokens")
    if official and official_items and not reasons:
        reasons += _real_row_is_off(real)
    return reasons


def _real_row_is_off(real: Row) -> list[str]:
    precision = real.r_precision or (0.0, 0.0, 0.0)
    values = dict(zip(("R@1", "R@3"), (precision[0], precision[2]), strict=True))
    values |= {"matching score": real.matching_score, "diversity": real.diversity or 0.0}
    off = [
        f"{name} {values[name]:.3f}, published {wanted} ± {most}"
        for name, wanted, most in _REAL
        if abs(values[name] - wanted) > most
    ]
    if real.fid is None or real.fid > _REAL_FID:
        off.append(f"FID {real.fid}, published .002, at most {_REAL_FID}")
    return [f"the real row is off ({'; '.join(off)}; {_LIKELY_CAUSES})"] if off else []


def usability(official: bool, real: Row) -> str | None:
    """Why the evaluator itself cannot be trusted on these items; None where it can, or is the published one."""
    if official:
        return None
    sigmas = sigmas_above_chance(real)
    if sigmas is None:
        return f"too few items to tell whether the stand-in works ({real.missing['r_precision']})"
    if sigmas < SIGMAS:
        return f"its real row does not beat chance: R@3 lies {sigmas:.1f} sigma above 3/32, {SIGMAS:.0f} are asked for"
    return None


def title(reasons: Sequence[str], unusable: str | None) -> str:
    """The table's title: what it is, and what it is not."""
    words = "scamo eval humanml3d"
    if unusable:
        words += f" - UNUSABLE evaluator: {unusable}"
    if reasons:
        return f"{words} - NOT comparable with published numbers: {'; '.join(reasons)}"
    return f"{words} - official evaluator and test set, one replication"
