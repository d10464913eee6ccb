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
from motionunion.store.commits import FORMAT_VERSION, State, read_state, seal, unseal
from motionunion.store.schema import annotation_rows, row_content, row_to_clip, rows_digest
from motionunion.store.shards import read_rows, write_shard
from motionunion.store.storage import LocalStorage, Storage

if TYPE_CHECKING:
    import duckdb
    import polars

_ABOUT = "store.json"
_FOLDERS = ("commits", "shards", "index", "cache")
Answer = TypeVar("Answer")


def open_store(path: str | Path, create: bool = False, *, storage: Storage | None = None) -> Store:
    """Open the store in a folder, at its newest commit.

    Args:
        path: The store's folder.
        create: Make an empty store where there is none (in a new or empty folder).
        storage: How bytes are kept, if not by plain files in `path`.

    Raises:
        MissingInput: If there is no store and `create` is not set.
        StoreError: If the path is a file, a folder of other things, not readable, not writable, or a damaged store.
    """
    if "://" in str(path):
        raise UsageError(f"{path}: a store is a folder on a local disk; remote stores are not supported")
    root = Path(path).expanduser()
    kept = LocalStorage(root) if storage is None else storage
    in_the_way = next((path for path in (root, *root.parents) if path.is_file()), None)
    if in_the_way is not None:
        raise StoreError(f"{in_the_way}: is a file, and a store is a folder; name another place with --store")
    try:
        about = unseal(_ABOUT, kept.get(_ABOUT))
    except FileNotFoundError:
        if not create:
            raise MissingInput(
                f"{root}: there is no store here; `motionunion ingest PATH --store {root}` makes one from motion files"
            ) from None
        about = _create(root, kept)
    except PermissionError as error:
        raise StoreError(f"{root}: no permission to read this store ({error.strerror})") from error
    if about["format"] != FORMAT_VERSION:
        raise StoreError(f"{root}: store format {about['format']}; this version reads format {FORMAT_VERSION}")
    return Store(root, kept, str(about["uuid"]), read_state(kept))


def refuse_other_files(root: Path) -> None:
    """Raises `StoreError` where a folder holds something, for one in which there is no store yet."""
    if root.exists() and not all(map(_left_by_a_killed_start, root.iterdir())):
        raise StoreError(f"{root}: holds other files and no store.json; name a new or empty folder with --store")


def _create(root: Path, storage: Storage) -> dict[str, Any]:
    from motionunion.store.committer import storage_trouble

    try:
        refuse_other_files(root)
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        storage.put_if_absent(_ABOUT, seal({"format": FORMAT_VERSION, "uuid": str(uuid.uuid4())}))
        return unseal(_ABOUT, storage.get(_ABOUT))  # another process may have been first
    except OSError as error:
        raise storage_trouble(root, error, 0) from error


def _left_by_a_killed_start(entry: Path) -> bool:
    """True for what is there when the very first run was killed before `store.json` was written."""
    if entry.name.startswith(TEMPORARY_PREFIX):
        return True
    return entry.name in _FOLDERS and entry.is_dir() and not any(entry.iterdir())


class Store:
    """A store at one commit. Made by `open_store`; also a context manager.

    Attributes:
        root: The store's folder.
        storage: How its bytes are kept.
        uuid: Given once, when the store was made.
        state: The commit and its shards.
    """

    def __init__(self, root: Path, storage: Storage, uuid: str, state: State) -> None:
        self.root, self.storage, self.uuid, self.state = root, storage, uuid, state

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
        return self.state.number

    @property
    def cache_dir(self) -> Path:
        """Folder for what is derived from the store and can be made again."""
        return self.root / "cache"

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The index, read-only (tables: `docs/store.md`)."""
        from motionunion.store.index import open_index

        return open_index(self.root, self.state)

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
            relation = connection.sql(query, params=list(parameters))
            if relation is None:
                raise UsageError("query: gives no rows; a store is read with SELECT")
            answer: polars.DataFrame = relation.pl()
            return answer

        try:
            return self._asked(ask)
        except (PolarsError, PanicException) as error:  # intervals, for one, and dates without end
            raise UsageError(
                f"query: a column has values that polars cannot hold ({error}); cast it, for example to varchar"
            ) from error

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

        from motionunion.store.index import index_path, is_damage

        try:
            try:
                return ask(self.connection)
            except duckdb.Error as error:
                if not is_damage(error):
                    raise
                self.close()
                index_path(self.root, self.state).unlink(missing_ok=True)
                return ask(self.connection)
        except (duckdb.Error, OverflowError) as error:  # a number of days, say, beyond what Python's dates reach
            raise UsageError(f"query: {error}") from error
        except OSError as error:
            raise StoreError(
                f"{index_path(self.root, self.state)}: is damaged and cannot be removed ({error.strerror}); delete it, it is "
                "rebuilt"
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
        yield from self._read(self.rows(f"SELECT {_ADDRESS} FROM clips WHERE {condition}{of_split} {_IN_ORDER}"))

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
        found = self.rows(f"SELECT {_ADDRESS} FROM clips WHERE list_contains(?, clip_id) {_IN_ORDER}", [wanted])
        if len(found) < len(wanted):
            missing = sorted(set(wanted) - {row[3] for row in found})
            raise MissingInput(
                f"{missing[0]}: no clip of this id in {self.root} ({len(missing)} of {len(wanted)} are missing); "
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
            raise storage_trouble(self.root, error, self.commit) from error
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
        committer = Committer(self.root, self.storage, note or f"append {source} {key}")
        try:
            committer.add(Receipt(covered=(covered,), shards=shards))
            committer.flush()
            return committer.state.number
        finally:
            committer.close()

    def _read(self, addresses: list[tuple[Any, ...]]) -> Iterator[Clip]:
        """Clips at (shard, row group, row, id, content), sorted: each row group is read once."""
        at, group = None, []
        for shard, group_number, row_number, clip_id, content in addresses:
            if at != (shard, group_number):
                at, group = (shard, group_number), list(read_rows(self.root / "shards" / shard, group_number))
            row = group[row_number] if row_number < len(group) else None
            if row is None or row["clip_id"] != clip_id or row_content(row) != content:
                raise StoreError(
                    f"{self.root / 'shards' / shard}: clip {clip_id} is not what was written there; "
                    "`motionunion check` lists what is damaged"
                )
            yield row_to_clip(row)


_ADDRESS = 'shard, row_group, "row", clip_id, content'
_IN_ORDER = 'ORDER BY shard, row_group, "row"'
