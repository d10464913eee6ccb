"""Digests, canonical JSON, and files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TEMPORARY_PREFIX = ".tmp-"
"""How the name of an unfinished file begins, wherever we write one."""


def canonical_json(value: Any) -> bytes:
    """The one way we serialise JSON for hashing: sorted keys, no spaces, no NaN, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def update_with_array(digest: Any, name: str, array: npt.NDArray[Any] | None) -> None:
    """Feed an array's name, dtype, shape and little-endian bytes into a running digest; None leaves a mark too."""
    if array is None:
        digest.update(f"{name}:none;".encode())
        return
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest.update(f"{name}:{little.dtype.str}:{little.shape};".encode())
    digest.update(little.tobytes())


def fsync_directory(folder: Path) -> None:
    """Make renames and links inside a folder durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def name_aside(path: Path, *, suffix: str = "") -> Path:
    """A name that nothing has yet, in the same folder: for a file that gets its own name when it is whole."""
    return path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{suffix}"


def write_aside(path: Path, data: bytes) -> Path:
    """Write a durable temporary file in the folder of `path`, with the mode of any new file, and return its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = name_aside(path)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a full disk does not say where it is
            error.filename = str(path)
        raise
    return temporary


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old bytes or the new ones and never a part of them."""
    temporary = write_aside(path, data)
    try:
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):  # its own name is the temporary one
            error.filename = str(path)
        raise
    fsync_directory(path.parent)
