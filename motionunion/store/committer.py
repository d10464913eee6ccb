"""Receipts to commits, beside other writers.

A receipt that says nothing new adds nothing. Where something is new, all shards of its task come in, what no live
receipt names any more goes out, in one commit. Another writer who commits first costs a second try on top of theirs.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence

from motionunion.errors import StoreError
from motionunion.store.commits import read_state, write_commit
from motionunion.store.ledger import Ledger
from motionunion.store.receipts import Covered, Receipt, sort_covered
from motionunion.store.shards import Shard, write_shard
from motionunion.store.storage import Storage

COMMIT_EVERY_S = 30.0
_TRIES = 100


class Committer:
    """Collects receipts, and commits them at most every 30 seconds, and at `flush`."""

    def __init__(self, storage: Storage, note: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage, self._note, self._clock = storage, note, clock
        self.state = read_state(storage)
        self.ledger = Ledger(storage, self.state)
        self._waiting: list[Receipt] = []
        self._last = clock()
        self.commits: list[int] = []
        """Numbers of the commits made."""

    def add(self, receipt: Receipt) -> None:
        """Take a receipt; commit if it is time to."""
        self._waiting.append(receipt)
        if self._clock() - self._last >= COMMIT_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Commit everything that waits.

        Raises:
            StoreError: If the disk is full, or other writers win a hundred times in a row.
        """
        self._last = self._clock()
        if not self._waiting:
            return
        try:
            for _ in range(_TRIES):
                if self._try_commit():
                    self._waiting = []
                    return
                self.ledger.close()
                self.state = read_state(self._storage)
                self.ledger = Ledger(self._storage, self.state)
        except OSError as error:
            raise storage_trouble(self._storage.url, error, self.state.number) from error
        raise StoreError(
            f"{self._storage.url}: other writers committed {_TRIES} times in between; run the same command again"
        )

    def close(self) -> None:
        self.ledger.close()

    def _try_commit(self) -> bool:
        """Commit what is new among the waiting receipts; False where another writer took the number."""
        number = self.state.number + 1
        added: dict[str, Shard] = {}
        fresh: list[tuple[tuple[Covered, ...], Shard]] = []
        for receipt in self._waiting:
            news = self._news(receipt)
            if news is None:
                continue
            covered, shards = news
            rows = (one.to_row() for one in covered)
            receipts_shard = write_shard(self._storage, "receipts", receipt.label, rows)
            assert receipts_shard is not None  # a receipt without coverage has no news
            fresh.append((covered, receipts_shard))
            added |= {shard.name: shard for shard in (*shards, receipts_shard)}
        if not fresh:
            return True
        for covered, receipts_shard in fresh:
            self.ledger.add(covered, receipts_shard.name, number)
        self.ledger.refresh()
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
        self.state = after
        self.commits.append(number)
        return True

    def _news(self, receipt: Receipt) -> tuple[tuple[Covered, ...], Sequence[Shard]] | None:
        """What a receipt adds: its coverage and shards, its coverage alone (files touched, values the same), or None."""
        before = self.ledger.newest(receipt.covered)
        known = [before.get((one.source, one.key)) for one in receipt.covered]
        if any(old is None or old.says() != one.says() for one, old in zip(receipt.covered, known, strict=True)):
            return receipt.covered, receipt.shards
        kept = [one.kept_as(old) for one, old in zip(receipt.covered, known, strict=True) if old is not None]
        if all(one == old for one, old in zip(kept, known, strict=True)):
            return None
        return sort_covered(kept), ()


def storage_trouble(url: str, error: OSError, committed: int) -> StoreError:
    """What to tell a person when the store's disk refuses, by kind of refusal."""
    goes_on = f"Everything up to commit {committed} is safe; run the same command again to go on from there."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"{url}: the disk is full. {goes_on} Make room first, or put the store elsewhere with --store."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            f"{url}: no permission to write ({error.strerror}). {goes_on} Change the folder's owner or mode first, or "
            "put the store elsewhere with --store."
        )
    return StoreError(f"{url}: {error.strerror or error}. {goes_on}")
