"""Questions to the index of one commit, in SQL, and answers in several shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from motionunion.errors import StoreError, UsageError
from motionunion.store.commits import Head
from motionunion.store.storage import Storage
from motionunion.store.trouble import aside_trouble

if TYPE_CHECKING:
    import duckdb
    import polars
    import pyarrow as pa

Answer = TypeVar("Answer")


class Questions:
    """Asks the index of a commit. It is opened, and made if need be, at the first question."""

    def __init__(self, folder: Path, storage: Storage, head: Head) -> None:
        self._folder, self._storage, self._head = folder, storage, head

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The index, read-only. Raises `StoreError` where it can neither be read nor made."""
        import duckdb

        from motionunion.store.index import open_index

        try:
            return open_index(self._folder, self._storage, self._head)
        except (duckdb.Error, OSError) as error:
            raise aside_trouble(self._storage.url, error) from error

    def close(self) -> None:
        """Close the index; the next question opens it again."""
        if "connection" in self.__dict__:
            self.__dict__.pop("connection").close()

    def polars(self, query: str, parameters: Sequence[object]) -> polars.DataFrame:
        """See `Store.sql`."""
        from polars.exceptions import PanicException, PolarsError

        def ask(connection: duckdb.DuckDBPyConnection) -> polars.DataFrame:
            answer: polars.DataFrame = connection.sql(query, params=list(parameters)).pl()
            return answer

        try:
            return self._asked(query, ask)
        except (PolarsError, PanicException) as error:  # intervals, for one, and dates without end
            raise UsageError(
                f"query: a column has values that polars cannot hold ({error}); cast it, for example to varchar"
            ) from error

    def arrow(self, query: str, parameters: Sequence[object]) -> pa.Table:
        """See `Store.arrow`."""
        return self._asked(query, lambda connection: connection.sql(query, params=list(parameters)).to_arrow_table())

    def table(self, query: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """See `Store.table`."""

        def ask(connection: duckdb.DuckDBPyConnection) -> tuple[list[str], list[tuple[Any, ...]]]:
            answer = connection.execute(query, list(parameters))
            return [str(column[0]) for column in answer.description], answer.fetchall()

        return self._asked(query, ask)

    def _asked(self, query: str, ask: Callable[[duckdb.DuckDBPyConnection], Answer]) -> Answer:
        """Ask the index. One that turns out damaged only while it is read is built anew, and asked again."""
        import duckdb

        from motionunion.store.index import is_damage, remove_index, verify_index

        try:
            try:
                _only_reads(self.connection, query)
                return ask(self.connection)
            except duckdb.Error as error:
                # A full disk, on which a large query wants to spill, looks like damage too.
                if not is_damage(error) or verify_index(self._folder, self._head) is None:
                    raise
                self.close()
                remove_index(self._folder, self._head)
                return ask(self.connection)
        except (duckdb.Error, OverflowError) as error:  # a number of days, say, beyond what Python's dates reach
            if "pytz" in str(error):  # DuckDB makes Python's times with a zone of it; nothing else here needs it
                raise UsageError(
                    "query: a column has times with a time zone, for which Python has no type; cast it, for example to "
                    "timestamp or varchar"
                ) from error
            raise UsageError(f"query: {error}") from error
        except OSError as error:
            raise StoreError(
                f"{self._folder}: the index of commit {self._head.number} is damaged and cannot be removed "
                f"({error.strerror or error}); delete it, it is rebuilt"
            ) from error


def _only_reads(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raises `UsageError` for anything but one question. (An index file is opened so that it cannot be written, and so that
    nothing outside it can be reached; an index in memory could be written.)"""
    import duckdb

    statements = connection.extract_statements(query)
    if not statements:
        raise UsageError("query: gives no rows; a store is read with SELECT")
    if len(statements) > 1:
        raise UsageError(f"query: these are {len(statements)} statements; ask one thing at a time")
    kinds = duckdb.StatementType
    if statements[0].type not in (kinds.SELECT, kinds.EXPLAIN, kinds.MULTI):
        raise UsageError(f"query: {statements[0].type.name} is not for a store, which is read-only; ask with SELECT")
