"""`merge`: what is live in other stores, into one. Who is right where they differ: `merge_rules`.

Shards of which everything is wanted are copied byte for byte, and held against their hash; of others, the rows that are
wanted. A commit is made every gigabyte or so: killed at any point, running it again does the rest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from motionunion.digest import sha256_hex
from motionunion.errors import UsageError
from motionunion.progress import SILENT, Progress
from motionunion.store.committer import Committer
from motionunion.store.ledger import Ledger
from motionunion.store.merge_rules import Verdict, decide
from motionunion.store.receipts import Covered, Live
from motionunion.store.regroup import ShardDamage, Take, regroup
from motionunion.store.shards import Shard, shard_path
from motionunion.store.store import Store, open_store
from motionunion.store.trouble import storage_trouble

_KINDS = ("clips", "captions", "segments", "rejects")
_KEYS_AT_ONCE = 1 << 14
_COMMIT_BYTES = 1 << 30
_REWRITE_BYTES = 128 << 20
"""Of rows that are copied one by one: they become a shard in memory."""
Address = tuple[str, str]
Places = dict[tuple[str, str, str], str]
"""New shard of the rows of (kind, source, key)."""


@dataclass(slots=True, kw_only=True)
class MergeResult:
    """What a merge did."""

    store: str
    commit: int = 0
    """The store's newest commit afterwards."""
    stores: list[str] = field(default_factory=list)
    clips: int = 0
    """Clips that came in."""
    annotations: int = 0
    rejects: int = 0
    dropped: int = 0
    """Files of which it now knows that they are dropped."""
    equal: int = 0
    """Files of which the others know nothing new."""
    conflicts: int = 0
    """Files of which the stores hold different things."""
    copied: int = 0
    """Shards copied byte for byte."""
    rewritten: int = 0
    """Shards made of some rows of others."""
    bytes: int = 0
    """Size of both."""
    awaited: int = 0
    """Files of the other stores whose rows a repair there has set aside: there is nothing to copy until they are ingested
    again."""
    damage: list[dict[str, str]] = field(default_factory=list)
    """Shards of the other stores that cannot be read: `file` and `problem`. What they hold did not come in."""


def merge(
    stores: Sequence[str | Path | Store], into: str | Path | Store, *, progress: Progress = SILENT
) -> MergeResult:
    """Bring what is live in other stores into one.

    Args:
        stores: The others, folders or URLs; where nothing else decides, a later one wins over an earlier one.
        into: The store that grows; made where there is none.
        progress: Is told how far it is.

    Raises:
        MissingInput: One of the others is not there.
        UsageError: A store is to be merged into itself.
        StoreError: A store cannot be read or written. A damaged shard of another store does not raise: what it holds is
            left out, and it is named in the result.
    """
    others = [one if isinstance(one, Store) else open_store(one) for one in stores]
    target = into if isinstance(into, Store) else open_store(into, create=True)
    if any(other.url == target.url for other in others):
        raise UsageError(f"{target.url}: cannot be merged into itself; name another store with --store")
    names = ", ".join(other.url.rstrip("/").rpartition("/")[2] for other in others)
    merging = None
    try:
        merging = _Merging(others, target, f"merge {names}", progress)
        return merging.run()
    except OSError as error:
        raise storage_trouble(target.url, error, target.commit) from error
    finally:
        if merging is not None:
            merging.close()


class _Merging:
    def __init__(self, others: Sequence[Store], target: Store, note: str, progress: Progress) -> None:
        self._others, self._target, self._progress = others, target, progress
        self._committer = Committer(target.storage, note)
        self._ledgers: list[Ledger] = []
        self._damaged: set[tuple[int, str]] = set()
        self._wanted: Counter[tuple[int, str]] = Counter()
        self._here: dict[str, Shard] = {}
        self.result = MergeResult(store=target.url, stores=[other.url for other in others])

    def run(self) -> MergeResult:
        """Plan by looking at every file, then copy; again while another writer came between."""
        for other in self._others:
            self._ledgers.append(Ledger(other.storage, other.state))
        self._count_wanted()
        self._progress.start("merge", sum(self._bytes_wanted()) / 1e6, "MB")
        for addresses in self._pages():
            self._merge_page(addresses)
        self._progress.finish()
        self.result.commit = self._committer.state.number
        return self.result

    def close(self) -> None:
        for ledger in (*self._ledgers, self._committer.ledger):
            ledger.close()

    def _pages(self) -> Iterator[list[Address]]:
        """Every (source, key) of the other stores, sorted, some at a time."""
        after = ("", "")
        while pages := [page for one in self._ledgers if (page := one.addresses(after, _KEYS_AT_ONCE))]:
            # Beyond the end of a full page its store may know more.
            ends = [page[-1] for page in pages if len(page) == _KEYS_AT_ONCE]
            page = sorted({one for page in pages for one in page if not ends or one <= min(ends)})
            yield page
            after = page[-1]

    def _verdicts(self, addresses: Sequence[Address]) -> Iterator[tuple[Address, Verdict, list[Live | None]]]:
        """For each file of which the others know something of use: who wins, and what the others know."""
        known = [ledger.live(addresses) for ledger in (self._committer.ledger, *self._ledgers)]
        for address in addresses:
            ours = self._ours(known[0].get(address))
            theirs = [self._usable(number, live.get(address)) for number, live in enumerate(known[1:], start=1)]
            verdict = decide([ours, *theirs])
            if verdict is not None:
                yield address, verdict, theirs

    def _ours(self, live: Live | None) -> Live | None:
        """What is known here. What a repair has set aside counts as not known: another store may have it."""
        return None if live is None or any(name not in self._committer.state.shards for name in _names(live)) else live

    def _usable(self, number: int, live: Live | None) -> Live | None:
        """What another store knows, if it has the rows as well."""
        return None if live is None or any(self._shard(number, name) is None for name in _names(live)) else live

    def _count_wanted(self) -> None:
        """How many rows of each shard are wanted, to see which can be copied whole."""
        for addresses in self._pages():
            for number, ledger in enumerate(self._ledgers, start=1):
                live = ledger.live(addresses).values()
                self.result.awaited += sum(self._usable(number, one) is None for one in live)
            for _, verdict, _ in self._verdicts(addresses):
                self.result.conflicts += verdict.conflict
                self.result.equal += not verdict.news
                if verdict.news and verdict.store:
                    for kind, name, rows in _places(verdict):
                        # Receipts do not say how many rejects a file has: one that is wanted takes the shard along.
                        self._wanted[verdict.store, name] += rows if kind != "rejects" else 1 << 40

    def _bytes_wanted(self) -> Iterator[float]:
        for (number, name), rows in self._wanted.items():
            shard = self._shard(number, name)
            if shard is not None:
                yield shard.bytes * min(1.0, rows / shard.rows)

    def _shard(self, number: int, name: str) -> Shard | None:
        return self._others[number - 1].state.shards.get(name)

    def _merge_page(self, addresses: Sequence[Address]) -> None:
        """Copy and commit what is wanted of some files, a bounded number of bytes at a time."""
        batch: dict[Address, tuple[Verdict, list[Live | None]]] = {}
        to_copy, to_rewrite = 0.0, 0.0
        for address, verdict, theirs in self._verdicts(addresses):
            if not verdict.news:
                continue
            batch[address] = verdict, theirs
            for _, name, rows in _places(verdict) if verdict.store else ():
                shard = self._shard(verdict.store, name)
                share = 0.0 if shard is None else shard.bytes * min(1.0, rows / shard.rows)
                to_copy += share
                to_rewrite += 0.0 if self._is_whole(verdict.store, name) else share
            if to_copy >= _COMMIT_BYTES or to_rewrite >= _REWRITE_BYTES:
                self._commit(batch)
                self._progress.advance(to_copy / 1e6, clips=self.result.clips)
                batch, to_copy, to_rewrite = {}, 0.0, 0.0
        self._commit(batch)
        self._progress.advance(to_copy / 1e6, clips=self.result.clips)

    def _is_whole(self, number: int, name: str) -> bool:
        """Whether a shard is copied as it is: all of it is wanted, or a merge that was killed has brought it already."""
        shard = self._shard(number, name)
        here = name in self._committer.state.shards
        return shard is not None and (here or self._wanted[number, name] >= shard.rows)

    def _commit(self, batch: dict[Address, tuple[Verdict, list[Live | None]]]) -> None:
        """Bring the shards of some files, and then what is said of them."""
        brought: dict[str, Shard] = {}
        places = [
            self._bring(number, [one for one, _ in batch.values() if one.store == number], brought) if number else {}
            for number in range(len(self._others) + 1)
        ]

        def merged(address: Address, live: Live | None) -> Sequence[Covered] | None:
            verdict = decide([self._ours(live), *batch[address][1]])
            if verdict is None or not verdict.news:
                return None  # another writer brought it meanwhile
            if not verdict.store:
                return verdict.rows
            rows = [_placed(row, verdict, places[verdict.store]) for row in verdict.rows]
            found = [row for row in rows if row is not None]
            return found if len(found) == len(rows) else None  # the rest lies in a damaged shard

        counts = Counter(one.outcome for one in self._committer.amend(sorted(batch), merged, list(brought.values())))
        self.result.clips += counts["clip"]
        self.result.annotations += counts["annotation"]
        self.result.rejects += counts["reject"]
        self.result.dropped += counts["dropped"]

    def _bring(self, number: int, verdicts: Sequence[Verdict], brought: dict[str, Shard]) -> Places:
        """Copy what some files of one store need; where it lies now. `brought` gets the shards."""
        places: Places = {}
        in_part: dict[tuple[str, str], dict[str, dict[str, Covered]]] = defaultdict(lambda: defaultdict(dict))
        for verdict in verdicts:
            for kind, row in _placing(verdict):
                name = row.place(kind)
                if name is None or (number, name) in self._damaged:
                    continue
                if not self._is_whole(number, name):
                    in_part[kind, row.source][name][row.key] = row
                elif (shard := self._copy(number, name)) is not None:
                    places[kind, row.source, row.key] = name
                    brought[name] = shard
        for (kind, source), wanted in sorted(in_part.items()):
            new = self._rewrite(number, source, wanted)
            if new is not None:
                brought[new.name] = new
                places |= {(kind, source, key): new.name for keys in wanted.values() for key in keys}
        return places

    def _copy(self, number: int, name: str) -> Shard | None:
        """Copy a shard byte for byte; None where it is damaged."""
        shard, other = self._shard(number, name), self._others[number - 1]
        if name in self._here or shard is None:
            return self._here.get(name)
        if name not in self._committer.state.shards:
            try:
                data = other.storage.get(shard_path(name))
                problem = "" if sha256_hex(data) == shard.sha256 else "is not what was written"
            except OSError as error:
                problem = f"cannot be read ({error.strerror or error})"
            if problem:
                self._found_damage(number, name, f"{other.url}/{shard_path(name)}: {problem}")
                return None
            self._target.storage.put(shard_path(name), data)
            self.result.copied += 1
            self.result.bytes += shard.bytes
        self._here[name] = shard
        return shard

    def _rewrite(self, number: int, source: str, wanted: dict[str, dict[str, Covered]]) -> Shard | None:
        """Copy some rows of some shards into a new one, without those that are damaged (`wanted` loses them)."""
        other = self._others[number - 1]
        while wanted:
            takes = [Take(shard, keys) for name, keys in sorted(wanted.items()) if (shard := self._shard(number, name))]
            try:
                new = regroup(other.storage, takes, self._target.storage, source)
            except ShardDamage as damage:
                self._found_damage(number, damage.shard, str(damage))
                del wanted[damage.shard]
                continue
            self.result.rewritten += 1
            self.result.bytes += new.bytes
            return new
        return None

    def _found_damage(self, number: int, name: str, problem: str) -> None:
        self._damaged.add((number, name))
        self.result.damage.append({"file": f"{self._others[number - 1].url}/{shard_path(name)}", "problem": problem})


def _names(live: Live) -> set[str]:
    """The shards that hold what is live of a file."""
    holding = live.holding
    named = [holding.place(kind) for kind in ("clips", "captions", "segments")] if holding is not None else []
    return {name for name in (live.newest.rejects_shard, *named) if name is not None}


def _placing(verdict: Verdict) -> Iterator[tuple[str, Covered]]:
    """Which row says where what is live of each kind lies: the newest one for rejects, the one that holds for the rest."""
    newest, holding = verdict.rows[-1], verdict.rows[0]
    if newest.rejects_shard is not None:
        yield "rejects", newest
    for kind in ("clips", "captions", "segments"):
        if holding.place(kind) is not None:
            yield kind, holding


def _places(verdict: Verdict) -> Iterator[tuple[str, str, int]]:
    """Kind, shard and number of rows of what is live of a file; of its rejects no number is known."""
    for kind, row in _placing(verdict):
        rows = {"captions": row.captions, "segments": row.segments}.get(kind, 1)
        yield kind, str(row.place(kind)), rows


def _placed(row: Covered, verdict: Verdict, places: Places) -> Covered | None:
    """A row with its shards as they are named here; None where one did not come. What is not live is not looked for."""
    live = {kind: one.place(kind) for kind, one in _placing(verdict) if one == row}
    for kind in _KINDS:
        if kind in live and (kind, row.source, row.key) not in places:
            return None
        row = row.placed(kind, places[kind, row.source, row.key] if kind in live else None)
    return row
