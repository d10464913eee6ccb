"""What to tell a person when the disk, or the server, that keeps a store refuses."""

from __future__ import annotations

import errno
import tempfile

from motionunion.errors import StoreError


def reading_trouble(url: str, error: OSError) -> StoreError:
    """What to tell a person when what keeps a store refuses to give it."""
    if isinstance(error, PermissionError):
        return StoreError(f"{url}: no permission to read this store ({error.strerror})")
    return StoreError(
        f"{url}: cannot be read ({error.strerror or error}); nothing was changed, run the same command again"
    )


def aside_trouble(url: str, error: Exception) -> StoreError:
    """What to tell a person when the tables that are made from a store, in files of this machine, cannot be made."""
    return StoreError(
        f"{url}: its index cannot be made ({error}). It needs room and permission in the folder of the index, and where "
        f"temporary files go ({tempfile.gettempdir()}; TMPDIR names another). Nothing that was committed is touched; run the "
        "same command again"
    )


def storage_trouble(url: str, error: OSError, committed: int) -> StoreError:
    """What to tell a person when the store's disk (or a remote store) refuses, by kind of refusal."""
    goes_on = f"Everything up to commit {committed} is safe; run the same command again to go on from there."
    if "://" in url:
        return StoreError(f"{url}: {error.strerror or error or type(error).__name__}. {goes_on}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"{url}: the disk is full. {goes_on} Make room first, or put the store elsewhere with --store."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            f"{url}: no permission to write ({error.strerror}). {goes_on} Change the folder's owner or mode first, or "
            "put the store elsewhere with --store."
        )
    return StoreError(f"{url}: {error.strerror or error or type(error).__name__}. {goes_on}")
