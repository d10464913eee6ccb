"""One DuckDB file per commit: what is live, ready for questions. Derived, never the truth: delete it and it is rebuilt.

An open DuckDB writer shuts out the readers of other processes. So a file is built aside, renamed into its place, and
from then on only ever opened read-only. Its name ends in the sha256 of its bytes: of two processes that build the same
index neither spoils the other's, and a byte that turned is found (`verify_index`).

The four files used last are kept, so that going back and forth between commits builds nothing twice; a new one begins
with what an earlier one knows.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from motionunion.digest import TEMPORARY_PREFIX, fsync_directory, name_aside, sha256_file
from motionunion.store.commits import Head, State, read_state, unseal
from motionunion.store.index_tables import TABLES, build_tables
from motionunion.store.location import derived_folder
from motionunion.store.storage import TEMPORARY_IS_OLD_S, Storage

__all__ = ["TABLES", "find_index", "index_in_memory", "open_index", "read_index", "verify_index", "write_index"]

INDEX_VERSION = 4
"""Part of the file's name: a newer index layout rebuilds, never misreads."""
KEPT_INDEXES = 4
_READ_MEMORY = "256MiB"
"""What DuckDB may hold of tables and of work in hand; the rest of it goes to disk."""
_BUILD_MEMORY = ("204MiB", "1GiB", "4GiB")
"""The same while an index is built: each more only where the one before turned out too little."""
_MOST_THREADS = 4
"""Each thread takes memory; these files are small for more."""


def open_index(folder: Path, storage: Storage, head: Head) -> duckdb.DuckDBPyConnection:
    """The index of a commit, read-only; built first where it is missing or damaged.

    Where it cannot be written (a store that this person may only read, a full disk), it is built in memory.

    Args:
        folder: Where index files lie, on this machine.
        storage: Where the store's shards lie.
        head: The commit.
    """
    for path in _files(folder, head):
        # A damaged file is built anew; so is one that another process removed just now.
        with contextlib.suppress(duckdb.IOException):
            opened = read_index(path)
            with contextlib.suppress(OSError):
                os.utime(path)  # used just now: see `_remove_unused`
            return opened
    state = read_state(storage, head.number)
    try:
        return read_index(write_index(folder, storage, state))
    except (OSError, duckdb.Error):  # or another process's `motionunion gc` removed it right away
        return index_in_memory(storage, state)


def read_index(path: Path) -> duckdb.DuckDBPyConnection:
    """Open an index file to read, with no way out of it to other files and nothing that a query could set.

    Raises `duckdb.IOException` where it is damaged.
    """
    # One configuration for a file, or DuckDB would not open it twice in one process.
    config = {**_SHUT_OFF, **_limits(_READ_MEMORY, _temporary(path.stem[:33]))}
    return duckdb.connect(path, read_only=True, config=config)


def is_damage(error: duckdb.Error) -> bool:
    """Whether an index file, not the question, is to blame. Blocks are read, and their checksums seen, when first asked for."""
    return isinstance(error, duckdb.IOException | duckdb.FatalException) or "Corrupt database file" in str(error)


def find_index(folder: Path, head: Head) -> Path | None:
    """The index file of a commit, where there is one."""
    return next(_files(folder, head), None)


def remove_index(folder: Path, head: Head) -> None:
    """Remove a commit's index files. Raises `OSError` where that is not allowed."""
    for path in _files(folder, head):
        path.unlink(missing_ok=True)


def verify_index(folder: Path, head: Head) -> str | None:
    """What is wrong with the bytes of a commit's index files; None where nothing is, or there is none."""
    for path in _files(folder, head):
        try:
            if sha256_file(path) != _sha256_of(path):
                return f"{path.name}: its bytes are not those that were written; delete it, it is rebuilt"
        except FileNotFoundError:
            continue  # another process found it unused just now
        except OSError as error:
            return f"{path.name}: cannot be read ({error.strerror})"
    return None


def write_index(folder: Path, storage: Storage, state: State) -> Path:
    """Build the index of a commit aside and give it its name; of the others, those used last are kept.

    Raises `OSError` or `duckdb.Error` where it cannot be written, and `StoreError` where a shard cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for memory in _BUILD_MEMORY[:-1]:
        with contextlib.suppress(duckdb.OutOfMemoryException):
            return _write(folder, storage, state, memory)
    return _write(folder, storage, state, _BUILD_MEMORY[-1])


def _write(folder: Path, storage: Storage, state: State, memory: str) -> Path:
    aside = name_aside(folder / "index", suffix=".duckdb")  # DuckDB wants to make the file itself
    try:
        with connect_aside(aside, memory) as connection:
            with attached(connection, base_index(folder, state)) as based:
                build_tables(connection, storage, state, based)
            connection.execute("CHECKPOINT")  # closing would write it too, but a full disk is not said then
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        path = folder / f"{_stem(state.head)}-{sha256_file(aside)}.duckdb"
        aside.replace(path)
    finally:
        for leftover in (aside, aside.with_name(f"{aside.name}.wal")):
            leftover.unlink(missing_ok=True)
        shutil.rmtree(aside.with_suffix(".spill"), ignore_errors=True)
    fsync_directory(folder)
    _remove_unused(folder, path)
    return path


def index_in_memory(storage: Storage, state: State) -> duckdb.DuckDBPyConnection:
    """The same tables in no file, made from the shards alone. Raises `StoreError` where a shard cannot be read."""
    connection = duckdb.connect(config=_limits(_BUILD_MEMORY[-1], _temporary(secrets.token_hex(8))))
    build_tables(connection, storage, state, based=False)
    for setting, value in _SHUT_OFF.items():
        connection.execute(f"SET {setting} = {value}")
    return connection


def base_index(folder: Path, state: State) -> Path | None:
    """The newest index, no newer than a commit, that is to the last byte what was written: where to begin from."""
    found = [path for path in folder.glob(f"*-v{INDEX_VERSION}-*.duckdb") if path.name[:20].isdigit()]
    for path in sorted(found, reverse=True):
        with contextlib.suppress(OSError):
            if int(path.name[:20]) <= state.number and sha256_file(path) == _sha256_of(path):
                return path
    return None


@contextlib.contextmanager
def attached(connection: duckdb.DuckDBPyConnection, path: Path | None) -> Iterator[bool]:
    """An index as `base` of a connection; False where there is none, or it is gone."""
    based = False
    if path is not None:
        with contextlib.suppress(duckdb.IOException):
            connection.execute(f"ATTACH '{str(path).replace(chr(39), 2 * chr(39))}' AS base (READ_ONLY)")
            based = True
    try:
        yield based
    finally:
        if based:
            connection.execute("DETACH base")


def connect_aside(path: Path, memory: str = _BUILD_MEMORY[0]) -> duckdb.DuckDBPyConnection:
    """A new database of bounded memory, to fill. What needs an order says so (ORDER BY); one thread, since each has buffers."""
    limits = _limits(memory, path.with_suffix(".spill"))
    config = {**limits, "threads": 1, "preserve_insertion_order": "false"}
    return duckdb.connect(path, config=config)


def index_folder(storage: Storage) -> Path | None:
    """Where index files of a store lie on this machine; None for a store that is none yet."""
    try:
        about = unseal("store.json", storage.get("store.json"))
    except FileNotFoundError:
        return None
    return derived_folder(storage, str(about["uuid"])) / "index"


def _limits(memory: str, spill: Path | None) -> dict[str, str | bool | int | float | list[str]]:
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    if spill is None:
        return {"temp_directory": "", "threads": threads}
    return {"memory_limit": memory, "temp_directory": str(spill), "threads": threads}


def _temporary(name: str) -> Path | None:
    """Where work may spill that belongs to no store's folder; None where nothing at all can be written."""
    try:
        return Path(tempfile.gettempdir(), f"motionunion-{os.getpid()}-{name}")
    except FileNotFoundError:
        return None


_SHUT_OFF: dict[str, str | bool | int | float | list[str]] = {
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",  # else a query could name the caller's variables
    "enable_external_access": "false",
    "lock_configuration": "true",
}


def _stem(head: Head) -> str:
    """How the name of a commit's index begins: with the commit's digest, lest another chain's index be taken for ours."""
    return f"{head.number:020d}-{head.digest[:12] or 'empty'}-v{INDEX_VERSION}"


def _files(folder: Path, head: Head) -> Iterator[Path]:
    yield from sorted(folder.glob(f"{_stem(head)}-*.duckdb"))


def _sha256_of(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _remove_unused(folder: Path, new: Path) -> None:
    """Remove all index files but the few used last, those of older layouts among them, and what killed builds left."""
    used: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        # Gone meanwhile, or another person's: an index that stands is not to fail for what lies beside it.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            modified = path.stat().st_mtime
            if path.name.startswith(TEMPORARY_PREFIX):
                if modified < time.time() - TEMPORARY_IS_OLD_S:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            elif path.suffix == ".duckdb" and path != new:
                used.append((modified if f"-v{INDEX_VERSION}-" in path.name else 0.0, path))
    for _, path in sorted(used, reverse=True)[KEPT_INDEXES - 1 :]:
        # Windows keeps a file that a reader has open; the next build removes it.
        with contextlib.suppress(PermissionError):
            path.unlink(missing_ok=True)
