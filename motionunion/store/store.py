"""Open a store and read it: one commit, for as long as the `Store` lives, whatever is ingested meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from motionunion.clip import SPLITS, Caption, Clip, Segment
from motionunion.digest import TEMPORARY_PREFIX
from motionunion.errors import MissingInput, StoreError, UsageError
from motionunion.progress import SILENT, Progress
from motionunion.store.clip_reading import ROW_COLUMNS, SHARD_COLUMNS, Address, read_clips_at
from motionunion.store.commits import (
    FORMAT_VERSION,
    READABLE_FORMATS,
    Head,
    State,
    read_head,
    read_state,
    seal,
    unseal,
)
from motionunion.store.location import derived_folder, refuse_unsafe_place, storage_at
from motionunion.store.questions import Questions
from motionunion.store.storage import FOLDERS, LocalStorage, Storage
from motionunion.store.trouble import reading_trouble, storage_trouble

if TYPE_CHECKING:
    import polars
    import pyarrow as pa

    from motionunion.feature_selection import FeatureSelection

_ABOUT = "store.json"


def open_store(
    path: str | Path, create: bool = False, *, at: int | None = None, storage: Storage | None = None
) -> Store:
    """Open a store at its newest commit, or at an earlier one.

    Args:
        path: The store's folder, or a URL: `s3://bucket/prefix`, `gs://...`, `az://...`.
        create: Make an empty store where there is none (in a new or empty folder).
        at: Number of the commit to read (`motionunion log` lists them); the newest where None.
        storage: How bytes are kept, if not as `path` says.

    Raises:
        MissingInput: If there is no store and `create` is not set, or no such commit.
        UsageError: If no store can have such a path or URL.
        StoreError: If the path is a file, a folder of other things, not readable, not writable, or a damaged store.
    """
    kept = storage_at(path) if storage is None else storage
    try:
        _refuse_file_in_the_way(kept)
        about = unseal(_ABOUT, kept.get(_ABOUT))
    except FileNotFoundError:
        if not create:
            raise MissingInput(
                f"{kept.url}: there is no store here; `motionunion ingest PATH --store {kept.url}` makes one from motion "
                "files"
            ) from None
        about = _create(kept)
    except OSError as error:
        raise reading_trouble(kept.url, error) from error
    if about["format"] not in READABLE_FORMATS:
        raise StoreError(
            f"{kept.url}: store format {about['format']}; this version reads up to format {FORMAT_VERSION}"
        )
    try:
        return Store(kept, str(about["uuid"]), read_head(kept, at))
    except OSError as error:
        raise reading_trouble(kept.url, error) from error


def _refuse_file_in_the_way(storage: Storage) -> None:
    if isinstance(storage, LocalStorage):
        in_the_way = next((path for path in (storage.root, *storage.root.parents) if path.is_file()), None)
        if in_the_way is not None:
            raise StoreError(f"{in_the_way}: is a file, and a store is a folder; name another place with --store")


def refuse_other_files(storage: Storage) -> None:
    """Raises `StoreError` where a place holds something, for one in which there is no store yet."""
    if isinstance(storage, LocalStorage):
        root = storage.root
        taken = root.exists() and not all(map(_left_by_a_killed_start, root.iterdir()))
    else:
        taken = next(storage.list(""), None) is not None
    if taken:
        raise StoreError(f"{storage.url}: holds other files and no store.json; name a new or empty folder with --store")


def _create(storage: Storage) -> dict[str, Any]:
    try:
        refuse_other_files(storage)
        if isinstance(storage, LocalStorage):
            for folder in FOLDERS:
                (storage.root / folder).mkdir(parents=True, exist_ok=True)
        refuse_unsafe_place(storage)
        storage.put_if_absent(_ABOUT, seal({"format": FORMAT_VERSION, "uuid": str(uuid.uuid4())}))
        return unseal(_ABOUT, storage.get(_ABOUT))  # another process may have been first
    except OSError as error:
        raise storage_trouble(storage.url, error, 0) from error


def _left_by_a_killed_start(entry: Path) -> bool:
    """True for what is there when the very first run was killed before `store.json` was written."""
    if entry.name.startswith(TEMPORARY_PREFIX):
        return True
    return entry.name in FOLDERS and entry.is_dir() and not any(entry.iterdir())


class Store:
    """A store at one commit. Made by `open_store`; also a context manager.

    Attributes:
        storage: How its bytes are kept.
        uuid: Given once, when the store was made.
        head: The commit that this reader sees, for as long as it lives.
        derived: Folder on this machine for what can be made again: the index, features.
    """

    def __init__(self, storage: Storage, uuid: str, head: Head) -> None:
        self.storage, self.uuid, self.head = storage, uuid, head
        self.derived = derived_folder(storage, uuid)
        self._questions = Questions(self.index_folder, storage, head)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the index. Reading again opens it again, at the same commit."""
        self._questions.close()

    @property
    def commit(self) -> int:
        """Number of the commit that this reader sees; 0 for an empty store."""
        return self.head.number

    @property
    def url(self) -> str:
        """Where it lies, as a person writes it, and as `open_store` takes it."""
        return self.storage.url

    @cached_property
    def state(self) -> State:
        """All shards of the commit."""
        try:
            return read_state(self.storage, self.head.number)
        except OSError as error:
            raise reading_trouble(self.url, error) from error

    @property
    def cache_dir(self) -> Path:
        """Folder for what is derived from the store and can be made again."""
        return self.derived / "cache"

    @property
    def index_folder(self) -> Path:
        """Folder of index files."""
        return self.derived / "index"

    def fingerprint(self) -> str:
        """Hash of what the store says; the same however, whenever and by how many workers it was ingested."""
        return str(self.rows("SELECT value FROM about WHERE name = 'fingerprint'")[0][0])

    def sql(self, query: str, parameters: Sequence[object] = ()) -> polars.DataFrame:
        """Answer a question in SQL (DuckDB) as a polars data frame. `docs/store.md` has the tables.

        Args:
            query: One SELECT. It sees the index of this commit, and nothing else of this machine.
            parameters: Values for `?` or `$1` in it.

        Raises:
            UsageError: If the query is not valid, or would write, or gives what polars has no type for.
        """
        return self._questions.polars(query, parameters)

    def arrow(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The same as an Arrow table.

        Raises:
            UsageError: If the query is not valid, or would write.
        """
        return self._questions.arrow(query, parameters)

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The same as plain tuples, for small answers."""
        return self.table(query, parameters)[1]

    def table(self, query: str, parameters: Sequence[object] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names of columns and plain tuples: for every type that DuckDB has, also those that polars has not.

        Raises:
            UsageError: If the query is not valid, or would write.
        """
        return self._questions.table(query, parameters)

    def clips(self, where: str | None = None, split: str | None = None) -> Iterator[Clip]:
        """Read clips, values and all, in the store's own order; hashes are verified. Holds one row group at a time.

        Args:
            where: SQL condition over the columns of `clips`, e.g. `"source = 'amass' and seconds > 2"`.
            split: `train`, `val` or `test`.

        Raises:
            UsageError: If the condition is not valid, or there is no such split.
            StoreError: If what is read is not what was written.
        """
        found = self.arrow(f"SELECT rowid FROM clips WHERE {_condition(where, split)} ORDER BY {_ORDER}")
        return read_clips_at(self.storage, self._addresses(found.column(0)))

    def clip(self, clip_id: str) -> Clip:
        """Read one clip by its id. Raises `MissingInput` where the store has none of that id."""
        # Three questions that each read a block or two; in one, DuckDB would read the whole column of ids.
        place = self.rows("SELECT place FROM places WHERE clip_id = ?", [clip_id])
        if not place:
            raise self._no_clip([clip_id], 1)
        ((shard, *row),) = self.rows(f"SELECT shard, {ROW_COLUMNS} FROM clips WHERE rowid = ?", place[0])
        (file,) = self.rows(f"SELECT {SHARD_COLUMNS} FROM shards WHERE name = ?", [shard])
        return next(read_clips_at(self.storage, [Address(shard, *file, *row)]))

    def read_clips(self, ids: Sequence[str]) -> Iterator[Clip]:
        """Read clips by id, each once, in the store's own order (one read per row group); hashes are verified.

        Raises:
            MissingInput: If an id is not in the store.
            StoreError: If what is read is not what was written.
        """
        wanted = sorted(set(ids))
        asked = f"SELECT rowid, clip_id FROM clips WHERE clip_id IN (SELECT unnest($1::VARCHAR[])) ORDER BY {_ORDER}"
        found = self.arrow(asked, [wanted])
        if found.num_rows < len(wanted):
            raise self._no_clip(sorted(set(wanted).difference(found.column(1).to_pylist())), len(wanted))
        return read_clips_at(self.storage, self._addresses(found.column(0)))

    def captions(self, where: str | None = None, split: str | None = None) -> polars.DataFrame:
        """What is said of clips: one row for each caption of each clip, in the order of source, key and time.

        Args:
            where: SQL condition over the columns of `clips` (see `Store.clips`): whose captions.
            split: `train`, `val` or `test`.

        Returns:
            `clip_id`, `source`, `key`, `split` of the clip; `text`, `tokens`, `start_s`, `end_s` (seconds in the source
            file, both null for the whole), `segment`, `layer`, `generator` of the caption. Captions whose clip is not in
            the store are left out.

        Raises:
            UsageError: If the condition is not valid, or there is no such split.
        """
        return self.sql(_CAPTIONS.format(condition=_condition(where, split)))

    def features(
        self,
        representation: str,
        where: str | None = None,
        split: str | None = None,
        *,
        jobs: int | None = None,
        progress: Progress = SILENT,
    ) -> FeatureSelection:
        """Features in one representation, built on first use and kept: a view of one memory-mapped array.

        Args:
            representation: An id, e.g. `hml263@20/compat` (`docs/representations.md`).
            where: SQL condition over the columns of `clips` (see `Store.clips`): of which clips.
            split: `train`, `val` or `test`.
            jobs: Worker processes; all cores where None.
            progress: Told how many frames are encoded.

        Raises:
            RepresentationError: If the id is not known.
            UsageError: If the condition is not valid, or there is no such split.
            MissingInput: If the store holds no motion that can be encoded.
        """
        from motionunion.features import features_of

        return features_of(self, representation, where=where, split=split, jobs=jobs, progress=progress)

    def stats(self) -> dict[str, Any]:
        """Clips, frames, hours, captions, splits and rejects, in all and per source (`motionunion.stats`)."""
        from motionunion.stats import summarise

        return summarise(self)

    def append(
        self,
        rows_by_kind: Mapping[str, Sequence[Caption] | Sequence[Segment]],
        *,
        source: str,
        key: str,
        note: str = "",
    ) -> int:
        """Add annotations that come from no motion file, such as an imported list of captions.

        What the same (source, key) said before is superseded; saying the same again changes nothing. This `Store`
        stays at its commit: open the store again to see the new one.

        Args:
            rows_by_kind: `{"captions": [Caption, ...], "segments": [Segment, ...]}`, either may be left out.
            source: Who says so, e.g. the caption layer's name.
            key: Which of the things that this source says, e.g. a file name.
            note: For the log.

        Returns:
            Number of the newest commit afterwards.
        """
        from motionunion.store.appending import append

        return append(self.storage, rows_by_kind, source=source, key=key, note=note, committed=self.commit)

    def _addresses(self, rowids: pa.ChunkedArray) -> Iterator[Address]:
        """Where clips lie, for their places in the index: a million addresses at once would take a gigabyte."""
        for start in range(0, len(rowids), _ADDRESSES_AT_ONCE):
            wanted = rowids.slice(start, _ADDRESSES_AT_ONCE).to_pylist()
            found = self.rows(_ADDRESSES.format(condition="rowid IN (SELECT unnest($1::BIGINT[]))"), [wanted])
            yield from (Address(*row) for row in found)

    def _no_clip(self, missing: list[str], of: int) -> MissingInput:
        return MissingInput(
            f"{missing[0]}: no clip of this id in {self.url} ({len(missing)} of {of} are missing); "
            '`motionunion query "select clip_id, source, key from clips"` lists what there is'
        )


def _condition(where: str | None, split: str | None) -> str:
    if split is not None and split not in SPLITS:
        raise UsageError(f"split {split!r}: there are {', '.join(SPLITS)}")
    # A line of its own, for a condition may end in a comment.
    condition = f"({where}\n)" if where else "true"
    return f"{condition} AND split = '{split}'" if split else condition


_ORDER = 'shard, row_group, "row"'
_ADDRESSES_AT_ONCE = 4096
_ADDRESSES = f"""
    SELECT shard, {SHARD_COLUMNS}, {ROW_COLUMNS}
    FROM (FROM clips WHERE {{condition}}) AS c JOIN shards ON shards.name = c.shard ORDER BY {_ORDER}
"""
_CAPTIONS = """
    SELECT c.clip_id, c.source, c."key", c.split, text, tokens, start_s, end_s, segment, layer, generator
    FROM (FROM clips WHERE {condition}) AS c JOIN captions AS said USING (clip_id)
    ORDER BY c.source, c."key", c.clip_id, segment NULLS FIRST, start_s NULLS FIRST, said.source, said."key", position
"""
