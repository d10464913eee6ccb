"""Run folders: a plan first, the result last, and a name that follows from the plan.

RUNS/tokenizers/<name>/    plan.json, metrics.jsonl, state.pt (while training), tokenizer.safetensors
RUNS/corpora/<name>/       plan.json, <split>-<number>.parquet, unigram-<split>.npy, manifest.json
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from motionunion.digest import canonical_json, sha256_hex, write_atomic
from motionunion.errors import MissingInput

PLAN = "plan.json"
TOKENIZERS, CORPORA = "tokenizers", "corpora"


def plan_hash(plan: Mapping[str, Any]) -> str:
    """SHA-256 of a plan's canonical JSON."""
    return sha256_hex(canonical_json(plan))


def open_run(parent: Path, label: str, plan: Mapping[str, Any]) -> Path:
    """The folder of a plan, `<label>-<first 8 hex digits of the plan's hash>`, made where it is not there yet.

    Raises:
        MissingInput: If the folder holds another plan, or one that cannot be read.
    """
    digest = plan_hash(plan)
    folder = parent / f"{label}-{digest[:8]}"
    path = folder / PLAN
    if path.exists():
        if plan_hash(read_plan(folder)["plan"]) != digest:
            raise MissingInput(f"{folder} holds the run of another plan; move it away and run the same command again")
        return folder
    write_plan(folder, plan, [])
    return folder


def write_plan(folder: Path, plan: Mapping[str, Any], failed_attempts: Sequence[Mapping[str, Any]]) -> None:
    """Write `plan.json`: the plan, its hash, and what failed so far (which is no part of the plan)."""
    content = {"plan": plan, "hash": plan_hash(plan), "failed_attempts": list(failed_attempts)}
    write_atomic(folder / PLAN, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")


def read_plan(folder: Path) -> dict[str, Any]:
    """What `write_plan` wrote.

    Raises:
        MissingInput: If it is not there or not readable.
    """
    try:
        content = json.loads((folder / PLAN).read_bytes())
        if content["hash"] != plan_hash(content["plan"]):
            raise ValueError("its hash does not fit")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingInput(f"{folder / PLAN} cannot be read ({error}); move the folder away and run again") from error
    return dict(content)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep a run's folder to this process until the block ends: two that wrote there would cut each other's log, and take away
    each other's unfinished files. The system drops the lock with the process, however that ends; nothing of it stays in the folder.

    Raises:
        MissingInput: If another process is at work there.
    """
    if os.name == "nt":  # pragma: no cover - a folder cannot be locked there
        yield
        return
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MissingInput(
                f"{folder}: another process is at work in it; wait until it has ended, or end it, and run the same command again"
            ) from error
        except OSError as error:
            # Some network file systems lock nothing: who shares runs over one has to start each command once.
            if error.errno not in (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
                raise
        yield
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed write left behind; for the end of a run, when nothing is being written."""
    for path in folder.glob(".tmp-*"):
        path.unlink(missing_ok=True)


def folders_with(parent: Path, result: str) -> list[Path]:
    """Run folders that hold their result, the newest result first (by name where two are equally old)."""
    found = [path.parent for path in parent.glob(f"*/{result}")]
    return sorted(found, key=lambda folder: (-(folder / result).stat().st_mtime_ns, folder.name))
