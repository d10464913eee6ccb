"""Receipts to commits, beside other writers.

A receipt that says nothing new adds nothing. Where something is new, all shards of its task come in, what no live
receipt names any more goes out, in one commit. Another writer who commits first costs a second try on top of theirs.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb

from motionunion.errors import StoreError
from motionunion.store.commits import read_state, write_commit
from motionunion.store.ledger import Ledger
from motionunion.store.receipts import Covered, Live, Receipt, sort_covered
from motionunion.store.shards import Shard, shard_path, write_shard
from motionunion.store.storage import Storage
from motionunion.store.trouble import aside_trouble, reading_trouble, storage_trouble

COMMIT_EVERY_S = 30.0
_TRIES = 100
_LOOKS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _News:
    """Coverage that a commit brings, and the shards that it needs: they come together or not at all."""

    label: str
    covered: tuple[Covered, ...]
    shards: tuple[Shard, ...]


class Committer:
    """Collects receipts, and commits them at most every 30 seconds, and at `flush`."""

    def __init__(self, storage: Storage, note: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage, self._note, self._clock = storage, note, clock
        try:
            self.state = read_state(storage)
            self.ledger = Ledger(storage, self.state)
        except OSError as error:
            raise reading_trouble(storage.url, error) from error
        except duckdb.Error as error:
            raise aside_trouble(storage.url, error) from error
        self._waiting: list[Receipt] = []
        self._there: dict[str, bool] = {}
        self._outdated = False
        self._last = clock()
        self.commits: list[int] = []
        """Numbers of the commits made."""

    def add(self, receipt: Receipt) -> None:
        """Take a receipt; commit if it is time to."""
        self._waiting.append(receipt)
        if self._clock() - self._last >= COMMIT_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Commit everything that waits. After an error it still waits, and may be flushed again.

        Raises:
            StoreError: If the disk is full, other writers win a hundred times in a row, or a shard is gone (what does not
                need it is committed).
        """
        self._last = self._clock()
        gone: set[str] = set()
        while batch := self._next_batch():
            gone |= self._commit(partial(self._news_of, batch))
            del self._waiting[: len(batch)]
        _tell_of(gone, self._storage)

    def amend(
        self,
        addresses: Sequence[tuple[str, str]],
        rule: Callable[[tuple[str, str], Live | None], Sequence[Covered] | None],
        shards: Sequence[Shard] = (),
    ) -> list[Covered]:
        """Say something else of some keys, in one commit, by what is live when the commit is made.

        The rule is asked again when another writer was first, so it never overrides what that one brought.

        Args:
            addresses: Each (source, key) in question.
            rule: From one of them and what is live for it, None where nothing is, to what shall be; None leaves it alone.
                Two rows are what it holds, and a reject that is newer.
            shards: Written already; those that the new rows name come in.

        Returns:
            The rows that were committed, sorted.

        Raises:
            StoreError: As `flush`.
        """
        said: list[Covered] = []

        def news() -> list[_News]:
            live = self.ledger.live(addresses)
            by_source: dict[str, list[Covered]] = defaultdict(list)
            for address in sorted(set(addresses)):
                by_source[address[0]] += rule(address, live.get(address)) or ()
            said[:] = [row for _, rows in sorted(by_source.items()) for row in sort_covered(rows)]
            return [
                _News(source, sort_covered(rows), _named_by(rows, shards))
                for source, rows in sorted(by_source.items())
                if rows
            ]

        _tell_of(self._commit(news), self._storage)
        return said

    def close(self) -> None:
        self.ledger.close()

    def _next_batch(self) -> list[Receipt]:
        """The first receipts that wait, as many as speak of different files: of one file, the later one is newer."""
        seen: set[tuple[str, str]] = set()
        for number, receipt in enumerate(self._waiting):
            addresses = {one.address for one in receipt.covered}
            if seen & addresses:
                return self._waiting[:number]
            seen |= addresses
        return self._waiting[:]

    def _commit(self, find_news: Callable[[], list[_News]]) -> set[str]:
        """Commit what is new on top of the newest commit; names of shards that are gone, for which news was left out."""
        try:
            for _ in range(_TRIES):
                self._catch_up()
                news = find_news()
                gone = self._missing(shard for one in news for shard in one.shards)
                news = [one for one in news if not gone & {shard.name for shard in one.shards}]
                if not news or self._try_commit(news):
                    return gone
        except OSError as error:
            raise storage_trouble(self._storage.url, error, self.state.number) from error
        except duckdb.Error as error:
            self._outdated = True
            raise aside_trouble(self._storage.url, error) from error
        raise StoreError(
            f"{self._storage.url}: other writers committed {_TRIES} times in between; run the same command again"
        )

    def _catch_up(self) -> None:
        """Read the store anew where the ledger may differ from it: another writer was first, or a commit failed."""
        if not self._outdated:
            return
        state = read_state(self._storage)
        ledger = Ledger(self._storage, state)
        self.ledger.close()
        self.state, self.ledger, self._outdated = state, ledger, False

    def _try_commit(self, news: Sequence[_News]) -> bool:
        """Commit; False where another writer took the number."""
        number = self.state.number + 1
        added = {shard.name: shard for one in news for shard in one.shards}
        self._outdated = True  # until the commit stands, the ledger knows what the store does not
        arriving: list[tuple[dict[str, Any], str]] = []
        for one in news:
            rows = [row.to_row() for row in one.covered]
            receipts_shard = write_shard(self._storage, "receipts", one.label, rows)
            assert receipts_shard is not None  # there is no news without coverage
            added[receipts_shard.name] = receipts_shard
            arriving += [(row, receipts_shard.name) for row in rows]
        self.ledger.add(arriving, number)
        unreferenced = set(self.ledger.unreferenced({*self.state.shards, *added}))
        after = write_commit(
            self._storage,
            self.state,
            [shard for name, shard in added.items() if name not in unreferenced],
            sorted(unreferenced & set(self.state.shards)),
            self._note,
        )
        if after is None:
            return False
        self.state, self._outdated = after, False
        self.commits.append(number)
        return True

    def _news_of(self, receipts: Sequence[Receipt]) -> list[_News]:
        live = self.ledger.live(one.address for receipt in receipts for one in receipt.covered)
        return [news for one in receipts if (news := self._news(one, live)) is not None]

    def _news(self, receipt: Receipt, live: Mapping[tuple[str, str], Live]) -> _News | None:
        """What a receipt adds: its coverage and shards, its coverage alone (files touched, values the same), or None."""
        covered = [_stays_dropped(one, live.get(one.address)) for one in receipt.covered]
        known = [live[one.address].newest if one.address in live else None for one in covered]
        if any(old is None or old.says() != one.says() for one, old in zip(covered, known, strict=True)):
            return _News(receipt.label, tuple(covered), receipt.shards)
        kept = [one.kept_as(old) for one, old in zip(covered, known, strict=True) if old is not None]
        if not self._all_there(name for one in kept for name in one.shards):
            return _News(receipt.label, tuple(covered), receipt.shards)
        if all(one == old for one, old in zip(kept, known, strict=True)):
            return None
        return _News(receipt.label, sort_covered(kept), ())

    def _all_there(self, names: Iterable[str]) -> bool:
        """Whether shards are in the store's list, and on its disk: one that was lost is made again by reading again."""
        listed = {name: self.state.shards.get(name) for name in set(names)}
        unseen = [shard for name, shard in listed.items() if shard is not None and name not in self._there]
        gone = self._missing(unseen)
        self._there |= {shard.name: shard.name not in gone for shard in unseen}
        return all(shard is not None and self._there[name] for name, shard in listed.items())

    def _missing(self, shards: Iterable[Shard]) -> set[str]:
        """Names of those that are not there with their size. `gc` may have taken one that looked old to it."""
        wanted = list({shard.name: shard for shard in shards}.values())
        if not wanted:
            return set()
        with ThreadPoolExecutor(min(_LOOKS_AT_ONCE, len(wanted))) as pool:
            return {
                shard.name for shard, there in zip(wanted, pool.map(self._is_there, wanted), strict=True) if not there
            }

    def _is_there(self, shard: Shard) -> bool:
        try:
            # One byte, the last one: not fewer, and none behind it.
            return len(self._storage.get_range(shard_path(shard.name), shard.bytes - 1, 2)) == 1
        except FileNotFoundError:
            return False


def _stays_dropped(covered: Covered, live: Live | None) -> Covered:
    """A reading of what was dropped stays dropped; another clip under the same key does not."""
    holding = None if live is None else live.holding
    if holding is None or holding.outcome != "dropped" or covered.outcome != "clip":
        return covered
    same = (holding.clip_id, holding.content) == (covered.clip_id, covered.content)
    return covered.dropped() if same else covered


def _named_by(covered: Iterable[Covered], shards: Sequence[Shard]) -> tuple[Shard, ...]:
    names = {name for one in covered for name in one.shards}
    return tuple(shard for shard in shards if shard.name in names)


def _tell_of(gone: set[str], storage: Storage) -> None:
    if gone:
        raise StoreError(
            f"{storage.url}/{shard_path(min(gone))}: was removed before it was committed ({len(gone)} such; does `motionunion gc` "
            "run here with a very short --grace?); run the same command again, what is missing is made again"
        )
