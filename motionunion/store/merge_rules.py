"""Who is right where several stores speak of the same file.

One store wins a file, with all that it says of it:

1. One that holds something (a clip, or annotations) wins over one that dropped it, and that over one that only refused
   it: a reject never hides a clip.
2. Then the one whose reader is newer, then whose normaliser is, then the one named later.
3. What several of them hold alike is taken from the one that is being merged into, if it is among them, unless its
   newest reading was refused and another's was not.

A clip that any of the stores has dropped stays dropped, if the winning clip has the same content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from motionunion.store.receipts import Covered, Live

_VERSION = re.compile(r"(\S+)/(\d+)(?:\s|$)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be known of one file."""

    store: int
    """Number of the store that wins; 0 is the one that is being merged into."""
    rows: tuple[Covered, ...]
    """What it holds, and the reject that is newer if there is one; shards are named as in the store that wins."""
    conflict: bool
    """Whether the stores hold different things."""


def decide(stores: Sequence[Live | None]) -> Verdict | None:
    """Who wins one file; None where nobody knows anything of use.

    Args:
        stores: What is live in each, the one that is being merged into first.
    """
    known = [(number, live) for number, live in enumerate(stores) if live is not None and _weight(live) >= 0]
    if not known:
        return None
    _, best = max(known, key=lambda one: (_weight(one[1]), _versions(_said(one[1])), one[0]))
    alike = [one for one in known if _said(one[1]).says() == _said(best).says()]
    number, winner = min(alike, key=lambda one: (one[1].newest != _said(one[1]), one[0]))
    held = {_content(live.holding) for _, live in known if live.holding is not None and _weight(live) == 2}
    rows = winner.rows
    if _weight(winner) == 2 and winner.holding is not None and _is_dropped_in(stores, winner.holding):
        ours = stores[0]
        if (
            ours is not None
            and _weight(ours) == 1
            and _content_of_clip(ours.holding) == _content_of_clip(winner.holding)
        ):
            number, rows = 0, ours.rows
        else:
            rows = (winner.newest.holding_like(winner.holding).dropped(),)
    return Verdict(number, rows, len(held) > 1)


def _weight(live: Live) -> int:
    if live.holding is None:
        return 0
    if live.holding.is_undropped:
        return 0 if live.newest.outcome == "reject" else -1
    return 1 if live.holding.outcome == "dropped" else 2


def _said(live: Live) -> Covered:
    """The row that speaks for it."""
    return live.newest if live.holding is None or _weight(live) == 0 else live.holding


def _versions(covered: Covered) -> tuple[int, int]:
    """Of reader and normaliser, as `ingest` writes them: `amass/3 normalise/2 schema/1 body/template`."""
    found = _VERSION.findall(covered.config)
    reader = next((int(number) for name, number in found if name not in ("normalise", "schema", "body")), 0)
    return reader, next((int(number) for name, number in found if name == "normalise"), 0)


def _content(covered: Covered) -> tuple[str | None, ...]:
    return covered.clip_id, covered.content, covered.captions_digest, covered.segments_digest


def _content_of_clip(covered: Covered | None) -> tuple[str | None, str | None]:
    return (None, None) if covered is None else (covered.clip_id, covered.content)


def _is_dropped_in(stores: Sequence[Live | None], clip: Covered) -> bool:
    return clip.outcome == "clip" and any(
        live is not None and _weight(live) == 1 and _content_of_clip(live.holding) == _content_of_clip(clip)
        for live in stores
    )
