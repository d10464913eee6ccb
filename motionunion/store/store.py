"""Open a store and read it: one commit, for as long as the `Store` lives, whatever is ingested meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from motionunion.clip import SPLITS, Caption, Clip, Segment
from motionunion.digest import TEMPORARY_PREFIX, canonical_json, sha256_hex
from motionunion.errors import MissingInput, StoreError, UsageError
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
from motionunion.store.location import derived_folder, storage_at
from motionunion.store.schema import annotation_rows, row_content, row_to_clip, rows_digest
from motionunion.store.shards import Shard, read_rows, shard_path, write_shard
from motionunion.store.storage import LocalStorage, Storage

if TYPE_CHECKING:
    import duckdb
    import polars
    import pyarrow as pa

_ABOUT = "store.json"
_FOLDERS = ("commits", "checkpoints", "shards", "index", "cache")
Answer = TypeVar("Answer")


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
        StoreError: If the path is a file, a folder of other things, not readable, not writable, or a damaged store.
    """
    kept = storage_at(path) if storage is None else storage
    if isinstance(kept, LocalStorage):
        in_the_way = next((path for path in (kept.root, *kept.root.parents) if path.is_file()), None)
        if in_the_way is not None:
            raise StoreError(f"{in_the_way}: is a file, and a store is a folder; name another place with --store")
    try:
        about = unseal(_ABOUT, kept.get(_ABOUT))
    except FileNotFoundError:
        if not create:
            raise MissingInput(
                f"{kept.url}: there is no store here; `motionunion ingest PATH --store {kept.url}` makes one from motion "
                "files"
            ) from None
        about = _create(kept)
    except PermissionError as error:
        raise StoreError(f"{kept.url}: no permission to read this store ({error.strerror})") from error
    if about["format"] not in READABLE_FORMATS:
        raise StoreError(
            f"{kept.url}: store format {about['format']}; this version reads up to format {FORMAT_VERSION}"
        )
    return Store(kept, str(about["uuid"]), read_head(kept, at))


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
    from motionunion.store.committer import storage_trouble

    try:
        refuse_other_files(storage)
        if isinstance(storage, LocalStorage):
            for folder in _FOLDERS:
                (storage.root / folder).mkdir(parents=True, exist_ok=True)
        storage.put_if_absent(_ABOUT, seal({"format": FORMAT_VERSION, "uuid": str(uuid.uuid4())}))
        return unseal(_ABOUT, storage.get(_ABOUT))  # another process may have been first
    except OSError as error:
        raise storage_trouble(storage.url, error, 0) from error


def _left_by_a_killed_start(entry: Path) -> bool:
    """True for what is there when the very first run was killed before `store.json` was written."""
    if entry.name.startswith(TEMPORARY_PREFIX):
        return True
    return entry.name in _FOLDERS and entry.is_dir() and not any(entry.iterdir())


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

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the index. Reading again opens it again, at the same commit."""
        if "connection" in self.__dict__:
            self.__dict__.pop("connection").close()

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
        return read_state(self.storage, self.head.number)

    @property
    def cache_dir(self) -> Path:
        """Folder for what is derived from the store and can be made again."""
        return self.derived / "cache"

    @property
    def index_folder(self) -> Path:
        """Folder of index files."""
        return self.derived / "index"

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The index, read-only (tables: `docs/store.md`)."""
        from motionunion.store.index import open_index

        return open_index(self.index_folder, self.storage, self.head)

    def fingerprint(self) -> str:
        """Hash of what the store says; the same however, whenever and by how many workers it was ingested."""
        return str(self.rows("SELECT value FROM about WHERE name = 'fingerprint'")[0][0])

    def sql(self, query: str, parameters: Sequence[object] = ()) -> polars.DataFrame:
        """Answer a question in SQL (DuckDB) as a polars data frame.

        Raises:
            UsageError: If the query is not valid, or would write, or gives what polars has no type for.
        """
        from polars.exceptions import PanicException, PolarsError

        def ask(connection: duckdb.DuckDBPyConnection) -> polars.DataFrame:
            answer: polars.DataFrame = _relation(connection, query, parameters).pl()
            return answer

        try:
            return self._asked(ask)
        except (PolarsError, PanicException) as error:  # intervals, for one, and dates without end
            raise UsageError(
                f"query: a column has values that polars cannot hold ({error}); cast it, for example to varchar"
            ) from error

    def arrow(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The same as an Arrow table.

        Raises:
            UsageError: If the query is not valid, or would write.
        """
        return self._asked(lambda connection: _relation(connection, query, parameters).to_arrow_table())

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The same as plain tuples, for small answers."""
        return self.table(query, parameters)[1]

    def table(self, query: str, parameters: Sequence[object] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names of columns and plain tuples: for every type that DuckDB has, also those that polars has not.

        Raises:
            UsageError: If the query is not valid, or would write.
        """

        def ask(connection: duckdb.DuckDBPyConnection) -> tuple[list[str], list[tuple[Any, ...]]]:
            answer = connection.execute(query, list(parameters))
            if answer is None or answer.description is None:
                raise UsageError("query: gives no rows; a store is read with SELECT")
            return [str(column[0]) for column in answer.description], answer.fetchall()

        return self._asked(ask)

    def _asked(self, ask: Callable[[duckdb.DuckDBPyConnection], Answer]) -> Answer:
        """Ask the index. One that turns out damaged only while it is read is built anew, and asked again."""
        import duckdb

        from motionunion.store.index import is_damage, remove_index

        try:
            try:
                return ask(self.connection)
            except duckdb.Error as error:
                if not is_damage(error):
                    raise
                self.close()
                remove_index(self.index_folder, self.head)
                return ask(self.connection)
        except (duckdb.Error, OverflowError) as error:  # a number of days, say, beyond what Python's dates reach
            raise UsageError(f"query: {error}") from error
        except OSError as error:
            raise StoreError(
                f"{self.index_folder}: the index of commit {self.commit} is damaged and cannot be removed ({error.strerror}); delete it, "
                "it is rebuilt"
            ) from error

    def clips(self, where: str | None = None, split: str | None = None) -> Iterator[Clip]:
        """Read clips, values and all, in the store's own order.

        Args:
            where: SQL condition over the columns of `clips`, e.g. `"source = 'amass' and seconds > 2"`.
            split: `train`, `val` or `test`.
        """
        if split is not None and split not in SPLITS:
            raise UsageError(f"split {split!r}: there are {', '.join(SPLITS)}")
        condition = f"({where})" if where else "true"
        of_split = f" AND split = '{split}'" if split else ""
        yield from self._read(self.rows(_FIND.format(condition=condition + of_split)))

    def clip(self, clip_id: str) -> Clip:
        """Read one clip by its id. Raises `MissingInput` where the store has none of that id."""
        return next(self.read_clips([clip_id]))

    def read_clips(self, ids: Sequence[str]) -> Iterator[Clip]:
        """Read clips by id, each once, in the store's own order (one read per row group); hashes are verified.

        Raises:
            MissingInput: If an id is not in the store.
            StoreError: If what is read is not what was written.
        """
        wanted = sorted(set(ids))
        found = self.rows(_FIND.format(condition="clip_id IN (SELECT unnest($1::VARCHAR[]))"), [wanted])
        if len(found) < len(wanted):
            missing = sorted(set(wanted) - {row[-2] for row in found})
            raise MissingInput(
                f"{missing[0]}: no clip of this id in {self.url} ({len(missing)} of {len(wanted)} are missing); "
                '`motionunion query "select clip_id, source, key from clips"` lists what there is'
            )
        yield from self._read(found)

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
        from motionunion.store.committer import Committer, storage_trouble
        from motionunion.store.receipts import Covered, Receipt

        unknown = set(rows_by_kind) - {"captions", "segments"}
        if unknown:
            raise ValueError(f"append takes captions and segments, not {sorted(unknown)}")
        captions = annotation_rows(source, key, rows_by_kind.get("captions", ()))
        segments = annotation_rows(source, key, rows_by_kind.get("segments", ()))
        try:
            captions_shard = write_shard(self.storage, "captions", source, captions)
            segments_shard = write_shard(self.storage, "segments", source, segments)
        except OSError as error:
            raise storage_trouble(self.url, error, self.commit) from error
        digests = rows_digest(captions), rows_digest(segments)
        covered = Covered(
            source=source,
            key=key,
            size=0,
            mtime_ns=0,
            stamp=sha256_hex(canonical_json(list(digests))),
            config="append",
            outcome="annotation",
            captions=len(captions),
            captions_digest=digests[0],
            segments=len(segments),
            segments_digest=digests[1],
            captions_shard=captions_shard.name if captions_shard else None,
            segments_shard=segments_shard.name if segments_shard else None,
        )
        shards = tuple(shard for shard in (captions_shard, segments_shard) if shard is not None)
        committer = Committer(self.storage, note or f"append {source} {key}")
        try:
            committer.add(Receipt(covered=(covered,), shards=shards))
            committer.flush()
            return committer.state.number
        finally:
            committer.close()

    def _read(self, addresses: list[tuple[Any, ...]]) -> Iterator[Clip]:
        """Clips at the places that `_FIND` gives, sorted: each row group is read once."""
        at, group = None, []
        for name, rows, size, sha256, footer, group_number, row_number, clip_id, content in addresses:
            if at != (name, group_number):
                shard = Shard(name=name, kind="clips", rows=rows, bytes=size, sha256=sha256, footer_sha256=footer)
                at, group = (name, group_number), list(read_rows(self.storage, shard, group_number))
            row = group[row_number] if row_number < len(group) else None
            if row is None or row["clip_id"] != clip_id or row_content(row) != content:
                raise StoreError(
                    f"{self.url}/{shard_path(name)}: clip {clip_id} is not what was written there; "
                    "`motionunion check` lists what is damaged"
                )
            yield row_to_clip(row)


def _relation(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object]
) -> duckdb.DuckDBPyRelation:
    relation = connection.sql(query, params=list(parameters))
    if relation is None:
        raise UsageError("query: gives no rows; a store is read with SELECT")
    return relation


_FIND = """
    SELECT shard, s.rows, s.bytes, s.sha256, s.footer_sha256, row_group, "row", clip_id, content
    FROM (FROM clips WHERE {condition}) AS c JOIN shards AS s ON s.name = c.shard ORDER BY shard, row_group, "row"
"""
