"""Where a store lies, and where on this machine what is derived from it lies."""

from __future__ import annotations

import os
import re
import uuid as uuids
from pathlib import Path

from motionunion.errors import StoreError, UsageError
from motionunion.store.storage import LocalStorage, Storage

CACHE_VARIABLE = "MOTIONUNION_CACHE"


def storage_at(path: str | Path) -> Storage:
    """The storage of a folder, or of a URL: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.

    Asks no server, and needs no folder to be there.

    Raises:
        UsageError: If a URL has a scheme that no store can have, or names no bucket; or a path a home that is not there.
    """
    text = str(path)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        from motionunion.store.object_storage import ObjectStorage

        return ObjectStorage(text)
    if re.match(r"(s3|gs|az):/", text):
        raise UsageError(f"{text}: a URL has two slashes behind the colon (pathlib.Path takes one away: pass a str)")
    return LocalStorage(from_home(path))


def from_home(path: str | Path) -> Path:
    """A path that may begin with `~`, in full. Raises `UsageError` where that home folder is not known."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # no such user; or one without a name, as in some containers, and $HOME is not set
        raise UsageError(
            f"{path}: the home folder that this begins with is not known here; write the path in full"
        ) from error


def refuse_unsafe_place(storage: Storage) -> None:
    """To be called before a store is made: raises `StoreError` where two writers could overwrite each other's commits.

    A folder says so at the first commit (`LocalStorage`); some object servers never do, and are put to the test.
    """
    if "://" in storage.url:
        from motionunion.store.object_storage import refuse_careless_server

        refuse_careless_server(storage)


def derived_folder(storage: Storage, uuid: str) -> Path:
    """Folder for a store's index and features: the store's own where it is local, else `$MOTIONUNION_CACHE/<uuid>`.

    The variable is `~/.cache/motionunion` where it is not set. The folder need not be there yet.

    Raises:
        StoreError: If the uuid of a remote store is none: it becomes part of a path of this machine.
        UsageError: If the variable is not set, and this person has no home folder.
    """
    if "://" not in storage.url:
        return Path(storage.url)
    try:
        name = str(uuids.UUID(uuid))
    except ValueError as error:
        raise StoreError(
            f"{storage.url}: the uuid in store.json is none ({uuid[:80]!r}); restore store.json from a backup"
        ) from error
    try:
        return from_home(os.environ.get(CACHE_VARIABLE) or "~/.cache/motionunion") / name
    except UsageError as error:
        raise UsageError(f"{error}, in the variable {CACHE_VARIABLE}") from error
