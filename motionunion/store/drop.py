"""`drop`: take clips out of a store by a condition, and `undrop` them. Receipts alone change; no value is read or written.

What is dropped stays on record with its content, so that reading the same again does not bring it back; another clip
under the same key does come in. What was refused of a dropped file stays refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from motionunion.errors import UsageError
from motionunion.store.committer import Committer
from motionunion.store.receipts import Covered, Live
from motionunion.store.store import Store, open_store
from motionunion.store.trouble import storage_trouble

_Rule = Callable[[tuple[str, str], Live | None], Sequence[Covered] | None]
_AT_ONCE = 1 << 16
"""Files of one commit."""


@dataclass(slots=True, kw_only=True)
class DropCount:
    """What was dropped of one source, or in all."""

    clips: int = 0
    frames: int = 0
    hours: float = 0.0


@dataclass(slots=True, kw_only=True)
class DropResult:
    """What a drop did, or would do."""

    store: str
    dry_run: bool
    undo: bool
    commit: int = 0
    """The store's newest commit afterwards."""
    clips: int = 0
    """Clips that were (or would be) dropped, or undropped. Frames and hours are those of a drop."""
    frames: int = 0
    hours: float = 0.0
    sources: dict[str, DropCount] = field(default_factory=dict)
    changed_meanwhile: int = 0
    """Clips that another writer changed before they could be dropped, and that were left alone."""


def drop(store: str | Path | Store, where: str, *, dry_run: bool = False, more_than_half: bool = False) -> DropResult:
    """Drop the clips that a condition selects, with the captions and segments that their files bring.

    Args:
        store: The store, its folder or its URL.
        where: SQL condition over the columns of the table `clips`, e.g. `"source = 'cmu_bvh' and seconds < 1"`.
        dry_run: Only say what it would drop.
        more_than_half: Allow it to drop more than half of the clips.

    Raises:
        UsageError: If the condition is not valid, or selects more than half of the clips and that is not allowed.
        StoreError: If the store cannot be read or written.
    """
    with _at_newest(store) as opened:
        result = DropResult(store=opened.url, dry_run=dry_run, undo=False, commit=opened.commit)
        found = opened.rows(f'SELECT source, "key", clip_id, content, frames, seconds FROM clips WHERE ({where}\n)')
        (in_all,) = opened.rows("SELECT count(*) FROM clips")[0]
    for source, _, _, _, frames, seconds in found:
        count = result.sources.setdefault(source, DropCount())
        for one in (count, result):
            one.clips += 1
            one.frames += frames
            one.hours += seconds / 3600
    if not dry_run and not more_than_half and 2 * len(found) > in_all:
        raise UsageError(
            f"this would drop {len(found):,} of the {in_all:,} clips of {opened.url}, more than half; look with --dry-run, and "
            "add --yes if it is meant (`--undo` brings them back with the next ingest)"
        )
    if dry_run or not found:
        return result
    contents = {(source, key): (clip_id, content) for source, key, clip_id, content, _, _ in found}

    def dropped(address: tuple[str, str], live: Live | None) -> Sequence[Covered] | None:
        holding = None if live is None else live.holding
        if live is None or holding is None or holding.outcome != "clip":
            return None
        if (holding.clip_id, holding.content) != contents[address]:
            return None  # another writer brought another clip meanwhile, of which the condition knew nothing
        return [live.newest.holding_like(holding).dropped()]

    changed = _amend(opened, f"drop {where}", sorted(contents), dropped, result)
    result.changed_meanwhile = result.clips - changed
    return result


def undrop(store: str | Path | Store, where: str, *, dry_run: bool = False) -> DropResult:
    """Let the next ingest read dropped files again.

    Args:
        store: The store, its folder or its URL.
        where: SQL condition over `source`, `key` and `clip_id` of what was dropped; `"true"` for all.
        dry_run: Only say what it would bring back.

    Raises:
        UsageError: If the condition is not valid.
        StoreError: If the store cannot be read or written.
    """
    opened = _at_newest(store)
    committer = Committer(opened.storage, f"drop --undo {where}")
    try:
        table = committer.ledger.dropped()
    finally:
        committer.close()
    result = DropResult(store=opened.url, dry_run=dry_run, undo=True, commit=opened.commit)
    found = _select(table, where)
    for source, _ in found:
        result.sources.setdefault(source, DropCount()).clips += 1
        result.clips += 1
    if dry_run or not found:
        return result

    def undropped(address: tuple[str, str], live: Live | None) -> Sequence[Covered] | None:
        holding = None if live is None else live.holding
        if live is None or holding is None or holding.outcome != "dropped" or holding.is_undropped:
            return None
        return [live.newest.holding_like(holding).undropped()]

    changed = _amend(opened, f"drop --undo {where}", found, undropped, result)
    result.changed_meanwhile = result.clips - changed
    return result


def _at_newest(store: str | Path | Store) -> Store:
    return open_store(store.url, storage=store.storage) if isinstance(store, Store) else open_store(store)


def _amend(store: Store, note: str, addresses: Sequence[tuple[str, str]], rule: _Rule, result: DropResult) -> int:
    try:
        committer = Committer(store.storage, note)
        try:
            pages = (addresses[at : at + _AT_ONCE] for at in range(0, len(addresses), _AT_ONCE))
            changed = sum(len(committer.amend(page, rule)) for page in pages)
            result.commit = committer.state.number
        finally:
            committer.close()
    except OSError as error:
        raise storage_trouble(store.url, error, store.commit) from error
    return changed


def _select(table: pa.Table, where: str) -> list[tuple[str, str]]:
    """Source and key of the rows that a person's condition selects; it reaches nothing but the table."""
    import duckdb

    with duckdb.connect() as connection:
        connection.register("given", table)
        connection.execute("CREATE TABLE dropped AS FROM given")
        connection.unregister("given")
        connection.execute("SET enable_external_access = false")
        try:
            return connection.execute(f'SELECT source, "key" FROM dropped WHERE ({where}\n) ORDER BY ALL').fetchall()
        except duckdb.Error as error:
            raise UsageError(f"--where: {error}") from error
