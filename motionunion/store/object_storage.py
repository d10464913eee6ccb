"""A store's files as objects of S3, Google Cloud Storage or Azure, through obstore.

Every operation is tried again while the fault may pass and patience lasts (`motionunion/store/remote_requests.py`), and
then ends in an error. obstore repeats what may be sent twice; what may not, a creation above all, is repeated here,
where the object can be read back first: after a reset nobody knows whether the first try has gone through.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, TypeVar

from motionunion.digest import TEMPORARY_PREFIX
from motionunion.errors import StoreError, UsageError
from motionunion.store.remote_errors import RemoteError, explain, is_beyond_end, is_missing_bucket
from motionunion.store.remote_requests import connect, interruptibly, load_obstore, patience_s, pauses_s
from motionunion.store.storage import Entry, Storage

SCHEMES = ("s3", "gs", "az")
_PART_BYTES = 5 << 20  # no server takes smaller ones
_PARTS_AT_ONCE = 2
_SLOW_LINE_BYTES_S = 100e3
"""The slowest line, for each process that writes, on which a shard still gets through."""
_LIST_PAGE = 1000
Answer = TypeVar("Answer")


class ObjectStorage:
    """Objects under a prefix of a bucket. Crosses process borders as its URL; credentials come from the environment."""

    def __init__(self, url: str) -> None:
        """`url` is `s3://bucket/prefix`, `gs://...` or `az://container/prefix`. Raises `UsageError`; asks no server."""
        self._scheme, self._bucket, self._prefix = _parse(url)
        self._url = f"{self._scheme}://{'/'.join(filter(None, (self._bucket, self._prefix)))}"

    def __reduce__(self) -> tuple[object, ...]:
        return (ObjectStorage, (self._url,))

    def __repr__(self) -> str:
        return f"ObjectStorage({self._url!r})"

    @property
    def url(self) -> str:
        return self._url

    def get(self, name: str) -> bytes:
        return self._tried(f"reading {name}", lambda obstore: bytes(obstore.get(self._objects, name).bytes()))

    def get_range(self, name: str, start: int, length: int) -> bytes:
        def read(obstore: Any) -> bytes:
            if length <= 0:
                obstore.head(self._objects, name)  # there is nothing to ask for, but whether the file is there
                return b""
            try:
                return bytes(obstore.get_range(self._objects, name, start=start, length=length))
            except obstore.exceptions.BaseError as error:
                if is_beyond_end(error):
                    return b""
                raise

        return self._tried(f"reading {name}", read)

    def put(self, name: str, data: bytes) -> None:
        def write(obstore: Any) -> None:
            # A whole object or none, also in parts: they become the object by the last request.
            obstore.put(self._uploads, name, data, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)

        self._tried(f"writing {name}", write)

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """As in `Storage`. A name that is taken by the very same bytes counts as written by this call.

        The answer to the request that created the object may have been lost, and the next try then finds its own bytes.
        Two writers' bytes are never equal (each commit carries a random word).
        """

        def create(obstore: Any) -> bool:
            try:
                obstore.put(self._objects, name, data, mode="create", use_multipart=False)
            except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError) as taken:
                try:
                    return bytes(obstore.get(self._objects, name).bytes()) == data
                except FileNotFoundError:
                    # A conflict with a writer or a deletion at the same moment, which left nothing: try again.
                    raise RemoteError(
                        f"{self._url}: writing {name}: the server says that it is there, and that it is not; run the same "
                        "command again",
                        passing=True,
                    ) from taken
            return True

        return self._tried(f"writing {name}", create)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        folder = prefix.rpartition("/")[0]
        seen = after
        give_up = time.monotonic() + patience_s()
        pauses = pauses_s()
        while True:
            try:
                for entry in self._listed(folder, prefix, seen):
                    if seen and entry.name <= seen:
                        raise StoreError(
                            f"{self._url}: the server does not list by name (a directory bucket of S3 Express?); put the "
                            "store into a general-purpose bucket"
                        )
                    seen = entry.name
                    yield entry
                    give_up = time.monotonic() + patience_s()
                return
            except RemoteError as error:
                if not error.passing or time.monotonic() >= give_up:
                    raise
                time.sleep(next(pauses))

    def delete(self, name: str) -> None:
        def remove(obstore: Any) -> None:
            try:
                obstore.delete(self._objects, name)
            except FileNotFoundError as error:
                if is_missing_bucket(error):
                    raise

        self._tried(f"deleting {name}", remove)

    @cached_property
    def _objects(self) -> Any:
        return connect(self._scheme, self._bucket, self._prefix, silence_s=patience_s())

    @cached_property
    def _uploads(self) -> Any:
        """The same for long bodies: the server is silent for as long as one takes to reach it."""
        travel_s = _PARTS_AT_ONCE * _PART_BYTES / _SLOW_LINE_BYTES_S
        return connect(self._scheme, self._bucket, self._prefix, silence_s=patience_s() + travel_s)

    def _tried(self, doing: str, operation: Callable[[Any], Answer]) -> Answer:
        """Do it, and do it again while the fault may pass and patience lasts."""
        obstore = load_obstore()
        give_up = time.monotonic() + patience_s()
        for pause in pauses_s():
            try:
                return interruptibly(lambda: operation(obstore))
            except FileNotFoundError as error:
                if doing.startswith("reading") and not is_missing_bucket(error):
                    raise FileNotFoundError(f"{self._url}: {doing}: there is no such file") from None
                trouble = explain(error, self._url, doing)
                cause: Exception = error
            except obstore.exceptions.BaseError as error:
                trouble, cause = explain(error, self._url, doing), error
            except RemoteError as error:
                trouble, cause = error, error
            if not trouble.passing or time.monotonic() + pause >= give_up:
                raise trouble from cause
            time.sleep(pause)
        raise AssertionError("pauses have no end")

    def _listed(self, folder: str, prefix: str, after: str) -> Iterator[Entry]:
        """One try at a listing, in the server's order."""
        obstore = load_obstore()
        try:
            pages = obstore.list(self._objects, folder or None, offset=after or None, chunk_size=_LIST_PAGE)
            while (page := interruptibly(lambda: next(pages, None))) is not None:
                for one in page:
                    name = one["path"]
                    hidden = name.rpartition("/")[2].startswith(TEMPORARY_PREFIX)
                    if name > after and name.startswith(prefix) and not hidden:
                        yield Entry(name, one["size"], one["last_modified"].timestamp())
                    elif name > prefix and not name.startswith(prefix):
                        return  # sorted by name: nothing of this prefix comes any more
        except (obstore.exceptions.BaseError, FileNotFoundError) as error:
            raise explain(error, self._url, f"listing {prefix}*") from error


def refuse_careless_server(storage: Storage) -> None:
    """Try whether a server really refuses to create what is there: on that alone rests that no commit is lost.

    Raises:
        StoreError: If it does not.
    """
    name = f"{TEMPORARY_PREFIX}probe-{secrets.token_hex(8)}"
    try:
        first, second = storage.put_if_absent(name, b"first"), storage.put_if_absent(name, b"second")
    finally:
        storage.delete(name)
    if not first or second:
        raise StoreError(
            f"{storage.url}: this server ignores the condition If-None-Match, without which two writers could overwrite "
            "each other's commits; put the store on a server that honours it (docs/remote.md lists some), or on a disk"
        )


def _parse(url: str) -> tuple[str, str, str]:
    """Scheme, bucket and prefix."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in SCHEMES:
        raise UsageError(
            f"{url}: a store lies in a folder, or at s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
        )
    bucket, _, prefix = rest.partition("/")
    if not bucket or not all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in bucket):
        what = "a container" if scheme == "az" else "a bucket"
        raise UsageError(f"{url}: {what} is missing or has an impossible name; write {scheme}://BUCKET/PREFIX")
    prefix = prefix.rstrip("/")
    if prefix and any(part in ("", ".", "..") or not part.isprintable() for part in prefix.split("/")):
        raise UsageError(
            f"{url}: the part behind the bucket has an empty part, a dot, or a control character; leave them out"
        )
    return scheme, bucket, prefix
