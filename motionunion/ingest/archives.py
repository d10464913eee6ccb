"""Archives among the paths of an ingest: each is unpacked beside the store, read as a folder, and removed again.

One at a time, sorted by key. What is read from an archive bears its key in the receipt's `config`, so that it is known
whose a motion is: a file outside of archives goes before one in them, an earlier archive before a later one, whatever
run reads which of them. When all that it gave is committed, the archive gets a receipt of its own (source `archive`,
outcome `annotation` with nothing annotated), by which later runs need not open it.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from motionunion.archives.names import shown_name, stem_of
from motionunion.archives.scratch import clear_abandoned, scratch_folder
from motionunion.archives.unpack import VERSION, Refused, Unpacked, unpack
from motionunion.clip import SYNTHETIC_MARKER
from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import SourceFormatError, UsageError
from motionunion.ingest.plan import Listed, reading_config, skeletons_config
from motionunion.ingest.result import ARCHIVE, IngestResult, SourceCount
from motionunion.ingest.share import Share
from motionunion.ingest.synthetic import is_synthetic
from motionunion.progress import Progress
from motionunion.sources import SOURCES, ReadOptions, Skip
from motionunion.sources.detect import Archive, Detection, look_around
from motionunion.sources.leftovers import why_passed
from motionunion.store.committer import Committer
from motionunion.store.ledger import Ledger
from motionunion.store.receipts import Covered, Receipt
from motionunion.store.shards import write_shard
from motionunion.store.storage import Storage

_MARK = " archive/"
_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that are read together: those that lie open, or those of one archive."""

    detection: Detection
    own: Callable[[list[Listed], Ledger], tuple[list[Listed], list[Skip]]]
    """Leave out what is another's, and mark the rest as this batch's."""
    archive: Archive | None = None
    """None for files that lie open."""
    top: Path = Path()
    """Where the archive is unpacked."""

    def shown(self, path: Path) -> Path:
        """The path of a file as a person knows it: not in a folder that is gone when they read of it."""
        return path if self.archive is None else self.archive.path / path.relative_to(self.top)


class Archives:
    """The archives of one run, and which keys lie open beside them."""

    def __init__(
        self,
        found: tuple[Archive, ...],
        options: ReadOptions,
        storage: Storage,
        committer: Committer,
        result: IngestResult,
        progress: Progress,
        scratch: Path,
        *,
        source: str | None = None,
        share: Share | None = None,
        stop: bool = False,
    ) -> None:
        """
        Args:
            found: What detection found, sorted by key.
            options: How files are read.
            storage: Where the rejects' shards go.
            committer: Takes receipts.
            result: Is told what was read and refused.
            progress: Is told how far it is.
            scratch: Folder to unpack into; made where there is none.
            source: `--source`.
            share: Which archives to read, each being unpacked by one share; None = all.
            stop: Raise at the first refusal (`--on-error fail`).
        """
        self._found, self._options, self._storage, self._committer = found, options, storage, committer
        self._result, self._progress, self._scratch = result, progress, scratch.absolute()
        self._source, self._share, self._stop = source, share, stop
        self._open: set[tuple[str, str]] = set()

    def batches(self, detection: Detection) -> Iterator[Batch]:
        """What lies open, and then each archive that is not read yet. An archive's receipt is added when the next batch is
        asked for: whoever stops before that has not read all of it.

        Raises:
            OSError: The scratch folder cannot be written.
            SourceFormatError: A member or an archive was refused, and `stop` was said.
        """
        yield Batch(detection, self._lies_open)
        if self._scratch.is_dir():
            clear_abandoned(self._scratch)
        for archive in self._found:
            if self._share is None or _is_of(self._share, archive.key):
                self._result.sources.setdefault(ARCHIVE, SourceCount()).files += 1
                covered = self._covered(archive)
                if not self._is_done(archive, covered):
                    yield from self._read(archive, covered)

    def _lies_open(self, listing: list[Listed], ledger: Ledger) -> tuple[list[Listed], list[Skip]]:
        if self._found:
            self._open = {(one.ref.source, one.ref.key) for one in listing}
        return listing, []

    def _covered(self, archive: Archive) -> Covered:
        """The receipt of an archive as it lies there, without what it gave."""
        try:
            status = archive.path.stat()
            size, changed = status.st_size, status.st_mtime_ns
        except OSError:
            size, changed = -1, 0  # gone or closed to us since it was found: opening it says so
        readers = [[name, reader.version] for name, reader in sorted(SOURCES.items())]
        every = sha256_hex(canonical_json([readers, self._source or ""]))[:16]
        return Covered(
            source=ARCHIVE,
            key=archive.key,
            size=size,
            mtime_ns=changed,
            stamp=sha256_hex(canonical_json([archive.path.name, size, changed]))[:32],
            config=f"archives/{VERSION} sources/{every} {reading_config(self._options)}"
            f"{skeletons_config(self._options.skeletons)}",
            outcome="annotation",
        )

    def _is_done(self, archive: Archive, covered: Covered) -> bool:
        """Whether an earlier run has read it, and everything it gave is there and lasting."""
        ledger = self._committer.ledger
        before = ledger.up_to_date([covered])
        if not before:
            return False
        inner = ledger.newest_marked(f"{_MARK}{archive.key}")
        current = ledger.up_to_date(inner)
        if len(current) < len(inner):
            return False
        for (source, key), (outcome, reason) in (*before.items(), *current.items()):
            count = self._result.sources.setdefault(source, SourceCount())
            count.files += source != ARCHIVE
            count.up_to_date += 1
            count.refused_before += outcome == "reject"
            self._result.standing_rejects += reason is not None
            if reason is not None and self._stop:
                raise SourceFormatError(
                    archive.path,
                    f"{key} was refused by an earlier run, and is as it was (--on-error fail): repair or remove it, or use "
                    '--on-error continue. Why: motionunion query "select * from rejects"',
                    reason="refused_before",
                )
        return True

    def _read(self, archive: Archive, covered: Covered) -> Iterator[Batch]:
        with scratch_folder(self._scratch, covered.stamp[:16]) as folder:
            top = folder / (stem_of(archive.path.name))
            top.mkdir()
            self._carry_marker(archive, folder)
            unpacked = self._unpack(archive, covered.size, top)
            receipt = self._receipt(archive, covered, unpacked)
            detection = look_around([_only_folder(top)], self._source, self._options.skeletons)
            batch = Batch(detection, partial(self._of_archive, archive), archive, top)
            self._result.skip(replace(skip, path=batch.shown(skip.path)) for skip in detection.skipped)
            self._result.skip(Skip(archive.path, reason, count) for reason, count in _passed(unpacked).items())
            for claim in detection.claims:
                self._progress.note(
                    f"recognised {claim.source} in {archive.path} ({len(claim.files) + len(claim.sidecars):,} files)"
                )
            yield batch
        self._committer.add(receipt)
        self._committer.flush()
        self._result.count(receipt)

    def _carry_marker(self, archive: Archive, folder: Path) -> None:
        """Keep what is made marked as made, and what is not unmarked."""
        if is_synthetic(archive.path):
            (folder / SYNTHETIC_MARKER).touch()
        elif is_synthetic(folder / "any"):
            raise UsageError(
                f"{self._scratch}: lies below a {SYNTHETIC_MARKER}, which would mark what is unpacked there as synthetic; put the "
                "store elsewhere (--store)"
            )

    def _unpack(self, archive: Archive, size: int, top: Path) -> Unpacked:
        self._progress.start(f"unpack {archive.path.name}", max(size, 0) / 1e6, "MB")
        try:
            return unpack(archive.path, top, lambda count: self._progress.advance(count / 1e6))
        except OSError as error:
            if error.errno not in _DISK_IS_FULL:
                raise
            problem = f"does not fit on the disk of {self._scratch} ({error.strerror}): make room, and run the same command again"
            shutil.rmtree(top)
            top.mkdir()
            return Unpacked(refused=[Refused("", "unreadable", problem)], whole=False)
        finally:
            self._progress.finish()

    def _receipt(self, archive: Archive, covered: Covered, unpacked: Unpacked) -> Receipt:
        """The archive's receipt, its rejects written."""
        rows = [
            {
                "source": ARCHIVE,
                "key": archive.key,
                "file": shown_name(f"{archive.key}/{refused.name}" if refused.name else archive.key, 4096),
                "reason": refused.reason,
                "message": refused.problem,
                "line": None,
            }
            for refused in unpacked.refused
        ]
        if rows and self._stop:
            raise SourceFormatError(
                archive.path, f"{rows[0]['message']} (--on-error fail)", reason=str(rows[0]["reason"])
            )
        shard = write_shard(self._storage, "rejects", ARCHIVE, rows)
        return Receipt(
            covered=(
                replace(
                    covered,
                    outcome="annotation" if unpacked.whole else "reject",
                    reason=",".join(sorted({refused.reason for refused in unpacked.refused})) or None,
                    content=unpacked.digest or None,
                    rejects_shard=None if shard is None else shard.name,
                ),
            ),
            shards=() if shard is None else (shard,),
            rejects=tuple(rows),
        )

    def _of_archive(self, archive: Archive, listing: list[Listed], ledger: Ledger) -> tuple[list[Listed], list[Skip]]:
        marked = [replace(one, config=f"{one.config}{_MARK}{archive.key}") for one in listing]
        before = ledger.live((one.ref.source, one.ref.key) for one in marked)
        earlier = {one.key for one in self._found if one.key < archive.key}
        kept: list[Listed] = []
        left: list[Skip] = []
        for one in marked:
            address = (one.ref.source, one.ref.key)
            known = before.get(address)
            owner = known.newest.config.partition(_MARK)[2] if known is not None else ""
            if address in self._open:
                left.append(Skip(one.ref.path, "has the same key as a file outside of archives, which is read"))
            elif owner in earlier:
                left.append(Skip(one.ref.path, f"has the same key as a file of {owner}, which is read"))
            else:
                kept.append(one)
        return kept, left


def _is_of(share: Share, key: str) -> bool:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % share.count == share.index


def _only_folder(top: Path) -> Path:
    """The folder that a person would name: the one that the archive holds everything in, or else the one made for it."""
    inside = list(top.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else top


def _passed(unpacked: Unpacked) -> dict[str, int]:
    reasons: dict[str, int] = {}
    for suffix, count in sorted(unpacked.passed.items()):
        reason = why_passed(f"x{suffix}")
        reasons[reason] = reasons.get(reason, 0) + count
    return reasons
