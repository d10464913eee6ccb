"""Who is right where several stores speak of the same file.

A clip that any of the stores has dropped is dropped, in all of them that hold it with the same content. Then one store
wins a file, with all that it says of it:

1. One that holds something live (a clip, or annotations) wins over one that dropped it, and that over one that only
   refused it: a reject never hides a clip.
2. Then the one whose reader is newer, then whose normaliser is, then the one named later.
3. What several of them hold alike is taken from the one that is being merged into, if it is among them, unless its
   newest reading was refused and another's was not.
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
    news: bool
    """Whether the store that is being merged into does not say so yet."""
    conflict: bool
    """Whether the stores hold different things."""


def decide(stores: Sequence[Live | None]) -> Verdict | None:
    """Who wins one file; None where nobody knows anything of use.

    Args:
        stores: What is live in each, the one that is being merged into first.
    """
    gone = {_clip(live.holding) for live in stores if live is not None and _is_dropped(live.holding)}
    known = [(number, live) for number, live in enumerate(stores) if live is not None and _weight(live, gone) >= 0]
    if not known:
        return None
    _, best = max(known, key=lambda one: (_weight(one[1], gone), _versions(_said(one[1])), one[0]))
    alike = [one for one in known if _said(one[1]).says() == _said(best).says()]
    number, winner = min(alike, key=lambda one: (one[1].newest != _said(one[1]), one[0]))
    rows, ours = winner.rows, stores[0]
    if winner.holding is not None and winner.holding.outcome == "clip" and _clip(winner.holding) in gone:
        if ours is not None and _is_dropped(ours.holding) and _clip(ours.holding) == _clip(winner.holding):
            number, rows = 0, ours.rows
        else:
            rows = (winner.newest.holding_like(winner.holding).dropped(),)
    held = {_content(live.holding) for _, live in known if live.holding is not None and _weight(live, gone) == 2}
    news = number != 0 or ours is None or rows != ours.rows
    return Verdict(number, rows, news, conflict=len(held) > 1)


def _weight(live: Live, gone: set[tuple[str | None, str | None]]) -> int:
    if live.holding is None:
        return 0
    if live.holding.is_undropped:
        return 0 if live.newest.outcome == "reject" else -1
    return 1 if _is_dropped(live.holding) or _clip(live.holding) in gone else 2


def _is_dropped(covered: Covered | None) -> bool:
    return covered is not None and covered.outcome == "dropped" and not covered.is_undropped


def _clip(covered: Covered | None) -> tuple[str | None, str | None]:
    return (None, None) if covered is None else (covered.clip_id, covered.content)


def _said(live: Live) -> Covered:
    """The row that speaks for it."""
    return live.newest if live.holding is None or live.holding.is_undropped else live.holding


def _versions(covered: Covered) -> tuple[int, int]:
    """Of reader and normaliser, as `ingest` writes them: `amass/3 normalise/2 schema/1 body/template`."""
    found = _VERSION.findall(covered.config)
    reader = next((int(number) for name, number in found if name not in ("normalise", "schema", "body")), 0)
    return reader, next((int(number) for name, number in found if name == "normalise"), 0)


def _content(covered: Covered) -> tuple[str | None, ...]:
    return covered.clip_id, covered.content, covered.captions_digest, covered.segments_digest
