"""Where a store lies, and where on this machine what is derived from it lies."""

from __future__ import annotations

import os
from pathlib import Path

from motionunion.store.storage import LocalStorage, Storage


def storage_at(path: str | Path) -> Storage:
    """The storage of a folder, or of a URL such as `s3://bucket/prefix`."""
    if "://" in str(path):
        from motionunion.store.object_storage import ObjectStorage

        return ObjectStorage(str(path))
    return LocalStorage(Path(path).expanduser())


def derived_folder(storage: Storage, uuid: str) -> Path:
    """Folder for the index and the features of a store: its own where it is local, else `$MOTIONUNION_CACHE/<uuid>`."""
    if isinstance(storage, LocalStorage):
        return storage.root
    cache = os.environ.get("MOTIONUNION_CACHE") or Path.home() / ".cache" / "motionunion"
    return Path(cache).expanduser() / uuid
